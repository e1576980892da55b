"""Public checks of the evaluation assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs the one function that it is about: where that function calls another one of yours, the check lends
# it a stand-in.

# Task 1


@number("1.p1")
@weight(1)
@tags("answers")
def test_normalize_answer_by_hand(impl):
    """Case, punctuation, articles and extra blanks go. An article inside a word stays, and a hyphen leaves no blank."""
    assert_close(impl.normalize_answer("The U.S. (an ally)"), "us ally", name="normalize_answer")
    text = "  Another theater,\n a-one and  A two!"
    assert_close(impl.normalize_answer(text), "another theater aone and two", name="normalize_answer of a longer text")


def lower(text):
    return text.lower()


@number("1.p2")
@weight(1)
@tags("answers")
def test_exact_match_by_hand(impl):
    """One accepted answer of several is enough, if it is equal as a whole. Here, normalizing only lowers the case."""
    assert_close(impl.exact_match("New York", ["NYC", "new york"], normalize=lower), True, name="exact_match of the second")
    assert_close(impl.exact_match("York", ["NYC", "new york"], normalize=lower), False, name="exact_match of a part")


@number("1.p3")
@weight(1)
@tags("answers")
def test_token_f1_by_hand(impl):
    """"red red blue" shares one word with "red green": P = 1/3, R = 1/2, F1 = 2/5. The best answer counts."""
    assert_close(impl.token_f1("Red red blue", ["red green"], normalize=lower), 0.4, name="token_f1")
    # with "blue red": both words are matched, P = 2/3 and R = 1
    best = impl.token_f1("Red red blue", ["red green", "blue red", "x"], normalize=lower)
    assert_close(best, 0.8, name="token_f1 with three answers")
    # no word on either side, then on one
    assert_close(impl.token_f1("", ["yes", " "], normalize=lower), 1.0, name="token_f1 of an empty prediction")
    assert_close(impl.token_f1("", ["yes"], normalize=lower), 0.0, name="token_f1 where only the answer has words")


@number("1.p4")
@weight(1)
@tags("answers")
def test_choose_by_likelihood_by_hand(impl):
    """-3 is more than -4 - 0.5 and than -3 - 2. Per byte, the long text wins: -5 / 20 is more than -3 / 2 and -4.5 / 4."""
    logps, texts = [[-4.0, -0.5], [-3.0], [-3.0, -2.0]], ["nope", "no", "by no means, my dear"]

    assert_close(impl.choose_by_likelihood(logps, texts), 1, name="choose_by_likelihood")
    assert_close(impl.choose_by_likelihood(logps, texts, per_byte=True), 2, name="choose_by_likelihood per byte")
    # two letters that have two bytes each: -3 / 4 is more than -2 / 2
    assert_close(impl.choose_by_likelihood([[-2.0], [-3.0]], ["no", "éé"], per_byte=True), 1, name="the choice between no and éé")
    assert_close(impl.choose_by_likelihood([[-2.0], [-1.0], [-0.5, -0.5]], ["a", "b", "c"]), 1, name="the choice between equals")


# Task 2


@number("2.p1")
@weight(1)
@tags("bleu")
def test_bleu_counts_of_seven_times_the(impl):
    """"the" seven times matches twice, because one reference has two. Lengths 6 and 8 are equally close to 7: 6."""
    two = "the cat is on the mat".split()
    one = "there is a cat on the mat now".split()

    matches, totals, length, reference_length = impl.bleu_counts(["the"] * 7, [one, two])

    assert_close(matches, [2, 0, 0, 0], name="matches")
    assert_close(totals, [7, 6, 5, 4], name="totals")
    assert_close((length, reference_length), (7, 6), name="the lengths")


@number("2.p2")
@weight(1)
@tags("bleu")
def test_bleu_by_hand(impl):
    """Precisions 1, 1/2, 1/4 and 1/8 have the geometric mean 2^(-3/2); 8 tokens where 16 are due cost a factor of 1/e."""
    first, second = ["a", "b"], ["c"]
    numbers = {2: ([5, 1, 1, 0], [5, 3, 4, 2], 5, 6), 1: ([3, 3, 1, 1], [3, 5, 4, 6], 3, 10)}  # made up

    def counts(candidate, references):
        return numbers[len(candidate)]

    score = impl.bleu([first, second], [[["a"]], [["c"], ["d"]]], counts=counts)
    assert_close(score, 100 * 2**-1.5 / math.e, name="bleu")
    # longer than the reference: no penalty
    numbers.update({2: ([5, 1, 1, 0], [5, 3, 4, 2], 5, 1), 1: ([3, 3, 1, 1], [3, 5, 4, 6], 3, 4)})
    score = impl.bleu([first, second], [[["a"]], [["c"], ["d"]]], counts=counts)
    assert_close(score, 100 * 2**-1.5, name="bleu without penalty")


@number("2.p3")
@weight(1)
@tags("bleu")
def test_bleu_without_matches_by_hand(impl):
    """n = 2 and n = 4 have no match: the score is 0. With smooth, they count 1/2 and 1/4 matches."""
    numbers = [[8, 0, 2, 0], [8, 4, 4, 2], 8, 8]

    def counts(candidate, references):
        return tuple(numbers)

    assert_close(impl.bleu([["a"]], [[["a"]]], counts=counts), 0.0, name="bleu")
    smoothed = 100 * (1 * 1 / 8 * 1 / 2 * 1 / 8) ** 0.25
    assert_close(impl.bleu([["a"]], [[["a"]]], smooth=True, counts=counts), smoothed, name="bleu, smoothed")
    # a corpus without 4-grams
    numbers[:] = [[3, 2, 1, 0], [3, 2, 1, 0], 3, 3]
    assert_close(impl.bleu([["a"]], [[["a"]]], smooth=True, counts=counts), 0.0, name="bleu, smoothed, without 4-grams")


# Task 3


@number("3.p1")
@weight(1)
@tags("chrf")
def test_chrf_by_hand(impl):
    """"ab" for "abc": P = 1 and 1, R = 2/3 and 1/2, so the means are 1 and 7/12, and F is 7/11. Blanks don't count."""
    assert_close(impl.chrf(["a b"], ["abc "], max_n=2), 700 / 11, name="chrf")
    # with beta = 1 precision counts as much as recall
    assert_close(impl.chrf(["ab"], ["abc"], beta=1.0, max_n=2), 1400 / 19, name="chrf at beta = 1")
    # "ab" has no 3-gram
    assert_close(impl.chrf(["ab"], ["abc"], max_n=3), 700 / 11, name="chrf with 3-grams")
    assert_close(impl.chrf(["ab"], ["cd"]), 0.0, name="chrf without matches")


