"""The word_vectors reference against scikit-learn, SciPy, torch's autograd, finite differences, brute force and fractions."""

import functools
import itertools
import math
import sys
import unicodedata
from fractions import Fraction

import numpy as np
import pytest
import staff_files
import torch

optimize = pytest.importorskip("scipy.optimize")
sparse = pytest.importorskip("scipy.sparse")
stats = pytest.importorskip("scipy.stats")


@pytest.fixture(scope="module")
def wv():
    return staff_files.reference("word_vectors")


@pytest.fixture(params=range(4))
def rng(request):
    return np.random.default_rng([12, request.param])


# Text and documents


@functools.cache
def known_characters():
    return [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]


def test_standardizing_twice_changes_no_character(wv):
    """For every assigned character, and no mark or further decomposition is left."""
    for char in known_characters():
        once = wv.standardize(char)
        assert wv.standardize(once) == once
        assert not any(map(unicodedata.combining, once))
        assert once.casefold() == once


def test_only_one_order_of_the_steps_keeps_both_rules(wv):
    """Of the three orders that decompose before they drop marks, folding first fails the first rule, folding between the second."""

    def decompose(text):
        return unicodedata.normalize("NFKD", text)

    def drop(text):
        return "".join(char for char in text if not unicodedata.combining(char))

    marks = [char for char in known_characters() if unicodedata.combining(char)]

    def leaves_a_letter(standardize):
        return [mark for mark in marks if standardize("a" + mark) != "a"]

    orders = {
        "first": lambda text: drop(decompose(text.casefold())),
        "between": lambda text: drop(decompose(text).casefold()),
        "last": lambda text: drop(decompose(text)).casefold(),
    }
    unstable = {
        name: sum(standardize(standardize(char)) != standardize(char) for char in known_characters())
        for name, standardize in orders.items()
    }
    assert unstable["first"] >= 636  # exactly so in Unicode 14
    assert unstable["between"] == unstable["last"] == 0
    assert leaves_a_letter(orders["between"]) == ["\u0345"]
    assert leaves_a_letter(orders["last"]) == leaves_a_letter(wv.standardize) == []
    assert all(wv.standardize(char) == orders["last"](char) for char in known_characters())


def test_counts_and_tf_idf_are_scikit_learns(wv, rng):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    words = [f"w{i}" for i in range(12)]
    documents = [rng.choice(words[:9], size=rng.integers(1, 15)).tolist() for _ in range(8)] + [[]]
    queries = [rng.choice(words, size=4).tolist() for _ in range(3)]
    ids = [[words.index(word) for word in document] for document in documents]
    query_ids = [[words.index(word) for word in document] for document in queries]

    counter = text.CountVectorizer(vocabulary=words, analyzer=lambda document: document)
    weigher = text.TfidfTransformer(norm="l2", smooth_idf=True, sublinear_tf=False)
    corpus = counter.transform(documents)
    weigher.fit(corpus)

    np.testing.assert_array_equal(wv.count_vectors(ids, 12), corpus.toarray())
    np.testing.assert_allclose(wv.idf(corpus.toarray()), weigher.idf_, rtol=1e-14)
    mine = wv.tf_idf(wv.count_vectors(query_ids, 12), corpus.toarray())
    np.testing.assert_allclose(mine, weigher.transform(counter.transform(queries)).toarray(), rtol=1e-12)
    np.testing.assert_allclose(
        wv.tf_idf(corpus.toarray(), corpus.toarray()), weigher.transform(corpus).toarray(), rtol=1e-12
    )


def test_tokens_are_those_of_a_regular_expression(wv):
    regex = pytest.importorskip("regex")
    from coursekit.data import languages

    for text in languages().values():
        plain = wv.standardize(text)
        # isalnum: letters and numbers of every kind
        assert wv.tokenize(text) == regex.findall(r"[\p{L}\p{N}]+", plain)


# Co-occurrence


@pytest.mark.parametrize("by_distance", [True, False])
@pytest.mark.parametrize("window", [1, 2, 5, 30])
def test_cooccurrence_is_a_sum_over_all_pairs_of_places(wv, rng, window, by_distance):
    documents = [rng.integers(0, 6, size=size).tolist() for size in (0, 1, 2, 7, 19)]
    expected = np.zeros((6, 6))
    for document in documents:
        for here, there in itertools.permutations(range(len(document)), 2):
            if abs(here - there) <= window:
                expected[document[here], document[there]] += 1 / abs(here - there) if by_distance else 1

    X = wv.cooccurrence(documents, 6, window=window, by_distance=by_distance)

    np.testing.assert_allclose(X, expected, atol=1e-12)
    pairs = sum(
        2 * max(len(document) - d, 0) / (d if by_distance else 1)
        for document in documents
        for d in range(1, window + 1)
    )
    assert math.isclose(X.sum(), pairs)


