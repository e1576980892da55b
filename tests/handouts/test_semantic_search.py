"""What the handout of semantic_search states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files


@pytest.fixture(scope="module")
def search():
    return staff_files.reference("semantic_search")


@pytest.fixture(scope="module")
def figures():
    return staff_files.figures("semantic_search")


def found_by_bits(search, vectors, queries, n_candidates):
    """The share of the true ten best that the bits find, with rescoring if there are more than ten candidates."""
    codes, query_codes = search.binary_codes(vectors), search.binary_codes(queries)
    results = [
        search.rescore(q, vectors, search.hamming(code, codes), 10, n_candidates=n_candidates)
        for q, code in zip(queries, query_codes)
    ]
    return search.share_found(results, queries, vectors)


# The opening and Task 7


def test_bits_find_27_percent_and_after_rescoring_99(search):
    """5,000 texts about 50 topics: the bits find 27% of the ten best, 100 candidates rescored 99%. Random: 16% and 51%."""
    for n_topics, alone, rescored in ((50, 0.27, 0.99), (0, 0.16, 0.51)):
        vectors, queries = search.toy_vectors(n_topics)
        assert vectors.shape == (5000, 64)
        assert round(found_by_bits(search, vectors, queries, 10), 2) == alone
        assert round(found_by_bits(search, vectors, queries, 100), 2) == rescored


def test_the_ten_best_share_a_topic_or_are_hardly_similar(search):
    """The mean cosine of a query with its ten best is 0.85 with topics and 0.39 without; a topic has about 100 texts."""
    for n_topics, cosine in ((50, 0.85), (0, 0.39)):
        vectors, queries = search.toy_vectors(n_topics)
        best = -np.sort(-(queries @ vectors.T), axis=1)
        assert round(best[:, :10].mean(), 2) == cosine
        if n_topics:
            assert np.median((best > 0.6).sum(axis=1)) == pytest.approx(100, abs=10)


def test_bytes_of_a_million_vectors(search):
    """1,000 numbers in float64: 8 GB. A byte each: 1 GB. A bit each: 125 MB."""
    vectors = np.ones((10, 1000))
    assert [rows.nbytes * 10**5 for rows in (vectors, search.quantize(vectors)[0], search.binary_codes(vectors))] == [
        8e9,
        1e9,
        125e6,
    ]


def test_quantize_and_its_bound_by_hand(search):
    """(127, 0.5, 1.5, -2.5) has scale 1 and codes (127, 0, 2, -2). The query 3 and the scale 1 have the bound 1.5."""
    codes, scales = search.quantize([[127, 0.5, 1.5, -2.5]])
    assert (codes.tolist(), scales.tolist()) == ([[127, 0, 2, -2]], [1.0])
    assert search.dot_error_bound([[3.0]], [1.0]) == 1.5


# Task 1


def test_a_thousand_mentions_are_worth_2_47(search, figures):
    """Page A has 2.47 times the score of page B, and never 2.5 times."""
    assert round(figures.relative_score(search, 1000, 1000, 0.75), 2) == 2.47
    assert 2.49999 < figures.relative_score(search, 10**6, 100, 0.75) < 2.5


def test_a_page_pasted_twice(search, figures):
    """Its score rises by 8% at b = 0.75, by 43% at b = 0, and not at all at b = 1."""
    rises = [figures.relative_score(search, 2, 200, b) - 1 for b in (0.75, 0, 1)]
    np.testing.assert_allclose(rises, [0.08, 0.43, 0], atol=0.005)
    assert abs(rises[2]) < 1e-12


def test_the_average_length_of_the_figure_is_held(search, figures):
    """The collection of figure `saturation` has 100 words on average, whatever the page's length."""
    for length in (100, 1000):
        lengths = np.full(figures.N, (100.0 * figures.N - length - 100.0) / (figures.N - 2))
        lengths[:2] = length, 100.0
        assert lengths.mean() == pytest.approx(100, rel=1e-12)