@number("3.p2")
@weight(1)
@tags("chrf")
def test_chrf_of_a_corpus_by_hand(impl):
    """"ab" for "abc" and "xyzq" for "xy": 4 of 6 characters match 4 of 5, and 2 of 4 pairs match 2 of 3."""
    P, R = (4 / 6 + 2 / 4) / 2, (4 / 5 + 2 / 3) / 2

    score = impl.chrf(["ab", "xyzq"], ["abc", "xy"], max_n=2)

    assert_close(score, 100 * 5 * P * R / (4 * P + R), name="chrf")


# Task 4


@number("4.p1")
@weight(1)
@tags("rouge")
def test_rouge_n_by_hand(impl):
    """"the the cat" shares "the" once and "cat" with "the cat sat down": P = 2/3 and R = 2/4. In pairs: 1/2 and 1/3."""
    candidate, reference = "the the cat".split(), "the cat sat down".split()

    assert_close(impl.rouge_n(candidate, reference, 1), (2 / 3, 1 / 2, 4 / 7), name="rouge_n for n = 1")
    assert_close(impl.rouge_n(candidate, reference, 2), (1 / 2, 1 / 3, 2 / 5), name="rouge_n for n = 2")
    # three words have no 4-gram
    assert_close(impl.rouge_n(candidate, reference, 4), (0.0, 0.0, 0.0), name="rouge_n for n = 4")