@pytest.mark.parametrize("window", [1, 2, 5])
def test_joining_two_documents_adds_a_number_that_no_length_changes(wv, rng, window):
    """2w with weight 1/d, and w(w + 1) with weight 1."""
    first, second = rng.integers(0, 9, size=5).tolist(), rng.integers(0, 9, size=11).tolist()

    for by_distance, grows in ((True, 2 * window), (False, window * (window + 1))):
        options = {"window": window, "by_distance": by_distance}
        before = wv.cooccurrence([first, second], 9, **options).sum()
        assert math.isclose(wv.cooccurrence([first + second], 9, **options).sum() - before, grows)


# PMI and SVD


def test_pmi_sums_to_the_mutual_information(wv, rng):
    X = rng.integers(0, 5, size=(5, 7)).astype(float)
    P = X / X.sum()

    information = np.where(X > 0, P * np.where(X > 0, wv.pmi(X), 0), 0).sum()

    assert math.isclose(
        information, stats.entropy(P.sum(axis=1)) + stats.entropy(P.sum(axis=0)) - stats.entropy(P.ravel())
    )


def test_best_score_is_found_by_a_minimizer(wv, rng):
    for n_true, n_noise in rng.uniform(0.1, 50, size=(20, 2)):
        found = optimize.minimize_scalar(lambda s: n_true * np.logaddexp(0, -s) + n_noise * np.logaddexp(0, s))
        assert abs(found.x - float(wv.best_score(n_true, n_noise))) < 1e-6


@pytest.mark.parametrize("k", [1, 5, 20])
def test_noise_pairs_shift_pmi_by_the_logarithm_of_their_number(wv, rng, k):
    X = rng.integers(1, 30, size=(6, 6)).astype(float)
    chance = X.sum(axis=1, keepdims=True) * X.sum(axis=0) / X.sum()

    best = wv.best_score(X, k * chance)

    np.testing.assert_allclose(best, wv.pmi(X) - math.log(k), rtol=1e-11)
    np.testing.assert_allclose(wv.ppmi(X, shift=math.log(k)), np.maximum(best, 0), atol=1e-12)


@pytest.mark.parametrize("shape", [(8, 8), (6, 10), (10, 6)])
@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_svd_vectors_are_scipys(wv, rng, shape, power):
    M = rng.normal(size=shape)
    U, sigma, _ = sparse.linalg.svds(M, k=3)
    expected = U * sigma**power

    W = wv.svd_vectors(M, 3, power=power)

    np.testing.assert_allclose(W @ W.T, expected @ expected.T, rtol=1e-8, atol=1e-10)
    lengths = np.linalg.norm(W, axis=0)
    np.testing.assert_allclose(lengths, np.sort(sigma)[::-1] ** power, rtol=1e-9)
    assert (W[np.abs(W).argmax(axis=0), range(3)] > 0).all()
    # Eckart and Young: nothing of rank 3 comes nearer
    Q = wv.svd_vectors(M, 3, power=0)
    left = ((M - Q @ Q.T @ M) ** 2).sum()
    assert math.isclose(left, (np.linalg.svd(M, compute_uv=False)[3:] ** 2).sum(), rel_tol=1e-9)


# GloVe


def glove_arguments(rng, V=6, d=3):
    X = rng.integers(0, 30, size=(V, V)).astype(float)
    return [rng.normal(size=(V, d)), rng.normal(size=(V, d)), rng.normal(size=V), rng.normal(size=V)], X


def test_glove_loss_and_gradients_are_autograds(wv, rng):
    params, X = glove_arguments(rng)
    W, C, b, c = tensors = [torch.tensor(value, requires_grad=True) for value in params]
    counts = torch.tensor(X)
    seen = counts > 0

    errors = W @ C.T + b[:, None] + c[None, :] - torch.where(seen, counts, 1.0).log()
    loss = (torch.where(seen, (counts / 20).pow(0.75).clamp(max=1), 0.0) * errors**2).sum()
    loss.backward()

    assert math.isclose(wv.glove_loss(*params, X, x_max=20.0), loss.item())
    for mine, tensor in zip(wv.glove_gradients(*params, X, x_max=20.0), tensors):
        np.testing.assert_allclose(mine, tensor.grad.numpy(), rtol=1e-11, atol=1e-11)


