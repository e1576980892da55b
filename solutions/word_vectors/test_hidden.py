"""Graded checks of the word_vectors assignment.

Values are compared with the reference's in one check for each feature, on inputs where the other features make no difference: one
document where borders are another check's business, different words where repeats are, dense counts where zeros are, distances that
don't matter where weights do, a nearly flat tanh where its slope does. Properties are asserted on the submission's own answers. The
values beside them are ones that a misread convention leaves alone, as far as there are any. A function that uses another one of the
student's takes it as an argument and gets a right one here.
"""

import math
import unicodedata

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

def counts_without_zeros(rng, *shape, high=40):
    return rng.integers(1, high, size=shape).astype(float)


def counts_with_zeros(rng, *shape, high=40, share=0.4):
    X = counts_without_zeros(rng, *shape, high=high)
    X[rng.uniform(size=shape) < share] = 0
    X[0, 0] = 3.0
    return X


def different_words(rng, n_words, length):
    return [int(i) for i in rng.permutation(n_words)[:length]]


# Task 1. All characters are in Unicode 14, which Python 3.11 knows.

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ACCENTED = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿāăąćĉčďēĕėęěĝğģĥĩīĭįĵķĺļľńņňōŏőŕŗřśŝşšţťũūŭůűųŵŷźżž"
VARIANTS = "ﬀﬁﬂﬃﬄ²³¹ªº①②③ａｂｃ½ĳŉ"
CASED = "ABCDEFGHIJKLMNOPQRSTUVWXYZßΑΒΓΔΣς"
BOLD = "".join(map(chr, range(0x1D400, 0x1D41A)))
BELOW = "ᾀᾁᾂᾃᾄᾅᾳῃῳͅ"


def drawn(rng, characters, n=30):
    """Letters with characters of a kind between them; the last three are known."""
    mixed = "".join(rng.choice(list(LETTERS)) + rng.choice(list(characters)) for _ in range(n))
    return mixed + characters[0] + "xyz"


@number("1.1")
@weight(3)
@tags("vocabulary")
@pytest.mark.parametrize(
    "characters", [ACCENTED, VARIANTS, CASED, BOLD, BELOW], ids=["accents", "variants", "case", "bold_capitals", "iota_below"]
)
def test_standardize_takes_away_accents_variants_and_case(agree, rng, characters):
    """Decomposed, without marks, with case folded: one kind of character at a time between plain letters."""
    agree("standardize", drawn(rng, characters))


@number("1.2")
@weight(1)
@tags("vocabulary")
def test_standardizing_twice_changes_nothing_more(impl, rng):
    """What is standard stays as it is, whatever the script."""
    ranges = ((0xA0, 0x250), (0x370, 0x400), (0x1D2C, 0x1D6B), (0x1F00, 0x2000), (0x2100, 0x2150), (0x1D400, 0x1D7FF), (0x1F130, 0x1F150))
    known = [chr(code) for low, high in ranges for code in range(low, high) if unicodedata.category(chr(code)) not in ("Cn", "Lo")]
    text = "".join(rng.choice(known, size=600)) + "".join(rng.choice(list(BOLD), size=20)) + "0123456789"

    once = impl.standardize(text)

    assert once != text
    assert once.endswith("0123456789")
    assert impl.standardize(once) == once


def worked_standardize(text):
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return bare.casefold()


worked_standardize.unrecorded = True  # how often it is called is free


@number("1.3")
@weight(2)
@tags("vocabulary")
@pytest.mark.parametrize("case", ["plain", "punctuation", "inside_words", "stop_words", "standardized_first"])
def test_tokenize_finds_runs_of_letters_and_digits(agree, rng, case):
    """Tokens are longest runs of letters and digits of the standardized text, without stop words."""
    words = ["".join(rng.choice(list(LETTERS[:6]), size=rng.integers(1, 7))) for _ in range(20)]
    stop_words, text = (), " ".join(words)
    if case == "punctuation":
        text = "".join(f"{word}{mark} " for word, mark in zip(words, rng.choice(list(",.;:!?"), size=20))) + "\n\tend."
    elif case == "inside_words":
        text = " ".join(f"{word}{mark}{rng.integers(100)}x" for word, mark in zip(words, rng.choice(list("'-_/&"), size=20)))
    elif case == "stop_words":
        # stop words that other words contain
        words, stop_words = ["the", "theme", "at", "that", "rather", *words], {"the", "at", "a"}
        text = " ".join(words[i] for i in rng.permutation(len(words)))
    elif case == "standardized_first":
        text, stop_words = " ".join(words[:9]).title() + " ÉTÉ ½ THE Straße", ["the", "ete"]

    agree("tokenize", text, stop_words=stop_words, standardize=worked_standardize)