@number("4.p2")
@weight(1)
@tags("rouge")
def test_lcs_places_by_hand(impl):
    """c a b a has a, b in common with a b c. Of b a and a b, either token would do: on a tie, the reference steps back."""
    assert_close(impl.lcs_places(list("caba"), list("abc")), [0, 1], name="lcs_places")
    assert_close(impl.lcs_places(list("ba"), list("ab")), [0], name="lcs_places on a tie")
    assert_close(impl.lcs_places(list("xaybz"), list("qaqb")), [1, 3], name="lcs_places with gaps")


@number("4.p3")
@weight(1)
@tags("rouge")
def test_rouge_l_by_hand(impl):
    """A common subsequence of 2, out of 4 and 5 tokens: P = 1/2, R = 2/5, F1 = 4/9."""

    def places(candidate, reference):
        return [0, 3] if (candidate, reference) == (list("aeci"), list("abcde")) else [0, 1, 2]

    got = impl.rouge_l(list("aeci"), list("abcde"), places=places)

    assert_close(got, (1 / 2, 2 / 5, 4 / 9), name="rouge_l")


@number("4.p4")
@weight(1)
@tags("rouge")
def test_rouge_lsum_by_hand(impl):
    """a b c finds a in one sentence and b in the other. a d finds a, but the candidate's only a is used up: 2 hits."""

    def places(candidate, reference):
        return [i for i, token in enumerate(reference) if token == candidate[-1]]

    got = impl.rouge_lsum([list("xa"), list("b")], [list("abc"), list("ad")], places=places)

    assert_close(got, (2 / 3, 2 / 5, 1 / 2), name="rouge_lsum")


# Task 5


@number("5.p1")
@weight(1)
@tags("matching")
def test_idf_weights_by_hand(impl):
    """Of three references all have "a", one has "b" (twice), none has "z": weights 0, log 2 and log 4."""
    weights = impl.idf_weights(["b", "a", "z", "b"], [["a", "b", "b"], ["a", "c"], ["a"]])

    assert_close(weights, np.log([2.0, 1.0, 4.0, 2.0]), name="idf_weights")


@number("5.p2")
@weight(1)
@tags("matching")
def test_greedy_match_by_hand(impl):
    """One token that points like one of two: P = 1, R = 1/2, F1 = 2/3. Weights 3 and 1 make R = 3/4."""
    one, two = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 3.0]])

    assert_close(impl.greedy_match(one, two), (1.0, 1 / 2, 2 / 3), name="greedy_match")
    got = impl.greedy_match(one, two, reference_weights=np.array([3.0, 1.0]))
    assert_close(got, (1.0, 3 / 4, 6 / 7), name="greedy_match with weights of the reference")
    # similarities 1 and 0, 0.6 and 0.8
    both = np.array([[2.0, 0.0], [3.0, 4.0]])
    got = impl.greedy_match(both, two, candidate_weights=np.array([1.0, 3.0]))
    assert_close(got, (0.85, 0.9, 1.53 / 1.75), name="greedy_match with weights of the candidate")


# Task 6


@number("6.p1")
@weight(1)
@tags("pass_at_k")
def test_pass_at_k_by_hand(impl):
    """Of the 6 pairs out of 4 samples, 2 of them right, 5 hold a right one. If none is right, no choice holds one."""
    assert_close(impl.pass_at_k(4, 2, 2), 5 / 6, name="pass_at_k(4, 2, 2)")
    assert_close(impl.pass_at_k(4, 3, 2), 1.0, name="pass_at_k(4, 3, 2)")
    assert_close(impl.pass_at_k(4, 0, 2), 0.0, name="pass_at_k(4, 0, 2)")


@number("6.p2")
@weight(1)
@tags("pass_at_k")
def test_all_of_k_by_hand(impl):
    """Of the 6 pairs out of 4 samples, 2 of them right, 1 holds only right ones; if 3 are right, 3 do."""
    assert_close(impl.all_of_k(4, 2, 2), 1 / 6, name="all_of_k(4, 2, 2)")
    assert_close(impl.all_of_k(4, 3, 2), 1 / 2, name="all_of_k(4, 3, 2)")
    assert_close(impl.all_of_k(4, 1, 2), 0.0, name="all_of_k(4, 1, 2)")


