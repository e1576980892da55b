"""Evaluation: the field's scores for text, what they say about a sample, and what a judge that errs can tell.

Holds exact match, token F1 and choice by likelihood; BLEU, chrF, ROUGE and greedy matching of vectors; pass@k; calibration
error, the parts of the Brier score and temperature scaling; bootstrap, sign flips and clustered errors; win rates, Elo,
corrected and prediction-powered rates, and kappa. Leaves out: tokenizers (texts come as lists of tokens), trained metrics,
and anything that needs a download.

Everything is computed in float64. Nothing handed in is changed.
"""

import math
import string
from collections import Counter

import numpy as np

ARTICLES = ("a", "an", "the")

# BLEU counts n-grams of 1 to MAX_N tokens.
MAX_N = 4

# The temperatures that `fit_temperature` chooses from.
T_MIN, T_MAX = 0.01, 100.0

# Sums of differences that are equal on paper differ by rounding: `sign_flip_test` takes them for equal within this share of
# the sum of all absolute differences.
FLIP_TOL = 1e-9


# ---------------------------------------------------------------------------------------------------------
# Given: what several tasks use


def f1(precision, recall):
    """Return the harmonic mean of two shares, 2PR / (P + R), and 0 if their sum is not positive."""
    total = precision + recall
    return 2 * precision * recall / total if total > 0 else 0.0


def shares(matched, in_candidate, in_reference):
    """Return (precision, recall, f1) of a number of matches, among so many in either text. A share of nothing is 0."""
    precision = matched / in_candidate if in_candidate else 0.0
    recall = matched / in_reference if in_reference else 0.0
    return precision, recall, f1(precision, recall)


def ngram_counts(sequence, n):
    """Return how often each n-gram occurs: a Counter of tuples, for a list of tokens or for a string's characters."""
    return Counter(tuple(sequence[i : i + n]) for i in range(len(sequence) - n + 1))


def softmax(logits):
    """Return each row's probabilities, for logits of any size."""
    weights = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def top_label(logits, labels):
    """Return (confidences, correct): the probability of each row's most probable label, and whether it is the row's label."""
    probs = softmax(np.asarray(logits, dtype=np.float64))
    return probs.max(axis=1), probs.argmax(axis=1) == np.asarray(labels)


# ---------------------------------------------------------------------------------------------------------
# Task 1: right or wrong


def normalize_answer(text):
    """Return the words of an answer in a form in which spelling variants are equal.

    Args:
        text: A string.

    Returns:
        The text in lower case, then without the characters of `string.punctuation` (each is deleted and leaves no blank),
        then without the words in ARTICLES. The remaining words are joined by single blanks.

    Example:
        "The U.S. (an ally)" gives "us ally".

    Source:
        The evaluation script of SQuAD, Rajpurkar et al. 2016.
    """
    # 1. lower case; 2. punctuation; 3. words, without articles; 4. joined
    # YOUR CODE HERE
    raise NotImplementedError("task answers is not written yet")


def exact_match(prediction, answers, *, normalize=normalize_answer):
    """Return whether a prediction equals one of the accepted answers, after both are normalized.

    Args:
        prediction: A string.
        answers: A list of accepted answers, at least one.
        normalize: Called as normalize(text); returns a string.

    Returns:
        A bool.

    Raises:
        ValueError: If there are no answers, or they are one string and not a list.
    """
    _check_answers(answers)
    # YOUR CODE HERE
    raise NotImplementedError("task answers is not written yet")


def token_f1(prediction, answers, *, normalize=normalize_answer):
    """Return how well the words of a prediction overlap with those of the accepted answer that suits it best.

    Words are compared after normalization. Precision is the share of the prediction's words that are matched, recall the
    share of the answer's words. A word that occurs twice on one side and once on the other is matched once.

    Args:
        prediction: A string.
        answers: A list of accepted answers, at least one.
        normalize: Called as normalize(text); returns a string of words with blanks between them, which may be empty.

    Returns:
        The largest F1 over the answers, from 0 to 1. If no word is left on either side, the F1 is 1. If no word is left
        on one side only, it is 0.

    Raises:
        ValueError: If there are no answers, or they are one string and not a list.

    Source:
        Rajpurkar et al. 2016, section 6; the case without words as in SQuAD 2.0.
    """
    _check_answers(answers)
    # for each answer: 1. words; 2. the case without words; 3. matched words; 4. `f1`. Then the largest.
    # YOUR CODE HERE
    raise NotImplementedError("task answers is not written yet")