def test_four_documents_by_hand(search):
    """Average 4; idf of "cat" 1.204, its f 1; with k1 = 1 and b = 1/2, two mentions give f = 4/3 and 1.143."""
    documents = [["the", "x"], ["cat", "the", "the", "x"], ["the", "the", *"xxxxxx"], ["x", "x"]]
    postings, lengths = search.build_index(documents)
    assert lengths.tolist() == [2, 4, 8, 2] and lengths.mean() == 4
    assert round(search.bm25(["cat"], postings, lengths)[1], 3) == 1.204 == round(math.log(1 + 3.5 / 1.5), 3)
    f = search.bm25(["the"], postings, lengths, k1=1, b=0.5) / math.log(1 + 1.5 / 3.5)
    np.testing.assert_allclose(f[1:3], [4 / 3, 1.143], atol=5e-4)


# Task 2


def test_three_similarities_prefer_three_documents(search):
    """For (1, 0): dot prefers (3, 3) with 3, cosine (1/4, 0) with 1, distance (3/4, 1/2) with -0.3125."""
    documents = [(3, 3), (0.25, 0), (0.75, 0.5)]
    for kind, winner, value in (("dot", 0, 3), ("cosine", 1, 1), ("distance", 2, -0.3125)):
        ids, scores = search.top_k([[1, 0]], documents, 1, kind=kind)
        assert (ids.item(), scores.item()) == (winner, value)


def test_unit_vectors_have_one_ranking(search):
    vectors, queries = search.toy_vectors(50)
    rankings = [search.top_k(queries, vectors, 6, kind=kind)[0] for kind in search.KINDS]
    assert (rankings[0] == rankings[1]).all() and (rankings[0] == rankings[2]).all()


# Task 3


def measures(search, ranks):
    ranking, grades = [rank if rank in ranks else 100 + rank for rank in range(1, 31)], dict.fromkeys(ranks, 1)
    return (
        search.reciprocal_rank(ranking, grades),
        search.average_precision(ranking, grades),
        search.ndcg(ranking, grades, 30),
    )


def test_two_engines_and_three_measures(search):
    """A (ranks 1, 5, 9): RR 1, AP 0.578, nDCG 0.792. B (2, 3, 4): 0.5, 0.639, 0.733. Ranks 1, 20, 30: AP 0.400, nDCG 0.671."""
    np.testing.assert_allclose(measures(search, (1, 5, 9)), [1, 0.578, 0.792], atol=5e-4)
    np.testing.assert_allclose(measures(search, (2, 3, 4)), [0.5, 0.639, 0.733], atol=5e-4)
    np.testing.assert_allclose(measures(search, (1, 20, 30)), [1, 0.400, 0.671], atol=5e-4)


def test_ndcg_by_hand(search):
    """[5, 6, 7] with grades 1 and 3: 2.5 over 3.63 is 0.689. For k = 2: 1 over 3.63."""
    grades = {5: 1, 7: 3}
    assert 1 / math.log2(2) + 3 / math.log2(4) == 2.5
    assert round(3 + 1 / math.log2(3), 2) == 3.63
    assert round(search.ndcg([5, 6, 7], grades, 3), 3) == 0.689
    assert search.ndcg([5, 6, 7], grades, 2) == pytest.approx(1 / (3 + 1 / math.log2(3)))


# Task 4


def test_the_lowest_losses_of_a_large_batch(search):
    """B = 256: 4.55 at temperature 1, 5e-7 at 0.05. If all vectors are equal, 5.55. B = 8: 1.1732."""
    assert round(search.lowest_loss(256, 1.0), 2) == 4.55
    assert search.lowest_loss(256, 0.05) == pytest.approx(5e-7, rel=0.05)
    equal = np.ones((256, 1))
    assert round(search.info_nce(equal, equal, temperature=1.0), 2) == 5.55 == round(math.log(256), 2)
    assert round(search.lowest_loss(8, 1.0), 4) == 1.1732


