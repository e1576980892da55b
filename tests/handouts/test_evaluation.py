"""What the handout of evaluation states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
from coursekit.chance import law, mean

TEN, FOUR = "they only sold very good blue fish from that port".split(), "it was not cheap".split()


@pytest.fixture(scope="module")
def evaluation():
    return staff_files.reference("evaluation")


def wrong_at(i):
    """The sentence of ten words with the i-th one wrong, counted from 1."""
    return [*TEN[: i - 1], "zzzz", *TEN[i:]]


# Task 1


def test_variants_of_an_answer(evaluation):
    """ "The U.S." and "US" are equal; the docstring's example gives "us ally"."""
    assert evaluation.exact_match("the U.S.", ["US"])
    assert evaluation.normalize_answer("The U.S. (an ally)") == "us ally"


def test_one_word_of_three(evaluation):
    """ "in July 1969" for "1969": P = 1/3, R = 1, F1 = 1/2."""
    assert evaluation.token_f1("in July 1969", ["1969"]) == pytest.approx(1 / 2)


def test_a_short_and_a_long_option(evaluation):
    """The plain score favors short options, and the score per byte does not."""
    logps, texts = [[-3.0], [-1.0, -1.5, -1.0]], ["Rome", "the city of Rome"]

    assert [evaluation.choose_by_likelihood(logps, texts, per_byte=per_byte) for per_byte in (False, True)] == [0, 1]


# Task 2


def test_bleu_prefers_the_scrambled_translation(evaluation):
    """Halves exchanged: 78.6. One wrong word: 88.0 at either end, 65.8 at places 4 to 7. Neighbors exchanged: 55.6."""
    scores = [round(evaluation.bleu([wrong_at(i)], [[TEN]]), 1) for i in range(1, 11)]
    assert scores[0] == scores[9] == 88.0
    assert scores[3:7] == [65.8] * 4 == [min(scores)] * 4
    assert round(evaluation.bleu([TEN[5:] + TEN[:5]], [[TEN]]), 1) == 78.6
    assert round(evaluation.bleu([[*TEN[:4], TEN[5], TEN[4], *TEN[6:]]], [[TEN]]), 1) == 55.6
    assert len(set(TEN)) == 10


@pytest.mark.parametrize("T", [4, 7, 10])
def test_how_many_ngrams_one_word_breaks(evaluation, T):
    """The formula of the notes, min(i, n, T - n + 1, T - i + 1), at every place."""
    text = [str(i) for i in range(T)]
    for i in range(1, T + 1):
        matches, totals, _, _ = evaluation.bleu_counts([*text[: i - 1], "x", *text[i:]], [text])
        assert [t - m for m, t in zip(matches, totals)] == [min(i, n, T - n + 1, T - i + 1) for n in (1, 2, 3, 4)]


def test_a_corpus_is_not_the_mean_of_its_sentences(evaluation):
    """85.8 and 50: by itself, the short one scores 0."""
    bad = ["it", "was", "zzz", "cheap"]

    assert round(evaluation.bleu([TEN, bad], [[TEN], [FOUR]]), 1) == 85.8
    assert [evaluation.bleu([TEN], [[TEN]]), evaluation.bleu([bad], [[FOUR]])] == pytest.approx([100, 0])


def test_seven_times_the(evaluation):
    """Matches (2, 0, 0, 0), totals (7, 6, 5, 4), length 7 and reference length 6."""
    references = ["the cat is on the mat".split(), "there is a cat on the mat now".split()]

    assert evaluation.bleu_counts(["the"] * 7, references) == ([2, 0, 0, 0], [7, 6, 5, 4], 7, 6)


# Task 3


def test_bleu_and_chrf_disagree(evaluation):
    """BLEU 56 against 72, chrF 82 against 75. The second's P is near 100, its R near 70."""
    reference = "the swimmers won all five races last summer"
    texts = "swimmers win all five races last summer", "the swimmers won all five races"

    assert [round(evaluation.bleu([text.split()], [[reference.split()]])) for text in texts] == [56, 72]
    assert [round(evaluation.chrf([text], [reference])) for text in texts] == [82, 75]
    assert [round(evaluation.chrf([texts[1]], [reference], beta=beta)) for beta in (0.01, 100)] == [100, 70]


# Task 4


def test_sentences_in_reverse_order(evaluation):
    """ROUGE-L falls to 4/7, ROUGE-Lsum stays at 1."""
    one, two = "the cat sat".split(), "the dog ran away".split()

    assert evaluation.rouge_l(two + one, one + two) == pytest.approx((4 / 7,) * 3)
    assert evaluation.rouge_lsum([two, one], [one, two]) == (1, 1, 1)


