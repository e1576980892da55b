"""Graded checks of the evaluation assignment.

Each compares with the reference on random inputs, or holds the submission's own answers to an identity. A function that uses
another one of the student's takes it as an argument and gets a right one here, so that each fault costs points in one place.
"""

import itertools
import math

import numpy as np
import pytest
from coursekit.chance import law
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def tokens(rng, n, vocabulary="abcdefg"):
    """n random tokens, of few kinds: some occur several times."""
    return [str(token) for token in rng.choice(list(vocabulary), size=n)]


def edited(rng, text, vocabulary="abcdefg"):
    """A text with some tokens exchanged, one dropped and one said twice: much of it still matches."""
    out = [token if rng.uniform() < 0.8 else str(rng.choice(list(vocabulary))) for token in text]
    i, j = rng.integers(0, len(out), size=2)
    return [*out[:i], out[i], *out[i:j], *out[j + 1 :]] if i <= j else [*out[:j], *out[j + 1 :]]


# Task 1


@number("1.1")
@weight(2)
@tags("answers")
@pytest.mark.parametrize("case", ["punctuation", "articles", "blanks"])
def test_normalize_answer_makes_variants_equal(agree, rng, case):
    """Case, punctuation, articles and blanks make no difference; what is left are the words, a blank between them."""
    words = ["Paris", "the", "An", "THEATER", "a", "banana", "U.S.", "Anna", "1,000", "don't", "state-of-the-art", "Ärger", "(a)"]
    marks = list(".,;:!?\"'#$%&()*+-/<=>@[]^_`{|}~\\")

    for _ in range(4):
        text = [str(word) for word in rng.permutation(words)[: rng.integers(5, 12)]]
        if case == "punctuation":
            text = [word + str(rng.choice(marks)) for word in text]
            agree("normalize_answer", " ".join([*text, "".join(marks)]))
        elif case == "articles":
            agree("normalize_answer", " ".join(["The", *text, "a", "an"]))
        else:
            agree("normalize_answer", "".join(word + str(rng.choice(["  ", "\n", " \t "])) for word in text))


@number("1.2")
@weight(1)
@tags("answers")
def test_exact_match_asks_for_one_equal_answer(agree, rng, reference):
    """A prediction is right if, normalized, it equals one of the normalized answers, and not if it is part of one."""
    words = ["The Nile", "nile!", "Nile river", "a NILE", "river", "the", ""]

    def matches(impl, rows):
        return [impl.exact_match(p, list(a), normalize=reference.normalize_answer) for p, a in rows]

    rows = [(p, [str(a) for a in rng.permutation(words)[:2]]) for p in words for _ in range(3)]
    agree(matches, [*rows, ("nile", ["x", "The Nile."]), ("nile", ["the nile river"])])


@number("1.3")
@weight(2)
@tags("answers")
@pytest.mark.parametrize("case", ["one_answer", "several_answers", "repeated_words"])
def test_token_f1_matches_each_word_once(agree, rng, reference, case):
    """Words are matched one by one, whatever their order, and the best answer counts."""
    vocabulary = "bc" if case == "repeated_words" else "bcdefgh"

    def scores(impl, rows):
        return [impl.token_f1(p, a, normalize=reference.normalize_answer) for p, a in rows]

    rows = []
    for _ in range(8):
        n_answers = 1 if case == "one_answer" else 3
        texts = [" ".join(tokens(rng, int(rng.integers(1, 7)), vocabulary)) for _ in range(n_answers + 1)]
        rows.append((texts[0].upper() + " the", texts[1:]))
    agree(scores, rows)


@number("1.4")
@weight(1)
@tags("answers")
@pytest.mark.parametrize(("per_byte", "case"), [(False, "values"), (True, "values"), (True, "accents"), (False, "ties")])
def test_choose_by_likelihood_scores_whole_texts(agree, rng, per_byte, case):
    """The option with the highest log-probability of its text, or the highest per byte; of equal ones the first."""

    def choices(impl, questions):
        return [impl.choose_by_likelihood(logps, texts, per_byte=per_byte) for logps, texts in questions]

    questions = []
    for _ in range(12):
        sizes = [int(size) for size in rng.integers(1, 9, size=5)]
        texts = ["".join(rng.choice(list("éüxy" if case == "accents" else "xyz"), size=size + 1)) for size in sizes]
        logps = [[float(x) for x in -rng.integers(1, 9, size=size) / 4] for size in sizes]
        if case == "ties":  # quarters add up exactly: the same best sum at two places
            logps[3], logps[1] = [-0.25], [-0.125, -0.125]
        questions.append((logps, texts))
    agree(choices, questions)


# Task 2