def test_the_push_on_the_nearest_negative(search):
    """37% at temperature 1, 95% at 0.1, 99.8% at 0.05; the positive plays no part."""
    for positive in (0.9, 0.1):
        for temperature, share in ((1.0, 0.37), (0.1, 0.95), (0.05, 0.998)):
            push = search.info_nce_gradient([[1.0]], [[positive], [0.8], [0.5], [0.2], [0.0]], temperature=temperature)[
                1
            ][1:, 0]
            assert round(push[0] / push.sum(), 3 if share > 0.99 else 2) == share


def test_two_rows_by_hand(search):
    """(log 5/3 + log 4)/2 = 0.949, from probabilities 3/5 and 1/4."""
    queries, documents = np.eye(2), np.array([[math.log(3), 0], [0, 0], [0, math.log(2)]])
    assert round(search.info_nce(queries, documents, temperature=1.0), 3) == 0.949
    assert search.info_nce(queries, documents, temperature=1.0) == pytest.approx((math.log(5 / 3) + math.log(4)) / 2)


def test_the_figure_ends_at_the_lowest_loss(search, figures):
    """Figure `training`: the title has 1.1732 at last, and the off-diagonal cosines are all the same."""
    fig = figures.training(search)
    assert fig.axes[2].get_title().endswith("1.1732 at last")
    texts = [text.get_text() for text in fig.axes[1].texts]
    assert sorted(set(texts)) == ["1.00", "−0.14"] and texts.count("1.00") == 8


# Task 5


def test_eight_small_batches_are_another_loss(search):
    """Equal embeddings: log 64 = 4.16 and log 8 = 2.08. The snippet: 3.24 for 64 rows, and 1.32 for chunks of 8."""
    assert (round(math.log(64), 2), round(math.log(8), 2)) == (4.16, 2.08)
    queries, noise = np.random.default_rng(0).normal(size=(2, 64, 32))
    args = np.eye(32), queries, queries + 0.3 * noise

    whole, whole_slope = search.accumulated_step(*args, temperature=1.0, chunk=64)
    parts, parts_slope = search.accumulated_step(*args, temperature=1.0, chunk=8)
    cached, cached_slope = search.cached_step(*args, temperature=1.0, chunk=8)

    assert (round(whole, 2), round(parts, 2), round(cached, 2)) == (3.24, 1.32, 3.24)
    np.testing.assert_allclose(cached_slope, whole_slope, atol=1e-15)
    assert np.linalg.norm(parts_slope - whole_slope) > 0.5 * np.linalg.norm(whole_slope)


def test_equal_embeddings_cost_the_logarithm_of_the_batch(search):
    for n in (8, 64):
        assert search.info_nce(np.ones((n, 2)), np.ones((n, 2)), temperature=1.0) == pytest.approx(math.log(n))


def test_cached_step_by_hand(search):
    """18 * 45 = 810, and a slope of 2 * 3 * 6 * 15 = 540."""
    value, slope = search.cached_step(
        np.array([3.0]), np.array([[1.0], [2], [3]]), np.array([[4.0], [5], [6], [0]]), temperature=1.0, chunk=2,
        encode=lambda params, rows: params * rows,
        backward=lambda params, rows, upstream: np.sum(rows * upstream).reshape(1),
        loss=lambda q, d, temperature: q.sum() * d.sum(),
        gradient=lambda q, d, temperature: (np.full_like(q, d.sum()), np.full_like(d, q.sum())),
    )  # fmt: skip
    assert value == 18 * 45 == 810 and slope == 2 * 3 * 6 * 15 == 540


# Task 6


def test_runs_of_a_transformer(search):
    """1,000 documents, 10 queries, 50 candidates: 1,010, 10,000 and 1,510 runs."""
    assert search.encoder_calls(1000, 10, 50) == (1010, 10_000, 1510)


# Task 8


