"""Graded checks of the semantic_search assignment.

Each compares with the reference on random inputs, or holds the answer to an identity first and compares then. A function
that uses another one of the student's takes it as an argument and gets a right one here, so that each fault costs points
in one place.
"""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments, assert_refuses, with_ties
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

WORDS = ["sea", "salt", "wind", "boat", "net", "fish", "rope", "sail"]


def corpus(rng, n, longest=12):
    """Documents of very different lengths. The first word is frequent, the last one rare; one document is empty."""
    share = np.arange(len(WORDS), 0, -1.0) ** 2
    documents = [list(rng.choice(WORDS, size=size, p=share / share.sum())) for size in rng.integers(1, longest, size=n)]
    documents[int(rng.integers(n))] = []
    return [[str(word) for word in document] for document in documents]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


# Task 1


@number("1.1")
@weight(2)
@tags("lexical")
@pytest.mark.parametrize("n", [1, 7, 30])
def test_build_index_counts_every_word_of_every_document(agree, rng, n):
    """Every word leads to the documents that hold it, in order, with the number of times; lengths count all words."""
    documents = corpus(rng, n) if n > 1 else [["sea", "sea", "wind"]]

    def index(impl, documents):
        postings, lengths = impl.build_index(documents)
        return dict(postings), lengths

    agree(index, documents)


def index_of(reference, rng, n=20):
    postings, lengths = reference.build_index(corpus(rng, n))
    return postings, lengths


@number("1.2")
@weight(2)
@tags("lexical")
@pytest.mark.parametrize("case", ["one_word", "several_words", "repeated_words", "unknown_words_too"])
def test_bm25_adds_up_the_words_of_the_query(agree, rng, reference, case):
    """Every word of the query adds its idf times its factor to the documents that hold it."""
    query = {
        "one_word": ["net"],
        "several_words": ["sea", "boat", "rope"],
        "repeated_words": ["wind", "wind", "sail", "wind"],
        "unknown_words_too": ["sea", "unicorn", "fish"],
    }[case]

    if case in ("one_word", "several_words"):
        agree("bm25", query, *index_of(reference, rng))
    else:
        agree(shares, query, *index_of(reference, rng))


def shares(impl, query, postings, lengths, **options):
    """Each document's share of all scores: whatever one factor all of them have."""
    scores = np.asarray(impl.bm25(query, postings, lengths, **options))
    return scores / scores.sum() if scores.any() else None


@number("1.3")
@weight(1)
@tags("lexical")
@pytest.mark.parametrize(("k1", "b"), [(0.0, 0.5), (0.9, 0.4), (2.0, 0.0), (1.2, 1.0)])
def test_bm25_uses_both_parameters(agree, rng, reference, k1, b):
    """k1 sets how soon repetitions stop counting, b how much the length counts."""
    # one value with all its factors, and what the parameters do to the share of each document
    agree("bm25" if k1 == 2.0 else shares, ["net"], *index_of(reference, rng), k1=k1, b=b)


@number("1.4")
@weight(1)
@tags("lexical")
@pytest.mark.parametrize("case", ["value", "share"])
def test_bm25_of_a_word_that_all_documents_hold_is_positive(impl, agree, rng, case):
    """A word that every document holds still adds something, and more to a document that repeats it."""
    n = int(rng.integers(5, 12))
    postings, lengths = {"sea": [(i, 1 + i % 3) for i in range(n)]}, rng.integers(4, 9, size=n)

    scores = np.asarray(impl.bm25(["sea"], postings, lengths, b=0.0))

    assert (scores > 0).all(), f"of {n} documents that all hold the word, {int((scores <= 0).sum())} get no positive score"
    agree("bm25" if case == "value" else shares, ["sea"], postings, lengths, b=0.0)


@number("1.5")
@weight(1)
@tags("lexical")
@pytest.mark.parametrize("b", [0.3, 1.0])
def test_bm25_of_a_page_that_is_pasted_many_times(agree, rng, reference, b):
    """A page with its text pasted again has twice the words and twice the length; the average stays where it was."""
    lengths = rng.integers(5, 20, size=6)
    longer, shorter = int(lengths[0]), int(lengths.sum())
    for times in (1, 2, 10, 1000):
        # another document, which holds no word of the query, takes up the difference
        moved = np.append(lengths, shorter + 1000 * longer - times * longer)
        moved[0] = times * longer
        agree("bm25" if b == 0.3 else shares, ["net"], {"net": [(0, 2 * times), (3, 1)]}, moved, b=b)


