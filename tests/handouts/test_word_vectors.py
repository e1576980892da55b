"""What the handout of word_vectors states, computed with the reference."""

import math
import sys
import unicodedata

import numpy as np
import pytest
import staff_files


@pytest.fixture(scope="module")
def wv():
    return staff_files.reference("word_vectors")


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


# The opening, and Task 1


def test_dog_and_cat_never_meet(wv):
    """Dog and cat never share a sentence, so their count is 0, whatever the window."""
    documents, words = wv.toy_corpus(np.random.default_rng(0), 2000)
    dog, cat = words.index("dog"), words.index("cat")

    assert not any(dog in document and cat in document for document in documents)
    assert wv.cooccurrence(documents, len(words), window=9)[dog, cat] == 0


def test_strasse_is_the_same_word(wv):
    """str.lower keeps sharp s; folding case turns both it and SS into ss."""
    assert "straße".lower() == "straße" != "STRASSE".lower()
    assert "straße".casefold() == "STRASSE".casefold() == "strasse"
    assert wv.standardize("STRASSE") == wv.standardize("straße")


def fold_first(text):
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))


def test_folding_first_leaves_a_capital(wv):
    """The bold capital becomes A; with the right order, a."""
    assert "\U0001d400".casefold() == "\U0001d400"
    assert fold_first("\U0001d400") == "A"
    assert wv.standardize("\U0001d400") == "a"


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="the handout counts characters of Unicode 14")
def test_636_characters_change_once_more():
    """Among the characters of Unicode 14, 636 change once more if case is folded first and the steps are applied twice."""
    known = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]

    assert sum(fold_first(fold_first(char)) != fold_first(char) for char in known) == 636


def test_the_marks_of_alpha(wv):
    """An alpha with an accent above and an iota below: both are marks, and the iota is none after folding."""
    letters = unicodedata.normalize("NFKD", "ᾀ")
    assert [bool(unicodedata.combining(char)) for char in letters] == [False, True, True]
    assert letters[2] == "\u0345" and not unicodedata.combining("\u0345".casefold())
    assert wv.standardize("ᾀ") == "α"


def test_examples_of_the_docstrings(wv):
    assert wv.standardize("Café") == "cafe"
    assert wv.tokenize("Don't eat the theme!", stop_words={"the"}) == ["don", "t", "eat", "theme"]
    np.testing.assert_array_equal(wv.average_ranks([30, 10, 20, 10]), [4, 1.5, 3, 1.5])
    assert wv.mean_triple_error([[0.0], [3.0]]) == 4.5


# Tasks 2 and 3


def test_three_and_four_fifths(wv):
    """The counts 3 and 2 with the weights 1 and 2 give (3, 4)/5."""
    got = wv.tf_idf([[3.0, 2.0]], [[1.0, 1.0]], idf=lambda corpus: np.array([1.0, 2.0]))

    np.testing.assert_allclose(got, [[0.6, 0.8]])


def test_near_in_the_dog_never_barks(wv):
    """With window 2, dog meets the, never and barks; barks counts half of what never counts."""
    the, dog, never, barks = range(4)
    X = wv.cooccurrence([[the, dog, never, barks]], 4, window=2)

    assert X[dog].tolist() == [1, 0, 1, 0.5]


def test_what_joining_adds(wv):
    """For w = 5: 10 with weight 1/d and 30 with weight 1. The document 0 1 0 has X = [[1, 2], [2, 0]]."""
    for by_distance, grown in ((True, 10), (False, 30)):
        apart, joined = (
            wv.cooccurrence(documents, 2, window=5, by_distance=by_distance).sum()
            for documents in ([[0] * 9, [1] * 7], [[0] * 9 + [1] * 7])
        )
        assert math.isclose(joined - apart, grown)
    assert wv.cooccurrence([[0, 1, 0]], 2, window=2).tolist() == [[1, 2], [2, 0]]


# Task 4


def test_the_pair_seen_once_has_the_largest_pmi(wv):
    """Of the, hong kong, zig zag: 0.74, 3.74 and 8.34."""
    documents = [[0, 1, 6 + i % 4] for i in range(1000)] + [[6 + i % 4, 2, 3] for i in range(50)] + [[4, 5]]
    X = wv.cooccurrence(documents, 10, window=1)

    assert X[[0, 2, 4], [1, 3, 5]].tolist() == [1000, 50, 1]
    assert wv.pmi(X)[[0, 2, 4], [1, 3, 5]].round(2).tolist() == [0.74, 3.74, 8.34]