@number("2.1")
@weight(2)
@tags("bleu")
@pytest.mark.parametrize("case", ["edited", "repeated", "shorter_than_4"])
def test_bleu_counts_match_each_ngram_as_often_as_it_occurs(agree, rng, case):
    """With one reference, an n-gram is matched as often as it occurs in both texts."""

    def counts(impl, rows):
        return [impl.bleu_counts(candidate, [reference]) for candidate, reference in rows]

    rows = []
    for _ in range(5):
        reference = tokens(rng, int(rng.integers(5, 15)), "ab" if case == "repeated" else "abcdef")
        candidate = tokens(rng, 14, "ab") if case == "repeated" else edited(rng, reference)
        rows.append((candidate[: int(rng.integers(0, 4))] if case == "shorter_than_4" else candidate, reference))
    agree(counts, rows)


@number("2.2")
@weight(2)
@tags("bleu")
def test_bleu_counts_with_several_references(impl, agree, rng):
    """An n-gram is matched at most as often as in the one reference that has it most often. Their order is free."""

    def matches(impl, rows):
        return [impl.bleu_counts(candidate, references)[:2] for candidate, references in rows]

    rows = []
    for _ in range(5):
        text = tokens(rng, 9, "abc")
        rows.append((tokens(rng, 12, "abc"), [edited(rng, text, "abc"), text, tokens(rng, 7, "abc")]))
    got = matches(impl, [(candidate, references[::-1]) for candidate, references in rows])
    assert_close(got, matches(impl, rows), name="the counts for references in the reverse order")
    agree(matches, rows)


@number("2.3")
@weight(1)
@tags("bleu")
def test_bleu_counts_take_the_closest_reference_length(agree, rng):
    """The reference length is the one closest to the candidate's, and the shorter of two equally close ones."""

    def lengths(impl, rows):
        return [impl.bleu_counts(["x"] * c, [["y"] * r for r in rs])[2:] for c, rs in rows]

    rows = [(7, [9, 5, 1]), (7, [5, 9, 12]), (4, [9, 8]), (6, [2, 7, 3])]
    agree(lengths, rows + [(int(c), [int(r) for r in rng.integers(1, 15, size=3)]) for c in rng.integers(3, 12, size=8)])


def corpus(rng, n_sentences, n_references=1):
    """Candidates and their references. Each n has matches."""
    references = [[tokens(rng, int(rng.integers(6, 13))) for _ in range(n_references)] for _ in range(n_sentences)]
    candidates = [edited(rng, texts[0]) for texts in references]
    candidates[0] = references[0][0][:-1]
    return candidates, references


@number("2.4")
@weight(2)
@tags("bleu")
@pytest.mark.parametrize("case", ["one_sentence", "corpus", "long", "short"])
def test_bleu_adds_up_before_it_divides(agree, rng, reference, case):
    """Precisions and the brevity penalty come from sums over the corpus."""
    candidates, references = corpus(rng, 1 if case == "one_sentence" else 5, 2)
    if case == "long":
        candidates = [candidate + tokens(rng, 5) for candidate in candidates]
    elif case == "short":
        candidates = [candidates[0], *(candidate[:-4] for candidate in candidates[1:])]

    agree("bleu", candidates, references, counts=reference.bleu_counts)


@number("2.5")
@weight(1)
@tags("bleu")
def test_bleu_penalizes_a_short_corpus_only(agree, rng, reference):
    """A short sentence costs nothing if another one makes up for it."""
    text, other = tokens(rng, 12), tokens(rng, 12)

    def scores(impl, corpora):
        return [impl.bleu(c, r, counts=reference.bleu_counts) for c, r in corpora]

    even = [text[:-3], [*other, "x", "y", "z"]], [[text], [other]]
    longer = [text[:-3], [*other, *"pqrstuvw"]], [[text], [other]]
    agree(scores, [even, longer, ([text[:-3]], [[text]]), ([text[:6]], [[text]])])


@number("2.6")
@weight(1)
@tags("bleu")
@pytest.mark.parametrize("smooth", [False, True])
def test_bleu_is_0_without_matches(impl, agree, rng, reference, smooth):
    """BLEU is 0 if no n has a match, or if some n has no n-grams, with and without smooth."""
    text = tokens(rng, 9)
    lent = {"smooth": smooth, "counts": reference.bleu_counts}

    # something that is not 0 first
    agree("bleu", [[*text[:7], "x", "y"]], [[text]], **lent)
    assert_close(impl.bleu([["x"] * 6], [[text]], **lent), 0.0, name="bleu where nothing matches")
    assert_close(impl.bleu([text[:3], text[:2]], [[text], [text]], **lent), 0.0, name="bleu without 4-grams")
    assert_close(impl.bleu([[]], [[text]], **lent), 0.0, name="bleu of an empty candidate")


