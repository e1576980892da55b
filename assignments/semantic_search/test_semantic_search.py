"""Public checks of the semantic_search assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs only the function that it is about. If this function calls another function of yours, the check
# passes a stand-in for the other function.

# Task 1


@number("1.p1")
@weight(1)
@tags("lexical")
def test_build_index_by_hand(impl):
    """Three documents: a b a, nothing, b. Word a occurs twice in document 0. Word b occurs once in documents 0 and 2."""
    documents = [["a", "b", "a"], [], ["b"]]

    postings, lengths = assert_leaves_arguments(impl.build_index, documents, name="build_index")

    assert_close(dict(postings), {"a": [(0, 2)], "b": [(0, 1), (2, 1)]}, name="postings")
    assert_close(lengths, np.array([3, 0, 1]), name="lengths")


# four documents of 2, 4, 8 and 2 words, so 4 on average; "cat" in one of them, "the" in three
POSTINGS = {"cat": [(1, 1)], "the": [(0, 1), (1, 2), (2, 2)]}
LENGTHS = np.array([2, 4, 8, 2])


@number("1.p2")
@weight(1)
@tags("lexical")
def test_bm25_of_a_rare_word_by_hand(impl):
    """One of four documents holds "cat", once. It has average length, so f = 1 for every k1. The score is ln(1 + 3.5/1.5)."""
    want = np.array([0.0, math.log(1 + 3.5 / 1.5), 0.0, 0.0])

    assert_close(impl.bm25(["cat"], POSTINGS, LENGTHS), want, name="scores")
    assert_close(impl.bm25(["cat"], POSTINGS, LENGTHS, k1=0.0), want, name="scores for k1 = 0")


@number("1.p3")
@weight(1)
@tags("lexical")
def test_bm25_counts_mentions_and_length_by_hand(impl):
    """With k1 = 1, two mentions give f = 4/3 at average length. With b = 1/2, they give f = 1.143 at twice the average length."""
    scores = np.asarray(impl.bm25(["the"], POSTINGS, LENGTHS, k1=1.0, b=0.5))

    # one mention in a document of 2 words, two in one of 4, two in one of 8; all have the same idf
    f = np.array([2 / 1.75, 4 / 3, 4 / 3.5, 0.0])
    assert scores[1] > 0, f"two mentions of a word score {scores[1]}"
    assert_close(scores / scores[1], f / f[1], name="scores, divided by that of document 1")


@number("1.p4")
@weight(1)
@tags("lexical")
def test_bm25_adds_the_words_of_a_query(impl):
    """A word that the query holds twice counts twice. A word that no document holds adds nothing."""
    once, rare = impl.bm25(["the"], POSTINGS, LENGTHS), impl.bm25(["cat"], POSTINGS, LENGTHS)

    assert rare[1] > 0, f"the document that holds the word scores {rare[1]}"
    got = impl.bm25(["the", "cat", "unicorn", "the"], POSTINGS, LENGTHS)
    assert_close(got, once + rare + once, name="the scores of a query of four words")


# Task 2

QUERY = np.array([[1.0, 0.0]])
# the longest, the one in the same direction, the nearest
DOCUMENTS = np.array([[3.0, 3.0], [0.25, 0.0], [0.75, 0.5]])


@number("2.p1")
@weight(1)
@tags("nearest")
@pytest.mark.parametrize(
    ("kind", "row"), [("dot", [3.0, 0.25, 0.75]), ("cosine", [0.5**0.5, 1.0, 3 / 13**0.5]), ("distance", [-13.0, -0.5625, -0.3125])]
)
def test_similarities_by_hand(impl, kind, row):
    """For the query (1, 0), dot prefers (3, 3), cosine prefers (1/4, 0), and distance prefers (3/4, 1/2)."""
    # the second query is twice the first: the cosine is the same
    if kind == "cosine":
        want = np.array([row, row])
    else:
        want = np.array([row, [6.0, 0.5, 1.5] if kind == "dot" else [-10.0, -3.0625, -1.8125]])

    got = assert_leaves_arguments(impl.similarities, np.array([[1.0, 0.0], [2.0, 0.0]]), DOCUMENTS, kind=kind, name="similarities")

    assert_close(got, want, name=f"similarities of kind {kind}")


@number("2.p2")
@weight(1)
@tags("nearest")
def test_a_zero_vector_has_cosine_zero(impl):
    """The cosine of a zero vector with anything is 0, not NaN."""
    got = impl.similarities(np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), kind="cosine")

    assert_close(got, np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), name="cosines")


def given_scores(queries, documents, kind):
    """The document's own number, so that a check can choose the scores. A second query has them reversed in sign."""
    return np.stack([documents[:, 0], -documents[:, 0]])[: len(queries)]


