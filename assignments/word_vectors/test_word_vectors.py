"""Public checks of the word_vectors assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs the one function that it is about: where that function calls another one of yours, the check lends
# it a stand-in.

LOG2, LOG3, LOG16 = math.log(2), math.log(3), math.log(16)


# Task 1


@number("1.p1")
@weight(1)
@tags("vocabulary")
@pytest.mark.parametrize(
    ("text", "plain"),
    [("Café", "cafe"), ("ﬁn²", "fin2"), ("STRASSE, straße", "strasse, strasse"), ("\U0001d400", "a"), ("ᾀ", "α")],
    ids=["accent", "variants", "case", "bold_capital", "iota_below"],
)
def test_standardize_by_hand(impl, text, plain):
    """Accents, typographic variants and case go; bold capitals end as small letters, and a mark below alpha as nothing."""
    assert_close(impl.standardize(text), plain, name="standardize")


@number("1.p2")
@weight(1)
@tags("vocabulary")
def test_tokenize_by_hand(impl):
    """Every character that is no letter and no digit separates; a stop word is a whole token."""

    def small(text):
        return text.lower()

    got = impl.tokenize("Don't eat the theme!", standardize=small)
    assert_close(got, ["don", "t", "eat", "the", "theme"], name="tokenize")
    got = impl.tokenize("The 2nd-best THEME", stop_words=["the", "best"], standardize=small)
    assert_close(got, ["2nd", "theme"], name="tokenize with stop words")


@number("1.p3")
@weight(1)
@tags("vocabulary")
def test_build_vocabulary_by_hand(impl):
    """a and c occur twice, b once: after PAD and UNK, the frequent ones come first, and equal ones as `sorted` has them."""
    documents = [["b", "c"], ["a", "c", "a"]]

    got = assert_leaves_arguments(impl.build_vocabulary, documents, name="build_vocabulary")
    assert_close(got, ["<pad>", "<unk>", "a", "c", "b"], name="build_vocabulary")
    got = impl.build_vocabulary(documents, min_count=2)
    assert_close(got, ["<pad>", "<unk>", "a", "c"], name="build_vocabulary with min_count = 2")


# Task 2


@number("2.p1")
@weight(1)
@tags("documents")
def test_count_vectors_by_hand(impl):
    """Word 2 stands twice in the first document; the last document is empty."""
    counts = impl.count_vectors([[2, 3, 2], [3], []], 4)

    assert_close(counts, np.array([[0.0, 0, 2, 1], [0, 0, 0, 1], [0, 0, 0, 0]]), name="count_vectors")


@number("2.p2")
@weight(1)
@tags("documents")
def test_idf_by_hand(impl):
    """Of three documents none holds word 0, one holds word 1 (twice), two hold word 2."""
    counts = np.array([[0.0, 2, 1], [0, 0, 1], [0, 0, 0]])

    got = assert_leaves_arguments(impl.idf, counts, name="idf")
    assert_close(got, np.log([4 / 1, 4 / 2, 4 / 3]) + 1, name="idf")


@number("2.p3")
@weight(1)
@tags("documents")
def test_tf_idf_by_hand(impl):
    """With idf 1 and 2, the counts 3 and 2 weigh 3 and 4: divided by the length 5. An empty document stays 0."""
    corpus = np.ones((4, 2))

    def idf(counts):
        return np.array([1.0, 2.0]) if len(counts) == 4 else np.full(2, np.nan)  # idf is the corpus's

    got = assert_leaves_arguments(impl.tf_idf, np.array([[3.0, 2], [0, 0]]), corpus, idf=idf, name="tf_idf")
    assert_close(got, np.array([[0.6, 0.8], [0, 0]]), name="tf_idf")


# Task 3


@number("3.p1")
@weight(1)
@tags("cooccurrence")
def test_cooccurrence_by_hand(impl):
    """In 0 1 0, each 0 stands beside the 1, and the two 0 stand two apart: 1/2 for either of them."""
    documents = [[0, 1, 0]]

    got = assert_leaves_arguments(impl.cooccurrence, documents, 2, window=2, name="cooccurrence")
    assert_close(got, np.array([[1.0, 2], [2, 0]]), name="cooccurrence")


@number("3.p2")
@weight(1)
@tags("cooccurrence")
def test_cooccurrence_without_distances_by_hand(impl):
    """In 0 1 2 with window 2, each pair counts 1 if distances don't matter; with window 1, 0 and 2 don't meet."""
    got = impl.cooccurrence([[0, 1, 2]], 3, window=2, by_distance=False)
    assert_close(got, np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]), name="cooccurrence, by_distance = False")
    got = impl.cooccurrence([[0, 1, 2]], 3, window=1, by_distance=False)
    assert_close(got, np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]), name="cooccurrence with window 1")


@number("3.p3")
@weight(1)
@tags("cooccurrence")
def test_cooccurrence_of_several_documents_by_hand(impl):
    """The last word of one document and the first of the next don't meet; an empty document adds nothing."""
    got = impl.cooccurrence([[0, 1], [], [2, 3]], 4, window=5, by_distance=False)

    assert_close(got, np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]), name="cooccurrence")