@number("1.4")
@weight(2)
@tags("vocabulary")
@pytest.mark.parametrize("case", ["counts", "equal_counts", "min_count", "nothing"])
def test_vocabulary_counts_occurrences_and_orders_ties(agree, rng, case):
    """PAD and UNK, then the tokens by falling count over all documents; equal counts in sorted order."""
    words = ["".join(rng.choice(list(LETTERS), size=5)) for _ in range(8)]
    copies = rng.permutation(np.arange(1, 9))
    if case == "equal_counts":
        copies = rng.integers(1, 3, size=8)
    tokens = [word for word, n in zip(words, copies) for _ in range(n)]
    tokens = [tokens[i] for i in rng.permutation(len(tokens))]
    half = len(tokens) // 2

    if case == "nothing":
        agree("build_vocabulary", [tokens, []], min_count=1)
        agree("build_vocabulary", [[], tokens], min_count=100)
    else:
        agree("build_vocabulary", [tokens[:half], tokens[half:]], min_count=4 if case == "min_count" else 1)


# Task 2


@number("2.1")
@weight(1)
@tags("documents")
@pytest.mark.parametrize("case", ["different", "repeated", "empty_document"])
def test_count_vectors_count(agree, rng, case):
    """Each row holds how often each word occurs in its document, every word of the vocabulary having a column."""
    documents = [different_words(rng, 9, 5) for _ in range(4)]
    if case == "repeated":
        documents = [rng.integers(0, 9, size=30).tolist() for _ in range(4)]
    elif case == "empty_document":
        documents[1] = []

    agree("count_vectors", documents, 12)


@number("2.2")
@weight(1)
@tags("documents")
@pytest.mark.parametrize("case", ["once", "repeated", "words_of_none"])
def test_idf_counts_documents(agree, rng, case):
    """A word counts once for each document that holds it, however often it occurs there."""
    counts = (rng.uniform(size=(12, 7)) < 0.5) * 1.0
    if case == "repeated":
        counts *= rng.integers(1, 5, size=counts.shape)
    elif case == "words_of_none":
        counts[:, ::3] = 0

    agree("idf", counts)


def worked_idf(counts):
    return np.log((1 + len(counts)) / (1 + (counts > 0).sum(axis=0))) + 1


worked_idf.unrecorded = True


@number("2.3")
@weight(2)
@tags("documents")
@pytest.mark.parametrize("case", ["own_corpus", "other_corpus", "empty_document"])
def test_tf_idf_rows_have_length_one(agree, rng, case):
    """Counts times the corpus's idf, each row divided by its own length; an empty document stays 0."""
    counts, corpus = counts_with_zeros(rng, 5, 8, high=6), counts_with_zeros(rng, 9, 8, high=6)
    if case == "own_corpus":
        corpus = counts
    elif case == "empty_document":
        counts[[1, 3]] = 0

    agree("tf_idf", counts, corpus, idf=worked_idf)


