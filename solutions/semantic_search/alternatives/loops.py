"""One number at a time: loops and plain lists, and other ways where there are several (fractions, heaps, sums of squares)."""

import heapq
import math
from fractions import Fraction

import numpy as np

# ---- words


def build_index(documents):
    if len(documents) == 0:
        raise ValueError("no documents")
    if any(isinstance(document, str) for document in documents):
        raise ValueError("tokenize first")
    vocabulary = sorted({word for words in documents for word in words})
    postings = {word: [(i, words.count(word)) for i, words in enumerate(documents) if word in words] for word in vocabulary}
    return postings, np.array(list(map(len, documents)), dtype=np.int64)


def bm25(query, postings, lengths, *, k1=1.5, b=0.75):
    if k1 < 0 or not 0 <= b <= 1 or not sum(lengths) > 0 or isinstance(query, str):
        raise ValueError("bad argument")
    average = sum(lengths) / len(lengths)
    counts = {word: dict(postings[word]) for word in set(query) if word in postings}
    scores = []
    for number, length in enumerate(lengths):
        score = 0.0
        for word in query:
            tf = counts.get(word, {}).get(number, 0)
            if tf == 0:
                continue
            df = len(counts[word])
            idf = math.log((len(lengths) + 1) / (df + 0.5))  # the same fraction, simplified
            score += idf * (k1 + 1) / (1 + k1 / tf * ((1 - b) + b * length / average))
        scores.append(score)
    return np.array(scores)


# ---- vectors


def similarities(queries, documents, *, kind="dot"):
    if kind not in ("dot", "cosine", "distance"):
        raise ValueError("unknown kind")
    out = np.zeros((len(queries), len(documents)))
    for i, q in enumerate(np.asarray(queries, dtype=float)):
        for j, v in enumerate(np.asarray(documents, dtype=float)):
            if kind == "dot":
                out[i, j] = q @ v
            elif kind == "distance":
                out[i, j] = -np.sum((q - v) ** 2)
            elif q.any() and v.any():
                out[i, j] = (q / math.sqrt(q @ q)) @ (v / math.sqrt(v @ v))
    return out


def top_k(queries, documents, k, *, kind="dot", chunk=1024, similarity=similarities):
    if k < 1 or chunk < 1:
        raise ValueError("k and chunk must be positive")
    kept = [[] for _ in queries]
    for start in range(0, len(documents), chunk):
        block = similarity(np.asarray(queries), np.asarray(documents)[start : start + chunk], kind=kind)
        for row, scores in zip(kept, block):
            row += [(-float(score), start + j) for j, score in enumerate(scores)]
            row[:] = heapq.nsmallest(k, row)
    ids = np.array([[number for _, number in row] for row in kept], dtype=np.int64)
    return ids, np.array([[-score for score, _ in row] for row in kept])


# ---- measures


def recall(ranking, grades, k):
    hits = [number in ranking[:k] for number, grade in grades.items() if grade > 0]
    return sum(hits) / len(hits) if hits else None


def average_precision(ranking, grades):
    relevant = [number for number, grade in grades.items() if grade > 0]
    if not relevant:
        return None
    places = sorted(ranking.index(number) + 1 for number in relevant if number in ranking)
    return sum(count / place for count, place in enumerate(places, 1)) / len(relevant)


def ndcg(ranking, grades, k, *, exponential=False):
    gain = (lambda grade: 2**grade - 1) if exponential else float
    weights = [math.log(2) / math.log(rank + 1) for rank in range(1, k + 1)]
    ideal = sum(w * gain(grade) for w, grade in zip(weights, sorted(grades.values())[::-1]))
    if not any(grade > 0 for grade in grades.values()):
        return None
    return sum(w * gain(grades.get(number, 0)) for w, number in zip(weights, ranking)) / ideal


def mean_over_queries(values):
    total, count = 0.0, 0
    for value in values:
        if value is None:
            continue
        total, count = total + value, count + 1
    return total / count if count else None


# ---- contrastive


def false_negatives(query_ids, document_ids):
    if len(document_ids) < len(query_ids):
        raise ValueError("too few documents")
    rights = {}
    for query, text in zip(query_ids, document_ids):
        rights.setdefault(query, set()).add(text)
    return np.array([[j != i and text in rights[query] for j, text in enumerate(document_ids)] for i, query in enumerate(query_ids)])