def choose_by_likelihood(logps, texts, *, per_byte=False):
    """Return which option of a multiple-choice question a language model finds most likely.

    Args:
        logps: For each option, the list of its tokens' log-probabilities.
        texts: The options as strings, in the same order, none of them empty.
        per_byte: Divide an option's log-probability by the number of bytes of its text in UTF-8.

    Returns:
        The index of the option with the highest score, an int; of equal ones the first. The score of an option is the
        log-probability of its whole text.

    Raises:
        ValueError: If there are no options, a text is empty, or the two lists differ in length.

    Source:
        The accuracies `acc` and `acc_norm` of lm-evaluation-harness.
    """
    if len(logps) != len(texts) or not all(texts) or not texts:
        raise ValueError(f"logps and texts must be equally long and no text empty, got {len(logps)} and {len(texts)}")
    # YOUR CODE HERE
    raise NotImplementedError("task answers is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 2: BLEU


def bleu_counts(candidate, references):
    """Return the numbers of one candidate that BLEU adds up over a corpus.

    Args:
        candidate: A list of tokens, which may be empty.
        references: A list of references, at least one, each a list of tokens.

    Returns:
        (matches, totals, length, reference_length). `totals` is a list of MAX_N ints: how many n-grams the candidate has,
        for n = 1 .. MAX_N. `matches` is a list of MAX_N ints: how many of these n-grams are matched. An n-gram is matched
        as often as it occurs in the candidate, but at most as often as it occurs in the one reference that has it most
        often. `length` is the candidate's number of tokens. `reference_length` is the number of tokens of the reference
        that is closest to the candidate in length. If two are equally close, it is the smaller number.

    Raises:
        ValueError: If there are no references, or a text is a string and not a list of tokens.

    Source:
        Papineni et al. 2002, section 2.
    """
    _check_tokens("candidate", candidate)
    _check_references(references)
    # for each n: 1. the candidate's n-grams; 2. the most that one reference has of each; 3. add up. Then the lengths.
    # YOUR CODE HERE
    raise NotImplementedError("task bleu is not written yet")


def bleu(candidates, references, *, smooth=False, counts=bleu_counts):
    """Return the BLEU of a corpus, from 0 to 100.

    Let m_n, t_n, c and r be the sums over the corpus of the sentences' matches, totals, lengths and reference lengths. The
    precisions are p_n = m_n / t_n for n = 1 .. 4. BLEU is 100 times the geometric mean of the four precisions, times the
    brevity penalty. The penalty is 1 if c >= r, and exp(1 - r / c) otherwise.

    Args:
        candidates: A list of lists of tokens, one for each sentence, at least one.
        references: For each candidate, the list of its references.
        smooth: What to do with each n for which the corpus has n-grams but no match. With smooth, the first such n counts
            1/2 match, the second 1/4, the j-th 1 / 2^j. Other n do not change.
        counts: Called once for each sentence as counts(candidate, references), for what `bleu_counts` returns.

    Returns:
        A float. Without smooth, it is 0 if some n has no match. With and without smooth, it is 0 if no n has a match, and if
        some n has no n-grams.

    Raises:
        ValueError: If there are no candidates, or not as many lists of references.

    Source:
        Papineni et al. 2002; the smoothing is method 3 of Chen and Cherry 2014, sacrebleu's "exp".
    """
    _check_corpus(candidates, references)
    # 1. add up over the corpus; 2. the cases that are 0; 3. smoothing; 4. geometric mean and brevity penalty
    # YOUR CODE HERE
    raise NotImplementedError("task bleu is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 3: chrF


def chrf(candidates, references, *, beta=2.0, max_n=6):
    """Return the chrF of a corpus, from 0 to 100: how well character n-grams overlap.

    Whitespace is removed first. For each n = 1 .. max_n, three numbers are added up over the corpus: the n-grams of the
    candidates, those of the references, and the matched ones (each n-gram as often as it occurs in both). Matched ones as
    a share of the first number are the precision P_n, and as a share of the second the recall R_n. P and R are their
    means over n, and chrF is 100 (1 + beta^2) P R / (beta^2 P + R).

    Args:
        candidates: A list of strings, one for each sentence, at least one.
        references: A list of as many strings.
        beta: How many times as important recall is as precision, positive.
        max_n: The longest n-grams.

    Returns:
        A float. An n for which the candidates or the references have no n-gram is left out of the means. If no n is
        left, or nothing matches, the result is 0.

    Raises:
        ValueError: If there are no candidates, not as many references, or beta is not positive.

    Source:
        Popovic 2015; corpus counts as in sacrebleu, which counts less where a reference is shorter than max_n.
    """
    if not candidates or len(candidates) != len(references):
        raise ValueError(f"there must be a reference for each candidate, got {len(candidates)} and {len(references)}")
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    # 1. without whitespace; for each n: 2. add up over the corpus, 3. P_n and R_n; 4. means; 5. F
    # YOUR CODE HERE
    raise NotImplementedError("task chrf is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 4: ROUGE


def rouge_n(candidate, reference, n):
    """Return ROUGE-n, the overlap in n-grams: its precision, recall and F1.

    An n-gram is matched as often as it occurs in both texts. Matched ones are counted as a share of the candidate's
    n-grams (precision) and of the reference's (recall). A share of no n-grams is 0.

    Args:
        candidate: A list of tokens.
        reference: A list of tokens.
        n: Length of the n-grams, at least 1.

    Returns:
        (precision, recall, f1), three floats.

    Raises:
        ValueError: If a text is a string, or n is below 1.

    Source:
        Lin 2004, section 2.
    """
    _check_tokens("candidate", candidate)
    _check_tokens("reference", reference)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    # YOUR CODE HERE
    raise NotImplementedError("task rouge is not written yet")


def lcs_places(candidate, reference):
    """Return the places in the reference of one longest common subsequence.

    A subsequence keeps the order of the tokens and may leave some out. Fill in a table L, in which L[i][j] is the length of
    the longest common subsequence of the first i tokens of the reference and the first j of the candidate. Then walk back
    from the far corner. If token i of the reference equals token j of the candidate, it belongs to the subsequence, and
    both texts step back. If not, the candidate steps back where L[i][j - 1] is larger than L[i - 1][j]. Otherwise, so also
    on a tie, the reference steps back.

    Args:
        candidate: A list of tokens.
        reference: A list of tokens.

    Returns:
        A list of ints, in increasing order; the first token of the reference has place 0.

    Example:
        Candidate c a b a and reference a b c: [0, 1].

    Raises:
        ValueError: If a text is a string.

    Source:
        Lin 2004, section 3; the walk back as in the package rouge-score.
    """
    _check_tokens("candidate", candidate)
    _check_tokens("reference", reference)
    # 1. the table, row by row; 2. the walk back
    # YOUR CODE HERE
    raise NotImplementedError("task rouge is not written yet")


def rouge_l(candidate, reference, *, places=lcs_places):
    """Return ROUGE-L, the overlap in one longest common subsequence: its precision, recall and F1.

    Args:
        candidate: A list of tokens.
        reference: A list of tokens.
        places: Called as places(candidate, reference), for what `lcs_places` returns.

    Returns:
        (precision, recall, f1), three floats: the length of the subsequence as a share of the candidate's tokens, as a
        share of the reference's, and their F1. A share of no tokens is 0.

    Raises:
        ValueError: If a text is a string.

    Source:
        Lin 2004, section 3.1.
    """
    _check_tokens("candidate", candidate)
    _check_tokens("reference", reference)
    # YOUR CODE HERE
    raise NotImplementedError("task rouge is not written yet")


def rouge_lsum(candidate_sentences, reference_sentences, *, places=lcs_places):
    """Return ROUGE-Lsum, the overlap of two summaries sentence by sentence: its precision, recall and F1.

    A token of a reference sentence is found if it lies on the longest common subsequence of its sentence with at least
    one candidate sentence. Go through the reference sentences in order, and through each from its first token. A found
    token is a hit if the candidate still has an unused token like it, in whichever sentence; the hit uses that one up.

    Args:
        candidate_sentences: A list of lists of tokens.
        reference_sentences: A list of lists of tokens.
        places: Called as places(candidate_sentence, reference_sentence), for what `lcs_places` returns.

    Returns:
        (precision, recall, f1), three floats: hits as a share of all the candidate's tokens, as a share of all the
        reference's, and their F1. A share of no tokens is 0.

    Raises:
        ValueError: If a sentence is a string.

    Source:
        Lin 2004, section 3.2, with the counting of the package rouge-score.
    """
    for sentence in (*candidate_sentences, *reference_sentences):
        _check_tokens("each sentence", sentence)
    # 1. the candidate's tokens, all unused; for each reference sentence: 2. the found places, 3. the hits; 4. shares
    # YOUR CODE HERE
    raise NotImplementedError("task rouge is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 5: matching by meaning


def idf_weights(tokens, references):
    """Return how much each token tells: little for a token that many references have, much for a rare one.

    With M references, of which m have the token at least once, the weight is log((M + 1) / (m + 1)).

    Args:
        tokens: A list of tokens.
        references: A list of lists of tokens, at least one.

    Returns:
        float64, shape (len(tokens),).

    Raises:
        ValueError: If there are no references, or a text is a string.

    Source:
        Zhang et al. 2020 (BERTScore), section 3.
    """
    _check_tokens("tokens", tokens)
    _check_references(references)
    # YOUR CODE HERE
    raise NotImplementedError("task matching is not written yet")


def greedy_match(candidate, reference, *, candidate_weights=None, reference_weights=None):
    """Return how well two texts match when each token of one takes its most similar token of the other.

    Similarity is the cosine of the angle between two tokens' vectors. Recall is the weighted mean, over the reference's
    tokens, of the similarity to the most similar token of the candidate. Precision is the same with the texts exchanged.
    A token may be taken several times.

    Args:
        candidate: Vectors of the candidate's tokens, shape (m, d), of any length but not 0.
        reference: Vectors of the reference's tokens, shape (n, d).
        candidate_weights: Shape (m,), not negative and not all 0. None weighs all tokens alike.
        reference_weights: Shape (n,), likewise.

    Returns:
        (precision, recall, f1), three floats, the last by `f1`.

    Raises:
        ValueError: If the shapes do not fit together, a text or a vector is empty or zero, or the weights are.

    Source:
        Zhang et al. 2020 (BERTScore), equations 1 and 2.
    """
    candidate, reference = _as_vectors("candidate", candidate), _as_vectors("reference", reference)
    if candidate.shape[1] != reference.shape[1]:
        raise ValueError(f"candidate and reference must share d, got {candidate.shape} and {reference.shape}")
    candidate_weights = _as_weights("candidate_weights", candidate_weights, len(candidate))  # (m,), ones for None
    reference_weights = _as_weights("reference_weights", reference_weights, len(reference))  # (n,)
    # 1. vectors of length 1; 2. all similarities, (m, n); 3. the best for each token; 4. weighted means
    # YOUR CODE HERE
    raise NotImplementedError("task matching is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 6: one of k, all of k


def pass_at_k(n, c, k):
    """Return the estimated probability that at least one of k samples is right, from n samples of which c are.

    It is the share, among all choices of k of the n samples, of those with at least one right sample.

    Args:
        n: Number of samples drawn, up to some thousands.
        c: How many of them are right, from 0 to n.
        k: From 1 to n.

    Returns:
        A float from 0 to 1.

    Raises:
        ValueError: If c is not in 0 .. n or k is not in 1 .. n.

    Example:
        Of 4 samples, 2 are right: 5/6 for k = 2.

    Source:
        Chen et al. 2021, section 2.1.
    """
    _check_samples(n, c, k)
    # YOUR CODE HERE
    raise NotImplementedError("task pass_at_k is not written yet")


def all_of_k(n, c, k):
    """Return the estimated probability that all of k samples are right, from n samples of which c are.

    It is the share, among all choices of k of the n samples, of those in which every sample is right.

    Args:
        n: Number of samples drawn, up to some thousands.
        c: How many of them are right, from 0 to n.
        k: From 1 to n.

    Returns:
        A float from 0 to 1.

    Raises:
        ValueError: If c is not in 0 .. n or k is not in 1 .. n.

    Example:
        Of 4 samples, 2 are right: 1/6 for k = 2.

    Source:
        Yao et al. 2024 (tau-bench), where it is called pass^k.
    """
    _check_samples(n, c, k)
    # YOUR CODE HERE
    raise NotImplementedError("task pass_at_k is not written yet")


def benchmark_score(totals, corrects, k, *, estimate=pass_at_k):
    """Return the score of a benchmark: the mean of an estimate over its tasks, each of which counts the same.

    Args:
        totals: Number of samples of each task, a list of ints, at least one. Tasks may have different numbers.
        corrects: Number of right samples of each task.
        k: For all tasks.
        estimate: Called once for each task as estimate(n, c, k).

    Returns:
        A float.

    Raises:
        ValueError: If there are no tasks, the lists differ in length, or `estimate` refuses a task.
    """
    if not len(totals) or len(totals) != len(corrects):
        raise ValueError(f"there must be a number of right samples for each task, got {len(totals)} and {len(corrects)}")
    # YOUR CODE HERE
    raise NotImplementedError("task pass_at_k is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 7: calibration


def calibration_error(confidences, correct, *, n_bins=10):
    """Return the expected calibration error: how far confidence and accuracy are apart, bin by bin.

    Bin j = 1 .. n_bins holds the confidences above (j - 1) / n_bins and up to j / n_bins, this edge included. A confidence
    of 0 is in the first bin. The error is the mean of |accuracy - mean confidence| over the bins, each weighted by its
    share of the examples.

    Args:
        confidences: The probability that the model gave to its answer, in [0, 1], shape (n,), n >= 1.
        correct: Whether the answer was right, bool, shape (n,).
        n_bins: At least 1.

    Returns:
        A float from 0 to 1.

    Raises:
        ValueError: If the shapes differ, there are no examples, a confidence is outside [0, 1], or n_bins is below 1.

    Source:
        Naeini et al. 2015; Guo et al. 2017, equation 3.
    """
    confidences, correct = _as_forecasts("confidences", confidences, "correct", correct)
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}")
    # 1. each example's bin; 2. the gap of each bin that has examples; 3. the weighted mean
    # YOUR CODE HERE
    raise NotImplementedError("task calibration is not written yet")


def brier_parts(forecasts, outcomes):
    """Return the three parts of the Brier score mean((f - o)^2), which is reliability - resolution + uncertainty.

    Put examples with equal forecasts f into one group. With n_g examples in group g, o_g the share of them with outcome 1
    and o the share among all n:
    reliability = sum_g n_g / n (f_g - o_g)^2, resolution = sum_g n_g / n (o_g - o)^2, uncertainty = o (1 - o).

    Args:
        forecasts: Forecast probabilities of outcome 1, in [0, 1], shape (n,), n >= 1.
        outcomes: 0 or 1, or bool, shape (n,).

    Returns:
        (reliability, resolution, uncertainty), three floats.

    Raises:
        ValueError: If the shapes differ, there are no examples, or a forecast is outside [0, 1].

    Source:
        Murphy 1973.
    """
    forecasts, outcomes = _as_forecasts("forecasts", forecasts, "outcomes", outcomes)
    # YOUR CODE HERE
    raise NotImplementedError("task calibration is not written yet")


def fit_temperature(logits, labels):
    """Return the temperature T in [T_MIN, T_MAX] at which the labels have the smallest mean loss.

    The loss of a row is -log of the probability that softmax(logits / T) gives to its label. It is convex in 1 / T.

    Args:
        logits: Shape (n, K), n >= 1, K >= 2, of any size. At least one row has unequal logits.
        labels: Whole numbers 0 .. K - 1, shape (n,).

    Returns:
        T, a float, right to six digits.

    Raises:
        ValueError: If the shapes do not fit together, or a label is not in 0 .. K - 1.

    Source:
        Guo et al. 2017, section 4.2.
    """
    logits, labels = _as_classified(logits, labels)
    # 1. the slope of the loss; 2. what if it has one sign on the whole range?; 3. where it changes its sign
    # YOUR CODE HERE
    raise NotImplementedError("task calibration is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 8: intervals


def bootstrap_means(differences, n_resamples, *, draw):
    """Return the means of resamples: n differences drawn from the given n, with replacement, each equally likely.

    Args:
        differences: One number for each question, shape (n,), n >= 1.
        n_resamples: How many resamples, at least 1.
        draw: Called as draw(probabilities) with a float64 array of shape (n,) that sums to 1; returns an index. Called n
            times for the first resample, then n times for the second, and so on.

    Returns:
        float64, shape (n_resamples,).

    Raises:
        ValueError: If differences is not a vector with at least one entry, or n_resamples is below 1.

    Source:
        Efron 1979.
    """
    differences = _as_vector("differences", differences)
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    # YOUR CODE HERE
    raise NotImplementedError("task intervals is not written yet")


def paired_interval(scores_a, scores_b, *, alpha=0.05, n_resamples=1000, draw, means=bootstrap_means):
    """Return a bootstrap interval for how much better system A is than system B on the same questions.

    Questions are resampled, not systems: a resample takes both scores of each question that is drawn.

    Args:
        scores_a: A's score for each question, shape (n,), n >= 1.
        scores_b: B's score for the same questions, shape (n,).
        alpha: Share of the resampled means that the interval leaves out, in (0, 1): half of it below and half above.
        n_resamples: How many resamples, at least 1.
        draw: Handed on to `means`.
        means: Called once as means(differences, n_resamples, draw=draw), for what `bootstrap_means` returns.

    Returns:
        (lower, upper), two floats: the quantiles alpha / 2 and 1 - alpha / 2 of the resampled means of A - B, by
        NumPy's method "inverted_cdf", which returns one of the means and interpolates nothing.

    Raises:
        ValueError: If the shapes differ, there are no questions, or alpha is not in (0, 1).

    Source:
        Efron and Tibshirani 1993, chapter 13; Koehn 2004 for translation.
    """
    scores_a, scores_b = _as_vector("scores_a", scores_a), _as_vector("scores_b", scores_b)
    if scores_a.shape != scores_b.shape:
        raise ValueError(f"both systems must answer the same questions, got {scores_a.shape} and {scores_b.shape}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie strictly between 0 and 1, got {alpha}")
    # YOUR CODE HERE
    raise NotImplementedError("task intervals is not written yet")


def sign_flip_test(differences):
    """Return the two-sided p-value of the hypothesis that the two systems are equally good, exactly.

    If they are, A - B and B - A are equally likely on each question. So every way to choose the signs of the n differences
    is equally likely, the observed one among them. The p-value is the share of the 2^n ways, the observed one
    included, in which the absolute value of the sum is at least as large as observed. Sums that differ by no more than
    FLIP_TOL times the sum of all absolute differences count as equal.

    Args:
        differences: Score of A minus score of B for each question, shape (n,), n from 1 to 20.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: If differences is not a vector of 1 to 20 entries.

    Source:
        Fisher 1935, section 21.
    """
    differences = _as_vector("differences", differences)
    if len(differences) > 20:
        raise ValueError(f"differences must have at most 20 entries for all sign choices, got {len(differences)}")
    # 1. the sums of all sign choices; 2. how many are at least as large as the observed one
    # YOUR CODE HERE
    raise NotImplementedError("task intervals is not written yet")


def clustered_error(values, clusters):
    """Return the standard error of the mean of values that come in clusters, such as questions about one text.

    Values of one cluster may depend on each other, and those of different clusters do not. So the independent numbers are
    one for each cluster: the sum of its values' deviations from the mean of all values. The variance of the mean of all n
    values is estimated by the sum of the squares of these numbers, divided by n^2.

    Args:
        values: Shape (n,), n >= 1.
        clusters: The cluster of each value, shape (n,): whole numbers or strings, in any order.

    Returns:
        A float: the root of that variance.

    Raises:
        ValueError: If the shapes differ, or there are no values.

    Source:
        Liang and Zeger 1986; Miller 2024, section 2.2, for language models.
    """
    values, clusters = _as_vector("values", values), np.asarray(clusters)
    if clusters.shape != values.shape:
        raise ValueError(f"there must be a cluster for each value, got {clusters.shape} and {values.shape}")
    # YOUR CODE HERE
    raise NotImplementedError("task intervals is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 9: judges


def win_rate(a_first, b_first):
    """Return system A's share of the wins when a judge sees each pair of answers in both orders.

    Args:
        a_first: For each question, the verdict when A's answer stands first: "first", "second" or "tie". At least one.
        b_first: For the same questions, the verdict when B's answer stands first.

    Returns:
        (rate, advantage), two floats. Each of the 2n verdicts is one win; a tie gives half a win to either side. `rate` is
        the share of the wins that A gets. `advantage` is the share that the first place gets, minus 1/2.

    Raises:
        ValueError: If the lists differ in length, are empty, or hold another verdict.

    Source:
        Zheng et al. 2023, section 3.4, for both orders.
    """
    _check_verdicts(a_first, b_first)
    # YOUR CODE HERE
    raise NotImplementedError("task judges is not written yet")


def elo(games, n_players, *, k=32.0):
    """Return the players' Elo ratings after a list of games, all ratings starting at 0.

    For a game of i against j, i is expected to score 1 / (1 + 10^((R_j - R_i) / 400)), with the ratings before the game.
    Then i's rating rises by k times (score - expected score), and j's falls by the same.

    Args:
        games: A list of (i, j, score) in the order of play: two different players from 0 to n_players - 1, and i's score:
            1 for a win, 0.5 for a tie, 0 for a loss.
        n_players: At least 2.
        k: The most that a game can move a rating, positive.

    Returns:
        float64, shape (n_players,).

    Raises:
        ValueError: If a game is not as above.

    Source:
        Elo 1978.
    """
    _check_games(games, n_players)
    # YOUR CODE HERE
    raise NotImplementedError("task judges is not written yet")


def corrected_rate(reported, sensitivity, specificity):
    """Return the share of good answers, from the share that a judge with known errors reports.

    The judge calls a good answer good with probability `sensitivity`, and a bad answer bad with probability `specificity`.

    Args:
        reported: The share of all answers that the judge calls good, in [0, 1].
        sensitivity: In [0, 1].
        specificity: In [0, 1]. With `sensitivity` it adds up to more than 1: the judge is better than chance.

    Returns:
        The share of good answers for which the judge reports `reported` on average, a float. If there is none in [0, 1],
        the nearer end.

    Raises:
        ValueError: If an argument is outside [0, 1], or the judge is no better than chance.

    Source:
        Rogan and Gladen 1978.
    """
    for name, value in (("reported", reported), ("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {value}")
    if not sensitivity + specificity > 1:
        raise ValueError(f"sensitivity and specificity must add up to more than 1, got {sensitivity + specificity}")
    # YOUR CODE HERE
    raise NotImplementedError("task judges is not written yet")


def prediction_powered(judged, labeled, labels):
    """Return the mean score of all answers, from a judge's scores of all and a person's scores of a few.

    The judge's mean over all answers, plus the mean by which the person's score exceeds the judge's where both exist.

    Args:
        judged: The judge's score of each answer, shape (N,), N >= 1.
        labeled: Indices of the answers that the person scored, whole numbers of shape (n,), n >= 1.
        labels: The person's scores of these answers, shape (n,), in the order of `labeled`.

    Returns:
        A float.

    Raises:
        ValueError: If labeled and labels differ in shape, or an index is not in 0 .. N - 1.

    Source:
        Angelopoulos et al. 2023.
    """
    judged, labels = _as_vector("judged", judged), _as_vector("labels", labels)
    labeled = _as_indices("labeled", labeled, len(judged))
    if labeled.shape != labels.shape:
        raise ValueError(f"there must be a label for each index, got {labels.shape} and {labeled.shape}")
    # YOUR CODE HERE
    raise NotImplementedError("task judges is not written yet")


def kappa(ratings_a, ratings_b):
    """Return Cohen's kappa: how much two raters agree beyond chance, as a share of the most that is possible.

    kappa = (p_o - p_e) / (1 - p_e), with p_o the share of items on which they agree, and p_e the probability that they
    agree if each draws labels at random, independently, with the shares in which that rater used them.

    Args:
        ratings_a: One rater's label for each item, a list of strings or ints.
        ratings_b: The other rater's labels for the same items. Together, the raters use at least two labels.

    Returns:
        A float, at most 1.

    Raises:
        ValueError: If the lists differ in length or are empty, or only one label is used.

    Source:
        Cohen 1960.
    """
    if len(ratings_a) != len(ratings_b) or not len(ratings_a):
        raise ValueError(f"both raters must rate the same items, got {len(ratings_a)} and {len(ratings_b)}")
    if len({*ratings_a, *ratings_b}) < 2:
        raise ValueError("the raters must use at least two labels, got one")
    # YOUR CODE HERE
    raise NotImplementedError("task judges is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Input checks, given


def _check_answers(answers):
    """Refuse one string in place of a list of answers, and no answers."""
    if isinstance(answers, str) or not len(answers):
        raise ValueError(f"answers must be a list of at least one string, got {answers!r}")


def _check_tokens(name, tokens):
    """Refuse a string where a list of tokens is due: its characters would pass for tokens."""
    if isinstance(tokens, str):
        raise ValueError(f"{name} must be a list of tokens, got the string {tokens!r}")


def _check_references(references):
    """Refuse no references, and strings for lists of tokens."""
    if isinstance(references, str) or not len(references):
        raise ValueError(f"references must be a list of at least one list of tokens, got {references!r}")
    for reference in references:
        _check_tokens("each reference", reference)


def _check_corpus(candidates, references):
    """Refuse an empty corpus, and one without references for each candidate."""
    if not len(candidates) or len(candidates) != len(references):
        raise ValueError(f"there must be references for each candidate, got {len(candidates)} and {len(references)}")


def _check_samples(n, c, k):
    """Refuse numbers that no task can have: more right samples than samples, or fewer samples than k."""
    if not 0 <= c <= n:
        raise ValueError(f"c must be from 0 to n = {n}, got {c}")
    if not 1 <= k <= n:
        raise ValueError(f"k must be from 1 to n = {n}, got {k}")


def _check_verdicts(a_first, b_first):
    """Refuse verdicts that are not one of three, and lists that differ in length."""
    if len(a_first) != len(b_first) or not len(a_first):
        raise ValueError(f"both orders must have the same questions, got {len(a_first)} and {len(b_first)}")
    for verdict in (*a_first, *b_first):
        if verdict not in ("first", "second", "tie"):
            raise ValueError(f"a verdict must be 'first', 'second' or 'tie', got {verdict!r}")


def _check_games(games, n_players):
    """Refuse games of players that do not exist, of a player against itself, and other scores than 0, 1/2 and 1."""
    for i, j, score in games:
        if not (0 <= i < n_players and 0 <= j < n_players) or i == j or score not in (0, 0.5, 1):
            raise ValueError(f"a game must be two of the {n_players} players and 0, 0.5 or 1, got {(i, j, score)}")


def _as_vector(name, values):
    """Return values as float64 of shape (n,) with n at least 1."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{name} must have shape (n,) with n at least 1, got {array.shape}")
    return array


def _as_vectors(name, values):
    """Return values as float64 of shape (n, d), with no row of length 0."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or not len(array) or not (array != 0).any(axis=1).all():
        raise ValueError(f"{name} must be (n, d) with n at least 1 and no zero vector, got shape {array.shape}")
    return array


def _as_weights(name, weights, n):
    """Return n weights as float64, all 1 for None."""
    if weights is None:
        return np.ones(n)
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (n,) or (array < 0).any() or not array.sum() > 0:
        raise ValueError(f"{name} must be {n} numbers, not negative and not all 0, got shape {array.shape}")
    return array


def _as_forecasts(name, forecasts, other_name, outcomes):
    """Return forecasts in [0, 1] and outcomes as float64 vectors of one length, outcomes being 0 and 1."""
    forecasts, outcomes = _as_vector(name, forecasts), _as_vector(other_name, outcomes)
    if forecasts.shape != outcomes.shape:
        raise ValueError(f"{name} and {other_name} must have one shape, got {forecasts.shape} and {outcomes.shape}")
    if not ((forecasts >= 0) & (forecasts <= 1)).all():
        raise ValueError(f"{name} must lie in [0, 1]")
    if not np.isin(outcomes, (0.0, 1.0)).all():
        raise ValueError(f"{other_name} must be 0 or 1")
    return forecasts, outcomes


def _as_classified(logits, labels):
    """Return logits as float64 (n, K) and labels as whole numbers (n,) from 0 to K - 1."""
    logits = np.asarray(logits, dtype=np.float64)
    if logits.ndim != 2 or not len(logits) or logits.shape[1] < 2:
        raise ValueError(f"logits must be (n, K) with n at least 1 and K at least 2, got {logits.shape}")
    labels = _as_indices("labels", labels, logits.shape[1])
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"there must be a label for each row, got {labels.shape} and {logits.shape}")
    return logits, labels


def _as_indices(name, values, size):
    """Return values as whole numbers of shape (n,) from 0 to size - 1."""
    array = np.asarray(values)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be whole numbers of shape (n,), got {array.dtype} {array.shape}")
    if (array < 0).any() or (array >= size).any():
        raise ValueError(f"{name} must be from 0 to {size - 1}, got {array.min()} to {array.max()}")
    return array