@number("2.7")
@weight(1)
@tags("bleu")
@pytest.mark.parametrize("matched", [(3, 2, 0, 0), (5, 0, 0, 0), (4, 0, 1, 0), (4, 3, 2, 0), (4, 3, 2, 1)], ids=str)
def test_bleu_smooths_orders_without_a_match(agree, rng, matched):
    """With smooth, the first n without a match counts half a match, the second a quarter, the third an eighth."""
    totals = [int(n) for n in rng.integers(6, 20, size=4)]

    def counts(candidate, references):
        return list(matched), list(totals), 12, 12

    counts.unrecorded = True
    agree("bleu", [["a"]], [[["a"]]], smooth=True, counts=counts)
    agree("bleu", [["a"]], [[["a"]]], counts=counts)


@number("2.8")
@weight(1)
@tags("bleu")
@pytest.mark.parametrize("function", ["bleu_counts", "bleu"])
def test_bleu_leaves_its_arguments_alone(impl, rng, reference, function):
    """The lists that are handed in are the same after the call, and so are those that counts returns."""
    references = [[tokens(rng, 9), tokens(rng, 9)] for _ in range(3)]
    candidates = [[*texts[0][:7], "x", "y"] for texts in references]
    args = (candidates[1], references[1]) if function == "bleu_counts" else (candidates, references)
    lent = {} if function == "bleu_counts" else {"counts": reference.bleu_counts}

    got = assert_leaves_arguments(getattr(impl, function), *args, **lent, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 3


def sentence(rng, n):
    """n random words of a few letters, as one string."""
    return " ".join("".join(rng.choice(list("abcde"), size=rng.integers(1, 5))) for _ in range(n))


def respelled(rng, text):
    """A text in which some characters are another letter."""
    return "".join(c if c == " " or rng.uniform() < 0.85 else str(rng.choice(list("abcde"))) for c in text)


@number("3.1")
@weight(2)
@tags("chrf")
@pytest.mark.parametrize("max_n", [1, 3, 6])
def test_chrf_averages_orders_and_then_weighs(agree, rng, max_n):
    """Precision and recall are means over n; then recall is weighed beta times as much."""
    text = sentence(rng, 6)

    agree("chrf", [respelled(rng, text) + "abc"], [text], max_n=max_n)
    agree("chrf", [respelled(rng, text)[:-5]], [text], beta=1.0, max_n=max_n)


@number("3.2")
@weight(1)
@tags("chrf")
def test_chrf_adds_up_over_the_corpus(agree, rng):
    """n-grams are counted over the whole corpus, and each only against its own reference."""
    texts = [sentence(rng, n) for n in (2, 7, 4)]

    agree("chrf", [respelled(rng, texts[0]), respelled(rng, texts[1]) + "ab", respelled(rng, texts[2])[:-3]], texts)


@number("3.3")
@weight(1)
@tags("chrf")
def test_chrf_leaves_out_orders_without_ngrams(impl, agree):
    """Texts shorter than n have no n-gram, and that n does not count; an n with n-grams but no match does."""
    agree("chrf", ["abc"], ["ab dc"])
    agree("chrf", ["ab"], ["ab cdefgh"])
    assert_close(impl.chrf(["xyz"], ["ab cd"]), 0.0, name="chrf without matches")
    assert_close(impl.chrf([""], ["ab"]), 0.0, name="chrf of an empty candidate")


@number("3.4")
@weight(1)
@tags("chrf")
def test_chrf_with_texts_exchanged(impl, agree, rng):
    """If the texts change places, precision and recall do: the score stays if beta becomes 1 / beta."""
    text = sentence(rng, 7)
    other = respelled(rng, text)[:-6]

    score = impl.chrf([other], [text], beta=2.0)
    assert_close(impl.chrf([text], [other], beta=0.5), score, name="chrf of the texts exchanged, at 1 / beta")
    agree("chrf", [other], [text], beta=3.0)


@number("3.5")
@weight(1)
@tags("chrf")
def test_chrf_does_not_see_whitespace(impl, agree, rng):
    """How a text is cut into words changes nothing."""
    text = sentence(rng, 6)
    other = respelled(rng, text) + "a"

    score = agree("chrf", [other], [text])
    cut = other.replace(" ", "")
    cut = cut[:3] + " \n" + cut[3:8] + "\t" + cut[8:] + "  "
    assert_close(impl.chrf([cut], [text]), score, name="chrf with other blanks")


# Task 4


@number("4.1")
@weight(2)
@tags("rouge")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_rouge_n_counts_what_both_texts_have(impl, agree, rng, n):
    """An n-gram is matched as often as it occurs in both. If the texts change places, precision and recall do."""
    reference = tokens(rng, 11, "abcd")
    candidate = [*edited(rng, reference, "abcd"), *"abab"]

    precision, recall, f1 = impl.rouge_n(candidate, reference, n)
    assert_close(impl.rouge_n(reference, candidate, n), (recall, precision, f1), name="rouge_n of the texts exchanged")
    agree("rouge_n", candidate, reference, n)
    agree("rouge_n", candidate[: n - 1], reference, n)


def longest_common(a, b):
    """The length of the longest common subsequence, by trying all subsequences of a."""
    def common(places):
        rest = iter(b)
        return all(a[i] in rest for i in places)

    return max(k for k in range(len(a) + 1) if any(common(places) for places in itertools.combinations(range(len(a)), k)))


@number("4.2")
@weight(2)
@tags("rouge")
@pytest.mark.parametrize("case", ["few_kinds", "many_kinds", "ties", "empty"])
def test_lcs_places_are_those_of_a_longest_common_subsequence(impl, agree, rng, case):
    """The places mark as long a common subsequence as there is; of several, the one that the walk finds."""
    vocabulary = "abcdefg" if case == "many_kinds" else "abc"
    for _ in range(4):
        reference, candidate = tokens(rng, 7, vocabulary), tokens(rng, 8, vocabulary)
        if case == "ties":
            reference = tokens(rng, 6, vocabulary)
            candidate = reference[::-1]
        elif case == "empty":
            places = impl.lcs_places(candidate, reference)
            assert_close(impl.lcs_places([], reference), [], name="lcs_places of an empty candidate")
            assert_close(impl.lcs_places(candidate, []), [], name="lcs_places in an empty reference")
        places = impl.lcs_places(candidate, reference)
        assert_close(len(places), longest_common(reference, candidate), name="the number of places")
        agree("lcs_places", candidate, reference)


@number("4.3")
@weight(1)
@tags("rouge")
def test_rouge_l_is_the_share_in_the_longest_common_subsequence(agree, rng, reference):
    """Its length as a share of the candidate is the precision, and as a share of the reference the recall."""
    text = tokens(rng, 12)

    for candidate, target in ((edited(rng, text), text), (tokens(rng, 5), text), (text, tokens(rng, 7))):
        agree("rouge_l", candidate, target, places=reference.lcs_places)
    agree("rouge_l", [], text, places=reference.lcs_places)
    agree("rouge_l", text, [], places=reference.lcs_places)


def sentences(rng, text):
    """A text cut into three or four sentences."""
    cuts = sorted(int(cut) for cut in rng.choice(np.arange(1, len(text)), size=3, replace=False))
    return [text[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(text)])]


