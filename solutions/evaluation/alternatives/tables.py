"""A second right solution: regular expressions, loops over positions, products for binomials, tables in NumPy."""

import itertools
import math
import re
import string
from fractions import Fraction
from functools import lru_cache

import numpy as np

T_MIN, T_MAX = 0.01, 100.0


def _refuse(wrong, what):
    if wrong:
        raise ValueError(what)


def _harmonic(matched, ours, theirs):
    p = matched / ours if ours else 0.0
    r = matched / theirs if theirs else 0.0
    return p, r, (2 * p * r / (p + r) if p + r > 0 else 0.0)


def _windows(sequence, n):
    return [tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1)]


def _paired_off(ours, theirs):
    """How many items two lists have in common, each used once."""
    rest, found = list(theirs), 0
    for item in ours:
        if item in rest:
            rest.remove(item)
            found += 1
    return found


def normalize_answer(text):
    text = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\s+", " ", re.sub(r"(?<!\S)(a|an|the)(?!\S)", " ", text)).strip()


def exact_match(prediction, answers, *, normalize=normalize_answer):
    _refuse(isinstance(answers, str) or len(answers) == 0, "answers must be a list")
    wanted = {normalize(answer) for answer in answers}
    return normalize(prediction) in wanted


def token_f1(prediction, answers, *, normalize=normalize_answer):
    _refuse(isinstance(answers, str) or len(answers) == 0, "answers must be a list")
    ours = normalize(prediction).split()

    def score(answer):
        theirs = normalize(answer).split()
        if not ours and not theirs:
            return 1.0
        return _harmonic(_paired_off(ours, theirs), len(ours), len(theirs))[2]

    return max(map(score, answers))


def choose_by_likelihood(logps, texts, *, per_byte=False):
    _refuse(not texts or len(logps) != len(texts) or "" in texts, "a text for each option")
    best, best_score = 0, -math.inf
    for option, (row, text) in enumerate(zip(logps, texts)):
        score = math.fsum(row)
        if per_byte:
            score /= len(bytes(text, "utf-8"))
        if score > best_score:
            best, best_score = option, score
    return best


def bleu_counts(candidate, references):
    _refuse(isinstance(references, str) or len(references) == 0, "references must be a list")
    _refuse(any(isinstance(text, str) for text in (candidate, *references)), "a text must be a list of tokens")
    matches, totals = [], []
    for n in (1, 2, 3, 4):
        ours, theirs = _windows(candidate, n), [_windows(reference, n) for reference in references]
        matches.append(sum(min(ours.count(g), max(row.count(g) for row in theirs)) for g in set(ours)))
        totals.append(len(ours))
    lengths = sorted(len(reference) for reference in references)
    return matches, totals, len(candidate), min(lengths, key=lambda length: abs(length - len(candidate)))


def bleu(candidates, references, *, smooth=False, counts=bleu_counts):
    _refuse(not len(candidates) or len(candidates) != len(references), "references for each candidate")
    rows = [counts(candidate, texts) for candidate, texts in zip(candidates, references)]
    matches = np.sum([row[0] for row in rows], axis=0).astype(float)
    totals = np.sum([row[1] for row in rows], axis=0)
    c, r = sum(row[2] for row in rows), sum(row[3] for row in rows)
    if matches.sum() == 0 or totals.min() == 0:
        return 0.0
    missing = matches == 0
    if missing.any() and not smooth:
        return 0.0
    matches[missing] = 0.5 ** np.arange(1, missing.sum() + 1)
    return float(100 * min(1.0, math.exp(1 - r / c)) * np.prod(matches / totals) ** 0.25)


def chrf(candidates, references, *, beta=2.0, max_n=6):
    _refuse(not candidates or len(candidates) != len(references), "a reference for each candidate")
    _refuse(beta <= 0, "beta must be positive")
    squeeze = str.maketrans("", "", string.whitespace)
    table = np.zeros((max_n, 3))
    for candidate, reference in zip(candidates, references):
        for n in range(max_n):
            ours = _windows(candidate.translate(squeeze), n + 1)
            theirs = _windows(reference.translate(squeeze), n + 1)
            table[n] += _paired_off(ours, theirs), len(ours), len(theirs)
    table = table[(table[:, 1] > 0) & (table[:, 2] > 0)]
    if len(table) == 0 or table[:, 0].sum() == 0:
        return 0.0
    p, r = (table[:, 0] / table[:, 1]).mean(), (table[:, 0] / table[:, 2]).mean()
    return float(100 / ((1 / p + beta**2 / r) / (1 + beta**2)))


def rouge_n(candidate, reference, n):
    _refuse(isinstance(candidate, str) or isinstance(reference, str) or n < 1, "lists of tokens, n from 1")
    ours, theirs = _windows(candidate, n), _windows(reference, n)
    return _harmonic(_paired_off(ours, theirs), len(ours), len(theirs))