# Task 4


@number("4.p1")
@weight(1)
@tags("pmi")
def test_pmi_by_hand(impl):
    """Of 4 in all, rows have 2 and 2 and columns 3 and 1: cell (0, 0) has 2, where chance would give 2 * 3 / 4."""
    X = np.array([[2.0, 0], [1, 1]])

    got = assert_leaves_arguments(impl.pmi, X, name="pmi")
    assert_close(got, np.array([[math.log(4 / 3), -math.inf], [math.log(2 / 3), LOG2]]), name="pmi")


@number("4.p2")
@weight(1)
@tags("pmi")
@pytest.mark.parametrize(("n_true", "n_noise"), [(3.0, 1.0), (2.0, 9.0)])
def test_best_score_is_where_the_loss_is_lowest(impl, n_true, n_noise):
    """A little more or a little less costs more."""

    def loss(s):
        return n_true * math.log1p(math.exp(-s)) + n_noise * math.log1p(math.exp(s))

    s = float(impl.best_score(np.array([n_true]), n_noise)[0])

    assert loss(s) < loss(s + 0.001), f"at {s + 0.001:.4f} the loss is {loss(s + 0.001):.6f}, and at your {s:.4f} {loss(s):.6f}"
    assert loss(s) < loss(s - 0.001), f"at {s - 0.001:.4f} the loss is {loss(s - 0.001):.6f}, and at your {s:.4f} {loss(s):.6f}"


@number("4.p3")
@weight(1)
@tags("pmi")
def test_ppmi_by_hand(impl):
    """The PMI values 1.5, -0.5 and 0.25 with the shifts 0, 0.5 and -1; a cell without a count is 0."""
    X = np.array([[4.0, 0], [1, 2]])

    def given_pmi(X):
        return np.array([[1.5, -math.inf], [-0.5, 0.25]])

    for shift, want in ((0.0, [[1.5, 0], [0, 0.25]]), (0.5, [[1.0, 0], [0, 0]]), (-1.0, [[2.5, 0], [0.5, 1.25]])):
        got = assert_leaves_arguments(impl.ppmi, X, shift=shift, pmi=given_pmi, name="ppmi")
        assert_close(got, np.array(want), name=f"ppmi with shift {shift}")


@number("4.p4")
@weight(1)
@tags("pmi")
def test_svd_vectors_by_hand(impl):
    """Singular values 9 and 4; two rows that are 3 and 4 times a row of length 1."""
    M = np.array([[0.0, 4, 0], [9, 0, 0]])

    for d, power, want in ((2, 0.5, [[0, 2], [3, 0]]), (1, 0.5, [[0], [3]]), (2, 1, [[0, 4], [9, 0]]), (1, 0, [[0], [1]])):
        W = assert_leaves_arguments(impl.svd_vectors, M, d, power=power, name="svd_vectors")
        assert_close(W, np.array(want, dtype=float), name=f"svd_vectors for d = {d}, power = {power}")
    W = impl.svd_vectors(np.array([[1.8, 2.4], [2.4, 3.2]]), 1, power=1)
    assert_close(W, np.array([[3.0], [4.0]]), name="svd_vectors of a matrix of rank 1")


# Task 5: one number per word (d = 1). The errors are 1, 1 and 2; their weights are 1/8, 1 and 1.


def glove_case():
    W, C = np.array([[1.0], [2.0]]), np.array([[1.0], [1.0]])
    b, c = np.array([0.0, LOG16]), np.array([0.0, LOG16])
    return W, C, b, c, np.array([[1.0, 16], [0, 256]])