@pytest.mark.parametrize(("n_topics", "one", "five"), [(50, 0.92, 1.0), (0, 0.10, 0.33)])
def test_what_one_probe_and_five_probes_find(search, n_topics, one, five):
    """70 cells. Topics: 92% and 100%. Random: 10% and 33%. One probe takes about 3% of the comparisons."""
    vectors, queries = search.toy_vectors(n_topics)
    centers, cells = search.toy_cells(vectors, 70)
    for n_probe, share in ((1, one), (5, five)):
        results = [search.ivf_search(q, vectors, centers, cells, 10, n_probe=n_probe) for q in queries]
        assert round(search.share_found([ids for ids, _ in results], queries, vectors), 2) == share
        if n_probe == 1:
            assert round(np.mean([comparisons for _, comparisons in results]) / 5000, 2) == 0.03


def test_the_fewest_comparisons_among_a_million(search):
    """N = 10^6: 2,000 comparisons for one probe, about 6,325 for ten."""
    for n_probe, want in ((1, 2000), (10, 6325)):
        cells = search.best_n_cells(10**6, n_probe)
        assert round(cells + 10**6 * n_probe / cells) == want


def test_four_vectors_and_three_centers(search):
    """Cells {0, 2}, {1, 3}, {}; means (3, 0) and (10, 2); the center (4, 40) stays."""
    vectors, centers = [(1, 0), (9, 2), (5, 0), (11, 2)], [(0, 0), (10, 0), (4, 40)]
    assert [cell.tolist() for cell in search.ivf_build(vectors, centers)] == [[0, 2], [1, 3], []]
    assert search.kmeans_step(vectors, centers).tolist() == [[3, 0], [10, 2], [4, 40]]


# Task 9


def test_where_rrf_changes_its_mind(search):
    """First and absent: 1/61 = 0.0164. 50th twice: 2/110 = 0.0182. They tie at 62, and 61 still wins."""
    assert (round(1 / 61, 4), round(2 / 110, 4)) == (0.0164, 0.0182)
    for rank, first in (
        (50, 1),
        (61, 1),
        (62, 0),
        (63, 0),
    ):  # document 0 is first in one list, document 1 is at `rank` in both
        lists = [[0, *range(100, 98 + rank), 1], [*range(200, 199 + rank), 1]]
        assert lists[0].index(1) + 1 == lists[1].index(1) + 1 == rank
        ids, scores = search.fuse(lists)
        assert min(ids, key=ids.index) == first if rank < 62 else ids.index(0) < ids.index(1)
        assert (scores[ids.index(0)] == scores[ids.index(1)]) == (rank == 62)


def test_passages_by_hand(search):
    assert ["".join(part) for part in search.split_passages("0123456", 4, 2)] == ["0123", "2345", "456"]
    assert ["".join(part) for part in search.split_passages("012345", 4, 2)] == ["0123", "2345"]


def test_the_snippets_prompt_leaves_one_passage_out_and_takes_a_later_one(search):
    texts = [
        "Salt is a crystal.",
        "Rivers carry salt from rocks to the sea.",
        "Sea water is salty.",
        "The sea has tides.",
    ]
    question = "Why is the sea salty?"
    scores = search.bm25(search.tokenize(question), *search.build_index([search.tokenize(text) for text in texts]))
    ids, _ = search.fuse([[int(i) for i in np.argsort(-scores, kind="stable")], [1, 2, 0, 3]])

    prompt, used = search.assemble_prompt(
        "Use these:", [texts[i] for i in ids], question, budget=20, count=lambda text: len(text.split())
    )

    assert len(used) < max(used) + 1  # a gap: left out, and a later one taken
    assert len(prompt.split()) <= 20


# The stretch


def test_a_rotation_brings_the_bits_back(search):
    """Columns of unequal size: 100 candidates find 15%, and 64% after a random rotation."""
    vectors, queries = (rows * np.geomspace(1, 0.05, 64) for rows in search.toy_vectors(0))
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 64)))[0]
    assert found_by_bits(search, vectors, queries, 100) < 0.2
    assert found_by_bits(search, vectors @ rotation, queries @ rotation, 100) > 0.55
    np.testing.assert_allclose((queries @ rotation) @ (vectors @ rotation).T, queries @ vectors.T, atol=1e-12)