def lcs_places(candidate, reference):
    _refuse(isinstance(candidate, str) or isinstance(reference, str), "lists of tokens")

    @lru_cache(maxsize=None)
    def length(i, j):
        if i == 0 or j == 0:
            return 0
        if reference[i - 1] == candidate[j - 1]:
            return 1 + length(i - 1, j - 1)
        return max(length(i - 1, j), length(i, j - 1))

    def walk(i, j):
        if i == 0 or j == 0:
            return []
        if reference[i - 1] == candidate[j - 1]:
            return [*walk(i - 1, j - 1), i - 1]
        return walk(i, j - 1) if length(i, j - 1) > length(i - 1, j) else walk(i - 1, j)

    return walk(len(reference), len(candidate))


def rouge_l(candidate, reference, *, places=lcs_places):
    _refuse(isinstance(candidate, str) or isinstance(reference, str), "lists of tokens")
    common = len(places(candidate, reference)) if candidate and reference else 0
    return _harmonic(common, len(candidate), len(reference))


def rouge_lsum(candidate_sentences, reference_sentences, *, places=lcs_places):
    everything = [token for sentence in candidate_sentences for token in sentence]
    hits = []
    for sentence in reference_sentences:
        marks = np.zeros(len(sentence), dtype=bool)
        for candidate in candidate_sentences:
            marks[list(places(candidate, sentence))] = True
        hits += [token for token, marked in zip(sentence, marks) if marked]
    return _harmonic(_paired_off(hits, everything), len(everything), sum(map(len, reference_sentences)))


def idf_weights(tokens, references):
    _refuse(isinstance(tokens, str) or isinstance(references, str) or len(references) == 0, "lists of tokens")
    having = np.array([[token in reference for reference in references] for token in tokens]).sum(axis=-1)
    return np.log(len(references) + 1.0) - np.log1p(having.astype(float))


def greedy_match(candidate, reference, *, candidate_weights=None, reference_weights=None):
    candidate, reference = np.asarray(candidate, dtype=float), np.asarray(reference, dtype=float)
    _refuse(candidate.ndim != 2 or reference.ndim != 2 or candidate.shape[1] != reference.shape[1], "(m, d) and (n, d)")

    def share(texts, others, weights):
        best = [max(x @ y / math.sqrt((x @ x) * (y @ y)) for y in others) for x in texts]
        weights = [1.0] * len(texts) if weights is None else list(weights)
        return float(sum(w * b for w, b in zip(weights, best)) / sum(weights))

    p, r = share(candidate, reference, candidate_weights), share(reference, candidate, reference_weights)
    return p, r, (2 * p * r / (p + r) if p + r > 0 else 0.0)


def _samples(n, c, k):
    _refuse(not 0 <= c <= n or not 1 <= k <= n, "0 <= c <= n and 1 <= k <= n")


def pass_at_k(n, c, k):
    _samples(n, c, k)
    return 1.0 - float(np.prod([max(0, n - c - i) / (n - i) for i in range(k)]))


def all_of_k(n, c, k):
    _samples(n, c, k)
    product = Fraction(1)
    for i in range(k):
        product *= Fraction(max(0, c - i), n - i)
    return float(product)


def benchmark_score(totals, corrects, k, *, estimate=pass_at_k):
    _refuse(not len(totals) or len(totals) != len(corrects), "a number of right samples for each task")
    return float(np.mean([estimate(n, c, k) for n, c in zip(totals, corrects)]))


def calibration_error(confidences, correct, *, n_bins=10):
    confidences, correct = np.asarray(confidences, dtype=float), np.asarray(correct, dtype=float)
    _refuse(confidences.ndim != 1 or confidences.shape != correct.shape or n_bins < 1, "two vectors, a bin")
    total = 0.0
    for j in range(1, n_bins + 1):
        inside = (confidences <= j / n_bins) & ((confidences > (j - 1) / n_bins) | (j == 1))
        total += abs(correct[inside].sum() - confidences[inside].sum())
    return float(total / len(confidences))


def brier_parts(forecasts, outcomes):
    groups = {}
    for forecast, outcome in zip(np.asarray(forecasts, dtype=float).tolist(), np.asarray(outcomes).tolist()):
        groups.setdefault(forecast, []).append(float(outcome))
    n = sum(map(len, groups.values()))
    rate = sum(map(sum, groups.values())) / n
    means = {forecast: sum(row) / len(row) for forecast, row in groups.items()}
    reliability = sum(len(groups[f]) * (f - means[f]) ** 2 for f in groups) / n
    resolution = sum(len(groups[f]) * (means[f] - rate) ** 2 for f in groups) / n
    return reliability, resolution, rate - rate**2