@number("5.p1")
@weight(1)
@tags("glove")
def test_glove_loss_by_hand(impl):
    """The errors 1, 1 and 2 with the weights 1/8, 1 and 1 cost 1/8 + 1 + 4; the cell without a count costs nothing."""
    got = assert_leaves_arguments(impl.glove_loss, *glove_case(), x_max=16.0, name="glove_loss")
    assert_close(got, 5.125, name="glove_loss")


@number("5.p2")
@weight(1)
@tags("glove")
def test_glove_gradients_by_hand(impl):
    """Raise a parameter by h: by h times these numbers, the loss of the worked case rises."""
    dW, dC, db, dc = assert_leaves_arguments(impl.glove_gradients, *glove_case(), x_max=16.0, name="glove_gradients")

    assert_close(dW, np.array([[2.25], [4.0]]), name="dW")
    assert_close(dC, np.array([[0.25], [10.0]]), name="dC")
    assert_close(db, np.array([2.25, 4.0]), name="db")
    assert_close(dc, np.array([0.25, 6.0]), name="dc")


@number("5.p3")
@weight(1)
@tags("glove")
def test_triple_step_by_hand(impl):
    """Predicted is (3 - 1) / 2 = 1, and counted is log(1 / 1) = 0: after a step of 1/4, all three vectors have moved."""
    W, C, X = np.array([[3.0], [1.0], [7.0]]), np.array([[0.5], [8.0], [9.0]]), np.array([[1.0, 2, 3], [1, 5, 1], [2, 2, 2]])

    new_W, new_C = assert_leaves_arguments(impl.triple_step, W, C, X, 0, 1, 0, lr=0.25, name="triple_step")

    assert_close(new_W, np.array([[2.75], [1.25], [7.0]]), name="W")
    assert_close(new_C, np.array([[-0.5], [8.0], [9.0]]), name="C")


@number("5.p4")
@weight(1)
@tags("glove")
def test_mean_triple_error_by_hand(impl):
    """In the first column two of four pairs cost 9, in the second none costs anything."""
    got = assert_leaves_arguments(impl.mean_triple_error, np.array([[0.0, 1], [3, 1]]), name="mean_triple_error")
    assert_close(got, 2.25, name="mean_triple_error")


# Task 6


@number("6.p1")
@weight(1)
@tags("similarity")
def test_nearest_by_hand(impl):
    """The first two point where the query points, whatever their length; the zero vector has cosine 0."""
    vectors, query = np.array([[1.0, 0], [2, 0], [0, 1], [0, 0], [-1, 0]]), np.array([3.0, 0])

    got = assert_leaves_arguments(impl.nearest, vectors, query, 9, name="nearest")
    assert_close(got, [0, 1, 2, 3, 4], name="nearest")
    got = impl.nearest(vectors, query, 2, exclude=(0, 3))
    assert_close(got, [1, 2], name="nearest without 0 and 3")


@number("6.p2")
@weight(1)
@tags("similarity")
def test_analogy_by_hand(impl):
    """Man (1, 0) is to king (1, 2) as woman (3, 0) is to what lies nearest to (3, 2)."""
    asked = []

    def nearest(vectors, query, n, *, exclude=()):
        asked.append([*map(float, query), *sorted(map(int, exclude))])
        return [4, 1][:n]

    vectors = np.array([[1.0, 0], [1, 2], [3, 0], [9, 9], [3, 2]])
    got = assert_leaves_arguments(impl.analogy, vectors, 0, 1, 2, nearest=nearest, name="analogy")

    assert_close(asked, [[3.0, 2.0, 0, 1, 2]], name="the query, and the excluded ids")
    assert_close(got, 4, name="analogy")


@number("6.p3")
@weight(1)
@tags("similarity")
def test_average_ranks_by_hand(impl):
    """The two smallest take up ranks 1 and 2 together."""
    got = assert_leaves_arguments(impl.average_ranks, np.array([30.0, 10, 20, 10]), name="average_ranks")
    assert_close(got, np.array([4, 1.5, 3, 1.5]), name="average_ranks")


# Task 7


@number("7.p1")
@weight(1)
@tags("window_model")
def test_windows_by_hand(impl):
    """Each token is a target once; places before the document's first token hold 0."""
    contexts, targets = assert_leaves_arguments(impl.windows, [[5, 6, 7], [8]], 2, name="windows")

    assert_close(contexts, np.array([[0, 0], [0, 5], [5, 6], [0, 0]]), name="contexts")
    assert_close(targets, np.array([5, 6, 7, 8]), name="targets")