@number("1.6")
@weight(1)
@tags("lexical")
@pytest.mark.parametrize("function", ["build_index", "bm25"])
def test_lexical_search_leaves_its_arguments_alone(impl, reference, rng, function):
    """Documents, query, postings and lengths are the same after the call."""
    documents = corpus(rng, 6)
    args = (documents,) if function == "build_index" else (["sea", "sea", "net"], *reference.build_index(documents))

    got, want = assert_leaves_arguments(getattr(impl, function), *args, name=function), getattr(reference, function)(*args)
    if function == "bm25":  # up to a factor, which is for other checks
        got, want = np.asarray(got) / max(np.max(got), 1e-300), want / want.max()
    assert_close(got, want)


# Task 2


@number("2.1")
@weight(2)
@tags("nearest")
@pytest.mark.parametrize("kind", ["dot", "cosine", "distance"])
@pytest.mark.parametrize("shape", [(4, 7, 3), (1, 5, 2), (6, 1, 9)], ids=str)
def test_similarities_of_each_kind(agree, rng, kind, shape):
    """Entry (i, j) compares query i with document j, whatever the lengths of the vectors."""
    Q, N, d = shape
    queries, documents = rng.normal(size=(Q, d)) * rng.uniform(0.5, 3, size=(Q, 1)), rng.normal(size=(N, d)) * 2

    agree("similarities", queries, documents, kind=kind)


@number("2.2")
@weight(1)
@tags("nearest")
def test_cosine_and_distance_take_any_vectors(agree, rng):
    """Zero vectors, whole numbers, and vectors that are equal to the query."""
    queries, documents = rng.integers(-2, 3, size=(5, 3)), rng.integers(-2, 3, size=(8, 3))
    queries[1], documents[3], documents[4] = 0, 0, queries[0]

    for kind in ("cosine", "distance", "dot"):
        agree("similarities", queries, documents, kind=kind)


def table_of(rng, Q, N):
    """A similarity with exact ties: the documents' single column is their number, and a table has the scores."""
    tables = {"dot": with_ties(rng, (Q, N), levels=4), "cosine": with_ties(rng, (Q, N), levels=4)}

    def similarity(queries, documents, kind):
        return tables[kind][:, np.asarray(documents)[:, 0].astype(int)]

    similarity.unrecorded = True
    return similarity


@number("2.3")
@weight(2)
@tags("nearest")
@pytest.mark.parametrize("chunk", [1, 3, 8, 200])
def test_top_k_is_the_same_for_every_chunk_size(agree, rng, chunk):
    """The k best of all documents, by score and then by number, however many documents are looked at together."""
    similarity, documents = table_of(rng, 3, 23), np.arange(23.0)[:, None]

    agree("top_k", np.zeros((3, 1)), documents, 6, chunk=chunk, similarity=similarity)
    agree("top_k", np.zeros((3, 1)), documents, 1, kind="cosine", chunk=chunk, similarity=similarity)


@number("2.4")
@weight(1)
@tags("nearest")
@pytest.mark.parametrize(("N", "k"), [(5, 5), (5, 9), (1, 3)])
def test_top_k_of_few_documents(agree, rng, reference, N, k):
    """If there are no more than k documents, all of them come back, in order."""
    queries, documents = rng.normal(size=(4, 3)), rng.normal(size=(N, 3))

    agree("top_k", queries, documents, k, kind="distance", chunk=2, similarity=reference.similarities)


@number("2.5")
@weight(1)
@tags("nearest")
@pytest.mark.parametrize("function", ["similarities", "top_k"])
def test_vector_search_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    args = (rng.normal(size=(3, 4)), rng.normal(size=(6, 4)))
    args, kwargs = (args, {"kind": "cosine"}) if function == "similarities" else ((*args, 2), {"similarity": reference.similarities})

    got = assert_leaves_arguments(getattr(impl, function), *args, **kwargs, name=function)
    assert_close(got, getattr(reference, function)(*args, **kwargs))


# Task 3