@number("4.4")
@weight(2)
@tags("rouge")
@pytest.mark.parametrize("case", ["edited", "reordered", "few_kinds"])
def test_rouge_lsum_joins_what_sentences_find(agree, rng, reference, case):
    """A reference sentence's tokens may be found in several candidate sentences, and each is a hit once."""
    vocabulary = "abc" if case == "few_kinds" else "abcdefghij"
    text = tokens(rng, 16, vocabulary)
    target = sentences(rng, text)
    candidate = sentences(rng, edited(rng, text, vocabulary) + tokens(rng, 4, vocabulary))
    if case == "reordered":
        candidate = candidate[::-1]

    agree("rouge_lsum", candidate, target, places=reference.lcs_places)
    agree("rouge_lsum", target[1:], candidate, places=reference.lcs_places)


@number("4.5")
@weight(1)
@tags("rouge")
def test_rouge_lsum_does_not_see_the_order_of_sentences(impl, agree, rng, reference):
    """The score stays if the candidate's sentences come in another order. Without sentences, it is 0."""
    target = sentences(rng, tokens(rng, 14, "abcdef"))
    candidate = [edited(rng, sentence, "abcdef") if len(sentence) > 1 else sentence for sentence in target]
    lent = {"places": reference.lcs_places}

    score = agree("rouge_lsum", candidate, target, **lent)
    assert_close(impl.rouge_lsum(candidate[::-1], target, **lent), score, name="rouge_lsum of the sentences in reverse order")
    assert_close(impl.rouge_lsum([], target, **lent), (0.0, 0.0, 0.0), name="rouge_lsum without candidate sentences")
    assert_close(impl.rouge_lsum(candidate, [[]], **lent), (0.0, 0.0, 0.0), name="rouge_lsum of an empty reference")


# Task 5