@number("2.4")
@weight(1)
@tags("documents")
@pytest.mark.parametrize("function", ["count_vectors", "idf", "tf_idf"])
def test_bags_of_words_leave_their_arguments_alone(impl, reference, rng, function):
    """The documents and arrays that are handed in are the same after the call."""
    counts, corpus = counts_with_zeros(rng, 5, 6, high=6), counts_with_zeros(rng, 7, 6, high=6)
    documents = [different_words(rng, 6, 3) for _ in range(4)]
    args = {"count_vectors": (documents, 6), "idf": (corpus,), "tf_idf": (counts, corpus)}[function]
    lent = {"idf": worked_idf} if function == "tf_idf" else {}

    got = assert_leaves_arguments(getattr(impl, function), *args, **lent, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 3


@number("3.1")
@weight(2)
@tags("cooccurrence")
@pytest.mark.parametrize(("window", "by_distance"), [(1, True), (3, True), (6, True), (4, False)])
def test_cooccurrence_weighs_by_distance_up_to_the_window(agree, rng, window, by_distance):
    """In one document of different words, each pair of words up to `window` apart has 1/d, or 1, both ways."""
    agree("cooccurrence", [different_words(rng, 15, 12)], 15, window=window, by_distance=by_distance)


@number("3.2")
@weight(2)
@tags("cooccurrence")
@pytest.mark.parametrize("case", ["several", "empty", "one_short"])
def test_cooccurrence_stays_inside_documents(agree, rng, case):
    """Words of different documents don't meet, and short or empty documents are no special case."""
    order = different_words(rng, 16, 15)
    documents = {"several": [order[:5], order[5:6], order[6:]], "empty": [[], order[:7], [], order[7:], []], "one_short": [order[:3]]}[case]

    agree("cooccurrence", documents, 16, window=4, by_distance=False)


@number("3.3")
@weight(1)
@tags("cooccurrence")
@pytest.mark.parametrize("case", ["same_pair_again", "meets_itself"])
def test_cooccurrence_adds_up_repeated_words(agree, rng, case):
    """A pair that meets again adds again, and a word near itself adds in both directions to one cell."""
    if case == "same_pair_again":
        pair = different_words(rng, 5, 3)
        agree("cooccurrence", [pair * 3], 5, window=1)
        return
    agree("cooccurrence", [rng.integers(0, 4, size=25).tolist()], 5, window=3, by_distance=False)


@number("3.4")
@weight(1)
@tags("cooccurrence")
def test_cooccurrence_knows_no_direction(impl, reference, rng):
    """Reading every document backward changes nothing: near is near on either side."""
    documents = [different_words(rng, 12, 9)]

    X = impl.cooccurrence(documents, 12, window=3)
    backward = impl.cooccurrence([document[::-1] for document in documents], 12, window=3)
    assert_close(X, backward, name="cooccurrence of the reversed documents")
    assert_close(X, X.T, name="cooccurrence transposed")
    # side by side, no weight makes a difference
    options = {"window": 1, "by_distance": False}
    assert_close(impl.cooccurrence(documents, 12, **options), reference.cooccurrence(documents, 12, **options))


@number("3.5")
@weight(1)
@tags("cooccurrence")
def test_joining_documents_adds_pairs_across_the_border(agree, rng):
    """If two documents become one, exactly the pairs that reach across the border are new."""
    first, second = rng.permutation(22).reshape(2, 11).tolist()

    def new_pairs(impl, first, second):
        options = {"window": 4, "by_distance": False}
        joined = impl.cooccurrence([first + second], 22, **options)
        return [joined, joined - impl.cooccurrence([first, second], 22, **options)]

    agree(new_pairs, first, second)


@number("3.6")
@weight(1)
@tags("cooccurrence")
def test_cooccurrence_leaves_the_documents_alone(impl, reference, rng):
    """The lists that are handed in are the same after the call."""
    documents, options = [different_words(rng, 9, 6)], {"window": 1, "by_distance": False}

    got = assert_leaves_arguments(impl.cooccurrence, documents, 9, **options, name="cooccurrence")
    assert_close(got, reference.cooccurrence(documents, 9, **options))


# Task 4


@number("4.1")
@weight(2)
@tags("pmi")
@pytest.mark.parametrize("case", ["symmetric", "not_symmetric", "wide", "fractions"])
def test_pmi_compares_with_what_chance_would_give(agree, rng, case):
    """The logarithm of how much more often two words meet than rows and columns that choose independently."""
    X = counts_without_zeros(rng, *{"wide": (4, 9)}.get(case, (6, 6)))
    if case == "symmetric":
        X = X + X.T
    elif case == "fractions":
        X = X / 7

    agree("pmi", X)


@number("4.2")
@weight(1)
@tags("pmi")
@pytest.mark.parametrize("case", ["zeros", "a_word_without_counts"])
def test_pmi_of_pairs_that_never_meet_is_minus_infinity(impl, agree, rng, case):
    """-inf where there is no count, also in the row and the column of a word that never occurs; finite elsewhere."""
    X = counts_with_zeros(rng, 6, 6)
    if case == "a_word_without_counts":
        X[2], X[:, 2] = 0, 0

    M = agree("pmi", X)
    assert_close(np.isneginf(M), X == 0, name="where PMI is -inf")


@number("4.3")
@weight(2)
@tags("pmi")
@pytest.mark.parametrize("case", ["arrays", "broadcast", "never_true"])
def test_best_score_is_the_minimizer(agree, rng, case):
    """The score at which the loss of a pair has slope 0, for each pair by itself; -inf if the pair was never true."""
    n_true, n_noise = rng.uniform(0.2, 30, size=(2, 4, 5))
    if case == "broadcast":
        n_noise = float(n_noise[0, 0])
    elif case == "never_true":
        n_true[1:3, ::2] = 0

    agree("best_score", n_true, n_noise)


def worked_pmi(X):
    expected = X.sum(axis=1, keepdims=True) * X.sum(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(X > 0, np.log(X * X.sum() / expected), -np.inf)


worked_pmi.unrecorded = True


@number("4.4")
@weight(2)
@tags("pmi")
@pytest.mark.parametrize(("shift", "zeros"), [(0.0, False), (0.3, False), (-0.4, False), (0.2, True)])
def test_ppmi_shifts_and_then_clips(agree, rng, shift, zeros):
    """What is left above 0 after the shift, and 0 where nothing was counted."""
    X = counts_with_zeros(rng, 7, 7, high=9) if zeros else counts_without_zeros(rng, 7, 7, high=9)

    agree("ppmi", X, shift=shift, pmi=worked_pmi)


@number("4.5")
@weight(3)
@tags("pmi")
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(6, 6), (5, 8), (8, 5)], ids=["square", "wide", "tall"])
def test_svd_vectors_scale_the_main_directions(agree, rng, shape, power):
    """The first d left singular vectors, times their singular values to the power; the given line chooses signs."""
    M = rng.normal(size=shape)

    agree("svd_vectors", M, 2, power=power)
    agree("svd_vectors", M, 4, power=power)