def run(rng, n=30, length=12, highest=1):
    """A ranking of some of n documents, and grades for half of them: relevant ones are in the ranking and outside it."""
    grades = {int(i): int(grade) for i, grade in zip(rng.permutation(n)[: n // 2], rng.integers(0, highest + 1, size=n // 2))}
    ranking = [int(i) for i in rng.permutation(n)[:length]]
    grades[ranking[-1]] = highest
    grades[next(i for i in range(n) if i not in ranking)] = highest
    return ranking, grades


@number("3.1")
@weight(2)
@tags("measures")
@pytest.mark.parametrize("k", [1, 5, 12, 40])
def test_recall_is_over_all_relevant_documents(agree, rng, k):
    """Recall counts the relevant documents at the first k ranks, among all that are relevant."""
    for highest in (1, 3):
        agree("recall", *run(rng, highest=highest), k)


@number("3.2")
@weight(2)
@tags("measures")
@pytest.mark.parametrize("length", [1, 12, 30])
def test_average_precision_is_over_all_relevant_documents(agree, rng, length):
    """Each relevant document adds the precision at its rank, or 0 if it is not ranked."""
    for highest in (1, 3):
        agree("average_precision", *run(rng, n=31, length=length, highest=highest))


@number("3.3")
@weight(2)
@tags("measures")
@pytest.mark.parametrize("exponential", [False, True])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_ndcg_of_graded_documents(agree, rng, exponential, k):
    """The gains at the first k ranks, discounted, over those of the best ranking of all graded documents."""
    for highest in (1, 4):
        ranking, grades = run(rng, highest=highest)
        agree("ndcg", ranking, grades, k, exponential=exponential)


@number("3.4")
@weight(1)
@tags("measures")
def test_irrelevant_documents_at_the_end_change_nothing(impl, agree, rng):
    """Documents without a grade, appended to a ranking, change none of the three measures."""
    ranking, grades = run(rng)
    longer = [*ranking, *range(100, 120)]

    for name, rest in (("recall", (25,)), ("average_precision", ()), ("ndcg", (25,))):
        function = getattr(impl, name)
        value = function(ranking, grades, *rest)
        assert_close(function(longer, grades, *rest), value, name=f"{name} of the longer ranking")
    agree("average_precision", longer, grades)
    agree("ndcg", longer, grades, 14)


@number("3.5")
@weight(1)
@tags("measures")
def test_the_best_ranking_has_measure_one(impl, rng, reference):
    """If the documents are ranked by grade, every measure is 1; no other order has more."""
    _, grades = run(rng, highest=3)
    best = sorted(grades, key=lambda document: -grades[document])
    n_relevant = sum(grade > 0 for grade in grades.values())

    values = [impl.recall(best, grades, n_relevant), impl.average_precision(best, grades), impl.ndcg(best, grades, 5)]
    assert_close(values, [1.0, 1.0, 1.0], name="recall, average precision and ndcg of the best ranking")
    worst = best[::-1]
    got = [impl.recall(worst, grades, n_relevant), impl.average_precision(worst, grades), impl.ndcg(worst, grades, 20)]
    want = [reference.recall(worst, grades, n_relevant), reference.average_precision(worst, grades), reference.ndcg(worst, grades, 20)]
    assert_close(got, want, name="recall, average precision and ndcg of the reversed ranking")


@number("3.6")
@weight(1)
@tags("measures")
@pytest.mark.parametrize("share", [0.0, 0.4])
def test_mean_over_queries_leaves_out_queries_without_a_value(agree, rng, share):
    """None is left out of the sum and out of the count; 0 is not."""
    values = [None if rng.uniform() < share else float(rng.integers(0, 4)) / 4 for _ in range(20)]
    values[:4] = [0.5, 0.0, 0.75, None if share else 0.25]

    agree("mean_over_queries", values)


# Task 4


@number("4.1")
@weight(1)
@tags("contrastive")
@pytest.mark.parametrize("case", ["equal_texts", "equal_queries", "both"])
def test_false_negatives_are_right_answers_to_the_query(agree, rng, case):
    """A column is marked if its text is a positive of the row's query, in this row or in another one."""
    B, M = 7, 11
    query_ids, document_ids = rng.permutation(50)[:B], rng.permutation(50)[:M]
    if case != "equal_queries":
        document_ids[[4, 6, 9]] = document_ids[[1, 2, 1]]
    if case != "equal_texts":
        query_ids[[3, 5]] = query_ids[0]
        query_ids[6] = query_ids[4]

    agree("false_negatives", query_ids.tolist(), document_ids.tolist())


def batch(rng, case):
    """Queries, documents and options of `info_nce`: unit vectors, a temperature of 1, hard negatives, each in some cases only."""
    B, M, d = (1, 6, 4) if "one_row" in case else (5, 5, 3) if "square" in case else (5, 9, 3)
    queries, documents = rng.normal(size=(B, d)), rng.normal(size=(M, d))
    if "unit" in case:
        queries, documents = unit(queries), unit(documents)
    options = {"temperature": 1.0 if "warm" in case else float(rng.uniform(0.2, 0.7)), "both": "both" in case}
    if "skip" in case:
        skip = rng.uniform(size=(B, M)) < 0.3
        skip[:, :B] &= ~np.eye(B, dtype=bool)
        skip[0, 1], skip[1, 0], skip[0, M - 1] = True, False, True
        if "all" in case:
            skip[2] = np.arange(M) != 2
        options["skip"] = skip
    if "large" in case:
        queries, documents, options["temperature"] = 30 * queries, 30 * documents, 0.02
    return queries, documents, options


@number("4.2")
@weight(2)
@tags("contrastive")
@pytest.mark.parametrize("case", ["square_unit", "square_skip_unit", "hard_unit", "one_row_warm", "hard_skip", "hard_skip_all_unit", "square_large"])
def test_info_nce_is_a_classification_among_all_columns(agree, rng, case):
    """The mean over the rows of minus the log-probability of the positive, among the columns that are not skipped."""
    queries, documents, options = batch(rng, case)

    agree("info_nce", queries, documents, **options)


@number("4.3")
@weight(1)
@tags("contrastive")
@pytest.mark.parametrize("case", ["square_both_warm", "hard_both_unit_warm", "hard_both_skip", "square_both_large_unit"])
def test_info_nce_in_both_directions(agree, rng, case):
    """The mean of the two losses; in the second, the positives pick their query among the B queries."""
    queries, documents, options = batch(rng, case)

    agree("info_nce", queries, documents, **options)


@number("4.4")
@weight(2)
@tags("contrastive")
@pytest.mark.parametrize("case", ["square", "hard", "one_row", "hard_skip_all_unit", "hard_both_skip", "square_both_large"])
def test_info_nce_gradient(agree, rng, case):
    """The slopes of the loss in the queries and in the documents, hard negatives included."""
    queries, documents, options = batch(rng, case)

    agree("info_nce_gradient", queries, documents, **options)


@number("4.5")
@weight(1)
@tags("contrastive")
def test_a_marked_duplicate_changes_nothing(impl, agree, rng):
    """A column that is skipped in every row changes neither the loss nor any other column's gradient, and gets none."""
    queries, documents, options = batch(rng, "square_unit_warm")
    more = np.concatenate([documents, documents[:1]])
    skip = np.zeros((len(queries), len(more)), dtype=bool)
    skip[:, -1] = True

    loss = impl.info_nce(queries, documents, **options)
    assert_close(impl.info_nce(queries, more, skip=skip, **options), loss, name="the loss with a skipped column")
    in_queries, in_documents = impl.info_nce_gradient(queries, documents, **options)
    got = impl.info_nce_gradient(queries, more, skip=skip, **options)
    want = in_queries, np.concatenate([in_documents, np.zeros_like(documents[:1])])
    assert_close(got, want, name="the gradient with a skipped column")
    skip[0, -1] = False
    agree("info_nce", queries, more, skip=skip, **options)
    agree("info_nce_gradient", queries, more, skip=skip, **options)


@number("4.6")
@weight(1)
@tags("contrastive")
@pytest.mark.parametrize("n", [2, 3, 40, 100_000])
def test_lowest_loss_of_unit_vectors(agree, n):
    """What n queries and n documents of length 1 can reach, for high and low temperatures."""
    agree(lambda impl: [impl.lowest_loss(n, temperature) for temperature in (2.0, 1.0, 0.3)])


# Task 5


def encoder():
    """An encoder with two parameters for each of four inputs and three outputs, and its backward pass."""

    def encode(params, rows):
        return np.tanh(rows @ params[0]) + params[1][0]

    def backward(params, rows, upstream):
        inner = upstream * (1 - np.tanh(rows @ params[0]) ** 2)
        shift = np.zeros_like(params[1])
        shift[0] = upstream.sum(axis=0)
        return np.stack([rows.T @ inner, shift])

    encode.unrecorded = backward.unrecorded = True
    return encode, backward


def loss_of(reference):
    def loss(queries, documents, *, temperature):
        return reference.info_nce(queries, documents, temperature=temperature)

    def gradient(queries, documents, *, temperature):
        return reference.info_nce_gradient(queries, documents, temperature=temperature)

    loss.unrecorded = gradient.unrecorded = True
    return {"loss": loss, "gradient": gradient}


@number("5.1")
@weight(4)
@tags("big_batch")
@pytest.mark.parametrize("chunk", [1, 4, 7, 100])
@pytest.mark.parametrize("n_hard", [0, 5])
def test_cached_step_is_the_gradient_of_the_whole_batch(agree, rng, reference, chunk, n_hard):
    """Loss and gradient are those of all rows together, for every chunk size, with and without hard negatives."""
    encode, backward = encoder()
    params = rng.normal(size=(2, 4, 3))
    queries, documents = rng.normal(size=(9, 4)), rng.normal(size=(9 + n_hard, 4))
    lent = {"encode": encode, "backward": backward, **loss_of(reference)}

    agree("cached_step", params, queries, documents, temperature=0.3, chunk=chunk, **lent)


@number("5.2")
@weight(2)
@tags("big_batch")
@pytest.mark.parametrize("chunk", [2, 3])
def test_cached_step_hands_every_row_over_once(impl, reference, rng, chunk):
    """`encode` and `backward` each get every row once, and never more than `chunk` rows."""
    params, queries, documents = rng.normal(size=(2, 4, 3)), rng.normal(size=(5, 4)), rng.normal(size=(7, 4))
    encode, backward = encoder()
    rows = {"encode": [], "backward": []}

    def counted_encode(params, inputs):
        rows["encode"].append(len(inputs))
        return encode(params, inputs)

    def counted_backward(params, inputs, upstream):
        rows["backward"].append(len(inputs))
        return backward(params, inputs, upstream)

    counted_encode.unrecorded = counted_backward.unrecorded = True
    got = impl.cached_step(
        params, queries, documents, temperature=0.5, chunk=chunk, encode=counted_encode, backward=counted_backward, **loss_of(reference)
    )

    for name, sizes in rows.items():
        assert max(sizes, default=0) <= chunk, f"{name} got {max(sizes)} rows at once, where chunk is {chunk}"
        assert sum(sizes) == 12, f"{name} got {sum(sizes)} rows in all, where the batch has 12"
    # whether the gradient is right is for other checks; the loss and the gradient's shape are looked at here
    want = reference.info_nce(encode(params, queries), encode(params, documents), temperature=0.5)
    value, slope = got
    assert_close((value, 0 * slope), (want, np.zeros((2, 4, 3))), name="the loss, and zero times the gradient")


@number("5.3")
@weight(2)
@tags("big_batch")
@pytest.mark.parametrize("chunk", [2, 50])
def test_cached_step_takes_the_loss_of_all_embeddings(impl, agree, rng, reference, chunk):
    """`loss` and `gradient` see the embeddings of all queries and of all documents, in order, and the temperature."""
    params, queries, documents = rng.normal(size=(2, 4, 3)), rng.normal(size=(5, 4)), rng.normal(size=(7, 4))
    encode, backward = encoder()

    def seen(impl, params, queries, documents):
        arguments = {"loss": [], "gradient": []}
        lent = loss_of(reference)

        def watched(name):
            def call(queries, documents, *, temperature):
                arguments[name].append((queries, documents, temperature))
                return lent[name](queries, documents, temperature=temperature)

            call.unrecorded = True
            return call

        value, slope = impl.cached_step(
            params, queries, documents, temperature=0.4, chunk=chunk, encode=encode, backward=backward,
            loss=watched("loss"), gradient=watched("gradient"),
        )  # fmt: skip
        return value, 0 * slope, arguments["loss"][0], arguments["gradient"][0]

    agree(seen, params, queries, documents)


@number("5.4")
@weight(1)
@tags("big_batch")
def test_cached_step_leaves_its_arguments_alone(impl, reference, rng):
    """Parameters, queries and documents are the same after the call."""
    encode, backward = encoder()
    args = rng.normal(size=(2, 4, 3)), rng.normal(size=(4, 4)), rng.normal(size=(6, 4))
    lent = {"temperature": 0.5, "chunk": 3, "encode": encode, "backward": backward, **loss_of(reference)}

    got = assert_leaves_arguments(impl.cached_step, *args, **lent, name="cached_step")
    assert_close(got, reference.cached_step(*args, **lent))


# Task 6


def texts_and_score(rng, n, *, ties=True):
    """Texts, and a cross-encoder whose scores are looked up."""
    texts = [f"text {i}" for i in rng.permutation(n)]
    scores = dict(zip(texts, (with_ties(rng, n, levels=4) if ties else rng.permutation(n) / 4).tolist()))

    def score(query, document):
        return scores[document] * (1 if query == "up" else -1)

    score.unrecorded = True
    return texts, score


@number("6.1")
@weight(1)
@tags("reranking")
@pytest.mark.parametrize("k", [1, 4, 30])
def test_search_cross_ranks_all_documents(agree, rng, k):
    """The documents with the highest scores, the lower number first where scores are equal."""
    texts, score = texts_and_score(rng, 11)

    agree(lambda impl: [[int(i) for i in impl.search_cross(query, texts, k, score=score)] for query in ("up", "down")])


@number("6.2")
@weight(2)
@tags("reranking")
@pytest.mark.parametrize(("n_candidates", "k"), [(3, 3), (6, 2), (40, 5)])
def test_rerank_scores_the_candidates_only(impl, agree, rng, reference, n_candidates, k):
    """Each candidate of the first search is scored once, no other document is, and the scores decide the order."""
    texts, score = texts_and_score(rng, 12, ties=False)
    vectors, towards = rng.normal(size=(12, 3)), rng.normal(size=3)

    def encode(text):
        return towards

    def reranked(impl):
        scored = []

        def counted(query, document):
            scored.append(document)
            return score(query, document)

        counted.unrecorded = True
        lent = {"encode": encode, "score": counted, "first": reference.search_bi}
        ranking = impl.rerank("up", texts, vectors, k, n_candidates=n_candidates, **lent)
        return [int(i) for i in ranking], sorted(scored)

    agree(reranked)


@number("6.3")
@weight(1)
@tags("reranking")
def test_reranking_everything_is_a_search_with_the_cross_encoder(impl, reference, rng):
    """With all documents as candidates, the first search decides nothing, not even the order of equals."""
    texts, score = texts_and_score(rng, 9)

    def first(query, vectors, k, *, encode):
        return [int(i) for i in rng.permutation(9)]

    first.unrecorded = True
    for query in ("up", "down"):
        lent = {"encode": len, "score": score, "first": first}
        got = impl.rerank(query, texts, rng.normal(size=(9, 2)), 9, n_candidates=9, **lent)
        assert_close([int(i) for i in got], reference.search_cross(query, texts, 9, score=score), name="the ranking")


@number("6.4")
@weight(1)
@tags("reranking")
def test_encoder_calls_of_three_searches(agree, rng):
    """Documents are encoded once for all queries; a cross-encoder reads pairs; no more than all documents are re-ranked."""
    cases = [tuple(int(i) for i in rng.integers(2, 200, size=3)) for _ in range(10)]
    cases += [(50, 7, 80), (0, 4, 10), (30, 0, 10)]

    agree(lambda impl: [tuple(impl.encoder_calls(*case)) for case in cases])


# Task 7


@number("7.1")
@weight(2)
@tags("compress")
@pytest.mark.parametrize("case", ["normal", "different_lengths", "halves", "whole_numbers"])
def test_quantize_gives_each_vector_its_own_scale(agree, rng, case):
    """The largest coordinate of every vector becomes 127 or -127, and the others are rounded to the nearest step."""
    vectors = rng.normal(size=(6, 5))
    if case == "different_lengths":
        vectors *= 10.0 ** rng.integers(-3, 4, size=(6, 1))
        vectors[2] = 0.0
    elif case == "halves":  # the scale is 1, so that halves are exact
        vectors = rng.integers(-60, 60, size=(6, 5)) + 0.5
        vectors[:, 0] = rng.choice([-127, 127], size=6)
    elif case == "whole_numbers":
        vectors = rng.integers(-9, 10, size=(6, 5))
        vectors[1] = 0

    agree("quantize", vectors)


@number("7.2")
@weight(1)
@tags("compress")
def test_dot_error_bound_holds_and_is_reached(impl, agree, rng, reference):
    """No rounding within half a step changes a dot product by more than the bound, and one rounding changes it by just that."""
    queries, vectors = rng.normal(size=(3, 6)), rng.normal(size=(5, 6))
    codes, scales = reference.quantize(vectors)

    bound = np.asarray(impl.dot_error_bound(queries, scales))

    error = np.abs(queries @ (codes * scales[:, None] - vectors).T)
    assert (error <= bound + 1e-12).all(), "a rounded document changes a dot product by more than the bound"
    worst = np.abs(queries @ (np.sign(queries[0]) * scales[:, None] / 2).T)[0]  # every coordinate moves by half a step
    assert_close(bound[0], worst, name="the bound of the first query")
    agree("dot_error_bound", queries, scales)


@number("7.3")
@weight(1)
@tags("compress")
@pytest.mark.parametrize("d", [1, 8, 13, 64])
def test_binary_codes_hold_the_signs(agree, rng, d):
    """A bit for each coordinate, 1 where it is above 0, padded with 0 to whole bytes."""
    vectors = rng.normal(size=(5, d))
    vectors[rng.uniform(size=(5, d)) < 0.3] = 0.0
    vectors[0, 0] = 1.0

    agree("binary_codes", vectors)


@number("7.4")
@weight(2)
@tags("compress")
@pytest.mark.parametrize(("n_candidates", "k"), [(4, 4), (7, 3), (20, 6), (50, 30)])
def test_rescore_orders_the_candidates_by_the_real_vectors(agree, rng, n_candidates, k):
    """The nearest codes are the candidates, and the real vectors alone decide their order; equals go by number."""
    vectors = rng.integers(-1, 2, size=(20, 3))  # dot products tie often, and are exact
    distances = rng.integers(0, 5, size=20)

    agree("rescore", np.array([1.0, 2.0, -1.0]), vectors, distances, k, n_candidates=n_candidates)


# Task 8


def plain_cells(vectors, centers):
    """Cells by the definition, one document at a time."""
    nearest = [int(np.argmin([((v - c) ** 2).sum() for c in centers])) for v in vectors]
    return [np.array([i for i, cell in enumerate(nearest) if cell == c], dtype=np.int64) for c in range(len(centers))]


plain_cells.unrecorded = True


@number("8.1")
@weight(2)
@tags("ivf")
@pytest.mark.parametrize("case", ["normal", "long_centers", "ties", "one_center", "empty_cells"])
def test_ivf_build_assigns_to_the_nearest_center(agree, rng, case):
    """Every document belongs to the nearest center, however long the centers are; equals go to the lower number."""
    vectors, centers = rng.normal(size=(30, 3)), rng.normal(size=(5, 3))
    if case == "long_centers":
        centers *= rng.uniform(0.2, 4, size=(5, 1))
    elif case == "ties":
        vectors, centers = rng.integers(-2, 3, size=(30, 2)), 2 * rng.integers(-1, 2, size=(6, 2))
    elif case == "one_center":
        vectors, centers = np.concatenate([vectors[:4], vectors[:1]]), centers[:1]
    elif case == "empty_cells":
        centers[2] = 100.0

    # the order of the documents within a cell counts, and so do empty cells
    agree("ivf_build", vectors, centers)


@number("8.2")
@weight(1)
@tags("ivf")
@pytest.mark.parametrize("case", ["normal", "empty_cells"])
def test_kmeans_step_moves_the_centers_to_the_means(agree, rng, case):
    """Each center moves to the mean of its documents; the center of an empty cell stays."""
    vectors, centers = rng.normal(size=(30, 3)), rng.normal(size=(5, 3))
    if case == "empty_cells":
        centers[[1, 3]] += 100.0

    agree("kmeans_step", vectors, centers, build=plain_cells)


@number("8.3")
@weight(1)
@tags("ivf")
def test_kmeans_steps_never_raise_the_squared_distances(impl, reference, rng):
    """From step to step, the sum of the squared distances to the nearest centers never rises."""
    vectors, centers = rng.normal(size=(40, 2)), 3 * rng.normal(size=(6, 2))
    centers[4] = 50.0  # nobody's
    sums, path = [], [centers]
    for _ in range(5):
        sums.append(((vectors[:, None] - path[-1]) ** 2).sum(axis=2).min(axis=1).sum())
        path.append(np.asarray(impl.kmeans_step(vectors, path[-1], build=plain_cells)))

    assert (np.diff(sums) <= 1e-9).all(), f"the sum of squared distances rises, from {sums[0]:.4g} to {max(sums):.4g}"
    for step in (0, 4):
        want = reference.kmeans_step(vectors, path[step], build=plain_cells)
        assert_close(path[step + 1], want, name=f"the centers after step {step + 1}")


def cells_and_centers(rng, n, C, whole=False):
    vectors = rng.integers(-2, 3, size=(n, 3)).astype(float) if whole else rng.normal(size=(n, 3))
    centers = rng.integers(-3, 4, size=(C, 3)).astype(float) if whole else 2 * rng.normal(size=(C, 3))
    owner = rng.integers(0, C, size=n)
    owner[owner == 1] = 0  # cell 1 is empty
    return vectors, centers, [np.flatnonzero(owner == c) for c in range(C)]


@number("8.4")
@weight(2)
@tags("ivf")
@pytest.mark.parametrize("case", ["normal", "ties", "few_members"])
@pytest.mark.parametrize("n_probe", [1, 3])
def test_ivf_search_looks_into_the_best_cells(agree, rng, case, n_probe):
    """The best cells by dot product, the best of their documents, and one comparison for each center and document."""
    vectors, centers, cells = cells_and_centers(rng, 40, 6, whole=case == "ties")
    query = np.array([1.0, -1.0, 2.0]) if case == "ties" else rng.normal(size=3)
    k = 30 if case == "few_members" else 4

    agree("ivf_search", query, vectors, centers, cells, k, n_probe=n_probe)


@number("8.5")
@weight(1)
@tags("ivf")
def test_ivf_search_in_all_cells_is_exact(impl, rng):
    """With every cell probed, the result is that of a search among all documents, and costs C comparisons more."""
    for whole in (False, True):
        vectors, centers, cells = cells_and_centers(rng, 25, 5, whole=whole)
        query = np.array([2.0, 1.0, -1.0]) if whole else rng.normal(size=3)

        ids, comparisons = impl.ivf_search(query, vectors, centers, cells, 7, n_probe=5)

        want = np.argsort(-(vectors @ query), kind="stable")[:7]
        assert_close(ids, want, name="ids of the seven best documents")
        assert_close(comparisons, 5 + 25, name="comparisons")


@number("8.6")
@weight(1)
@tags("ivf")
@pytest.mark.parametrize("case", ["few", "many"])
def test_best_n_cells_needs_the_fewest_comparisons(agree, rng, case):
    """No other number of cells needs fewer comparisons; of two equally good ones it is the smaller."""
    if case == "few":
        pairs = [(n, p) for n in (1, 2, 3, 6, 12, 20, 21, 30) for p in (1, 2, 3, n) if p <= n]
    else:
        pairs = [(int(n), int(rng.integers(1, 40))) for n in rng.integers(1000, 10**6, size=12)]

    agree(lambda impl: [impl.best_n_cells(*pair) for pair in pairs])


# Task 9


@number("9.1")
@weight(1)
@tags("prompt")
@pytest.mark.parametrize("constant", [60, 5])
def test_fuse_adds_reciprocal_ranks(agree, rng, constant):
    """Each ranking adds 1 / (constant + rank); a document that a ranking lacks gets nothing from it."""
    rankings = [[int(i) for i in rng.permutation(15)[:size]] for size in (8, 3, 0, 6)]

    agree(fused, rankings, constant)


def fused(impl, rankings, constant=60):
    ids, scores = impl.fuse(rankings, constant=constant)
    return [int(i) for i in ids], [float(score) for score in scores]


@number("9.2")
@weight(1)
@tags("prompt")
def test_fuse_lets_documents_with_the_same_ranks_tie(agree, rng):
    """Documents with the same ranks in another order tie exactly, and the lower number goes first."""
    # three rankings that are rotations of one another, of blocks of three: each block's documents have the same ranks
    blocks = rng.permutation(30).reshape(10, 3).tolist()
    rankings = [[block[(i + turn) % 3] for block in blocks for i in range(3)] for turn in range(3)]

    agree(fused, rankings)


@number("9.3")
@weight(1)
@tags("prompt")
@pytest.mark.parametrize(("size", "overlap"), [(5, 0), (5, 2), (4, 3), (1, 0), (50, 7)])
def test_split_passages_covers_every_word(agree, size, overlap):
    """Passages overlap by the given number of words, and the last one holds a word that no other has."""
    lengths = (0, 1, size, size + 1, 23, 2 * size - overlap)

    def split(impl):
        return [[[int(word) for word in part] for part in impl.split_passages(list(range(n)), size, overlap)] for n in lengths]

    agree(split)


@number("9.4")
@weight(2)
@tags("prompt")
@pytest.mark.parametrize("case", ["words", "characters", "squeezed"])
def test_assemble_prompt_fills_the_budget_from_the_best(agree, rng, case):
    """Whole passages from the best on, as many as fit into the budget together with everything else."""
    count = {
        "words": lambda text: len(text.split()),
        "characters": lambda text: len(text),
        # the more lines, the more tokens for each of them: counts of lines don't add up
        "squeezed": lambda text: len(text) + text.count("\n") ** 2,
    }[case]
    count.unrecorded = True
    passages = [" ".join(rng.choice(WORDS, size=size)) for size in rng.integers(1, 12, size=8)]
    least = count("Use the passages.\nWhat is salt?")
    # of equal passages, both may be used
    passages[5] = passages[2]
    prompts = [least + extra for extra in (0, *rng.integers(1, 4 * count(" ".join(passages)) // 5, size=6))]

    def assembled(impl):
        got = [impl.assemble_prompt("Use the passages.", passages, "What is salt?", budget=int(b), count=count) for b in prompts]
        return [(str(prompt), [int(i) for i in used]) for prompt, used in got]

    agree(assembled)


@number("9.5")
@weight(1)
@tags("prompt")
def test_a_budget_without_room_for_the_question_is_refused(impl, agree):
    """If instruction and question alone exceed the budget, the answer is a ValueError; if they just fit, it is a prompt."""
    args = "Use the passages.", ["Salt is a crystal."], "What is salt?"

    assert_refuses(impl.assemble_prompt, *args, budget=30, count=len, name="assemble_prompt")
    agree("assemble_prompt", *args, budget=31, count=len)