def test_the_used_up_a(evaluation):
    """Candidate x a, b; reference a b c, a d: 2 hits, P = 2/3, R = 2/5."""
    assert evaluation.rouge_lsum([list("xa"), list("b")], [list("abc"), list("ad")])[:2] == pytest.approx(
        (2 / 3, 2 / 5)
    )


def test_the_picture_shows_the_longest_common_subsequence(evaluation):
    """Of "on the mat sat a cat" and "a cat sat on the mat": on the mat, the last three words of the reference."""
    assert evaluation.lcs_places("on the mat sat a cat".split(), "a cat sat on the mat".split()) == [3, 4, 5]


def test_the_docstrings_subsequence(evaluation):
    """Candidate c a b a and reference a b c: [0, 1]."""
    assert evaluation.lcs_places(list("caba"), list("abc")) == [0, 1]


# Task 5


def test_one_word_three_times(evaluation):
    """P = 1 and R = 1/3."""
    assert evaluation.greedy_match(np.eye(3)[[0, 0, 0]], np.eye(3))[:2] == pytest.approx((1, 1 / 3))


# Task 6


def test_one_of_five_in_five(evaluation):
    """pass@5 is exactly 1, and plugging in says 0.67. By hand: 5/6 and 1/6."""
    assert evaluation.pass_at_k(5, 1, 5) == 1
    assert round(1 - (1 - 1 / 5) ** 5, 2) == 0.67
    assert (evaluation.pass_at_k(4, 2, 2), evaluation.all_of_k(4, 2, 2)) == pytest.approx((5 / 6, 1 / 6))


def test_three_models_with_the_same_mean(evaluation):
    """pass@1 = 0.5 for all three; pass@10 is 0.999, 0.909 and 0.5."""
    models = [50] * 101, [*range(101)], [0] * 50 + [100] * 50
    scores = [[round(evaluation.benchmark_score([100] * len(c), c, k), 3) for k in (1, 10)] for c in models]

    assert scores == [[0.5, 0.999], [0.5, 0.909], [0.5, 0.5]]


def test_plugging_in_is_biased(evaluation):
    """At p = 0.3, n = 10, k = 5 the estimate is right on average, and the plug-in is 0.07 too low."""
    chance = [math.comb(10, c) * 0.3**c * 0.7 ** (10 - c) for c in range(11)]

    ours = sum(chance[c] * evaluation.pass_at_k(10, c, 5) for c in range(11))
    theirs = sum(chance[c] * (1 - (1 - c / 10) ** 5) for c in range(11))

    assert ours == pytest.approx(1 - 0.7**5)
    assert (round(ours, 3), round(ours - theirs, 2)) == (0.832, 0.07)


# Task 7


def test_calibration_as_in_the_snippet(evaluation):
    """Mean ECE 0.13 and 0.02; times 3: the same accuracy, ECE from about 0.02 to 0.2 and back, T three times as large."""
    rng = np.random.default_rng(0)

    def model(n):
        logits = 2 * rng.normal(size=(n, 5))
        return logits, (logits + rng.gumbel(size=(n, 5))).argmax(axis=1)

    sizes = [
        np.mean([evaluation.calibration_error(*evaluation.top_label(*model(n))) for _ in range(200)])
        for n in (50, 2000)
    ]
    assert [round(error, 2) for error in sizes] == [0.13, 0.02]

    rng = np.random.default_rng(0)
    logits, labels = model(2000)
    T, T3 = evaluation.fit_temperature(logits, labels), evaluation.fit_temperature(3 * logits, labels)
    assert pytest.approx(3 * T) == T3
    errors = [
        evaluation.calibration_error(*evaluation.top_label(z, labels)) for z in (logits, 3 * logits, 3 * logits / T3)
    ]
    assert [round(error, 1) for error in errors] == [0.0, 0.2, 0.0]
    assert [round(error, 2) for error in (errors[0], errors[2])] == [0.02, 0.02]
    accuracies = {evaluation.top_label(z, labels)[1].mean() for z in (logits, 3 * logits, 3 * logits / T3)}
    assert len(accuracies) == 1
    # the derivation of the notes
    probs = evaluation.softmax(logits / T)
    assert (probs * logits).sum(axis=1).mean() == pytest.approx(logits[np.arange(2000), labels].mean())


def test_two_labels_by_hand(evaluation):
    """Hint 2: logits (2, 0), label 0 in three rows of four, so the probability is 3/4."""
    T = evaluation.fit_temperature([[2.0, 0.0]] * 4, [0, 0, 0, 1])

    assert evaluation.softmax(np.array([2.0, 0.0]) / T)[0] == pytest.approx(3 / 4)