@number("4.6")
@weight(1)
@tags("pmi")
@pytest.mark.parametrize("d", [1, 3])
def test_svd_vectors_span_the_best_subspace(agree, rng, d):
    """What a projection of M onto the d directions leaves over is the sum of the other squared singular values."""
    M = rng.normal(size=(7, 5))

    W = agree("svd_vectors", M, d, power=0.0)
    sigma = np.linalg.svd(M, compute_uv=False)
    assert_close(((M - W @ (W.T @ M)) ** 2).sum(), (sigma[d:] ** 2).sum(), name=f"what {d} directions leave over")


@number("4.7")
@weight(1)
@tags("pmi")
@pytest.mark.parametrize("function", ["pmi", "best_score", "ppmi", "svd_vectors"])
def test_factoring_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    X = counts_without_zeros(rng, 5, 5, high=9)
    args, options = {
        "pmi": ((X,), {}),
        "best_score": ((X, X.T + 1), {}),
        "ppmi": ((X,), {"pmi": worked_pmi}),
        "svd_vectors": ((X, 2), {"power": 1.0}),
    }[function]

    got = assert_leaves_arguments(getattr(impl, function), *args, **options, name=function)
    assert_close(got, getattr(reference, function)(*args, **options))


# Task 5


def glove_parameters(rng, V, d):
    return [rng.normal(size=(V, d)), rng.normal(size=(V, d)), rng.normal(size=V), rng.normal(size=V)]


@number("5.1")
@weight(2)
@tags("glove")
@pytest.mark.parametrize("case", ["all_below_x_max", "some_above_x_max", "zeros", "another_power"])
def test_glove_loss_weighs_squared_errors_of_log_counts(agree, rng, case):
    """Squared errors of log counts, weighted by a power of the count up to x_max; cells without a count don't matter."""
    V, options = 6, {"x_max": 50.0}
    X = counts_with_zeros(rng, V, V) if case == "zeros" else counts_without_zeros(rng, V, V)
    if case == "some_above_x_max":
        options = {"x_max": 10.0}
    elif case == "another_power":
        options = {"x_max": 50.0, "power": 0.5}

    agree("glove_loss", *glove_parameters(rng, V, 3), X, **options)