@number("6.p3")
@weight(1)
@tags("pass_at_k")
def test_benchmark_score_by_hand(impl):
    """One task gets 1/4 and one 1/2 from the estimate that is lent: their mean is 3/8, whatever their samples."""

    def estimate(n, c, k):
        return {(4, 1, 2): 0.25, (20, 10, 2): 0.5}.get((n, c, k), 0.9)

    assert_close(impl.benchmark_score([4, 20], [1, 10], 2, estimate=estimate), 0.375, name="benchmark_score")


# Task 7


@number("7.p1")
@weight(1)
@tags("calibration")
def test_calibration_error_by_hand(impl):
    """Quarters: 0, 1/4 and 1/4 share the first bin, with gap 1/6; 1/2 has gap 1/2; 1 is in the last. 3/5 /6 + 1/5 /2."""
    confidences = np.array([0.25, 0.5, 0.0, 1.0, 0.25])
    correct = np.array([False, True, True, True, False])

    got = assert_leaves_arguments(impl.calibration_error, confidences, correct, n_bins=4, name="calibration_error")

    assert_close(got, 0.2, name="calibration_error")


@number("7.p2")
@weight(1)
@tags("calibration")
def test_brier_parts_by_hand(impl):
    """Forecasts 1/4, twice 0, and 3/4, twice 1: 1/16 off, a quarter from the rate 1/2, whose variance is a quarter."""
    parts = impl.brier_parts(np.array([0.25, 0.75, 0.75, 0.25]), np.array([0, 1, 1, 0]))

    assert_close(parts, (1 / 16, 1 / 4, 1 / 4), name="brier_parts")


@number("7.p3")
@weight(1)
@tags("calibration")
def test_fit_temperature_by_hand(impl):
    """Logits (2, 0), right three times in four: the fitted probability is 3/4, so 2 / T = log 3. Always right: T_MIN."""
    logits = np.array([[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0]])

    T = impl.fit_temperature(logits, np.array([0, 0, 1, 0]))
    assert_close(T, 2 / math.log(3), rtol=1e-6, name="fit_temperature")  # six digits are asked for
    assert_close(impl.fit_temperature(logits, np.array([0, 0, 1, 1])), 0.01, rtol=1e-6, name="fit_temperature, all right")
    assert_close(impl.fit_temperature(logits, np.array([1, 1, 0, 1])), 100.0, rtol=1e-6, name="fit_temperature, mostly wrong")


# Task 8


@number("8.p1")
@weight(1)
@tags("intervals")
def test_bootstrap_means_by_hand(impl):
    """The draws 0, 0, 1 and then 2, 2, 0 from the differences 1, 0, -2 give the means 2/3 and -1."""
    picks, asked = [0, 0, 1, 2, 2, 0], []

    def draw(probabilities):
        asked.append(np.asarray(probabilities).tolist())
        return picks[len(asked) - 1]

    means = impl.bootstrap_means(np.array([1.0, 0.0, -2.0]), 2, draw=draw)

    assert_close(means, np.array([2 / 3, -1.0]), name="bootstrap_means")
    assert_close(asked, [[1 / 3, 1 / 3, 1 / 3]] * 6, name="the probabilities given to draw")


@number("8.p2")
@weight(1)
@tags("intervals")
def test_paired_interval_by_hand(impl):
    """At alpha = 1/4, the interval from eight means runs from the 1st smallest to the 7th. They are means of A - B."""
    given = []

    def means(differences, n_resamples, *, draw):
        given.append((np.asarray(differences).tolist(), n_resamples))
        return np.array([3.0, 8.0, 1.0, 7.0, 2.0, 9.0, 5.0, 4.0])

    got = impl.paired_interval([1.0, 0.5], [0.25, 1.0], alpha=0.25, n_resamples=8, draw=len, means=means)

    assert_close(got, (1.0, 8.0), name="paired_interval")
    assert_close(given, [([0.75, -0.5], 8)], name="what was given to means")