@number("7.p2")
@weight(1)
@tags("window_model")
def test_window_lm_forward_by_hand(impl):
    """tanh(log 2) is 0.6 and tanh(log 3) is 0.8: once with an output table of its own, once tied."""
    contexts = np.array([[1, 2]])
    params = {
        "E": np.array([[0.0], [LOG2 - 1], [LOG3 - 1]]), "W": np.eye(2), "b": np.ones(2),
        "U": np.array([[1.0, 0], [0, 1], [5, 5]]), "c": np.array([0.0, 0, -6]),
    }  # fmt: skip

    logits, hidden = assert_leaves_arguments(impl.window_lm_forward, params, contexts, name="window_lm_forward")
    assert_close(hidden, np.array([[0.6, 0.8]]), name="hidden")
    assert_close(logits, np.array([[0.6, 0.8, 1.0]]), name="logits")
    tied = {"E": np.array([[0.0], [5.0], [LOG3]]), "W": np.array([[0.0], [1.0]]), "b": np.zeros(1), "c": np.ones(3)}
    logits, hidden = impl.window_lm_forward(tied, contexts)
    assert_close(hidden, np.array([[0.8]]), name="hidden of the tied model")
    assert_close(logits, np.array([[1.0, 5.0, 1 + 0.8 * LOG3]]), name="logits of the tied model")


# Task 8: a window of two places; hidden is 0.6


@number("8.p1")
@weight(1)
@tags("window_gradients")
def test_window_lm_backward_by_hand(impl):
    """Token 1 fills both places of the window: its row of the table is used twice."""
    params = {
        "E": np.array([[0.0], [5.0]]), "W": np.array([[1.0], [2.0]]), "b": np.zeros(1),
        "U": np.array([[1.0], [3.0]]), "c": np.zeros(2),
    }  # fmt: skip
    args = params, np.array([[1, 1]]), np.array([[0.6]]), np.array([[-1.0, 1.0]])

    grads = assert_leaves_arguments(impl.window_lm_backward, *args, name="window_lm_backward")

    assert_close(sorted(grads), ["E", "U", "W", "b", "c"], name="the names of the gradients")
    assert_close(grads["c"], np.array([-1.0, 1.0]), name="the gradient of c")
    assert_close(grads["U"], np.array([[-0.6], [0.6]]), name="the gradient of U")
    assert_close(grads["b"], np.array([1.28]), name="the gradient of b")
    assert_close(grads["W"], np.array([[6.4], [6.4]]), name="the gradient of W")
    assert_close(grads["E"], np.array([[0.0], [3.84]]), name="the gradient of E")


@number("8.p2")
@weight(1)
@tags("window_gradients")
def test_window_lm_backward_of_a_tied_model_by_hand(impl):
    """Without U the table is used at both ends of the network."""
    params = {"E": np.array([[1.0], [3.0]]), "W": np.array([[1.0], [2.0]]), "b": np.zeros(1), "c": np.zeros(2)}

    grads = impl.window_lm_backward(params, np.array([[0, 1]]), np.array([[0.6]]), np.array([[-1.0, 1.0]]))

    assert_close(sorted(grads), ["E", "W", "b", "c"], name="the names of the gradients")
    assert_close(grads["W"], np.array([[1.28], [3.84]]), name="the gradient of W")
    assert_close(grads["E"], np.array([[0.68], [3.16]]), name="the gradient of E")


# Task 9


@number("9.p1")
@weight(1)
@tags("bits")
def test_kneser_ney_by_hand(impl):
    """Word 1 stands after two different words, word 2 after one: after a word never seen, they have 2/3 and 1/3."""
    counts = np.array([[0.0, 3, 1], [0, 1, 0], [0, 0, 0]])

    got = assert_leaves_arguments(impl.kneser_ney, counts, discount=0.5, name="kneser_ney")
    assert_close(got, np.array([[0, 19 / 24, 5 / 24], [0, 5 / 6, 1 / 6], [0, 2 / 3, 1 / 3]]), name="kneser_ney")


@number("9.p2")
@weight(1)
@tags("bits")
def test_bits_per_byte_by_hand(impl):
    """Three tokens of 2 bits each, in a text of three bytes: é takes two."""
    assert_close(impl.bits_per_byte(2 * LOG2, 3, "é!"), 2.0, name="bits_per_byte")