@number("5.2")
@weight(1)
@tags("glove")
@pytest.mark.parametrize("change", ["mixed", "moved", "biases"])
def test_glove_loss_does_not_choose_the_vectors(impl, agree, rng, change):
    """Changes of the parameters that leave every prediction as it is leave the loss as it is."""
    W, C, b, c = glove_parameters(rng, 5, 3)
    X = counts_without_zeros(rng, 5, 5)
    A, v = rng.normal(size=(3, 3)) + 2 * np.eye(3), rng.normal(size=3)
    changed = {
        "mixed": (W @ A, C @ np.linalg.inv(A).T, b, c),
        "moved": (W + v, C, b, c - C @ v),
        "biases": (W, C, b + 1.5, c - 1.5),
    }[change]

    before = impl.glove_loss(W, C, b, c, X, x_max=50.0)
    after = impl.glove_loss(*changed, X, x_max=50.0)
    assert_close(after, before, name="the loss after the change")
    agree("glove_loss", W, C, b, c, X, x_max=50.0)


@number("5.3")
@weight(3)
@tags("glove")
@pytest.mark.parametrize("which", ["W", "C"])
@pytest.mark.parametrize("case", ["all_below_x_max", "some_above_x_max", "zeros"])
def test_glove_gradients_of_the_vectors(agree, rng, case, which):
    """Each word vector moves by its cells' errors times their context vectors, and each context vector by the words'."""
    V = 6
    X = counts_with_zeros(rng, V, V) if case == "zeros" else counts_without_zeros(rng, V, V)

    def gradient(impl, *args, **options):
        return impl.glove_gradients(*args, **options)[("W", "C").index(which)]

    agree(gradient, *glove_parameters(rng, V, 3), X, x_max=10.0 if case == "some_above_x_max" else 50.0)


@number("5.4")
@weight(2)
@tags("glove")
@pytest.mark.parametrize("which", ["b", "c"])
def test_glove_gradients_of_the_biases(agree, rng, which):
    """A word's bias stands in all cells of its row, a context's in all cells of its column."""

    def gradient(impl, *args, **options):
        grads = impl.glove_gradients(*args, **options)
        return [np.shape(grads[0]), grads[2 + ("b", "c").index(which)]]

    agree(gradient, *glove_parameters(rng, 7, 2), counts_without_zeros(rng, 7, 7), x_max=50.0)


@number("5.5")
@weight(3)
@tags("glove")
@pytest.mark.parametrize("which", ["the_words", "the_context", "all_others"])
def test_triple_step_moves_three_vectors(impl, agree, rng, which):
    """The step follows the gradient of one triple's squared error: two word vectors and a context vector move, from their old values."""
    W, C, _, _ = glove_parameters(rng, 6, 3)
    X = counts_without_zeros(rng, 6, 6)
    i, s, g = different_words(rng, 6, 3)
    g = i if which == "the_context" else g

    def step(impl, *args):
        new_W, new_C = impl.triple_step(*args, lr=0.1)
        if which == "the_words":
            return new_W
        if which == "the_context":
            return new_C
        rest = [j for j in range(6) if j not in (i, s, g)]
        return [new_W[rest], new_C[rest]]

    if which == "all_others":
        new_W, new_C = impl.triple_step(W, C, X, i, s, g, lr=0.1)
        assert not np.array_equal(new_W[i], W[i]) and not np.array_equal(new_W[s], W[s])
    agree(step, W, C, X, i, s, g)


@number("5.6")
@weight(1)
@tags("glove")
@pytest.mark.parametrize("shape", [(5, 3), (1500, 1)], ids=["few", "many_rows"])
def test_mean_triple_error_is_that_of_all_pairs(agree, rng, shape):
    """The mean over all ordered pairs of rows in each column, and over the columns."""
    agree("mean_triple_error", rng.normal(size=shape) * 2 + rng.normal(size=shape[1]))


@number("5.7")
@weight(1)
@tags("glove")
@pytest.mark.parametrize("function", ["glove_loss", "glove_gradients", "triple_step", "mean_triple_error"])
def test_glove_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    W, C, b, c = glove_parameters(rng, 4, 2)
    X = counts_with_zeros(rng, 4, 4, high=9)
    X[:, 1] = counts_without_zeros(rng, 4)
    args, options = {
        "glove_loss": ((W, C, b, c, X), {"x_max": 20.0}),
        "glove_gradients": ((W, C, b, c, X), {"x_max": 20.0}),
        "triple_step": ((W, C, X, 0, 2, 1), {"lr": 0.01}),
        "mean_triple_error": ((W,), {}),
    }[function]

    got = assert_leaves_arguments(getattr(impl, function), *args, **options, name=function)
    assert_close(got, getattr(reference, function)(*args, **options))