@number("8.p3")
@weight(1)
@tags("intervals")
def test_sign_flip_test_by_hand(impl):
    """The signs of 3, 1 and -1 can be chosen in eight ways: the sum is 5 in size twice, 3 four times, 1 twice. 3: 6/8."""
    assert_close(impl.sign_flip_test(np.array([3.0, 1.0, -1.0])), 0.75, name="sign_flip_test")
    # in floating point, 0.1 + 0.2 - 0.3 is not 0
    assert_close(impl.sign_flip_test(np.array([0.1, 0.2, -0.3])), 1.0, name="sign_flip_test of a sum that is 0 on paper")
    # only + + + and - - - are as large
    assert_close(impl.sign_flip_test(np.array([0.7, 0.2, 0.3])), 0.25, name="sign_flip_test of 0.7, 0.2 and 0.3")


@number("8.p4")
@weight(1)
@tags("intervals")
def test_clustered_error_by_hand(impl):
    """1, 0, 0, 1 deviate by 1/2 from their mean. Two clusters with sums 1 and -1: √2 / 4; with 0 and 0: 0; all apart: 1/4."""
    values = np.array([1.0, 0.0, 0.0, 1.0])

    assert_close(impl.clustered_error(values, list("abba")), math.sqrt(2) / 4, name="clustered_error of clusters a b b a")
    assert_close(impl.clustered_error(values, np.array([7, 7, 5, 5])), 0.0, name="clustered_error of clusters 7 7 5 5")
    assert_close(impl.clustered_error(values, np.array([3, 1, 0, 2])), 0.25, name="clustered_error of four clusters")


# Task 9


@number("9.p1")
@weight(1)
@tags("judges")
def test_win_rate_by_hand(impl):
    """A first: win, tie, loss. B first: A loses twice and wins once. A has 2.5 of 6 wins, and the first place 3.5 of 6."""
    rate, advantage = impl.win_rate(["first", "tie", "second"], ["first", "first", "second"])

    assert_close(rate, 2.5 / 6, name="rate")
    assert_close(advantage, 3.5 / 6 - 1 / 2, name="advantage")


@number("9.p2")
@weight(1)
@tags("judges")
def test_elo_by_hand(impl):
    """With k = 400, a win moves equals to 200 and -200. At a distance of 400 the better one expects 10/11, and loses."""
    ratings = impl.elo([(0, 2, 1), (2, 0, 1)], 3, k=400.0)
    assert_close(ratings, np.array([200 - 4000 / 11, 0.0, 4000 / 11 - 200]), name="elo")
    # a tie between equals moves nothing, one between others does
    assert_close(impl.elo([(1, 0, 0.5), (1, 0, 0)], 2), np.array([16.0, -16.0]), name="elo after a tie and a loss")


@number("9.p3")
@weight(1)
@tags("judges")
def test_corrected_rate_by_hand(impl):
    """A judge that is right on 3/4 of either kind reports 1/2 for 1/2, and 5/8 for 3/4. It never reports 1/10 on average."""
    assert_close(impl.corrected_rate(0.5, 0.75, 0.75), 0.5, name="corrected_rate of 1/2")
    assert_close(impl.corrected_rate(0.625, 0.75, 0.75), 0.75, name="corrected_rate of 5/8")
    assert_close(impl.corrected_rate(0.1, 0.75, 0.75), 0.0, name="corrected_rate of 1/10")


@number("9.p4")
@weight(1)
@tags("judges")
def test_prediction_powered_by_hand(impl):
    """The judge's mean is 3/4. It gave 0 and 1 to two answers that deserve 1 and 1: half a point too little on average."""
    got = impl.prediction_powered(np.array([1.0, 1.0, 0.0, 1.0]), np.array([2, 0]), np.array([1.0, 1.0]))

    assert_close(got, 1.25, name="prediction_powered")


@number("9.p5")
@weight(1)
@tags("judges")
def test_kappa_by_hand(impl):
    """x x y y and x y y y agree on 3/4. By chance: 1/2 · 1/4 on x and 1/2 · 3/4 on y, 1/2 in all. kappa = 1/2."""
    assert_close(impl.kappa(list("xxyy"), list("xyyy")), 0.5, name="kappa")
    assert_close(impl.kappa([1, 2, 3], [1, 2, 3]), 1.0, name="kappa of raters who always agree")