def _classifications(queries, documents, temperature, skip, both):
    """Each (row, candidates, right candidate): indices of queries and documents, in both directions."""
    B, M = len(queries), len(documents)
    taken = [[True] * M for _ in range(B)] if skip is None else (~np.asarray(skip)).tolist()
    ways = [("q", i, [j for j in range(M) if taken[i][j]], i) for i in range(B)]
    if both:
        ways += [("d", j, [i for i in range(B) if taken[i][j]], j) for j in range(B)]
    for kind, own, others, right in ways:
        z = [float(np.dot(queries[own], documents[o]) if kind == "q" else np.dot(queries[o], documents[own])) / temperature for o in others]
        top = max(z)
        total = math.fsum(math.exp(value - top) for value in z)
        probabilities = [math.exp(value - top) / total for value in z]
        yield kind, own, others, right, top + math.log(total) - z[others.index(right)], probabilities


def info_nce(queries, documents, *, temperature, skip=None, both=False):
    queries, documents = np.asarray(queries, dtype=float), np.asarray(documents, dtype=float)
    losses = [loss for *_, loss, _ in _classifications(queries, documents, temperature, skip, both)]
    return sum(losses) / len(losses)  # as many in either direction


def info_nce_gradient(queries, documents, *, temperature, skip=None, both=False):
    queries, documents = np.asarray(queries, dtype=float), np.asarray(documents, dtype=float)
    in_queries, in_documents = np.zeros_like(queries), np.zeros_like(documents)
    share = 1 / (temperature * len(queries) * (2 if both else 1))
    for kind, own, others, right, _, probabilities in _classifications(queries, documents, temperature, skip, both):
        for other, p in zip(others, probabilities):
            i, j = (own, other) if kind == "q" else (other, own)
            pull = (p - (other == right)) * share
            in_queries[i] += pull * documents[j]
            in_documents[j] += pull * queries[i]
    return in_queries, in_documents


def lowest_loss(n, temperature):
    if n < 1 or not temperature > 0:
        raise ValueError("bad argument")
    # logits 1/t and c/t with 1 + (n - 1) c = 0
    return math.log1p(sum([math.exp(-(1 + 1 / (n - 1)) / temperature)]) * (n - 1)) if n > 1 else 0.0


# ---- large batches


def cached_step(params, queries, documents, *, temperature, chunk, encode=None, backward=None, loss=None, gradient=None):
    if chunk < 1:
        raise ValueError("chunk must be positive")
    encode, backward = encode or encode_rows, backward or backward_rows  # noqa: F821
    loss, gradient = loss or info_nce, gradient or info_nce_gradient
    rows, B = np.concatenate([queries, documents]), len(queries)  # one encoder for both, so chunks may hold both
    starts = range(0, len(rows), chunk)
    embeddings = np.concatenate([encode(params, rows[s : s + chunk]) for s in starts])
    value = loss(embeddings[:B], embeddings[B:], temperature=temperature)
    upstream = np.concatenate(gradient(embeddings[:B], embeddings[B:], temperature=temperature))
    slopes = [backward(params, rows[s : s + chunk], upstream[s : s + chunk]) for s in reversed(starts)]
    return float(value), np.sum(slopes, axis=0)


# ---- re-ranking


def search_cross(query, documents, k, *, score):
    if k < 1:
        raise ValueError("k must be positive")
    return [number for _, number in heapq.nsmallest(k, [(-score(query, text), i) for i, text in enumerate(documents)])]


def rerank(query, documents, vectors, k, *, n_candidates, encode, score, first=None):
    if not 1 <= k <= n_candidates:
        raise ValueError("k must be from 1 to n_candidates")
    first = first or search_bi  # noqa: F821
    numbers = first(query, vectors, n_candidates, encode=encode)
    return [number for _, number in sorted((-score(query, documents[i]), i) for i in numbers)][:k]


def encoder_calls(n_documents, n_queries, n_candidates):
    if min(n_documents, n_queries, n_candidates) < 0:
        raise ValueError("negative")
    texts = sum(1 for _ in range(n_documents)) + n_queries
    pairs = [min(n_candidates, n_documents)] * n_queries
    return texts, sum([n_documents] * n_queries), texts + sum(pairs)


