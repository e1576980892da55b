"""Search by words and by meaning: from an inverted index to the prompt of a language model.

The file holds BM25 with its index, exact search over vectors, measures of a ranking, the contrastive loss that trains an
encoder and its gradient, a training step for large batches, re-ranking, compressed vectors, a cell index, and what lies
between a search and a prompt. It leaves out the encoders themselves: they are passed in as functions.

Documents have the numbers 0 .. N - 1. Everywhere, of two equal scores the lower document number ranks first. All
computed numbers are float64. No function changes its arguments.
"""

import math
import re
from collections import Counter

import numpy as np

# ---------------------------------------------------------------------------------------------------------
# Task 1: search by words


def tokenize(text):
    """Return the words of a text in lower case, as a list: "It's 5 km." gives ["it", "s", "5", "km"]."""
    return re.findall(r"\w+", text.lower())


def build_index(documents):
    """Return which documents hold each word, and how long the documents are.

    Args:
        documents: N documents, each a list of words. A document may be empty.

    Returns:
        (postings, lengths). `postings` is a dict: postings[word] is a list of pairs (document number, how often the
        word occurs there), for the documents that hold the word, in rising order of the document number. `lengths` is
        an int64 array of shape (N,): the number of words of each document.

    Example:
        [["a", "b", "a"], ["b"]] gives {"a": [(0, 2)], "b": [(0, 1), (1, 1)]} and [3, 1].

    Raises:
        ValueError: If there are no documents, or one of them is a text instead of a list of words.
    """
    if len(documents) == 0:
        raise ValueError("documents must hold at least one document, got none")
    if any(isinstance(document, str) for document in documents):
        raise ValueError("each document must be a list of words, got a text: tokenize it first")
    # for each document: count its words; put each count into its word's list
    # YOUR CODE HERE
    raise NotImplementedError("task lexical is not written yet")