def fit_temperature(logits, labels):
    logits, labels = np.asarray(logits, dtype=float), np.asarray(labels)
    _refuse(logits.ndim != 2 or labels.shape != logits.shape[:1], "(n, K) and (n,)")
    centered = logits - logits[np.arange(len(labels)), labels][:, None]

    def loss(log_T):
        scaled = centered / math.exp(log_T)
        top = scaled.max(axis=1)
        return float((top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))).mean())

    # golden section on log T: the loss has one minimum there
    low, high, ratio = math.log(T_MIN), math.log(T_MAX), (math.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = loss(a), loss(b)
    while high - low > 1e-10:
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = loss(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = loss(b)
    return math.exp((low + high) / 2)


def bootstrap_means(differences, n_resamples, *, draw):
    differences = np.asarray(differences, dtype=float)
    _refuse(differences.ndim != 1 or not len(differences) or n_resamples < 1, "a vector, and a resample")
    n = len(differences)
    index = np.array([draw(np.ones(n) / n) for _ in range(n_resamples * n)], dtype=int)
    return differences[index].reshape(n_resamples, n).mean(axis=1)


def paired_interval(scores_a, scores_b, *, alpha=0.05, n_resamples=1000, draw, means=bootstrap_means):
    scores_a, scores_b = np.asarray(scores_a, dtype=float), np.asarray(scores_b, dtype=float)
    _refuse(scores_a.shape != scores_b.shape or not 0 < alpha < 1, "one shape, alpha in (0, 1)")
    ordered = sorted(means(scores_a - scores_b, n_resamples, draw=draw))
    ranks = [math.ceil(level * len(ordered) - 1e-9) for level in (alpha / 2, 1 - alpha / 2)]
    return tuple(float(ordered[rank - 1]) for rank in ranks)


def sign_flip_test(differences):
    differences = np.asarray(differences, dtype=float)
    _refuse(differences.ndim != 1 or not 1 <= len(differences) <= 20, "1 to 20 differences")
    observed, slack = abs(differences.sum()), 1e-9 * np.abs(differences).sum()
    ways = [abs(float(np.dot(signs, differences))) >= observed - slack for signs in itertools.product((1, -1), repeat=len(differences))]
    return sum(ways) / len(ways)


def clustered_error(values, clusters):
    values = np.asarray(values, dtype=float)
    _refuse(values.ndim != 1 or np.shape(clusters) != values.shape, "a cluster for each value")
    _, index = np.unique(clusters, return_inverse=True)
    sums = np.bincount(index, weights=values - values.mean())
    return float(np.linalg.norm(sums) / len(values))


def win_rate(a_first, b_first):
    _refuse(len(a_first) != len(b_first) or not len(a_first), "the same questions in both orders")
    verdicts = [*a_first, *b_first]
    _refuse(set(verdicts) - {"first", "second", "tie"}, "three verdicts")
    n, half = len(verdicts), 0.5 * verdicts.count("tie")
    for_a = list(a_first).count("first") + list(b_first).count("second") + half
    return for_a / n, (verdicts.count("first") - verdicts.count("second")) / (2 * n)


def elo(games, n_players, *, k=32.0):
    ratings = [0.0] * n_players
    for i, j, score in games:
        _refuse(i == j or score not in (0, 0.5, 1), "two players and a score")
        strength_i, strength_j = 10 ** (ratings[i] / 400), 10 ** (ratings[j] / 400)
        change = k * (score - strength_i / (strength_i + strength_j))
        ratings[i], ratings[j] = ratings[i] + change, ratings[j] - change
    return np.array(ratings)


def corrected_rate(reported, sensitivity, specificity):
    _refuse(not all(0 <= share <= 1 for share in (reported, sensitivity, specificity)), "shares")
    false_alarms = 1 - specificity
    _refuse(sensitivity <= false_alarms, "a judge better than chance")
    return float(np.clip((reported - false_alarms) / (sensitivity - false_alarms), 0, 1))


def prediction_powered(judged, labeled, labels):
    judged, labels = np.asarray(judged, dtype=float), np.asarray(labels, dtype=float)
    _refuse(np.shape(labeled) != labels.shape, "a label for each index")
    return sum(judged.tolist()) / len(judged) + sum(float(y - judged[i]) for i, y in zip(labeled, labels)) / len(labels)


def kappa(ratings_a, ratings_b):
    _refuse(len(ratings_a) != len(ratings_b) or not len(ratings_a), "the same items")
    labels = list(dict.fromkeys([*ratings_a, *ratings_b]))
    _refuse(len(labels) < 2, "two labels")
    table = np.zeros((len(labels), len(labels)))
    for a, b in zip(ratings_a, ratings_b):
        table[labels.index(a), labels.index(b)] += 1 / len(ratings_a)
    chance = table.sum(axis=1) @ table.sum(axis=0)
    return float(1 - (1 - np.trace(table)) / (1 - chance))
