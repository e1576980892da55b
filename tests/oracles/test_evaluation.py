"""The evaluation reference against sacrebleu, rouge-score, scikit-learn, SciPy and choix, and against brute force."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import staff_files
from coursekit.chance import law, mean

optimize = pytest.importorskip("scipy.optimize")
stats = pytest.importorskip("scipy.stats")
sacrebleu = pytest.importorskip("sacrebleu")


@pytest.fixture(scope="module")
def evaluation():
    return staff_files.reference("evaluation")


@pytest.fixture(params=range(5))
def rng(request):
    return np.random.default_rng([16, request.param])


def tokens(rng, low, high, vocabulary):
    return [str(token) for token in rng.choice(list(vocabulary), size=rng.integers(low, high))]


# Text


def test_token_f1_by_pairing_words_off(evaluation, rng):
    def pairs(ours, theirs):
        left = list(theirs)
        return sum(1 for word in ours if word in left and not left.remove(word))

    for _ in range(50):
        ours, theirs = tokens(rng, 1, 8, "bcd"), tokens(rng, 1, 8, "bcd")
        # the Dice coefficient of the two bags of words
        dice = 2 * pairs(ours, theirs) / (len(ours) + len(theirs))
        assert evaluation.token_f1(" ".join(ours), [" ".join(theirs)]) == pytest.approx(dice)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("n_references", [1, 2, 3])
def test_bleu_is_sacrebleus(evaluation, rng, smooth, n_references):
    scorer = sacrebleu.BLEU(tokenize="none", smooth_method="exp" if smooth else "none", force=True)
    scores = []
    for _ in range(27):
        n, vocabulary = int(rng.integers(1, 5)), "abcd" if rng.uniform() < 0.5 else "abcdefghijkl"
        references = [[tokens(rng, 1, 12, vocabulary) for _ in range(n_references)] for _ in range(n)]
        candidates = [tokens(rng, 0, 12, vocabulary) for _ in range(n)]
        if rng.uniform() < 0.7:  # much of a reference, at another length
            candidates[0] = [token if rng.uniform() < 0.8 else "a" for token in references[0][0]] + candidates[0][:2]
        streams = [[" ".join(texts[i]) for texts in references] for i in range(n_references)]
        want = scorer.corpus_score([" ".join(candidate) for candidate in candidates], streams)

        scores.append(evaluation.bleu(candidates, references, smooth=smooth))
        assert scores[-1] == pytest.approx(want.score, rel=1e-12, abs=1e-12)
        counts = [evaluation.bleu_counts(c, r) for c, r in zip(candidates, references)]
        assert [sum(row[0][k] for row in counts) for k in range(4)] == want.counts
        assert [sum(row[1][k] for row in counts) for k in range(4)] == want.totals
        assert (sum(row[2] for row in counts), sum(row[3] for row in counts)) == (want.sys_len, want.ref_len)
    assert sum(score > 0 for score in scores) >= 4


def test_chrf_is_sacrebleus(evaluation, rng):
    for beta, max_n in itertools.product((1, 2, 3), (2, 6)):
        scorer = sacrebleu.CHRF(char_order=max_n, beta=beta)
        for _ in range(10):
            n = int(rng.integers(1, 4))
            candidates = [" ".join(tokens(rng, 0, 20, "abc")) for _ in range(n)]
            # of a sentence whose reference has no n-gram, sacrebleu does not count those of the candidate either
            references = [" ".join(tokens(rng, max_n, 20, "abc")) for _ in range(n)]
            want = scorer.corpus_score(candidates, [references]).score
            assert evaluation.chrf(candidates, references, beta=beta, max_n=max_n) == pytest.approx(want, rel=1e-12)


def test_chrf_of_a_short_reference_counts_all_of_the_candidate(evaluation):
    """Where sacrebleu differs: three pairs of letters count, though the reference of their sentence has none."""
    texts, references = ["abcd", "xyz"], ["a", "xyz"]
    P, R = (4 / 7 + 2 / 5) / 2, (4 / 4 + 2 / 2) / 2

    assert evaluation.chrf(texts, references, max_n=2) == pytest.approx(500 * P * R / (4 * P + R))
    assert sacrebleu.CHRF(char_order=2).corpus_score(texts, [references]).score > evaluation.chrf(
        texts, references, max_n=2
    )


class Split:
    def tokenize(self, text):
        return text.split()


def test_rouge_is_that_of_rouge_score(evaluation, rng):
    rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], tokenizer=Split())
    for _ in range(40):
        vocabulary = "abc" if rng.uniform() < 0.5 else "abcdefgh"
        ours, theirs = ([tokens(rng, 1, 7, vocabulary) for _ in range(int(rng.integers(1, 4)))] for _ in range(2))
        want = scorer.score(*("\n".join(" ".join(sentence) for sentence in text) for text in (theirs, ours)))
        joined = sum(ours, []), sum(theirs, [])

        got = {
            "rouge1": evaluation.rouge_n(*joined, 1),
            "rouge2": evaluation.rouge_n(*joined, 2),
            "rougeL": evaluation.rouge_l(*joined),
            "rougeLsum": evaluation.rouge_lsum(ours, theirs),
        }
        for name, (precision, recall, f1) in got.items():
            assert (precision, recall, f1) == pytest.approx(tuple(want[name]), abs=1e-15), name


def test_lcs_places_are_as_long_as_any_common_subsequence(evaluation, rng):
    for _ in range(30):
        ours, theirs = tokens(rng, 0, 8, "abc"), tokens(rng, 0, 8, "abc")

        def common(places):
            rest = iter(ours)
            return all(theirs[i] in rest for i in places)

        longest = max(
            k for k in range(len(theirs) + 1) if any(map(common, itertools.combinations(range(len(theirs)), k)))
        )
        places = evaluation.lcs_places(ours, theirs)
        assert len(places) == longest and common(places) and places == sorted(places)


def test_greedy_match_is_at_least_the_best_assignment(evaluation, rng):
    for _ in range(20):
        ours, theirs = rng.normal(size=(6, 3)), rng.normal(size=(6, 3))
        pairwise = pytest.importorskip("sklearn.metrics.pairwise")
        similarity = pairwise.cosine_similarity(ours, theirs)
        precision, recall, _ = evaluation.greedy_match(ours, theirs)

        assert (precision, recall) == pytest.approx((similarity.max(axis=1).mean(), similarity.max(axis=0).mean()))
        rows, columns = optimize.linear_sum_assignment(similarity, maximize=True)
        assert min(precision, recall) >= similarity[rows, columns].mean() - 1e-12


def test_idf_weights_are_scikit_learns_smooth_idf_less_one(evaluation, rng):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    references = [tokens(rng, 1, 9, "abcdef") for _ in range(7)]
    vectorizer = text.TfidfVectorizer(analyzer=lambda tokens: tokens, smooth_idf=True).fit(references)

    got = evaluation.idf_weights(list(vectorizer.get_feature_names_out()), references)

    np.testing.assert_allclose(got, vectorizer.idf_ - 1, rtol=1e-12, atol=1e-12)


# Samples


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_and_all_of_k_over_all_choices(evaluation, n):
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        choices = list(itertools.combinations([True] * c + [False] * (n - c), k))
        assert evaluation.pass_at_k(n, c, k) == pytest.approx(sum(map(any, choices)) / len(choices), abs=1e-15)
        assert evaluation.all_of_k(n, c, k) == pytest.approx(sum(map(all, choices)) / len(choices), abs=1e-15)


def test_pass_at_k_is_hypergeometric(evaluation, rng):
    for _ in range(20):
        n = int(rng.integers(2, 3000))
        c, k = int(rng.integers(0, n + 1)), int(rng.integers(1, n + 1))
        assert evaluation.pass_at_k(n, c, k) == pytest.approx(stats.hypergeom(n, c, k).sf(0), abs=1e-9)
        assert evaluation.all_of_k(n, c, k) == pytest.approx(stats.hypergeom(n, c, k).pmf(k), abs=1e-9)


def test_pass_at_k_is_unbiased_in_fractions(evaluation):
    p, n, k = Fraction(3, 10), 10, 5
    chances = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]

    assert float(sum(q * Fraction(evaluation.pass_at_k(n, c, k)) for c, q in enumerate(chances))) == pytest.approx(
        1 - 0.7**5, rel=1e-12
    )
    assert float(sum(q * Fraction(evaluation.all_of_k(n, c, k)) for c, q in enumerate(chances))) == pytest.approx(
        0.3**5, rel=1e-12
    )


def test_calibration_error_by_one_bin_after_the_other(evaluation, rng):
    confidences, n = rng.integers(0, 17, size=200) / 16, 8
    correct = rng.uniform(size=200) < confidences

    want = 0.0
    for j in range(n):
        inside = (confidences > j / n) & (confidences <= (j + 1) / n)
        if j == 0:
            inside |= confidences == 0
        want += abs(np.sum(correct[inside]) - np.sum(confidences[inside])) / 200
    got = evaluation.calibration_error(confidences, correct, n_bins=n)
    assert got == pytest.approx(want, rel=1e-12)
    assert got >= abs(correct.mean() - confidences.mean()) - 1e-12


def test_brier_parts_add_up_to_scikit_learns_score(evaluation, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    forecasts = rng.integers(0, 11, size=100) / 10
    outcomes = (rng.uniform(size=100) < forecasts).astype(int)

    reliability, resolution, uncertainty = evaluation.brier_parts(forecasts, outcomes)

    assert reliability - resolution + uncertainty == pytest.approx(
        metrics.brier_score_loss(outcomes, forecasts), rel=1e-12
    )
    assert uncertainty == pytest.approx(np.var(outcomes))
    # with a bin for each forecast, the error is a mean of absolute gaps, and reliability one of squares
    assert evaluation.calibration_error(forecasts, outcomes, n_bins=1000) ** 2 <= reliability + 1e-12


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_fit_temperature_minimizes_scikit_learns_log_loss(evaluation, rng, scale):
    metrics = pytest.importorskip("sklearn.metrics")
    logits = rng.normal(size=(60, 4))
    labels = (logits + rng.gumbel(size=(60, 4))).argmax(axis=1)

    def loss(log_T):
        return metrics.log_loss(labels, evaluation.softmax(scale * logits / np.exp(log_T)), labels=range(4))

    best = optimize.minimize_scalar(loss, bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-9})
    T = evaluation.fit_temperature(scale * logits, labels)

    assert pytest.approx(np.exp(best.x), rel=1e-5) == T
    # the mean logit of the labels is the mean logit under the probabilities at that temperature
    probs = evaluation.softmax(scale * logits / T)
    assert (probs * logits).sum(axis=1).mean() == pytest.approx(logits[np.arange(60), labels].mean(), abs=1e-9)


# Intervals


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_bootstrap_law_over_all_resamples(evaluation, rng, n):
    differences = rng.integers(-8, 9, size=n) / 8

    got = law(evaluation.bootstrap_means, differences, 1, given=("draw",))

    want = Counter(round(float(np.mean(chosen)), 9) for chosen in itertools.product(differences, repeat=n))
    assert {round(key[0], 9): chance for key, chance in got.items()} == pytest.approx(
        {key: count / n**n for key, count in want.items()}
    )
    variance = mean(got, lambda means: (means[0] - differences.mean()) ** 2)
    assert variance == pytest.approx(differences.var() / n, abs=1e-11)  # results of a law have 12 digits


def test_paired_interval_is_scipys_percentile_interval(evaluation, rng):
    a, b = rng.normal(size=30), rng.normal(size=30)

    def resamples(rng):
        return rng.integers(0, 30, size=(999, 30))

    index = iter(resamples(np.random.default_rng(5)).ravel().tolist())
    low, high = evaluation.paired_interval(a, b, n_resamples=999, draw=lambda probabilities: next(index))
    means = np.sort((a - b)[resamples(np.random.default_rng(5))].mean(axis=1))
    # the 25th and the 975th of 999, as 0.025 * 999 = 24.975 and 0.975 * 999 = 974.025
    assert (low, high) == pytest.approx((means[24], means[974]), rel=1e-12)
    scipys = stats.bootstrap((a - b,), np.mean, n_resamples=9999, method="percentile", rng=rng).confidence_interval
    # ends of 999 and of 9,999 resamples: each varies by a few hundredths of the standard error 0.26
    assert (low, high) == pytest.approx((scipys.low, scipys.high), abs=0.2)


@pytest.mark.parametrize("n", [2, 4, 9])
def test_sign_flip_test_is_scipys_exact_permutation_test(evaluation, rng, n):
    for differences in (rng.normal(size=n), rng.integers(-3, 5, size=n) * 1.0):
        want = stats.permutation_test(
            (differences,),
            lambda x: abs(x.sum()),
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        )
        assert evaluation.sign_flip_test(differences) == pytest.approx(want.pvalue, rel=1e-12)


def test_sign_flip_test_in_fractions(evaluation, rng):
    tenths = [int(x) for x in rng.integers(-9, 10, size=8)]
    sums = [abs(sum(s * x for s, x in zip(signs, tenths))) for signs in itertools.product((1, -1), repeat=8)]

    want = sum(total >= abs(sum(tenths)) for total in sums) / len(sums)

    assert evaluation.sign_flip_test(np.array(tenths) / 10) == want


def test_clustered_error_by_pairs_of_one_cluster(evaluation, rng):
    values, clusters = rng.normal(size=20), rng.integers(0, 5, size=20)
    deviations = values - values.mean()

    covariance = sum(deviations[i] * deviations[j] for i in range(20) for j in range(20) if clusters[i] == clusters[j])

    assert evaluation.clustered_error(values, clusters) == pytest.approx(math.sqrt(covariance) / 20)
    assert evaluation.clustered_error(values, np.arange(20)) == pytest.approx(stats.sem(values, ddof=0))
    copied = evaluation.clustered_error(np.repeat(values, 3), np.repeat(np.arange(20), 3))
    assert copied == pytest.approx(stats.sem(values, ddof=0))


# Judges


def test_elo_of_many_games_in_random_order_nears_bradley_terry(evaluation, rng):
    choix = pytest.importorskip("choix")
    truth = np.array([-0.8, 0.0, 0.8])
    games, wins = [], []
    for _ in range(6000):
        i, j = (int(player) for player in rng.choice(3, size=2, replace=False))
        won = rng.uniform() < 1 / (1 + math.exp(truth[j] - truth[i]))
        games.append((i, j, int(won)))
        wins.append((i, j) if won else (j, i))

    ratings = evaluation.elo(games, 3, k=4.0) * math.log(10) / 400  # in the units of Bradley and Terry
    strengths = choix.ilsr_pairwise(3, wins)

    # with k = 4, a rating wanders around its mean by about sqrt(k ln10 / 800) = 0.1
    np.testing.assert_allclose(ratings, strengths - strengths.mean(), atol=0.4)
    # the order of games doesn't matter to Bradley and Terry, and it does to Elo
    np.testing.assert_allclose(choix.ilsr_pairwise(3, wins[::-1]), strengths, atol=1e-6)
    assert abs(evaluation.elo(games[::-1], 3, k=4.0) - evaluation.elo(games, 3, k=4.0)).max() > 1


def test_corrected_rate_inverts_the_judges_report(evaluation, rng):
    for rate, sensitivity, specificity in rng.uniform((0, 0.6, 0.6), 1, size=(50, 3)):
        reported = rate * sensitivity + (1 - rate) * (1 - specificity)
        assert evaluation.corrected_rate(reported, sensitivity, specificity) == pytest.approx(rate, abs=1e-12)


def test_prediction_powered_is_unbiased_over_all_choices_of_labels(evaluation, rng):
    truth, judged = rng.normal(size=7), rng.normal(size=7)

    estimates = [
        evaluation.prediction_powered(judged, np.array(s), truth[list(s)]) for s in itertools.combinations(range(7), 3)
    ]

    assert np.mean(estimates) == pytest.approx(truth.mean(), abs=1e-12)


def test_kappa_is_scikit_learns(evaluation, rng):
    metrics = pytest.importorskip("sklearn.metrics")
    for K in (2, 3, 5):
        a, b = rng.integers(0, K, size=(2, 40)).tolist()
        assert evaluation.kappa(a, b) == pytest.approx(metrics.cohen_kappa_score(a, b), abs=1e-12)


def test_win_rate_by_counting_points(evaluation, rng):
    a_first, b_first = ([str(v) for v in rng.choice(["first", "second", "tie"], size=30)] for _ in range(2))
    points = {"first": 2, "tie": 1, "second": 0}

    for_a = sum(points[v] for v in a_first) + sum(2 - points[v] for v in b_first)
    for_first = sum(points[v] for v in (*a_first, *b_first))

    assert evaluation.win_rate(a_first, b_first) == pytest.approx((for_a / 120, for_first / 120 - 0.5))