def bm25(query, postings, lengths, *, k1=1.5, b=0.75):
    """Return the BM25 score of every document for one query.

    The score is a sum over the words of the query. A word that the query holds twice counts twice. A word in the
    query that no document holds adds 0. A word adds idf * f to each document that holds it, with

        idf = ln(1 + (N - df + 1/2) / (df + 1/2))
        f   = tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average))

    Here df is the number of documents that hold the word, and tf is how often the word occurs in the document. The
    document's length is counted in words. `average` is the mean length of all N documents.

    Args:
        query: A list of words.
        postings, lengths: From `build_index`.
        k1: At least 0.
        b: From 0 to 1.

    Returns:
        float64, shape (N,). No score is negative.

    Raises:
        ValueError: If k1 is negative, b is outside [0, 1], all documents are empty, or the query is a text.

    Source:
        Robertson and Zaragoza 2009. The 1 inside the logarithm is Lucene's.
    """
    lengths = np.asarray(lengths)
    if k1 < 0:
        raise ValueError(f"k1 must not be negative, got {k1}")
    if not 0 <= b <= 1:
        raise ValueError(f"b must lie in [0, 1], got {b}")
    if not lengths.sum() > 0:
        raise ValueError("lengths must hold a document with at least one word")
    if isinstance(query, str):
        raise ValueError("query must be a list of words, got a text: tokenize it first")
    # for each word of the query: its idf; then f for each document in its list
    # YOUR CODE HERE
    raise NotImplementedError("task lexical is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 2: search by vectors

KINDS = ("dot", "cosine", "distance")


def similarities(queries, documents, *, kind="dot"):
    """Return how similar each query is to each document: the larger the number, the more similar.

    Args:
        queries: Shape (Q, d).
        documents: Shape (N, d).
        kind: "dot" is the dot product. "cosine" is the dot product of the two vectors after each has been divided by
            its length; the cosine of a zero vector with anything is 0. "distance" is minus the squared Euclidean
            distance.

    Returns:
        float64, shape (Q, N).

    Raises:
        ValueError: If kind is another word, or queries and documents are not matrices of the same width.
    """
    queries, documents = _as_vectors(queries, documents)
    _known_kind(kind)
    # YOUR CODE HERE
    raise NotImplementedError("task nearest is not written yet")


def top_k(queries, documents, k, *, kind="dot", chunk=1024, similarity=similarities):
    """Return the k most similar documents of each query, without a matrix of all similarities.

    The documents are looked at in chunks: each call of `similarity` gets at most `chunk` of them. After each chunk,
    only the k best documents so far are kept for each query. The result is the same for every chunk size, as far as
    `similarity` gives the same numbers.

    Args:
        queries: Shape (Q, d).
        documents: Shape (N, d).
        k: How many documents to return for each query, at least 1. If k > N, all N are returned.
        kind: Handed to `similarity`.
        chunk: At least 1.
        similarity: similarity(queries, some_documents, kind=kind) returns shape (Q, number of these documents).

    Returns:
        (ids, scores), each of shape (Q, min(k, N)), the best document first. `ids` is int64, `scores` is float64.

    Raises:
        ValueError: If k or chunk is below 1, kind is another word, or the shapes don't fit together.
    """
    queries, documents = _as_vectors(queries, documents)
    _known_kind(kind)
    _at_least("k", k, 1)
    _at_least("chunk", chunk, 1)
    # 1. nothing is kept yet; 2. for each chunk: its similarities and its document numbers, beside what was kept;
    # 3. keep the best k of each row
    # YOUR CODE HERE
    raise NotImplementedError("task nearest is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 3: is the ranking good?


def precision(ranking, grades, k):
    """Return the share of relevant documents among the first k ranks. A rank that stays empty counts as a miss."""
    _at_least("k", k, 1)
    return sum(grades.get(document, 0) > 0 for document in ranking[:k]) / k


def reciprocal_rank(ranking, grades):
    """Return 1 / (rank of the first relevant document), 0 if none is found, None if no document is relevant."""
    if not any(grade > 0 for grade in grades.values()):
        return None
    return next((1 / rank for rank, document in enumerate(ranking, 1) if grades.get(document, 0) > 0), 0.0)


def recall(ranking, grades, k):
    """Return the share of all relevant documents that stand at the first k ranks.

    Args:
        ranking: Different document numbers, the best first. It need not hold every document.
        grades: A dict from document number to grade, a number of at least 0. A document is relevant if its grade is
            above 0. Documents without a grade have grade 0.
        k: At least 1. It may be larger than the ranking.

    Returns:
        A float, or None if no document is relevant.

    Raises:
        ValueError: If k is below 1, a grade is negative, or a document is ranked twice.
    """
    _check_ranking(ranking, grades)
    _at_least("k", k, 1)
    # YOUR CODE HERE
    raise NotImplementedError("task measures is not written yet")


def average_precision(ranking, grades):
    """Return the mean, over all relevant documents, of the precision at the rank where each is found.

    A relevant document that the ranking does not hold adds 0 to the sum, and is counted all the same.

    Args:
        ranking, grades: As for `recall`.

    Returns:
        A float, or None if no document is relevant.

    Raises:
        ValueError: If a grade is negative, or a document is ranked twice.
    """
    _check_ranking(ranking, grades)
    # YOUR CODE HERE
    raise NotImplementedError("task measures is not written yet")


def ndcg(ranking, grades, k, *, exponential=False):
    """Return the discounted gain of the first k ranks, divided by that of the best possible ranking.

    The document at rank r adds gain / log2(r + 1). The gain is the document's grade, or 2^grade - 1 if `exponential` is
    set. The best possible ranking holds every document of `grades`, also those that `ranking` lacks, and counts k ranks.

    Args:
        ranking, grades, k: As for `recall`.
        exponential: Whether the gain is 2^grade - 1.

    Returns:
        A float in [0, 1], or None if no document is relevant.

    Raises:
        ValueError: If k is below 1, a grade is negative, or a document is ranked twice.

    Source:
        Jarvelin and Kekalainen 2002; the exponential gain is from Burges et al. 2005.
    """
    _check_ranking(ranking, grades)
    _at_least("k", k, 1)
    # YOUR CODE HERE
    raise NotImplementedError("task measures is not written yet")


def mean_over_queries(values):
    """Return the mean of a measure over queries. Queries whose value is None are left out.

    Args:
        values: One number or None for each query.

    Returns:
        A float, or None if no query has a value.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task measures is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 4: the contrastive loss


def false_negatives(query_ids, document_ids):
    """Return which columns must not serve as a row's negatives, because they are right answers to its query.

    Row i holds a query and column i holds its positive. Take all rows with the same query as
    row i, row i too. If column j has the text of one of their positives, it is a right answer to row i. The column i itself is never marked in row i.

    Args:
        query_ids: B whole numbers. Equal numbers mean equal queries.
        document_ids: M whole numbers, M >= B. Equal numbers mean equal texts.

    Returns:
        bool, shape (B, M). True means: leave this column out of this row.

    Example:
        query_ids [7, 8] and document_ids [1, 2, 1] give [[False, False, True], [False, False, False]].

    Raises:
        ValueError: If there are fewer documents than queries.
    """
    query_ids, document_ids = np.asarray(query_ids), np.asarray(document_ids)
    if len(document_ids) < len(query_ids):
        raise ValueError(f"each query needs a positive, got {len(query_ids)} queries, {len(document_ids)} documents")
    # YOUR CODE HERE
    raise NotImplementedError("task contrastive is not written yet")


def info_nce(queries, documents, *, temperature, skip=None, both=False):
    """Return the contrastive loss of a batch: how badly each query picks its positive among all columns.

    The logits are the dot products of queries and documents, divided by the temperature. Each row i is a classification
    among the M columns, and its right class is column i. The loss is the mean over the rows of minus the log-probability
    of the right class. The columns B .. M - 1 are hard negatives.

    Args:
        queries: Shape (B, d).
        documents: Shape (M, d), M >= B. Document i is the positive of query i.
        temperature: Positive.
        skip: bool, shape (B, M). A marked column does not compete in its row: its logit is -inf. None marks nothing.
        both: Also let each of the documents 0 .. B - 1 pick its query among the B queries. A pair (i, j) that `skip` marks
            is left out in this direction, too. The result is the mean of the two losses.

    Returns:
        A float. It is finite and right for logits of any size up to 1e5.

    Raises:
        ValueError: If the shapes don't fit together, the temperature is not positive, or skip marks a positive.

    Source:
        van den Oord, Li and Vinyals 2018, equation 4; both directions as in Radford et al. 2021.
    """
    queries, documents, skip = _as_batch(queries, documents, temperature, skip)
    # 1. logits; 2. leave out what is marked; 3. log-probability of the right class; 4. the other direction
    # YOUR CODE HERE
    raise NotImplementedError("task contrastive is not written yet")


def info_nce_gradient(queries, documents, *, temperature, skip=None, both=False):
    """Return the slope of `info_nce` in every number of the queries and of the documents, by your own formula.

    Args:
        queries, documents, temperature, skip, both: As for `info_nce`.

    Returns:
        (gradient in queries, shape (B, d); gradient in documents, shape (M, d)), float64.

    Example:
        If the two queries and the two documents of a batch are all [1, 0] and the temperature is 1, both gradients are 0.

    Raises:
        ValueError: As for `info_nce`.
    """
    queries, documents, skip = _as_batch(queries, documents, temperature, skip)
    # 1. the slope of the loss in each logit; 2. the chain rule to both factors of each dot product
    # YOUR CODE HERE
    raise NotImplementedError("task contrastive is not written yet")


def lowest_loss(n, temperature):
    """Return the lowest `info_nce` that n queries and n documents of length 1 can reach, in enough dimensions.

    Nothing is skipped, and there are no hard negatives.

    Args:
        n: Batch size, at least 1.
        temperature: Positive.

    Returns:
        A float of at least 0.

    Raises:
        ValueError: If n is below 1 or the temperature is not positive.
    """
    _at_least("n", n, 1)
    _positive("temperature", temperature)
    # YOUR CODE HERE
    raise NotImplementedError("task contrastive is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 5: large batches in little memory


def encode_rows(params, inputs):
    """Return a small encoder's embeddings: each row of inputs @ params, divided by its length."""
    rows = inputs @ params
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def backward_rows(params, inputs, upstream):
    """Return the slope in `params` of the sum of upstream * encode_rows(params, inputs), shape of `params`."""
    rows = inputs @ params
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / lengths
    return inputs.T @ ((upstream - unit * (unit * upstream).sum(axis=1, keepdims=True)) / lengths)


def cached_step(
    params, queries, documents, *, temperature, chunk,
    encode=encode_rows, backward=backward_rows, loss=info_nce, gradient=info_nce_gradient,
):  # fmt: skip
    """Return the loss of the whole batch and its gradient in the encoder's parameters, one chunk of rows at a time.

    Queries and documents share one encoder. Embeddings are small, so those of the whole batch fit into memory. What does
    not fit is the inside of the encoder for the whole batch. So no call of `encode` or `backward` gets more than `chunk` rows.
    Each row is handed once to `encode` and once to `backward`. The result is the same for every chunk size.

    Args:
        params: The encoder's parameters, an array of any shape.
        queries: Inputs of the encoder, shape (B, n).
        documents: Inputs of the encoder, shape (M, n), M >= B.
        temperature: Positive. Handed to `loss` and `gradient`.
        chunk: At least 1.
        encode: encode(params, rows) returns the rows' embeddings, shape (number of rows, d).
        backward: backward(params, rows, upstream) returns the slope in params of the sum over all numbers of
            upstream * encode(params, rows). `upstream` has the shape of these embeddings.
        loss: loss(query_embeddings, document_embeddings, temperature=temperature) returns a number.
        gradient: Takes what `loss` takes, and returns its slopes in both arrays of embeddings.

    Returns:
        (loss, slope): a float, and an array of the shape of `params`.

    Raises:
        ValueError: If chunk is below 1.
    """
    _at_least("chunk", chunk, 1)
    # YOUR CODE HERE
    raise NotImplementedError("task big_batch is not written yet")


def accumulated_step(params, queries, documents, *, temperature, chunk):
    """Return the mean loss and the mean gradient of batches of `chunk` rows, each of which sees its own rows only.

    There are as many documents as queries, and `chunk` divides their number.
    """
    parts = [slice(start, start + chunk) for start in range(0, len(queries), chunk)]
    steps = [cached_step(params, queries[at], documents[at], temperature=temperature, chunk=chunk) for at in parts]
    return sum(value for value, _ in steps) / len(steps), sum(slope for _, slope in steps) / len(steps)


# ---------------------------------------------------------------------------------------------------------
# Task 6: retrieve, then re-rank


def search_bi(query, vectors, k, *, encode):
    """Return the numbers of the k documents with the largest dot product, as a list: one call of `encode`."""
    scores = np.asarray(vectors) @ encode(query)
    return [int(number) for number in np.argsort(-scores, kind="stable")[:k]]


def search_cross(query, documents, k, *, score):
    """Return the numbers of the k documents that a cross-encoder scores highest, the best first.

    Args:
        query: A text.
        documents: N texts.
        k: At least 1. If k > N, all N are returned.
        score: score(query, document) returns a number. Call it once for each document.

    Returns:
        A list of ints.

    Raises:
        ValueError: If k is below 1.
    """
    _at_least("k", k, 1)
    # YOUR CODE HERE
    raise NotImplementedError("task reranking is not written yet")


def rerank(query, documents, vectors, k, *, n_candidates, encode, score, first=search_bi):
    """Return the k best of the first search's candidates, in the order of a cross-encoder.

    Args:
        query: A text.
        documents: N texts.
        vectors: What `encode` gave for each document earlier, shape (N, d).
        k: From 1 to n_candidates.
        n_candidates: How many documents the first search hands on. If n_candidates > N, all N are handed on.
        encode: encode(text) returns a vector, shape (d,). It is for `first` only.
        score: score(query, document) returns a number. Call it once for each candidate.
        first: first(query, vectors, n_candidates, encode=encode) returns the candidates' numbers, the best first.

    Returns:
        A list of ints, the best document first. Equal scores: the lower document number first, as everywhere.

    Raises:
        ValueError: If k is below 1 or above n_candidates.
    """
    _at_least("k", k, 1)
    if k > n_candidates:
        raise ValueError(f"k must not exceed n_candidates, got k = {k} and n_candidates = {n_candidates}")
    # YOUR CODE HERE
    raise NotImplementedError("task reranking is not written yet")


def encoder_calls(n_documents, n_queries, n_candidates):
    """Return how often a transformer runs until all queries are answered, for three ways of searching.

    A run of the bi-encoder reads one text. A run of the cross-encoder reads one query and one document. Nothing is computed
    twice: the vector of a document serves all queries.

    Args:
        n_documents: At least 0.
        n_queries: At least 0.
        n_candidates: How many documents `rerank` hands on for each query. It may exceed n_documents.

    Returns:
        (bi, cross, reranked), three ints: for `search_bi`, `search_cross` and `rerank`. The vectors of the documents
        count for those ways that need them.

    Raises:
        ValueError: If one of the numbers is negative.
    """
    for name, number in (("n_documents", n_documents), ("n_queries", n_queries), ("n_candidates", n_candidates)):
        _at_least(name, number, 0)
    # YOUR CODE HERE
    raise NotImplementedError("task reranking is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 7: fewer bits


def quantize(vectors):
    """Return each vector as whole numbers from -127 to 127, and the step between two of these numbers.

    Each vector has a step (its *scale*) of its own: its largest absolute coordinate becomes 127 or -127. A coordinate is
    divided by the scale and rounded to the nearest whole number. A half is rounded to the even neighbor. A zero vector
    has scale 0 and codes 0.

    Args:
        vectors: Shape (N, d), d >= 1.

    Returns:
        (codes, scales): int8 of shape (N, d), and float64 of shape (N,). codes * scales[:, None] is close to vectors.

    Raises:
        ValueError: If vectors is not a matrix with at least one column.
    """
    vectors = _as_matrix("vectors", vectors)
    # YOUR CODE HERE
    raise NotImplementedError("task compress is not written yet")


def dot_error_bound(queries, scales):
    """Return by how much a dot product can change at most when the document is replaced by its codes times its scale.

    Any coordinate of a document may be rounded as badly as possible, whatever becomes of the others.

    Args:
        queries: Not quantized, shape (Q, d).
        scales: Of N documents, shape (N,), at least 0.

    Returns:
        float64, shape (Q, N).

    Raises:
        ValueError: If a scale is negative.
    """
    queries, scales = _as_matrix("queries", queries), np.asarray(scales, dtype=np.float64)
    if (scales < 0).any():
        raise ValueError(f"scales must not be negative, got {scales.min()}")
    # YOUR CODE HERE
    raise NotImplementedError("task compress is not written yet")


def binary_codes(vectors):
    """Return the signs of the coordinates, eight to a byte: the bit is 1 where the coordinate is above 0.

    Coordinate 0 is the highest bit of the first byte, as in `np.packbits`. Missing bits of the last byte are 0.

    Args:
        vectors: Shape (N, d), d >= 1.

    Returns:
        uint8, shape (N, d / 8, rounded up).

    Raises:
        ValueError: If vectors is not a matrix with at least one column.
    """
    vectors = _as_matrix("vectors", vectors)
    # YOUR CODE HERE
    raise NotImplementedError("task compress is not written yet")


def hamming(code, codes):
    """Return in how many bits one code differs from each of N codes: int64, shape (N,)."""
    return np.unpackbits(code ^ codes, axis=1).sum(axis=1, dtype=np.int64)


def rescore(query, vectors, distances, k, *, n_candidates):
    """Return the k best documents among those whose codes are nearest, ordered by the real vectors.

    The candidates are the n_candidates documents with the smallest distance. They are ranked by the dot product of the query
    with their real vectors.

    Args:
        query: Shape (d,).
        vectors: The real vectors of all documents, shape (N, d).
        distances: From the query's code to each document's code, shape (N,).
        k: From 1 to n_candidates.
        n_candidates: If n_candidates > N, all N documents are candidates.

    Returns:
        int64, shape (min(k, N),), the best document first.

    Raises:
        ValueError: If k is below 1 or above n_candidates, or the shapes don't fit together.
    """
    query, vectors = _as_query(query, vectors)
    distances = np.asarray(distances)
    if distances.shape != (len(vectors),):
        raise ValueError(f"distances must have one entry per vector, got {distances.shape} and {vectors.shape}")
    _at_least("k", k, 1)
    if k > n_candidates:
        raise ValueError(f"k must not exceed n_candidates, got k = {k} and n_candidates = {n_candidates}")
    # YOUR CODE HERE
    raise NotImplementedError("task compress is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 8: an index of cells


def ivf_build(vectors, centers):
    """Return the documents of each cell. A document belongs to the center at the smallest Euclidean distance.

    Of equally near centers, the one with the lower number gets the document.

    Args:
        vectors: Shape (N, d).
        centers: Shape (C, d), C >= 1.

    Returns:
        A list of C int64 arrays: the numbers of the cell's documents, rising. A cell may be empty.

    Raises:
        ValueError: If vectors and centers are not matrices of the same width, or there is no center.
    """
    vectors, centers = _as_vectors(vectors, centers, names=("vectors", "centers"))
    _at_least("the number of centers", len(centers), 1)
    # YOUR CODE HERE
    raise NotImplementedError("task ivf is not written yet")


def kmeans_step(vectors, centers, *, build=ivf_build):
    """Return new centers: each is the mean of the documents of its cell. The center of an empty cell stays.

    Args:
        vectors: Shape (N, d).
        centers: Shape (C, d), C >= 1.
        build: build(vectors, centers) returns the cells.

    Returns:
        float64, shape (C, d).

    Raises:
        ValueError: As for `ivf_build`.

    Source:
        Lloyd 1982.
    """
    vectors, centers = _as_vectors(vectors, centers, names=("vectors", "centers"))
    _at_least("the number of centers", len(centers), 1)
    # YOUR CODE HERE
    raise NotImplementedError("task ivf is not written yet")


def ivf_search(query, vectors, centers, cells, k, *, n_probe):
    """Return the k best documents of the n_probe best cells, and how many comparisons this took.

    Cells are ranked as documents are: by the dot product of the query with the cell's center. Of equal cells, the one with
    the lower number ranks first. A comparison is one dot product of the query, with a center or with a document.

    Args:
        query: Shape (d,).
        vectors: Shape (N, d).
        centers: Shape (C, d).
        cells: C int64 arrays of document numbers, from `ivf_build`.
        k: At least 1.
        n_probe: How many cells to look into, from 1 to C.

    Returns:
        (ids, comparisons): int64 with the best document first, and an int. There are fewer than k ids if the probed cells
        hold fewer documents.

    Raises:
        ValueError: If k is below 1, n_probe is not in 1 .. C, or the shapes don't fit together.

    Source:
        Jegou, Douze and Schmid 2011, the inverted file (IVF).
    """
    query, vectors = _as_query(query, vectors)
    _, centers = _as_query(query, centers)
    _at_least("k", k, 1)
    if not 1 <= n_probe <= len(centers):
        raise ValueError(f"n_probe must be from 1 to {len(centers)}, the number of centers, got {n_probe}")
    # 1. the best cells; 2. their documents; 3. the best of these documents
    # YOUR CODE HERE
    raise NotImplementedError("task ivf is not written yet")


def best_n_cells(n_vectors, n_probe):
    """Return the number of cells with which a search needs the fewest comparisons, if all cells are equally large.

    A cell may then hold a fraction of a document. Of two equally good numbers, the smaller is returned.

    Args:
        n_vectors: At least 1.
        n_probe: How many cells a search looks into, from 1 to n_vectors.

    Returns:
        An int from n_probe to n_vectors.

    Raises:
        ValueError: If n_vectors is below 1, or n_probe is not in 1 .. n_vectors.
    """
    _at_least("n_vectors", n_vectors, 1)
    if not 1 <= n_probe <= n_vectors:
        raise ValueError(f"n_probe must be from 1 to n_vectors, got {n_probe} and {n_vectors}")
    # YOUR CODE HERE
    raise NotImplementedError("task ivf is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 9: from rankings to a prompt


def fuse(rankings, *, constant=60):
    """Return one ranking made of several, by reciprocal rank fusion.

    A document's score is the sum, over the rankings that hold it, of 1 / (constant + rank). The first rank is 1. Two
    documents must get equal scores if they have the same ranks, in whatever order of the rankings.

    Args:
        rankings: Lists of document numbers, the best first. No list holds a document twice. Lists may be empty.
        constant: At least 0.

    Returns:
        (ids, scores): two lists, with every document that is ranked anywhere, the best first.

    Raises:
        ValueError: If the constant is negative, or a ranking holds a document twice.

    Source:
        Cormack, Clarke and Buettcher 2009.
    """
    if constant < 0:
        raise ValueError(f"constant must not be negative, got {constant}")
    for ranking in rankings:
        _check_ranking(ranking, {})
    # YOUR CODE HERE
    raise NotImplementedError("task prompt is not written yet")


def split_passages(words, size, overlap):
    """Return a long document in passages of `size` words, each of which begins with the last `overlap` words before it.

    The last passage is shorter if the words run out. It always holds a word that no earlier passage holds.

    Args:
        words: A list.
        size: At least 1.
        overlap: From 0 to size - 1.

    Returns:
        A list of lists. There are no passages if there are no words.

    Raises:
        ValueError: If size is below 1, or overlap is not in 0 .. size - 1.
    """
    _at_least("size", size, 1)
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be from 0 to size - 1, got overlap = {overlap} and size = {size}")
    # YOUR CODE HERE
    raise NotImplementedError("task prompt is not written yet")


def assemble_prompt(instruction, passages, question, *, budget, count):
    """Return a prompt with the best passages that fit, and which passages these are.

    The prompt's lines are the instruction, then the passages, then the question. Lines are joined by "\\n". The passages
    stand in the given order, each as a line such as "[1] text". They are numbered from 1 without gaps. A passage is never
    cut. Go through the passages from the best. If the prompt with the next passage would exceed the budget, leave this
    passage out and try the one after it.

    Args:
        instruction: A text.
        passages: Texts, the best first.
        question: A text.
        budget: How many tokens the whole prompt may have.
        count: count(text) returns the number of tokens of a text. The count of a text need not be the sum of the counts
            of its lines.

    Returns:
        (prompt, used): the text, and a list with the positions in `passages` of those that it holds.

    Raises:
        ValueError: If the instruction and the question alone exceed the budget.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task prompt is not written yet")


# ---------------------------------------------------------------------------------------------------------
# To experiment with


def toy_vectors(n_topics, *, n=5000, n_queries=100, d=64, noise=0.5, seed=0):
    """Return (vectors, queries) of length 1: random ones for n_topics = 0, otherwise scattered around n_topics centers."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_topics, d))

    def rows(size):
        if n_topics == 0:
            return rng.normal(size=(size, d))
        return centers[rng.integers(n_topics, size=size)] + noise * rng.normal(size=(size, d))

    vectors, queries = rows(n), rows(n_queries)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (vectors, queries)]
    return unit[0], unit[1]


def toy_cells(vectors, n_cells, *, steps=10, seed=0):
    """Return (centers, cells): your `kmeans_step` from randomly chosen documents on, then your `ivf_build`."""
    centers = vectors[np.random.default_rng(seed).choice(len(vectors), n_cells, replace=False)]
    for _ in range(steps):
        centers = kmeans_step(vectors, centers)
    return centers, ivf_build(vectors, centers)


def share_found(results, queries, vectors):
    """Return the mean share of each query's true ten best documents (by dot product) that its result holds."""
    best = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :10]
    return float(np.mean([np.isin(row, result).mean() for row, result in zip(best, results, strict=True)]))


# ---------------------------------------------------------------------------------------------------------
# Checks of arguments


def _as_matrix(name, values):
    """Return values as a float64 matrix with at least one column."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"{name} must have shape (rows, d) with d >= 1, got {values.shape}")
    return values


def _as_vectors(first, second, names=("queries", "documents")):
    """Return both as float64 matrices of the same width."""
    first, second = _as_matrix(names[0], first), _as_matrix(names[1], second)
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"{names[0]} and {names[1]} must share d, got {first.shape} and {second.shape}")
    return first, second


def _as_query(query, vectors):
    """Return one query and the vectors that it is compared with, in float64."""
    query, vectors = np.asarray(query, dtype=np.float64), np.asarray(vectors, dtype=np.float64)
    if query.ndim != 1 or vectors.ndim != 2 or vectors.shape[1] != len(query):
        raise ValueError(f"query (d,) and vectors (n, d) must share d, got {query.shape} and {vectors.shape}")
    return query, vectors


def _as_batch(queries, documents, temperature, skip):
    """Return a batch in float64, and skip as a bool array."""
    queries, documents = _as_vectors(queries, documents)
    _positive("temperature", temperature)
    B, M = len(queries), len(documents)
    if not 1 <= B <= M:
        raise ValueError(f"each of at least one query needs a positive, got {B} queries and {M} documents")
    skip = np.zeros((B, M), dtype=bool) if skip is None else np.asarray(skip, dtype=bool)
    if skip.shape != (B, M):
        raise ValueError(f"skip must have shape ({B}, {M}), got {skip.shape}")
    if np.diagonal(skip).any():
        raise ValueError("skip must not mark a positive")
    return queries, documents, skip


def _check_ranking(ranking, grades):
    if len(set(ranking)) < len(ranking):
        raise ValueError("ranking must not hold a document twice")
    if any(grade < 0 for grade in grades.values()):
        raise ValueError(f"grades must not be negative, got {min(grades.values())}")


def _known_kind(kind):
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")


def _at_least(name, value, least):
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _positive(name, value):
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