def test_glove_loss_is_zero_at_a_planted_solution(wv, rng):
    (W, C, b, c), _ = glove_arguments(rng)
    X = np.exp(W @ C.T + b[:, None] + c)

    assert wv.glove_loss(W, C, b, c, X) < 1e-24
    assert max(np.abs(grad).max() for grad in wv.glove_gradients(W, C, b, c, X)) < 1e-11


def test_triple_step_follows_autograd(wv, rng):
    (W, C, _, _), _ = glove_arguments(rng)
    X = rng.integers(1, 30, size=(6, 6)).astype(float)

    for i, s, g in ((0, 1, 2), (3, 5, 3), (4, 2, 2)):
        w, c = torch.tensor(W, requires_grad=True), torch.tensor(C, requires_grad=True)
        given = torch.tensor(X / X.sum(axis=0))
        ((w[i] - w[s]) @ c[g] - (given[i, g] / given[s, g]).log()).square().backward()

        new_W, new_C = wv.triple_step(W, C, X, i, s, g, lr=0.03)

        np.testing.assert_allclose(new_W, W - 0.03 * w.grad.numpy(), rtol=1e-12)
        np.testing.assert_allclose(new_C, C - 0.03 * c.grad.numpy(), rtol=1e-12)


def test_mean_triple_error_is_the_mean_over_listed_triples(wv, rng):
    e = rng.normal(size=(6, 4)) + 3
    V, G = e.shape

    listed = np.mean([(e[i, g] - e[s, g]) ** 2 for g in range(G) for i in range(V) for s in range(V)])

    assert math.isclose(wv.mean_triple_error(e), listed)


def test_the_least_mean_triple_error_is_a_truncated_svd(wv, rng):
    """Log counts with column means removed: their truncated SVD has the least error, and gradient descent comes no lower."""
    L = np.log(rng.integers(1, 30, size=(7, 7)).astype(float))
    centered = L - L.mean(axis=0)
    U, sigma, Vt = np.linalg.svd(centered)
    least = wv.mean_triple_error(U[:, :2] * sigma[:2] @ Vt[:2] - L)

    assert math.isclose(least, 2 * (sigma[2:] ** 2).sum() / 49)
    start = rng.normal(size=28)
    found = optimize.minimize(lambda x: wv.mean_triple_error(x[:14].reshape(7, 2) @ x[14:].reshape(2, 7) - L), start)
    assert found.fun >= least - 1e-9


# Similarity


def test_nearest_sorts_all_cosines(wv, rng):
    vectors, query = rng.integers(-1, 2, size=(40, 3)).astype(float), rng.integers(-1, 2, size=3).astype(float)

    def square(v):  # of the cosine, with its sign, exactly
        dot, lengths = int(v @ query), int(v @ v) * int(query @ query)
        return Fraction(dot * abs(dot), lengths) if lengths else Fraction(0)

    got = wv.nearest(vectors, query, 40)

    # equal cosines may differ in the last digit; among equal rows the lower id comes first
    assert [square(vectors[i]) for i in got] == sorted(map(square, vectors), reverse=True)
    rows = [tuple(vectors[i]) for i in got]
    assert all(got[i] < got[j] for i, j in itertools.combinations(range(40), 2) if rows[i] == rows[j])


def test_planted_vectors_answer_analogies(wv, rng):
    gender, rank = rng.normal(size=(2, 6)), rng.normal(size=(4, 6))
    vectors = np.concatenate([(rank[:, None] + gender).reshape(8, 6), rng.normal(size=(20, 6))])

    for one, other in itertools.permutations(range(4), 2):
        assert wv.analogy(vectors, 2 * one, 2 * one + 1, 2 * other) == 2 * other + 1


def test_ranks_and_spearman_are_scipys(wv, rng):
    x, y = rng.integers(0, 6, size=(2, 30)) / 4

    np.testing.assert_array_equal(wv.average_ranks(x), stats.rankdata(x, method="average"))
    assert math.isclose(wv.spearman(x, y), stats.spearmanr(x, y).statistic)