@number("5.1")
@weight(2)
@tags("matching")
@pytest.mark.parametrize("case", ["once", "several_times"])
def test_idf_weights_count_references_once(agree, rng, case):
    """The weight depends on how many references have the token, not on how often it occurs in them."""
    if case == "once":
        references = [[str(token) for token in rng.permutation(list("abcdef"))[: rng.integers(1, 6)]] for _ in range(6)]
    else:
        references = [tokens(rng, 9, "abcdef"), ["a", "a", "b"], *(tokens(rng, int(rng.integers(1, 9)), "abcdef") for _ in range(4))]

    agree("idf_weights", [*"abcdefz", *tokens(rng, 5, "abcdef")], references)
    agree("idf_weights", ["z", "a", "b"], references[1:2])


@number("5.2")
@weight(2)
@tags("matching")
@pytest.mark.parametrize("case", ["random", "one_token", "long_vectors", "integers"])
def test_greedy_match_takes_the_most_similar_token(agree, rng, case):
    """Each token takes the one of the other text with the smallest angle to it, however long the vectors are."""
    candidate, reference = rng.normal(size=(1 if case == "one_token" else 5, 3)), rng.normal(size=(7, 3))
    if case == "long_vectors":
        reference = reference * rng.uniform(0.1, 30, size=(7, 1))
    elif case == "integers":
        candidate, reference = rng.integers(1, 5, size=(4, 3)), rng.integers(-3, 4, size=(6, 3)) * 2 + 1

    agree("greedy_match", candidate, reference)


@number("5.3")
@weight(1)
@tags("matching")
def test_greedy_match_weighs_each_texts_own_tokens(agree, rng):
    """Precision is weighted by the candidate's weights, recall by the reference's. Nothing depends on their sums."""
    candidate, reference = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    weights = {"candidate_weights": rng.uniform(0, 3, size=4), "reference_weights": rng.uniform(0, 3, size=6)}
    weights["reference_weights"][2] = 0.0

    def scores(impl, candidate, reference):
        return [impl.greedy_match(candidate, reference, **{key: weights[key] for key in keys}) for keys in (weights, [*weights][:1])]

    agree(scores, candidate, reference)


@number("5.4")
@weight(1)
@tags("matching")
def test_greedy_recall_is_at_least_the_best_matching(impl, rng, reference):
    """If no token of the candidate may be taken twice, the best assignment's mean is never larger than the recall."""
    for n in (3, 4):
        theirs, ours = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
        ours[0] = theirs[0]  # at least this similarity is 1
        got = assert_leaves_arguments(impl.greedy_match, ours, theirs, name="greedy_match")
        unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (theirs, ours)]
        similarity = unit[0] @ unit[1].T
        best = max(similarity[range(n), order].mean() for order in itertools.permutations(range(n)))

        assert got[1] >= best - 1e-12, "the recall is below that of the best assignment"
        assert_close(got, reference.greedy_match(ours, theirs))


# Task 6


def over_all(impl, function, pairs):
    return [getattr(impl, function)(n, c, k) for n, c, k in pairs]