# ---- fewer bits


def quantize(vectors):
    codes, scales = np.zeros(np.shape(vectors), dtype=np.int8), np.zeros(len(vectors))
    for i, vector in enumerate(np.asarray(vectors, dtype=float)):
        scales[i] = max(abs(vector)) / 127
        if scales[i]:
            codes[i] = [round(float(x / scales[i])) for x in vector]  # Python rounds halves to even
    return codes, scales


def dot_error_bound(queries, scales):
    if min(scales) < 0:
        raise ValueError("negative scale")
    return np.array([[0.5 * sum(abs(x) * scale for x in query) for scale in scales] for query in np.asarray(queries, dtype=float)])


def binary_codes(vectors):
    out = []
    for vector in np.asarray(vectors, dtype=float):
        bits = "".join("1" if x > 0 else "0" for x in vector)
        bits += "0" * (-len(bits) % 8)
        out.append([int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)])
    return np.array(out, dtype=np.uint8)


def rescore(query, vectors, distances, k, *, n_candidates):
    if not 1 <= k <= n_candidates:
        raise ValueError("k must be from 1 to n_candidates")
    near = sorted(range(len(vectors)), key=lambda i: (distances[i], i))[:n_candidates]
    return np.array(sorted(near, key=lambda i: (-float(np.dot(query, vectors[i])), i))[:k], dtype=np.int64)


# ---- cells


def ivf_build(vectors, centers):
    cells = [[] for _ in centers]
    for i, v in enumerate(np.asarray(vectors, dtype=float)):
        far = [float(np.sum((v - c) ** 2)) for c in np.asarray(centers, dtype=float)]
        cells[far.index(min(far))].append(i)
    return [np.array(cell, dtype=np.int64) for cell in cells]


def kmeans_step(vectors, centers, *, build=ivf_build):
    cells = build(np.asarray(vectors), np.asarray(centers))
    return np.array([
        np.sum([vectors[i] for i in cell], axis=0) / len(cell) if len(cell) else center for cell, center in zip(cells, centers)
    ], dtype=np.float64)  # fmt: skip


def ivf_search(query, vectors, centers, cells, k, *, n_probe):
    if k < 1 or not 1 <= n_probe <= len(centers):
        raise ValueError("bad argument")
    probed = sorted(range(len(centers)), key=lambda c: (-float(np.dot(query, centers[c])), c))[:n_probe]
    scored = [(-float(np.dot(query, vectors[i])), int(i)) for c in probed for i in cells[c]]
    return np.array([i for _, i in heapq.nsmallest(k, scored)], dtype=np.int64), len(scored) + len(centers)


def best_n_cells(n_vectors, n_probe):
    if not 1 <= n_probe <= n_vectors:
        raise ValueError("bad argument")
    # the cost falls as long as C (C + 1) < N p: go up from there by bisection
    low, high = n_probe, n_vectors
    while low < high:
        middle = (low + high) // 2
        if middle * (middle + 1) < n_vectors * n_probe:
            low = middle + 1
        else:
            high = middle
    return low


# ---- prompts


def fuse(rankings, *, constant=60):
    if constant < 0:
        raise ValueError("negative constant")
    exact = {}
    for ranking in rankings:
        for place, document in enumerate(ranking):
            exact[document] = exact.get(document, 0) + 1 / Fraction(constant + place + 1)
    ids = sorted(exact, key=lambda document: (-exact[document], document))
    return ids, [float(exact[document]) for document in ids]


def split_passages(words, size, overlap):
    if size < 1 or not 0 <= overlap < size:
        raise ValueError("bad argument")
    passages, rest = [], list(words)
    while rest:
        passages.append(rest[:size])
        rest = rest[size - overlap :] if len(rest) > size else []
    return passages


def assemble_prompt(instruction, passages, question, *, budget, count):
    body, used = [instruction], []
    if count("\n".join([*body, question])) > budget:
        raise ValueError("budget too small")
    for i, passage in enumerate(passages):
        longer = [*body, f"[{len(used) + 1}] {passage}"]
        if count("\n".join([*longer, question])) <= budget:
            body, used = longer, [*used, i]
    return "\n".join([*body, question]), used