# The window model


@pytest.mark.parametrize("tied", [False, True])
def test_window_model_is_torchs(wv, rng, tied):
    """Embedding, linear layers and cross-entropy; repeated tokens, within windows and across."""
    params = wv.init_window_lm(rng, 7, 4, 3, None if tied else 5)
    params["b"], params["c"] = rng.normal(size=params["b"].shape), rng.normal(size=7)
    contexts, targets = rng.integers(0, 7, size=(12, 3)), rng.integers(0, 7, size=12)
    contexts[:, 1] = contexts[:, 0]
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in params.items()}

    x = torch.nn.functional.embedding(torch.tensor(contexts), tensors["E"]).flatten(1)
    h = torch.tanh(torch.nn.functional.linear(x, tensors["W"].T, tensors["b"]))
    out = torch.nn.functional.linear(h, tensors.get("U", tensors["E"]), tensors["c"])
    loss = torch.nn.functional.cross_entropy(out, torch.tensor(targets))
    loss.backward()

    logits, hidden = wv.window_lm_forward(params, contexts)
    mine, d_logits = wv.cross_entropy(logits, targets)
    grads = wv.window_lm_backward(params, contexts, hidden, d_logits)

    np.testing.assert_allclose(logits, out.detach().numpy(), rtol=1e-11, atol=1e-12)
    assert math.isclose(mine, loss.item())
    assert set(grads) == set(params)
    for name, tensor in tensors.items():
        np.testing.assert_allclose(grads[name], tensor.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_windows_are_slices_of_the_padded_document(wv, rng):
    documents = [rng.integers(2, 9, size=size).tolist() for size in (4, 0, 1, 6)]

    contexts, targets = wv.windows(documents, 3)

    slices = [([0, 0, 0, *document][t : t + 3], document[t]) for document in documents for t in range(len(document))]
    assert contexts.tolist() == [context for context, _ in slices]
    assert targets.tolist() == [target for _, target in slices]
    assert contexts.dtype == targets.dtype == np.int64


def test_training_never_beats_the_conditional_entropy(wv):
    """What follows a window in the training text is uncertain; no model's training loss falls below that."""
    documents, words = wv.toy_corpus(np.random.default_rng(5), 60)
    contexts, targets = wv.windows(documents, 2)
    seen = {}
    for context, target in zip(map(tuple, contexts), targets):
        seen.setdefault(context, []).append(target)
    floor = sum(len(after) * stats.entropy(np.bincount(after)) for after in seen.values()) / len(targets)

    params = wv.init_window_lm(np.random.default_rng(0), len(words), 6, 2, 24)
    _, losses, _ = wv.fit_window_lm(params, (contexts, targets), (contexts, targets), n_steps=1500, lr=0.02)

    assert floor < min(losses) < floor + 0.01


# Kneser-Ney and bits


@pytest.mark.parametrize("discount", [Fraction(3, 4), Fraction(1, 3), Fraction(1)])
def test_kneser_ney_in_fractions(wv, rng, discount):
    V = 6
    N = rng.integers(0, 4, size=(V, V))
    N[2] = 0
    N[0, 1] = 3
    types = sum(int(n > 0) for n in N.ravel())
    continuation = [Fraction(sum(int(N[u, w] > 0) for u in range(V)), types) for w in range(V)]
    rows = []
    for u in range(V):
        total = int(N[u].sum())
        kept = [max(int(n) - discount, Fraction(0)) / total if total else Fraction(0) for n in N[u]]
        rows.append([k + (1 - sum(kept)) * p for k, p in zip(kept, continuation)])
    assert all(sum(row) == 1 for row in rows)

    P = wv.kneser_ney(N, discount=float(discount))

    np.testing.assert_allclose(P, np.array(rows, dtype=float), rtol=1e-12, atol=1e-15)
    # the words come as often as they came in the text
    np.testing.assert_allclose(N.sum(axis=1) @ P, N.sum(axis=0), rtol=1e-12)


def test_bits_per_byte_do_not_depend_on_the_tokens(wv):
    """One model that says nothing, written as one token of 16 symbols or as two of 4: the same bits."""
    text = "añb"
    assert math.isclose(wv.bits_per_byte(math.log(16), 5, text), wv.bits_per_byte(math.log(4), 10, text))
    assert math.isclose(wv.bits_per_byte(math.log(16), 5, text), 20 / 4)