def test_cosines_of_dog_with_cat_and_with_eats(wv):
    """Raw counts: a is closest. PPMI rows: 0.99 and 0.04. All directions: 0, 0.90 and 0.99 for p = 0, 1/2 and 1; d = 3, p = 0: 1.00."""
    documents, words = wv.toy_corpus(np.random.default_rng(0), 2000)
    X = wv.cooccurrence(documents, len(words), window=2)
    dog, cat, eats = (words.index(word) for word in ("dog", "cat", "eats"))
    M = wv.ppmi(X)

    assert words[X[dog].argmax()] == "a"
    assert X[dog, eats] > 0
    assert [round(cosine(M[dog], M[other]), 2) for other in (cat, eats)] == [0.99, 0.04]
    seen = []
    for d, p in ((len(words), 0), (len(words), 0.5), (len(words), 1), (3, 0)):
        W = wv.svd_vectors(M, d, power=p)
        seen.append(cosine(W[dog], W[cat]))
        if d == len(words) and p == 0:
            others = [i for i in range(len(words)) if i != dog]
            assert max(abs(W[others] @ W[dog])) < 1e-12
    assert abs(seen[0]) < 1e-12
    assert np.round(seen, 2).tolist()[1:] == [0.90, 0.99, 1.00]


def test_pmi_by_hand(wv):
    got = wv.pmi([[2, 0], [1, 1]])

    np.testing.assert_allclose(got, [[math.log(4 / 3), -math.inf], [math.log(2 / 3), math.log(2)]])


def test_hint_of_three_true_pairs_and_one_of_noise(wv):
    """The share of true pairs is 3/4, and the sigmoid of the best score equals it."""
    s = float(wv.best_score(3, 1))

    assert math.isclose(1 / (1 + math.exp(-s)), 3 / 4)


# Task 5


def test_the_worked_case_of_glove(wv):
    """The errors 1, 1 and 2 with the weights 1/8, 1 and 1: the loss is 5.125, with the gradients that the handout prints."""
    W, C = np.array([[1.0], [2.0]]), np.array([[1.0], [1.0]])
    b = c = np.array([0, math.log(16)])
    X = np.array([[1.0, 16], [0, 256]])
    seen = X > 0

    errors = (W @ C.T + b[:, None] + c)[seen] - np.log(X[seen])
    np.testing.assert_allclose(errors, [1, 1, 2])
    np.testing.assert_allclose(np.minimum((X[seen] / 16) ** 0.75, 1), [1 / 8, 1, 1])
    assert math.isclose(wv.glove_loss(W, C, b, c, X, x_max=16), 5.125)
    for mine, stated in zip(
        wv.glove_gradients(W, C, b, c, X, x_max=16), ([[2.25], [4]], [[0.25], [10]], [2.25, 4], [0.25, 6])
    ):
        np.testing.assert_allclose(mine, stated)


def test_the_same_loss_with_other_neighbors(wv):
    """22 to 44% keep their nearest neighbor, 2 to 20% with w + w~; a rotation keeps all."""
    rng = np.random.default_rng(0)
    (W, C), (b, c) = rng.normal(size=(2, 50, 5)), rng.normal(size=(2, 50))
    X = np.exp(W @ C.T + b[:, None] + c + rng.normal(size=(50, 50)))

    def neighbors(M):
        unit = M / np.linalg.norm(M, axis=1, keepdims=True)
        return (unit @ unit.T - 2 * np.eye(50)).argmax(axis=1)

    kept = []
    for seed in range(4):
        A = np.random.default_rng(seed).normal(size=(5, 5))
        W2, C2 = W @ A, C @ np.linalg.inv(A).T
        assert math.isclose(wv.glove_loss(W, C, b, c, X), wv.glove_loss(W2, C2, b, c, X), rel_tol=1e-9)
        kept.append([(neighbors(W) == neighbors(W2)).mean(), (neighbors(W + C) == neighbors(W2 + C2)).mean()])
    assert (np.min(kept, axis=0).tolist(), np.max(kept, axis=0).tolist()) == ([0.22, 0.02], [0.44, 0.20])
    Q, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    assert (neighbors(W) == neighbors(W @ Q)).all()
    assert (neighbors(W + C) == neighbors(W @ Q + C @ np.linalg.inv(Q).T)).all()


# Task 6