@number("2.p3")
@weight(1)
@tags("nearest")
@pytest.mark.parametrize("chunk", [1, 2, 5, 100])
def test_top_k_in_chunks_by_hand(impl, chunk):
    """Five documents score 1, 4, 4, 0, 5. The best three are 4, 1 and 2: of equals, the lower number ranks first."""
    documents, sizes = np.array([[1.0], [4.0], [4.0], [0.0], [5.0]]), []

    def similarity(queries, documents, kind):
        sizes.append(len(documents))
        return given_scores(queries, documents, kind)

    ids, scores = impl.top_k(np.zeros((2, 1)), documents, 3, chunk=chunk, similarity=similarity)

    assert_close(ids, np.array([[4, 1, 2], [3, 0, 1]]), name="ids")
    assert_close(scores, np.array([[5.0, 4.0, 4.0], [0.0, -1.0, -4.0]]), name="scores")
    assert max(sizes) <= chunk, f"similarity got {max(sizes)} documents at once, but chunk is {chunk}"
    assert sum(sizes) == 5, f"similarity got {sum(sizes)} documents in all, but there are 5"


# Task 3. Relevant: documents 0, 1 and 2. Run A has them at ranks 1, 5 and 9, run B at ranks 2, 3 and 4.

GRADES = {0: 1, 1: 1, 2: 1}
RUN_A = [0, 11, 12, 13, 1, 14, 15, 16, 2]
RUN_B = [11, 0, 1, 2, 12]


@number("3.p1")
@weight(1)
@tags("measures")
def test_recall_by_hand(impl):
    """Of three relevant documents, run A has one at its first four ranks, and run B has all three."""
    assert_close(impl.recall(RUN_A, GRADES, 4), 1 / 3, name="recall of A at 4")
    assert_close(impl.recall(RUN_B, GRADES, 4), 1.0, name="recall of B at 4")
    # two relevant documents are not in the ranking
    assert_close(impl.recall([2, 9], GRADES, 10), 1 / 3, name="recall of a short ranking at 10")


@number("3.p2")
@weight(1)
@tags("measures")
def test_average_precision_by_hand(impl):
    """Relevant at ranks 1, 5, 9: (1 + 2/5 + 3/9) / 3. Relevant at ranks 2, 3, 4: (1/2 + 2/3 + 3/4) / 3."""
    assert_close(impl.average_precision(RUN_A, GRADES), (1 + 2 / 5 + 3 / 9) / 3, name="average precision of A")
    assert_close(impl.average_precision(RUN_B, GRADES), (1 / 2 + 2 / 3 + 3 / 4) / 3, name="average precision of B")
    # found at rank 1 only; the two that are missing add 0
    assert_close(impl.average_precision([2, 9], GRADES), 1 / 3, name="average precision of a short ranking")


@number("3.p3")
@weight(1)
@tags("measures")
def test_ndcg_by_hand(impl):
    """The grade 3 at rank 3 and the grade 1 at rank 1 gain 1 + 3/2. The best order gains 3 + 1/log2(3)."""
    grades = {5: 1, 7: 3}
    best = 3 + 1 / math.log2(3)

    assert_close(impl.ndcg([5, 6, 7], grades, 3), (1 + 3 / 2) / best, name="ndcg at 3")
    # the best two ranks still hold 3 and 1; document 7 is found too late
    assert_close(impl.ndcg([5, 6, 7], grades, 2), 1 / best, name="ndcg at 2")
    # gains 1 and 7
    assert_close(impl.ndcg([5, 6, 7], grades, 3, exponential=True), (1 + 7 / 2) / (7 + 1 / math.log2(3)), name="exponential ndcg at 3")


@number("3.p4")
@weight(1)
@tags("measures")
def test_a_query_without_relevant_documents_has_no_value(impl):
    """If no document is relevant, recall, average precision and nDCG are None."""
    for grades in ({}, {3: 0}):
        values = impl.recall([3], grades, 1), impl.average_precision([3], grades), impl.ndcg([3], grades, 1)
        assert_close(values, (None, None, None), name="recall, average precision and ndcg")
    assert_close(impl.recall([3], {3: 2}, 1), 1.0, name="recall of a query with a relevant document")


