"""The semantic_search reference against trec_eval, scikit-learn, rank-bm25, torch, exact fractions and brute force."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import staff_files
import torch

ir_measures = pytest.importorskip("ir_measures")
rank_bm25 = pytest.importorskip("rank_bm25")
sklearn_metrics = pytest.importorskip("sklearn.metrics")
sklearn_cluster = pytest.importorskip("sklearn.cluster")
sklearn_neighbors = pytest.importorskip("sklearn.neighbors")

WORDS = [f"w{i}" for i in range(30)]


@pytest.fixture(scope="module")
def search():
    return staff_files.reference("semantic_search")


@pytest.fixture(params=range(5))
def rng(request):
    return np.random.default_rng([15, request.param])


# Words


def test_bm25_is_rank_bm25s_up_to_its_idf(search, rng):
    """rank-bm25 has the classical idf. Divided out by the idf, all of its scores are ours, for every word and document."""
    documents = [[str(word) for word in rng.choice(WORDS, size=size)] for size in rng.integers(1, 30, size=60)]
    k1, b = float(rng.uniform(0.5, 2)), float(rng.uniform(0, 1))
    theirs, index = rank_bm25.BM25Okapi(documents, k1=k1, b=b), search.build_index(documents)

    compared = 0
    for word in WORDS:
        df = len(index[0].get(word, []))
        if 0 < df < len(documents) / 2:  # elsewhere rank-bm25 replaces the idf
            classical = math.log((len(documents) - df + 0.5) / (df + 0.5))
            ours = search.bm25([word], *index, k1=k1, b=b) / math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            np.testing.assert_allclose(ours, np.asarray(theirs.get_scores([word])) / classical, rtol=1e-12, atol=1e-14)
            compared += 1
    assert compared > 20


def test_bm25_by_the_formula_without_an_index(search, rng):
    """The sum over query words, document by document, in exact fractions but for the logarithm."""
    documents = [[str(word) for word in rng.choice(WORDS[:6], size=size)] for size in rng.integers(0, 9, size=12)]
    documents[0] = ["w0", "w0", "w1"]
    query = ["w0", "w3", "w0", "absent"]
    average = Fraction(sum(map(len, documents)), len(documents))

    scores = []
    for document in documents:
        score = 0.0
        for word in query:
            df = sum(word in other for other in documents)
            f = Fraction(document.count(word)) * Fraction(5, 2)
            if f:
                f /= document.count(word) + Fraction(3, 2) * (Fraction(1, 4) + Fraction(3, 4) * len(document) / average)
            score += math.log(1 + (len(documents) - df + 0.5) / (df + 0.5)) * float(f)
        scores.append(score)
    np.testing.assert_allclose(search.bm25(query, *search.build_index(documents)), scores, rtol=1e-12, atol=1e-14)


# Vectors


def test_similarities_and_top_k_are_scikit_learns(search, rng):
    queries, documents = rng.normal(size=(6, 5)), rng.normal(size=(40, 5))

    cosines = sklearn_metrics.pairwise.cosine_similarity(queries, documents)
    np.testing.assert_allclose(search.similarities(queries, documents, kind="cosine"), cosines, rtol=1e-12, atol=1e-14)
    far = sklearn_metrics.pairwise_distances(queries, documents, metric="sqeuclidean")
    np.testing.assert_allclose(search.similarities(queries, documents, kind="distance"), -far, rtol=1e-12, atol=1e-12)
    nearest = sklearn_neighbors.NearestNeighbors(n_neighbors=7, algorithm="kd_tree").fit(documents)
    want = nearest.kneighbors(queries, return_distance=False)
    np.testing.assert_array_equal(search.top_k(queries, documents, 7, kind="distance", chunk=9)[0], want)


@pytest.mark.parametrize("chunk", [1, 3, 10, 64])
def test_top_k_with_ties_is_a_sort_of_all(search, rng, chunk):
    queries, documents = rng.integers(-2, 3, size=(5, 2)), rng.integers(-2, 3, size=(64, 2))

    ids, scores = search.top_k(queries, documents, 11, chunk=chunk)

    for row, best, values in zip(queries @ documents.T, ids, scores):
        want = sorted(range(64), key=lambda number: (-row[number], number))[:11]
        assert best.tolist() == want
        assert values.tolist() == row[want].tolist()


def test_unit_vectors_have_one_ranking(search, rng):
    queries, documents = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 30, 6)))

    rankings = [search.top_k(queries, documents, 30, kind=kind)[0] for kind in search.KINDS]

    np.testing.assert_array_equal(rankings[0], rankings[1])
    np.testing.assert_array_equal(rankings[0], rankings[2])


# Measures


def test_measures_are_trec_evals(search, rng):
    """Recall, precision, reciprocal rank, average precision and nDCG on 40 rankings, through ir-measures."""
    for _ in range(40):
        grades = {int(i): int(grade) for i, grade in zip(rng.permutation(40)[:15], rng.integers(0, 4, size=15))}
        grades[0] = 1
        ranking = [int(i) for i in rng.permutation(40)[:20]]
        k = int(rng.integers(1, 25))
        qrels = [ir_measures.Qrel("q", str(i), grade) for i, grade in grades.items()]
        run = [ir_measures.ScoredDoc("q", str(i), float(-rank)) for rank, i in enumerate(ranking)]
        asked = [ir_measures.R @ k, ir_measures.P @ k, ir_measures.RR, ir_measures.AP, ir_measures.nDCG @ k]
        theirs = ir_measures.calc_aggregate(asked, qrels, run)

        ours = [
            search.recall(ranking, grades, k), search.precision(ranking, grades, k), search.reciprocal_rank(ranking, grades),
            search.average_precision(ranking, grades), search.ndcg(ranking, grades, k),
        ]  # fmt: skip
        np.testing.assert_allclose(ours, [theirs[measure] for measure in asked], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("exponential", [False, True])
def test_ndcg_is_scikit_learns(search, rng, exponential):
    grades = rng.integers(0, 4, size=20)
    grades[0] = 2
    ranking = rng.permutation(20).tolist()
    scores = np.zeros(20)
    scores[ranking] = np.arange(20, 0, -1)
    gains = 2.0**grades - 1 if exponential else grades

    for k in (1, 5, 20):
        ours = search.ndcg(ranking, dict(enumerate(grades.tolist())), k, exponential=exponential)
        assert ours == pytest.approx(sklearn_metrics.ndcg_score([gains], [scores], k=k), rel=1e-12)


# The contrastive loss


def test_false_negatives_by_definition(search, rng):
    query_ids, document_ids = rng.integers(0, 4, size=8).tolist(), rng.integers(0, 9, size=12).tolist()

    got = search.false_negatives(query_ids, document_ids)

    for i, j in itertools.product(range(8), range(12)):
        answers = {document_ids[other] for other in range(8) if query_ids[other] == query_ids[i]}
        assert got[i, j] == (i != j and document_ids[j] in answers)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_info_nce_is_torchs_cross_entropy_and_autograd(search, rng, both, scale):
    queries, documents, temperature = scale * rng.normal(size=(6, 4)), rng.normal(size=(9, 4)), 0.05
    skip = rng.uniform(size=(6, 9)) < 0.3
    skip[:, :6] &= ~np.eye(6, dtype=bool)
    q, d = (torch.tensor(rows, requires_grad=True) for rows in (queries, documents))
    logits = (q @ d.T / temperature).masked_fill(torch.tensor(skip), -math.inf)
    want = torch.nn.functional.cross_entropy(logits, torch.arange(6))
    if both:
        want = (want + torch.nn.functional.cross_entropy(logits[:, :6].T, torch.arange(6))) / 2
    want.backward()

    options = {"temperature": temperature, "skip": skip, "both": both}
    assert search.info_nce(queries, documents, **options) == pytest.approx(want.item(), rel=1e-12)
    in_queries, in_documents = search.info_nce_gradient(queries, documents, **options)
    np.testing.assert_allclose(in_queries, q.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(in_documents, d.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("n", "temperature"), [(2, 1.0), (5, 0.5), (8, 1.0)])
def test_free_unit_vectors_reach_the_lowest_loss_and_no_lower(search, n, temperature):
    torch.manual_seed(0)
    rows = torch.randn(2, n, n, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([rows], lr=0.05)
    lowest = search.lowest_loss(n, temperature)
    for _ in range(2000):
        q, d = torch.nn.functional.normalize(rows, dim=-1)
        loss = torch.nn.functional.cross_entropy(q @ d.T / temperature, torch.arange(n))
        assert loss.item() >= lowest - 1e-12
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(lowest, rel=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
def test_cached_step_is_autograd_through_the_whole_batch(search, rng, chunk):
    params, queries, documents = rng.normal(size=(5, 3)), rng.normal(size=(8, 5)), rng.normal(size=(12, 5))
    weights = torch.tensor(params, requires_grad=True)
    q, d = (torch.nn.functional.normalize(torch.tensor(rows) @ weights, dim=1) for rows in (queries, documents))
    want = torch.nn.functional.cross_entropy(q @ d.T / 0.1, torch.arange(8))
    want.backward()

    value, slope = search.cached_step(params, queries, documents, temperature=0.1, chunk=chunk)

    assert value == pytest.approx(want.item(), rel=1e-12)
    np.testing.assert_allclose(slope, weights.grad.numpy(), rtol=1e-10, atol=1e-12)


# Re-ranking


def test_encoder_calls_are_those_that_happen(search, rng):
    n_documents, n_queries, n_candidates = 9, 4, 5
    texts, calls = [f"text {i}" for i in range(n_documents)], {"encode": 0, "score": 0}

    def encode(text):
        calls["encode"] += 1
        return np.array([len(text), text.count("3"), 1.0])

    def score(query, document):
        calls["score"] += 1
        return float(len(query) * document.count("1"))

    vectors = np.array([encode(text) for text in texts])
    for number in range(n_queries):
        search.rerank(f"query {number}", texts, vectors, 3, n_candidates=n_candidates, encode=encode, score=score)
    assert search.encoder_calls(n_documents, n_queries, n_candidates)[2] == calls["encode"] + calls["score"]
    assert search.encoder_calls(n_documents, n_queries, n_candidates)[0] == calls["encode"]
    calls["score"] = 0
    for number in range(n_queries):
        search.search_cross(f"query {number}", texts, 3, score=score)
    assert search.encoder_calls(n_documents, n_queries, n_candidates)[1] == calls["score"]


# Fewer bits


def test_quantized_vectors_are_the_nearest_on_their_grid(search, rng):
    vectors = rng.normal(size=(20, 7)) * 10.0 ** rng.integers(-3, 3, size=(20, 1))

    codes, scales = search.quantize(vectors)

    assert np.abs(codes.astype(int)).max(axis=1).tolist() == [127] * 20
    for code, scale, vector in zip(codes, scales, vectors):
        for value, x in zip(code.tolist(), vector):
            assert abs(value * scale - x) <= min(abs((value + step) * scale - x) for step in (-1, 1)) + 1e-12 * scale


def test_no_rounding_error_exceeds_the_bound_and_one_reaches_it(search, rng):
    """All corners of the box of roundings, one after the other."""
    query, scale = rng.normal(size=6), float(rng.uniform(0.1, 2))

    errors = [abs(query @ (np.array(signs) * scale / 2)) for signs in itertools.product((-1, 1), repeat=6)]

    assert max(errors) == pytest.approx(search.dot_error_bound(query[None], [scale])[0, 0], rel=1e-12)


def test_hamming_distances_of_codes_count_different_signs(search, rng):
    vectors = rng.integers(-1, 2, size=(30, 21))
    codes = search.binary_codes(vectors)

    for i in range(30):
        want = ((vectors > 0) != (vectors[i] > 0)).sum(axis=1)
        np.testing.assert_array_equal(search.hamming(codes[i], codes), want)


def test_rescoring_everything_is_an_exact_search(search, rng):
    vectors, query = rng.normal(size=(50, 6)), rng.normal(size=6)

    got = search.rescore(query, vectors, rng.integers(0, 6, size=50), 8, n_candidates=50)

    np.testing.assert_array_equal(got, search.top_k(query[None], vectors, 8)[0][0])


# Cells


def test_lloyd_steps_are_scikit_learns(search, rng):
    """Ten steps from the same centers, and the cells at the end."""
    vectors = rng.normal(size=(200, 4))
    start = vectors[:8]
    theirs = sklearn_cluster.KMeans(8, init=start, n_init=1, max_iter=10, tol=0, algorithm="lloyd").fit(vectors)

    centers = start
    for _ in range(theirs.n_iter_):
        centers = search.kmeans_step(vectors, centers)
    np.testing.assert_allclose(centers, theirs.cluster_centers_, rtol=1e-10, atol=1e-12)
    for cell, members in enumerate(search.ivf_build(vectors, centers)):
        np.testing.assert_array_equal(members, np.flatnonzero(theirs.predict(vectors) == cell))


@pytest.mark.parametrize("n_probe", [1, 3, 8])
def test_ivf_search_is_an_exact_search_of_the_probed_documents(search, rng, n_probe):
    vectors, query = rng.normal(size=(100, 4)), rng.normal(size=4)
    centers = rng.normal(size=(8, 4))
    cells = search.ivf_build(vectors, centers)

    ids, comparisons = search.ivf_search(query, vectors, centers, cells, 5, n_probe=n_probe)

    probed = sorted(range(8), key=lambda cell: -(centers[cell] @ query))[:n_probe]
    members = [i for i in range(100) if any(i in cells[cell] for cell in probed)]
    assert ids.tolist() == sorted(members, key=lambda i: -(vectors[i] @ query))[:5]
    assert comparisons == 8 + len(members)
    if n_probe == 8:
        np.testing.assert_array_equal(ids, search.top_k(query[None], vectors, 5)[0][0])


def test_best_n_cells_by_brute_force(search):
    """Every number of vectors up to 60, every number of probes, in fractions."""
    for n in range(1, 61):
        for p in range(1, n + 1):
            want = min(range(p, n + 1), key=lambda cells: (cells + Fraction(n * p, cells), cells))
            assert search.best_n_cells(n, p) == want


# Prompts


@pytest.mark.parametrize("constant", [0, 1, 60])
def test_fuse_in_fractions(search, rng, constant):
    rankings = [rng.permutation(25)[: rng.integers(0, 25)].tolist() for _ in range(4)]
    exact = {}
    for ranking in rankings:
        for rank, document in enumerate(ranking, 1):
            exact[document] = exact.get(document, 0) + Fraction(1, constant + rank)

    ids, scores = search.fuse(rankings, constant=constant)

    assert ids == sorted(exact, key=lambda document: (-exact[document], document))
    np.testing.assert_allclose(scores, [float(exact[document]) for document in ids], rtol=1e-14)


def test_passages_hold_every_word_and_overlap(search):
    for n, size in itertools.product(range(30), range(1, 9)):
        for overlap in range(size):
            passages = search.split_passages(list(range(n)), size, overlap)
            rebuilt = [
                word for number, part in enumerate(passages) for word in (part if number == 0 else part[overlap:])
            ]
            assert rebuilt == list(range(n))
            assert all(len(part) == size for part in passages[:-1])
            assert all(after[:overlap] == before[size - overlap :] for before, after in itertools.pairwise(passages))
            assert all(len(part) > overlap for part in passages[1:])


def test_prompts_keep_the_budget_and_no_left_out_passage_fits(search, rng):
    passages = [" ".join(rng.choice(WORDS, size=size)) for size in rng.integers(1, 10, size=8)]

    for budget in range(6, 60):
        prompt, used = search.assemble_prompt(
            "Use these passages.", passages, "What is it?", budget=budget, count=lambda t: len(t.split())
        )
        assert len(prompt.split()) <= budget
        lines = prompt.split("\n")
        assert lines[1:-1] == [f"[{number}] {passages[i]}" for number, i in enumerate(used, 1)]
        for i in set(range(8)) - set(used):
            before = [j for j in used if j < i]
            assert 6 + sum(1 + len(passages[j].split()) for j in (*before, i)) > budget