# Task 6. Signs and doubled unit vectors all have the length 2, and their cosines are exact.

EXACT = np.array([[x, y, z, w] for x in (1, -1) for y in (1, -1) for z in (1, -1) for w in (1, -1)], dtype=float)


@number("6.1")
@weight(2)
@tags("similarity")
@pytest.mark.parametrize("case", ["random", "lengths", "exclude", "few"])
def test_nearest_orders_by_cosine(agree, rng, case):
    """The direction decides, not the length; excluded ids are left out, and fewer ids come back if fewer are left."""
    vectors, query, n, exclude = rng.normal(size=(12, 4)), rng.normal(size=4), 5, ()
    if case == "lengths":
        vectors *= np.exp(rng.normal(size=(12, 1)) * 1.5)
    elif case == "exclude":
        exclude = tuple(int(i) for i in np.argsort(-vectors @ query)[:3])
    elif case == "few":
        vectors, n, exclude = vectors[:6], 10, [4]

    agree("nearest", vectors, query, n, exclude=exclude)


@number("6.2")
@weight(1)
@tags("similarity")
@pytest.mark.parametrize("case", ["ties", "zero_vector", "zero_query"])
def test_nearest_of_equal_cosines_and_of_zero(agree, rng, case):
    """Equal cosines come in the order of the ids, and a zero vector has cosine 0."""
    query = np.array([1.0, 1, 1, 1])
    vectors = np.concatenate([EXACT[EXACT @ query >= 0], 2 * np.eye(4)])  # the cosines are 0, 1/2 and 1
    vectors = vectors[rng.permutation(len(vectors))]
    if case == "zero_vector":
        vectors[[3, 11]] = 0
    elif case == "zero_query":
        agree("nearest", vectors, np.zeros(4), 6)

    agree("nearest", vectors, query, 20)


def worked_nearest(vectors, query, n, *, exclude=()):
    cosines = vectors @ query / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))
    cosines[list(exclude)] = -np.inf
    return [int(i) for i in np.argsort(-cosines, kind="stable")[:n]]


worked_nearest.unrecorded = True  # how often it is called is free


@number("6.3")
@weight(1)
@tags("similarity")
@pytest.mark.parametrize("case", ["planted", "random"])
def test_analogy_adds_the_difference(agree, rng, case):
    """The word nearest to b - a + c, the three words themselves left out; in planted vectors, the fourth corner."""
    if case == "planted":
        rank, gender = rng.normal(size=(3, 5)), rng.normal(size=(2, 5))
        vectors = np.concatenate([(rank[:, None] + gender).reshape(6, 5), rng.normal(size=(6, 5))])
        agree("analogy", vectors, 0, 2, 1, nearest=worked_nearest)
        agree("analogy", vectors, 3, 5, 2, nearest=worked_nearest)
        return
    for _ in range(6):
        vectors = rng.normal(size=(30, 4))
        agree("analogy", vectors, *different_words(rng, 30, 3), nearest=worked_nearest)


@number("6.4")
@weight(1)
@tags("similarity")
@pytest.mark.parametrize("case", ["different", "ties", "all_equal"])
def test_average_ranks_share_ties(agree, rng, case):
    """Ranks count from 1, and equal values share the mean of their ranks."""
    x = rng.normal(size=15)
    if case == "ties":
        x = rng.permutation([0, 0, 0, 1, 1, 2, 5, 5, 5, 5]) / 4
    elif case == "all_equal":
        x = np.full(4, 0.25)

    agree("average_ranks", x)