def test_the_analogy_of_the_made_corpus(wv):
    """Queen, for d = 3, 5 and 8, with the correlations 0.38, 0.66 and 0.85: the most that cosines without ties can reach."""
    documents, words = wv.people_corpus(np.random.default_rng(0), 3000)
    M = wv.ppmi(wv.cooccurrence(documents, len(words), window=3))
    man, king, woman = (words.index(word) for word in ("man", "king", "woman"))
    pairs = [(i, j) for i in range(6, 12) for j in range(6, i)]
    planted = [(i % 2 == j % 2) + (i // 2 == j // 2) for i, j in pairs]
    seen = []
    for d in (3, 5, 8):
        W = wv.svd_vectors(M, d)
        cosines = np.array([cosine(W[i], W[j]) for i, j in pairs])
        assert words[wv.analogy(W, man, king, woman)] == "queen"
        seen.append(round(wv.spearman(planted, cosines), 2))
        if d == 3:  # all six look alike
            assert cosines.min() > 0.99

    assert words[6:12] == ["king", "queen", "man", "woman", "prince", "princess"]
    assert seen == [0.38, 0.66, 0.85]
    assert (planted.count(0), planted.count(1)) == (6, 9)
    best = wv.spearman(planted, np.array(planted) + 0.001 * np.arange(15))
    assert round(best, 2) == 0.85


# Tasks 7 and 8


def test_windows_of_5_6_7(wv):
    contexts, targets = wv.windows([[5, 6, 7]], 2)

    assert (contexts.tolist(), targets.tolist()) == ([[0, 0], [0, 5], [5, 6]], [5, 6, 7])


def test_the_worked_cases_of_the_backward_pass(wv):
    params = {"E": [[0.0], [5]], "W": [[1.0], [2]], "b": [0.0], "U": [[1.0], [3]], "c": [0.0, 0]}
    params = {name: np.array(value) for name, value in params.items()}
    hidden, d_logits = np.array([[0.6]]), np.array([[-1.0, 1]])

    grads = wv.window_lm_backward(params, np.array([[1, 1]]), hidden, d_logits)
    stated = {"b": [1.28], "W": [[6.4], [6.4]], "U": [[-0.6], [0.6]], "c": [-1, 1], "E": [[0], [3.84]]}
    for name, value in stated.items():
        np.testing.assert_allclose(grads[name], value)
    tied = {**params, "E": np.array([[1.0], [3]])}
    del tied["U"]
    np.testing.assert_allclose(wv.window_lm_backward(tied, np.array([[0, 1]]), hidden, d_logits)["E"], [[0.68], [3.16]])


def test_two_rows_and_fifty(wv):
    """The window (7, 7, 3) with target 9 moves 2 rows of E with U, and all 50 in a tied model."""
    window, target = np.array([[7, 7, 3]]), np.array([9])

    for width, rows in ((8, 2), (None, 50)):
        params = wv.init_window_lm(np.random.default_rng(0), 50, 6, 3, width)
        logits, hidden = wv.window_lm_forward(params, window)
        grads = wv.window_lm_backward(params, window, hidden, wv.cross_entropy(logits, target)[1])
        assert (np.abs(grads["E"]).sum(axis=1) > 0).sum() == rows


# Task 9


def test_city_against_francisco(wv):
    """After an unseen word, city is likelier, 3 : 1, though francisco occurs 20 times and city 6 times."""
    N = np.zeros((7, 7))
    N[1, 2], N[[4, 5, 6], 3] = 20, 2

    francisco, city = wv.kneser_ney(N)[0, [2, 3]]
    assert N.sum(axis=0)[[2, 3]].tolist() == [20, 6]
    assert math.isclose(city / francisco, 3)


def test_kneser_ney_by_hand(wv):
    got = wv.kneser_ney([[0, 3, 1], [0, 1, 0], [0, 0, 0]], discount=0.5)

    np.testing.assert_allclose(got, [[0, 19 / 24, 5 / 24], [0, 5 / 6, 1 / 6], [0, 2 / 3, 1 / 3]])


def test_the_word_model_is_better(wv):
    """1.31 bits per byte for perplexity 150 at 5.5 bytes a word, 1.58 for characters with perplexity 3."""
    text = "a" * 55

    assert round(wv.bits_per_byte(math.log(3), 55, text), 2) == 1.58
    assert round(wv.bits_per_byte(math.log(150), 10, text), 2) == 1.31


def test_what_the_figure_of_windows_shows(wv):
    """Counts are best with a window of 2; so is the network, which beats them everywhere. Verbs' rows stay where they started."""
    figures = staff_files.figures("word_vectors")
    documents, words = wv.toy_corpus(np.random.default_rng(1), 120)
    others, _ = wv.toy_corpus(np.random.default_rng(2), 1000)
    counted, neural = [], []
    for size in (1, 2, 3, 4):
        train, held_out = wv.windows(documents, size), wv.windows(others, size)
        counted.append(figures.plain_n_gram_loss(train, held_out, len(words)))
        params = wv.init_window_lm(np.random.default_rng(0), len(words), 2, size, 8)
        best, _, losses = wv.fit_window_lm(params, train, held_out, n_steps=250, lr=0.03)
        neural.append(min(losses))
        verbs = [words.index(word) for word in ("barks", "eats", "sleeps", "stops", "drives", "turns")]
        np.testing.assert_array_equal(best["E"][verbs], params["E"][verbs])

    assert np.argmin(counted) == np.argmin(neural) == 1
    assert counted[2] > counted[0] and max(neural[1:]) < min(counted)
    assert max(neural[1:]) - min(neural) < 0.04
    # the sentences are spread over more windows
    assert [len(set(map(tuple, wv.windows(documents, size)[0]))) for size in (1, 2, 3)] == [9, 19, 27]