def test_confidences_share_bins(evaluation):
    """With four bins, 0 and 1/4 are in the first, 1/2 is in the second, 1 in the fourth."""
    for together in ([0.0, 0.25], [0.5, 0.26], [1.0, 0.76]):
        # two of one bin, one too high and one too low, are compared with each other
        correct = np.arange(len(together)) == 0
        gap = abs(np.mean(together) - np.mean(correct))
        assert evaluation.calibration_error(together, correct, n_bins=4) == pytest.approx(gap)


# Task 8


@pytest.mark.parametrize(("n", "p", "significant"), [(5, 0.0625, False), (6, 0.03125, True)])
def test_wins_in_a_row(evaluation, n, p, significant):
    """Five wins are not enough, and six are. The notes: 2 / 2^n."""
    assert evaluation.sign_flip_test(np.ones(n)) == p == 2 / 2**n
    assert (p <= 0.05) == significant


def test_the_variance_of_a_resamples_mean(evaluation):
    """The notes: the variance with divisor n, divided by n."""
    d = np.array([1.0, 0.0, -0.5, 0.0])

    variance = mean(law(evaluation.bootstrap_means, d, 1, given=("draw",)), lambda means: (means[0] - d.mean()) ** 2)

    assert variance == pytest.approx(d.var() / 4)


def test_disagreement_decides(evaluation):
    """The standard error of 2 points is 1.0, 2.2 or 5.4; only with 4 questions of disagreement is 0 outside the interval."""
    rng = np.random.default_rng(0)
    errors, outside = [], []
    for disagree in (4, 20, 116):
        d = np.repeat([1, -1, 0], [disagree // 2 + 2, disagree // 2 - 2, 200 - disagree])
        low, high = evaluation.paired_interval(d, 0 * d, n_resamples=500, draw=lambda p: rng.integers(len(p)))
        errors.append(round(100 * evaluation.clustered_error(d, np.arange(200)), 1))
        outside.append(low > 0 or high < 0)
        assert d.mean() == pytest.approx(0.02)

    assert errors == [1.0, 2.2, 5.4]
    assert outside == [True, False, False]
    assert evaluation.sign_flip_test(np.ones(4)) == 1 / 8  # of the four questions alone, the exact test isn't sure


def test_copies_tell_nothing_new(evaluation):
    """Five copies make the naive error smaller by √5, and the clustered error is that of the 40 results."""
    once = np.random.default_rng(0).uniform(size=40) < 0.6
    copied = np.repeat(once, 5)

    error = evaluation.clustered_error(once, np.arange(40))
    assert evaluation.clustered_error(copied, np.arange(200)) == pytest.approx(error / math.sqrt(5))
    assert evaluation.clustered_error(copied, np.repeat(np.arange(40), 5)) == pytest.approx(error)


# Task 9


def test_the_judge_who_reports_48_percent(evaluation):
    """90% of the good and 30% of the bad are called good, 48% of all: 30% are good."""
    assert evaluation.corrected_rate(0.48, 0.9, 0.7) == pytest.approx(0.3)
    assert 0.3 * 0.9 + 0.7 * 0.3 == pytest.approx(0.48)


def test_raters_who_agree_on_90_of_100(evaluation):
    """Kappa is −0.05: by chance they agree on 90.5."""
    a, b = ["good"] * 95 + ["bad"] * 5, ["good"] * 90 + ["bad"] * 5 + ["good"] * 5

    assert round(evaluation.kappa(a, b), 2) == -0.05
    assert sum(x == y for x, y in zip(a, b)) == 90
    assert 100 * (0.95**2 + 0.05**2) == pytest.approx(90.5)


def test_five_wins_and_five_losses(evaluation):
    """Elo gives −25 and 25, and the reverse in the reverse order."""
    games = [(0, 1, 1)] * 5 + [(1, 0, 1)] * 5

    assert evaluation.elo(games, 2).round().tolist() == [-25, 25]
    assert evaluation.elo(games[::-1], 2).round().tolist() == [25, -25]


def test_a_judge_who_prefers_the_first_place(evaluation):
    """Each system gets 1/2, and the place an advantage of 1/2."""
    assert evaluation.win_rate(["first"] * 5, ["first"] * 5) == (0.5, 0.5)


# Look back


def test_points_of_bleu_that_are_lost(evaluation):
    """One wrong word costs 12 or 34 points, exchanged halves 21."""
    lost = [100 - evaluation.bleu([text], [[TEN]]) for text in (wrong_at(1), wrong_at(5), TEN[5:] + TEN[:5])]

    assert [round(points) for points in lost] == [12, 34, 21]