@number("6.5")
@weight(1)
@tags("similarity")
@pytest.mark.parametrize("function", ["nearest", "analogy", "average_ranks"])
def test_similarity_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    # one vector stands out: the cosine, the dot product and the distance agree on it
    vectors = np.concatenate([0.3 * rng.normal(size=(6, 3)) - 1.0, [[1.0, 2.0, 3.0]]])
    args, options = {
        "nearest": ((vectors, np.array([1.0, 2.0, 3.0]), 1), {}),
        "analogy": ((np.array([[1.0, 0], [1, 2], [3, 0], [-4, -4], [6, 4]]), 0, 1, 2), {"nearest": worked_nearest}),
        "average_ranks": ((rng.permutation(9.0 + np.arange(8)),), {}),
    }[function]

    got = assert_leaves_arguments(getattr(impl, function), *args, **options, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 7


def model(rng, *, V=9, d=3, size=2, hidden=4):
    """Random parameters, biases too; tied for hidden = None, with a hidden layer of width d."""
    width = d if hidden is None else hidden
    shapes = {"E": (V, d), "W": (size * d, width), "b": (width,), "c": (V,)}
    if hidden is not None:
        shapes["U"] = (V, hidden)
    return {name: 0.7 * rng.normal(size=shape) for name, shape in shapes.items()}


@number("7.1")
@weight(2)
@tags("window_model")
@pytest.mark.parametrize("size", [1, 2, 5])
def test_windows_hold_what_came_before(agree, rng, size):
    """In one document: the `size` tokens before each target, the oldest first, with pads on the left."""
    agree("windows", [rng.integers(2, 30, size=12).tolist()], size)


@number("7.2")
@weight(1)
@tags("window_model")
@pytest.mark.parametrize("case", ["several", "empty", "none"])
def test_windows_start_anew_with_each_document(agree, rng, case):
    """No window reaches into the document before; an empty document has no target."""
    first, second = rng.integers(2, 30, size=(2, 4)).tolist()
    if case == "none":
        agree("windows", [first], 1)
        agree("windows", [], 3)
        return
    agree("windows", {"several": [first, second, [7]], "empty": [[], first, [], second]}[case], 1)


@number("7.3")
@weight(2)
@tags("window_model")
@pytest.mark.parametrize("case", ["own_output", "tied", "repeated_tokens", "one_window"])
def test_window_lm_forward_concatenates_the_window(agree, rng, case):
    """Rows of the table side by side, a tanh layer, and logits from U, or from the table itself in a tied model."""
    size = 1 if case == "one_window" else 3
    params = model(rng, size=size, hidden=None if case == "tied" else 4)
    if case in ("tied", "repeated_tokens"):  # the biases are the other cases' business
        params["b"], params["c"] = np.zeros_like(params["b"]), np.zeros_like(params["c"])
    contexts = np.stack([rng.permutation(9)[:size] for _ in range(1 if case == "one_window" else 6)])
    if case == "repeated_tokens":
        contexts[:, 2] = contexts[:, 0]

    agree("window_lm_forward", params, contexts)


@number("7.4")
@weight(1)
@tags("window_model")
@pytest.mark.parametrize("function", ["windows", "window_lm_forward"])
def test_window_model_leaves_its_arguments_alone(impl, reference, rng, function):
    """The documents and parameters that are handed in are the same after the call."""
    if function == "windows":
        args = ([rng.integers(2, 9, size=6).tolist(), rng.integers(2, 9, size=4).tolist()], 1)
    else:
        args = (model(rng, size=1), rng.integers(0, 9, size=(6, 1)))

    got = assert_leaves_arguments(getattr(impl, function), *args, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 8. The hidden layer is a right one, and d_logits is random, so nothing depends on forward pass or loss.


def backward_case(rng, contexts, *, tied=False, flat=False):
    """Arguments of the backward pass; flat: tanh is used where its slope is 1 within 1e-10."""
    params = model(rng, V=16, size=contexts.shape[1], hidden=None if tied else 4)
    if flat:
        params["W"], params["b"] = 3e-6 * params["W"], 3e-6 * params["b"]
    x = params["E"][contexts].reshape(len(contexts), -1)
    hidden = np.tanh(x @ params["W"] + params["b"])
    return params, contexts, hidden, rng.normal(size=(len(contexts), 16))


def different_tokens(rng, N=5, size=3):
    return rng.permutation(16)[: N * size].reshape(N, size)


@number("8.1")
@weight(3)
@tags("window_gradients")
@pytest.mark.parametrize("name", ["c", "U", "b", "W"])
def test_gradients_of_the_layers(agree, rng, name):
    """The output layer's gradients need the hidden layer, and those of W and b the slope of tanh too."""

    def gradient(impl, *args):
        return impl.window_lm_backward(*args)[name]

    agree(gradient, *backward_case(rng, different_tokens(rng)))


@number("8.2")
@weight(3)
@tags("window_gradients")
@pytest.mark.parametrize("case", ["different_tokens", "twice_in_a_window", "in_two_windows", "both"])
def test_gradient_of_the_table_adds_up(agree, rng, case):
    """A row of the table gets the sum over all places where its token stands, and 0 if there is none."""
    contexts = different_tokens(rng)
    if case == "twice_in_a_window":
        contexts[:, 2] = contexts[:, 0]
    elif case == "in_two_windows":
        contexts[3], contexts[1, 0] = contexts[2, ::-1], contexts[0, 0]
    elif case == "both":
        contexts = rng.integers(0, 6, size=(7, 3))
        contexts[:, 2] = contexts[:, 0]

    def gradient(impl, *args):
        return 1e6 * impl.window_lm_backward(*args)["E"]

    agree(gradient, *backward_case(rng, contexts, flat=True))


@number("8.3")
@weight(3)
@tags("window_gradients")
@pytest.mark.parametrize("name", ["E", "W_and_b"])
def test_gradients_of_a_tied_model(agree, rng, name):
    """The table is used at the input and at the output, and gets the gradients of both; there is no U."""

    def gradient(impl, *args):
        grads = impl.window_lm_backward(*args)
        return grads["E"] if name == "E" else [grads["W"], grads["b"], sorted(grads)]

    agree(gradient, *backward_case(rng, different_tokens(rng), tied=True, flat=name == "W_and_b"))


@number("8.4")
@weight(1)
@tags("window_gradients")
@pytest.mark.parametrize("tied", [False, True], ids=["own_output", "tied"])
def test_window_lm_backward_leaves_its_arguments_alone(impl, reference, rng, tied):
    """The parameters and arrays that are handed in are the same after the call."""
    args = backward_case(rng, different_tokens(rng, N=1, size=1), tied=tied, flat=True)

    got = assert_leaves_arguments(impl.window_lm_backward, *args, name="window_lm_backward")
    assert_close(got, reference.window_lm_backward(*args))


# Task 9


def bigrams(rng, V=7):
    """Counts of bigrams whose words have different numbers of neighbors; every word was seen before another one."""
    N = rng.integers(1, 9, size=(V, V)) * (rng.uniform(size=(V, V)) < np.linspace(0.2, 0.9, V)[rng.permutation(V)])
    N[np.arange(V), (np.arange(V) + 1) % V] += 2
    return N.astype(float)


@number("9.1")
@weight(2)
@tags("bits")
@pytest.mark.parametrize("case", ["random", "another_discount", "words_never_seen_before", "discount_one"])
def test_kneser_ney_counts_contexts(agree, rng, case):
    """Discounted counts, and what they free by the number of different words before: also for words that were never a context."""
    N, discount = bigrams(rng), 0.75
    if case == "another_discount":
        discount = 0.4
    elif case == "words_never_seen_before":
        N[[1, 4]] = 0
    elif case == "discount_one":
        discount = 1.0

    agree("kneser_ney", N, discount=discount)


@number("9.2")
@weight(1)
@tags("bits")
@pytest.mark.parametrize("discount", [0.75, 0.3])
def test_kneser_ney_rows_are_distributions(impl, rng, discount):
    """Each row sums to 1, whatever the discount, and no probability is negative."""
    N = bigrams(rng)
    N[0, 2:] = 0

    P = impl.kneser_ney(N, discount=discount)
    assert P.shape == N.shape and (P >= 0).all() and not np.array_equal(P, P.T)
    assert_close(P.sum(axis=1), np.ones(len(N)), name="sums of the rows")
    assert (P[N >= 3] > P.min()).all()


@number("9.3")
@weight(1)
@tags("bits")
def test_kneser_ney_keeps_how_often_words_follow(impl, rng):
    """Averaged over the words before as they were counted, each word comes as often as it came after another one."""
    N = bigrams(rng)

    P = impl.kneser_ney(N)
    assert_close(N.sum(axis=1) @ P / N.sum(), N.sum(axis=0) / N.sum(), name="how often each word follows")


@number("9.4")
@weight(2)
@tags("bits")
@pytest.mark.parametrize("text", ["plain text", "naïve — Übergröße, 言葉"], ids=["ascii", "other_scripts"])
def test_bits_per_byte_count_bytes(agree, rng, text):
    """Nats per token become bits per byte of UTF-8: it doesn't matter into how many tokens a text was cut."""
    agree("bits_per_byte", float(rng.uniform(0.5, 5)), int(rng.integers(5, 40)), text)