@number("3.p5")
@weight(1)
@tags("measures")
def test_mean_over_queries_by_hand(impl):
    """The mean of 0.5, nothing, 0 and 1 is 0.5: a query without a value is left out, a query with the value 0 is not."""
    assert_close(impl.mean_over_queries([0.5, None, 0.0, 1.0]), 0.5, name="mean of 0.5, None, 0, 1")
    assert_close(impl.mean_over_queries([None, None]), None, name="mean of no values")


# Task 4


@number("4.p1")
@weight(1)
@tags("contrastive")
def test_false_negatives_by_hand(impl):
    """Rows 0 and 2 ask the same question. Column 3 repeats the text of column 0. Column 4 is nobody's positive."""
    got = impl.false_negatives([7, 8, 7], [1, 2, 3, 1, 9])

    # row 0: column 2 answers the same query, column 3 repeats its positive; row 2 likewise
    want = np.array([[0, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0]], dtype=bool)
    assert_close(got, want, name="false_negatives")


# two queries and three documents, so that the logits at temperature 1/2 are (ln 3, 0, 0) and (0, 0, ln 2)
PAIR = np.array([[math.log(3) / 2, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.0], [0.0, math.log(2) / 2]])


@number("4.p2")
@weight(1)
@tags("contrastive")
def test_info_nce_by_hand(impl):
    """The logits (ln 3, 0, 0) and (0, 0, ln 2) give the right class the probabilities 3/5 and 1/4."""
    got = assert_leaves_arguments(impl.info_nce, *PAIR, temperature=0.5, name="info_nce")
    assert_close(got, (math.log(5 / 3) + math.log(4)) / 2, name="info_nce")
    # without column 2 in row 1: 3/5 and 1/2
    skip = np.array([[False, False, False], [False, False, True]])
    assert_close(impl.info_nce(*PAIR, temperature=0.5, skip=skip), (math.log(5 / 3) + math.log(2)) / 2, name="info_nce with skip")


@number("4.p3")
@weight(1)
@tags("contrastive")
def test_info_nce_in_both_directions_by_hand(impl):
    """Document 0 picks its query among the logits (ln 3, 0), document 1 among (0, 0). The third document picks nothing."""
    rows, columns = (math.log(5 / 3) + math.log(4)) / 2, (math.log(4 / 3) + math.log(2)) / 2

    # twice the vectors at twice the temperature
    got = impl.info_nce(2 * PAIR[0], PAIR[1], temperature=1.0, both=True)
    assert_close(got, (rows + columns) / 2, name="info_nce in both directions")


@number("4.p4")
@weight(1)
@tags("contrastive")
def test_info_nce_of_large_logits(impl):
    """Logits of 100,000 neither overflow nor lose the loss: a wrong pick that is 50,000 ahead costs 50,000."""
    queries, documents = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[500.0, 0.0], [1000.0, 0.0]])

    # row 0: logits 50,000 and 100,000; row 1: logits 0 and 0
    got = impl.info_nce(queries, documents, temperature=0.01)

    assert_close(got, (50_000 + math.log(2)) / 2, name="info_nce")