@number("6.1")
@weight(2)
@tags("pass_at_k")
@pytest.mark.parametrize("case", ["small", "some_hundred"])
def test_pass_at_k_is_a_share_of_choices(impl, agree, rng, case):
    """It is the share of the choices of k samples with at least one right one: all choices, one by one, for small n."""
    if case == "small":
        pairs = [(n, c, k) for n in range(1, 7) for c in range(n + 1) for k in range(1, n + 1)]
        want = [np.mean([min(choice) < c for choice in itertools.combinations(range(n), k)]) for n, c, k in pairs]
        assert_close(over_all(impl, "pass_at_k", pairs), [float(share) for share in want], name="pass_at_k")
    else:
        pairs = [(n, int(rng.integers(1, n // 3)), int(rng.integers(1, n // 3))) for n in (100, 200, 300)]
        agree(over_all, "pass_at_k", [*pairs, (200, 3, 100)])


@number("6.2")
@weight(1)
@tags("pass_at_k")
def test_all_of_k_is_a_share_of_choices(impl, agree, rng):
    """It is the share of the choices of k samples in which every one is right."""
    pairs = [(n, c, k) for n in range(1, 7) for c in range(n + 1) for k in range(1, n + 1)]
    want = [np.mean([max(choice) < c for choice in itertools.combinations(range(n), k)]) for n, c, k in pairs]

    assert_close(over_all(impl, "all_of_k", pairs), [float(share) for share in want], name="all_of_k")
    agree(over_all, "all_of_k", [(n, n - int(rng.integers(1, 9)), int(rng.integers(2, 9))) for n in (20, 100, 200)])


@number("6.3")
@weight(1)
@tags("pass_at_k")
@pytest.mark.parametrize(("function", "truth"), [("pass_at_k", lambda p, k: 1 - (1 - p) ** k), ("all_of_k", lambda p, k: p**k)], ids=["pass", "all"])
def test_the_estimates_are_unbiased(impl, rng, function, truth):
    """Averaged over how many of n samples happen to be right, each estimate is what it estimates."""
    p, n = float(rng.uniform(0.2, 0.6)), 9

    for k in (2, 5):
        chances = [math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
        mean = sum(chance * getattr(impl, function)(n, c, k) for c, chance in enumerate(chances))
        assert_close(mean, truth(p, k), name=f"the mean of {function}")


@number("6.4")
@weight(1)
@tags("pass_at_k")
@pytest.mark.parametrize("function", ["pass_at_k", "all_of_k"])
def test_estimates_for_thousands_of_samples(agree, rng, function):
    """Numbers of choices are larger than any float, and the estimate is not."""
    pairs = [(4000, int(c), int(k)) for c, k in rng.integers(2, 900, size=(3, 2))] + [(3000, 1, 2000), (5000, 4990, 300)]

    agree(over_all, function, pairs)


@number("6.5")
@weight(2)
@tags("pass_at_k")
@pytest.mark.parametrize("case", ["equal", "unequal"])
def test_benchmark_score_is_the_mean_over_tasks(agree, rng, reference, case):
    """Each task counts the same, however many samples it has."""
    totals = [12] * 5 if case == "equal" else [5, 80, 12, 31]
    corrects = [int(rng.integers(1, n)) for n in totals]

    agree("benchmark_score", totals, corrects, 3, estimate=reference.pass_at_k)
    agree("benchmark_score", [*totals, 9], [*corrects, 8], 2, estimate=reference.all_of_k)


# Task 7


@number("7.1")
@weight(2)
@tags("calibration")
@pytest.mark.parametrize("n_bins", [1, 5, 10, 15])
def test_calibration_error_weighs_bins_by_their_examples(agree, rng, n_bins):
    """The gap of each bin counts by its share of the examples; empty bins don't count."""
    confidences = np.concatenate([rng.uniform(0, 1, size=30), rng.uniform(0.85, 1, size=60)])
    correct = rng.uniform(size=90) < confidences**2

    agree("calibration_error", confidences, correct, n_bins=n_bins)


@number("7.2")
@weight(1)
@tags("calibration")
@pytest.mark.parametrize("case", ["edges", "always_sure", "never_sure"])
def test_calibration_error_on_the_edges_of_bins(agree, rng, case):
    """An edge belongs to the bin below it: 1 is in the last bin, and 0 in the first."""
    confidences = rng.integers(0, 9, size=40) / 8  # exact, as are the edges k / 4 and k / 8
    correct = rng.uniform(size=40) < 0.4
    if case == "always_sure":
        confidences = np.ones(40)
    elif case == "never_sure":
        confidences = np.where(np.arange(40) < 30, 0.0, 0.125)

    agree("calibration_error", confidences, correct, n_bins=4)
    agree("calibration_error", confidences, correct, n_bins=8)


@number("7.3")
@weight(2)
@tags("calibration")
def test_brier_parts_add_up_to_the_score(impl, agree, rng):
    """reliability - resolution + uncertainty is the mean squared error of the forecasts."""
    forecasts = rng.integers(0, 6, size=50) / 5
    outcomes = (rng.uniform(size=50) < 0.2 + 0.5 * forecasts).astype(int)

    reliability, resolution, uncertainty = impl.brier_parts(forecasts, outcomes)
    assert_close(reliability - resolution + uncertainty, float(np.mean((forecasts - outcomes) ** 2)), name="the sum of the parts")
    agree("brier_parts", forecasts, outcomes)


def classified(rng, n, K, *, scale):
    """Logits, and labels drawn from their softmax; scale says by how much the logits are then multiplied."""
    logits = 1.5 * rng.normal(size=(n, K))
    labels = (logits + rng.gumbel(size=(n, K))).argmax(axis=1)
    return scale * logits, labels


@number("7.4")
@weight(2)
@tags("calibration")
@pytest.mark.parametrize(("K", "scale"), [(2, 3.0), (5, 0.4), (4, 12.0)])
def test_fit_temperature_has_the_smallest_loss(agree, rng, K, scale):
    """No other temperature makes the labels more likely."""
    logits, labels = classified(rng, 80, K, scale=scale)

    # six digits are asked for
    agree("fit_temperature", logits, labels, tol=(1e-6, 0))
    # large, and the same for every temperature
    agree("fit_temperature", logits + 1000.0, labels, tol=(1e-6, 0))


@number("7.5")
@weight(1)
@tags("calibration")
def test_fit_temperature_scales_with_the_logits(impl, agree, rng):
    """Logits that are c times as large have a temperature c times as high."""
    logits, labels = classified(rng, 60, 3, scale=1.5)

    T = impl.fit_temperature(logits, labels)
    for c in (3.0, 0.25):
        # six digits are asked for
        assert_close(impl.fit_temperature(c * logits, labels), c * T, rtol=2e-6, name=f"the temperature of logits times {c}")
    agree("fit_temperature", logits, labels, tol=(1e-6, 0))


@number("7.6")
@weight(1)
@tags("calibration")
def test_fit_temperature_stays_in_its_range(agree, rng):
    """If every label is the most probable, T is T_MIN. If labels are the least probable ones, T is T_MAX."""
    logits = rng.normal(size=(20, 4))
    logits[:, 0] += 8  # far ahead of the others

    agree("fit_temperature", logits, logits.argmax(axis=1), tol=(1e-6, 0))
    agree("fit_temperature", logits, logits.argmin(axis=1), tol=(1e-6, 0))


# Task 8


def laws(impl, cases):
    return [law(impl.bootstrap_means, differences, n_resamples, given=("draw",)) for differences, n_resamples in cases]


@number("8.1")
@weight(2)
@tags("intervals")
@pytest.mark.parametrize("case", ["one_resample", "two_resamples"])
def test_bootstrap_means_have_the_law_of_resampling(agree, rng, case):
    """Over all ways in which the draws can fall, each resample is as likely as it should be."""
    if case == "one_resample":
        cases = [(rng.integers(-4, 5, size=3) / 4, 1), (rng.normal(size=2), 1), (rng.normal(size=1), 1)]
    else:
        cases = [(np.array([0.0, 1.0]) + rng.normal(), 2)]

    agree(laws, cases)


@number("8.2")
@weight(1)
@tags("intervals")
def test_bootstrap_means_are_those_of_the_draws(agree, rng):
    """The first n draws make the first resample, the next n the second. The same question may come twice."""
    differences, picks = rng.normal(size=6), [int(i) for i in rng.integers(0, 6, size=48)]

    def scripted(impl, differences):
        coming = iter(picks)

        def draw(probabilities):
            return next(coming)

        draw.unrecorded = True
        return impl.bootstrap_means(differences, 8, draw=draw)

    agree(scripted, differences)


@number("8.3")
@weight(2)
@tags("intervals")
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.25, 0.5])
def test_paired_interval_holds_the_middle_of_the_means(agree, rng, alpha):
    """Its ends are resampled means: half of alpha of them lie below, half above. A better than B is positive."""
    scores_a, scores_b, resampled = rng.uniform(size=9), rng.uniform(size=9), rng.normal(size=61)

    def interval(impl, scores_a, scores_b):
        given = []

        def means(differences, n_resamples, *, draw):
            given.append((np.asarray(differences), n_resamples))
            return resampled.copy()

        return impl.paired_interval(scores_a, scores_b, alpha=alpha, n_resamples=61, draw=len, means=means), given

    agree(interval, scores_a, scores_b)


@number("8.4")
@weight(2)
@tags("intervals")
@pytest.mark.parametrize("case", ["real", "wins_and_losses", "all_wins", "with_zeros"])
def test_sign_flip_test_counts_every_choice_of_signs(agree, rng, case):
    """The p-value is the share of all sign choices with a sum at least as large in size, the observed one included."""
    n = int(rng.integers(5, 10))
    differences = rng.normal(size=n) + 0.4
    if case == "wins_and_losses":
        differences = np.where(np.arange(n + 2) < 3, -1.0, 1.0)
    elif case == "all_wins":
        differences = rng.uniform(0.5, 1, size=n)
    elif case == "with_zeros":
        differences = rng.integers(-2, 4, size=n) * 0.5
        differences[:2] = 0.0, 0.5

    agree("sign_flip_test", differences)
    agree("sign_flip_test", -differences[:5])


@number("8.5")
@weight(1)
@tags("intervals")
def test_sign_flip_test_is_not_fooled_by_rounding(agree, rng):
    """Tenths add up to equal sums on paper, and nearly equal ones in floating point. The unit changes nothing."""
    for unit in (1.0, 1e-10, 1e9):
        agree("sign_flip_test", unit * np.array([0.1, 0.2, 0.3, -0.3, 0.1, 0.7]))
        agree("sign_flip_test", unit * rng.permutation([0.1, -0.2, 0.3, 0.6, -0.7, 0.1, 0.4]))


@number("8.6")
@weight(2)
@tags("intervals")
@pytest.mark.parametrize("case", ["unequal", "each_its_own", "copied"])
def test_clustered_error_counts_clusters(impl, agree, rng, case):
    """Values of one cluster are one piece of evidence: with copies of all values in their clusters, the error stays."""
    values, clusters = rng.normal(size=14), np.array([5, 2, 2, 9, 5, 5, 2, 7, 7, 5, 0, 2, 9, 2])
    if case == "each_its_own":
        clusters = rng.permutation(14)
        plain = float(values.std() / math.sqrt(14))
        assert_close(impl.clustered_error(values, clusters), plain, name="clustered_error of one value for each cluster")
    elif case == "copied":
        once = impl.clustered_error(values, clusters)
        copied = impl.clustered_error(np.tile(values, 3), np.tile(clusters, 3))
        assert_close(copied, once, name="clustered_error of three copies of everything")
    agree("clustered_error", values, clusters)


# Task 9


def verdicts(rng, n, p):
    return [str(verdict) for verdict in rng.choice(["first", "second", "tie"], size=n, p=p)]


@number("9.1")
@weight(2)
@tags("judges")
@pytest.mark.parametrize("case", ["mixed", "always_first", "many_ties"])
def test_win_rate_uses_both_orders(impl, agree, rng, case):
    """Exchange the systems, and their rates change places, while the advantage of the first place stays."""
    p = {"mixed": (0.5, 0.3, 0.2), "always_first": (0.9, 0.1, 0.0), "many_ties": (0.3, 0.1, 0.6)}[case]
    a_first, b_first = ["first", *verdicts(rng, 20, p)], ["second", *verdicts(rng, 20, p)]

    rate, advantage = impl.win_rate(a_first, b_first)
    assert_close(impl.win_rate(b_first, a_first), (1 - rate, advantage), name="win_rate of the systems exchanged")
    agree("win_rate", a_first, b_first)


@number("9.2")
@weight(1)
@tags("judges")
def test_elo_follows_the_games_in_order(impl, agree, rng):
    """Each game starts from the ratings before it. What one player wins the other loses, so that the sum stays 0."""
    games = []
    for score in rng.choice([0, 0.5, 1], size=25):
        i, j = (int(player) for player in rng.choice(4, size=2, replace=False))
        games.append((i, j, float(score)))

    ratings = agree("elo", games, 4)
    assert_close(float(np.sum(ratings)), 0.0, name="the sum of the ratings")
    agree("elo", games[::-1], 5, k=10.0)


@number("9.3")
@weight(1)
@tags("judges")
def test_corrected_rate_inverts_the_judge(impl, agree, rng):
    """From what the judge reports on average, the share of good answers comes back."""
    for rate, sensitivity, specificity in rng.uniform((0.05, 0.6, 0.7), 0.95, size=(6, 3)):
        reported = float(rate * sensitivity + (1 - rate) * (1 - specificity))
        got = impl.corrected_rate(reported, float(sensitivity), float(specificity))
        assert_close(got, float(rate), name="corrected_rate")


@number("9.4")
@weight(1)
@tags("judges")
def test_corrected_rate_is_a_share(agree, rng):
    """A report that no share explains gets the nearer end, 0 or 1."""

    def rates(impl, reports):
        return [impl.corrected_rate(reported, 0.8, 0.7) for reported in reports]

    agree(rates, [0.0, 0.2, 0.85, 1.0, float(rng.uniform(0.35, 0.75))])


@number("9.5")
@weight(1)
@tags("judges")
@pytest.mark.parametrize("case", ["any_judge", "constant_judge", "values"])
def test_prediction_powered_is_unbiased(impl, agree, rng, case):
    """Averaged over all choices of answers to label, it is the true mean, however wrong the judge is."""
    truth, judged = rng.integers(0, 2, size=6).astype(float), rng.uniform(size=6)
    if case == "constant_judge":
        labels = rng.uniform(size=3)
        got = impl.prediction_powered(np.full(6, 0.7), np.array([4, 1, 2]), labels)
        assert_close(got, float(labels.mean()), name="prediction_powered with a judge that always says 0.7")
    elif case == "any_judge":
        subsets = [np.array(subset) for subset in itertools.combinations(range(6), 2)]
        estimates = [impl.prediction_powered(judged, subset, truth[subset]) for subset in subsets]
        assert_close(float(np.mean(estimates)), float(truth.mean()), name="the mean of all estimates")
    agree("prediction_powered", judged, np.array([5, 0, 3]), rng.uniform(size=3))


@number("9.6")
@weight(1)
@tags("judges")
@pytest.mark.parametrize("case", ["two_labels", "many_labels", "unequal_use"])
def test_kappa_takes_chance_from_each_raters_labels(agree, rng, case):
    """How often raters agree by chance depends on how often each of them used each label."""
    K = 2 if case == "two_labels" else 4
    a = [int(label) for label in rng.integers(0, K, size=30)]
    b = [label if rng.uniform() < 0.6 else int(rng.integers(0, K)) for label in a]
    if case == "unequal_use":
        b = [0 if label == 2 else label for label in b]

    agree("kappa", a, b)
    agree("kappa", ["no", *map(str, a)], ["yes", *map(str, b)])