@number("4.p5")
@weight(1)
@tags("contrastive")
@pytest.mark.parametrize("case", ["plain", "skip", "both", "skip_and_both"])
def test_info_nce_gradient_against_finite_differences(impl, case):
    """The slope of the loss in each number of the queries and of the documents, at a temperature of 1/2."""
    rng = np.random.default_rng(4)
    queries, documents = rng.normal(size=(3, 2)), rng.normal(size=(4, 2))
    options = {"temperature": 0.5, "both": "both" in case}
    options["skip"] = None
    if "skip" in case:
        options["skip"] = np.array([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)

    in_queries, in_documents = impl.info_nce_gradient(queries, documents, **options)

    for name, got, array in (("queries", in_queries, queries), ("documents", in_documents, documents)):
        slopes = np.zeros_like(array)
        for at in np.ndindex(array.shape):
            array[at] += 1e-5
            above = textbook_loss(queries, documents, **options)
            array[at] -= 2e-5
            slopes[at] = (above - textbook_loss(queries, documents, **options)) / 2e-5
            array[at] += 1e-5
        # a central difference with this step is right to about 1e-9
        assert_close(got, slopes, rtol=1e-6, atol=1e-8, name=f"the gradient in the {name}")


def textbook_loss(queries, documents, *, temperature, skip, both):
    """The loss, from its definition and row by row."""
    allowed = np.ones((len(queries), len(documents)), dtype=bool) if skip is None else ~skip
    ways = [(queries, documents, allowed)]
    if both:
        ways.append((documents[: len(queries)], queries, allowed[:, : len(queries)].T))
    losses = []
    for left, right, pairs in ways:
        terms = [-math.log(math.exp(a @ right[i] / temperature) / sum(math.exp(a @ r / temperature) for r in right[pairs[i]]))
                 for i, a in enumerate(left)]  # fmt: skip
        losses.append(sum(terms) / len(terms))
    return sum(losses) / len(losses)


@number("4.p6")
@weight(1)
@tags("contrastive")
def test_lowest_loss_by_hand(impl):
    """One query alone has loss 0. Two queries on opposite sides reach ln(1 + e^-2) at temperature 1, and 2e-9 at 0.1."""
    assert_close(impl.lowest_loss(1, 0.5), 0.0, name="lowest_loss of one query")
    assert_close(impl.lowest_loss(2, 1.0), math.log(1 + math.exp(-2)), name="lowest_loss of two queries at temperature 1")
    assert_close(impl.lowest_loss(2, 0.1), math.log1p(math.exp(-20)), name="lowest_loss of two queries at temperature 0.1")


# Task 5. The stand-in encoder multiplies by one number, so a batch can be done by hand.


@number("5.p1")
@weight(1)
@tags("big_batch")
@pytest.mark.parametrize("chunk", [1, 2, 3, 50])
def test_cached_step_by_hand(impl, chunk):
    """Embeddings are 3 times the input. The loss 18 * 45 / temperature has the slope 2 * 3 * 6 * 15 / temperature in the factor 3."""
    queries, documents, sizes = np.array([[1.0], [2.0], [3.0]]), np.array([[4.0], [5.0], [6.0], [0.0]]), []

    def encode(params, rows):
        sizes.append(len(rows))
        return params * rows

    def backward(params, rows, upstream):
        sizes.append(len(rows))
        return np.sum(rows * upstream).reshape(1)

    def loss(queries, documents, temperature):
        return float(queries.sum() * documents.sum() / temperature)

    def gradient(queries, documents, temperature):
        return np.full_like(queries, documents.sum() / temperature), np.full_like(documents, queries.sum() / temperature)

    value, slope = impl.cached_step(
        np.array([3.0]), queries, documents, temperature=0.5, chunk=chunk, encode=encode, backward=backward, loss=loss, gradient=gradient
    )

    assert_close(value, 18.0 * 45.0 / 0.5, name="the loss of the whole batch")
    assert_close(slope, np.array([2 * 3.0 * 6.0 * 15.0 / 0.5]), name="the slope in params")
    assert max(sizes) <= chunk, f"the encoder got {max(sizes)} rows at once, but chunk is {chunk}"


# Task 6. These scores have a tie: documents "b" and "d".

SCORES = {"a": 1.0, "b": 3.0, "c": 5.0, "d": 3.0}


@number("6.p1")
@weight(1)
@tags("reranking")
def test_search_cross_by_hand(impl):
    """Documents a, b, c, d score 1, 3, 5, 3. The best three are c, b, d: of equals, the lower number ranks first."""
    calls = []

    def score(query, document):
        calls.append((query, document))
        return SCORES[document]

    got = impl.search_cross("why?", ["a", "b", "c", "d"], 3, score=score)

    assert_close([int(number) for number in got], [2, 1, 3], name="search_cross")
    assert sorted(calls) == [("why?", text) for text in "abcd"], f"score was called with {sorted(calls)}"


@number("6.p2")
@weight(1)
@tags("reranking")
def test_rerank_by_hand(impl):
    """The first search hands on d, b and a, in this order. Their scores are 3, 3 and 1. Document c, the best, is never scored."""
    asked, calls = [], []

    def first(query, vectors, k, *, encode):
        asked.append((query, k))
        return [3, 1, 0]

    def score(query, document):
        calls.append(document)
        return SCORES[document]

    def encode(text):
        return np.ones(2)

    got = impl.rerank("why?", ["a", "b", "c", "d"], np.zeros((4, 2)), 2, n_candidates=3, encode=encode, score=score, first=first)

    assert_close([int(number) for number in got], [1, 3], name="rerank")
    assert asked == [("why?", 3)], f"the first search was asked for {asked}"
    assert sorted(calls) == ["a", "b", "d"], f"score was called for {sorted(calls)}"


@number("6.p3")
@weight(1)
@tags("reranking")
def test_encoder_calls_by_hand(impl):
    """Five documents, two queries, and three candidates for each query: 7 runs, 10 runs, and 13 runs."""
    assert_close(tuple(impl.encoder_calls(5, 2, 3)), (7, 10, 13), name="encoder_calls(5, 2, 3)")


# Task 7


@number("7.p1")
@weight(1)
@tags("compress")
def test_quantize_by_hand(impl):
    """Each vector has its own scale. Halves go to the even neighbor: 0.5 to 0, 1.5 and 2.5 to 2. A zero vector has scale 0."""
    vectors = np.array([[127.0, 0.5, 1.5, -2.5], [-254.0, 2.0, 3.0, 100.0], [0.0, 0.0, 0.0, 0.0]])

    codes, scales = assert_leaves_arguments(impl.quantize, vectors, name="quantize")

    assert_close(scales, np.array([1.0, 2.0, 0.0]), name="scales")
    assert_close(codes, np.array([[127, 0, 2, -2], [-127, 1, 2, 50], [0, 0, 0, 0]], dtype=np.int8), name="codes")


@number("7.p2")
@weight(1)
@tags("compress")
def test_dot_error_bound_by_hand(impl):
    """With one coordinate and scale 1, rounding moves the document by at most 1/2. A query of 3 makes it 1.5."""
    got = impl.dot_error_bound(np.array([[3.0], [-3.0]]), np.array([1.0, 4.0, 0.0]))

    assert_close(got, np.array([[1.5, 6.0, 0.0], [1.5, 6.0, 0.0]]), name="dot_error_bound")


@number("7.p3")
@weight(1)
@tags("compress")
def test_binary_codes_by_hand(impl):
    """Nine coordinates need two bytes. 1 stands for a coordinate above 0, so 0 itself gives 0."""
    vectors = np.array([[2.0, -1.0, 0.0, -0.0, 0.5, -3.0, -3.0, 1.0, 1.0], [-1.0] * 9])

    got = impl.binary_codes(vectors)

    assert_close(got, np.array([[0b10001001, 0b10000000], [0, 0]], dtype=np.uint8), name="binary_codes")


@number("7.p4")
@weight(1)
@tags("compress")
def test_rescore_by_hand(impl):
    """Distances 2, 1, 0, 2: the three candidates are 2, 1 and 0. Their dot products are 3, 4 and 4. Document 3 would have 9."""
    vectors = np.array([[4.0, 1.0], [4.0, 0.0], [3.0, 5.0], [9.0, 0.0]])

    got = impl.rescore(np.array([1.0, 0.0]), vectors, np.array([2, 1, 0, 2]), 2, n_candidates=3)

    assert_close(got, np.array([0, 1]), name="rescore")


# Task 8. Three cells around 0, 10 and 4; the last one is empty.

CENTERS = np.array([[0.0, 0.0], [10.0, 0.0], [4.0, 40.0]])
POINTS = np.array([[1.0, 0.0], [9.0, 2.0], [5.0, 0.0], [11.0, 2.0]])


@number("8.p1")
@weight(1)
@tags("ivf")
def test_ivf_build_by_hand(impl):
    """Document 2 lies halfway between the centers 0 and 1: the lower number gets it. No document is near center 2."""
    cells = impl.ivf_build(POINTS, CENTERS)

    want = [np.array([0, 2]), np.array([1, 3]), np.array([], dtype=np.int64)]
    assert_close(cells, want, name="cells")


@number("8.p2")
@weight(1)
@tags("ivf")
def test_kmeans_step_by_hand(impl):
    """The cells hold documents 0 and 2, documents 1 and 3, and nothing. The means are (3, 0) and (10, 2)."""

    def build(vectors, centers):
        return [np.array([0, 2]), np.array([1, 3]), np.array([], dtype=np.int64)]

    got = assert_leaves_arguments(impl.kmeans_step, POINTS, CENTERS, build=build, name="kmeans_step")

    assert_close(got, np.array([[3.0, 0.0], [10.0, 2.0], [4.0, 40.0]]), name="the new centers")


@number("8.p3")
@weight(1)
@tags("ivf")
def test_ivf_search_by_hand(impl):
    """The query's dot products with the three centers are 0, 10 and 4. One probe compares 3 + 2 vectors, two probes 3 + 4."""
    centers, cells = np.array([[0.0, 9.0], [10.0, 0.0], [4.0, 40.0]]), [np.array([0, 4]), np.array([1, 3]), np.array([2, 5])]
    vectors = np.array([[20.0, 0.0], [9.0, 2.0], [5.0, 0.0], [11.0, 2.0], [8.0, 1.0], [11.0, 0.0]])
    query = np.array([1.0, 0.0])

    ids, comparisons = impl.ivf_search(query, vectors, centers, cells, 3, n_probe=1)
    assert_close(ids, np.array([3, 1]), name="ids with one probe")
    assert_close(comparisons, 5, name="comparisons with one probe")
    # documents 3 and 5 both have 11: the lower number ranks first
    ids, comparisons = impl.ivf_search(query, vectors, centers, cells, 3, n_probe=2)
    assert_close(ids, np.array([3, 5, 1]), name="ids with two probes")
    assert_close(comparisons, 7, name="comparisons with two probes")


@number("8.p4")
@weight(1)
@tags("ivf")
def test_best_n_cells_of_few_vectors(impl):
    """For 10 vectors and one probe, 3 cells are best; for 10 and 9 probes, 9 are. For 12 vectors, 3 and 4 cells tie: 3 is smaller."""
    for n_vectors, n_probe, best in ((10, 1, 3), (10, 9, 9), (12, 1, 3), (1, 1, 1), (30, 2, 8)):
        assert_close(impl.best_n_cells(n_vectors, n_probe), best, name=f"best_n_cells({n_vectors}, {n_probe})")


# Task 9


@number("9.p1")
@weight(1)
@tags("prompt")
def test_fuse_by_hand(impl):
    """Document 5 is at ranks 2 and 1, document 7 at rank 1 only, documents 9 and 2 at rank 3 only: these two tie."""
    ids, scores = impl.fuse([[7, 5, 9], [5, 4, 2]])

    assert_close([int(number) for number in ids], [5, 7, 4, 2, 9], name="ids")
    assert_close(list(scores), [1 / 61 + 1 / 62, 1 / 61, 1 / 62, 1 / 63, 1 / 63], name="scores")
    # rank 2 in one list, with another constant
    assert_close(impl.fuse([[3, 8]], constant=0), ([3, 8], [1.0, 0.5]), name="fuse of one ranking with constant 0")


@number("9.p2")
@weight(1)
@tags("prompt")
def test_split_passages_by_hand(impl):
    """Seven words, size 4, overlap 2: 0123, 2345, 456. The last passage is shorter, and no passage holds known words only."""
    words = list("0123456")

    got = [list(map(str, part)) for part in impl.split_passages(words, 4, 2)]
    assert_close(["".join(part) for part in got], ["0123", "2345", "456"], name="passages of 4 with overlap 2")
    got = ["".join(part) for part in impl.split_passages(words[:6], 4, 2)]
    assert_close(got, ["0123", "2345"], name="passages of six words")
    assert_close(impl.split_passages([], 4, 2), [], name="passages of no words")


def count_words(text):
    return len(text.split())


@number("9.p3")
@weight(1)
@tags("prompt")
def test_assemble_prompt_by_hand(impl):
    """Twelve words: 2 for the instruction, 2 for the question, 1 for each number. The long passage is left out, the next one fits."""
    passages = ["one two three", "a b c d e f", "four"]

    got = impl.assemble_prompt("Answer shortly.", passages, "Why so?", budget=12, count=count_words)

    assert_close(got, ("Answer shortly.\n[1] one two three\n[2] four\nWhy so?", [0, 2]), name="the prompt, and which passages it holds")


@number("9.p4")
@weight(1)
@tags("prompt")
def test_a_budget_for_the_question_alone(impl):
    """Four words are enough for the instruction and the question. With three, the function raises a ValueError."""
    got = impl.assemble_prompt("Answer shortly.", ["one"], "Why so?", budget=4, count=count_words)
    assert_close(got, ("Answer shortly.\nWhy so?", []), name="the prompt without passages")
    with pytest.raises(ValueError):
        impl.assemble_prompt("Answer shortly.", ["one"], "Why so?", budget=3, count=count_words)
