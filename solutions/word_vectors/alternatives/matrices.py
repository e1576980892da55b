"""A third right solution: one-hot matrices, bincounts and broadcasting in place of loops and scatters."""

import math
import re
import unicodedata

import numpy as np


def standardize(text):
    # a second round after folding changes nothing, and is usual
    for _ in range(2):
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if unicodedata.combining(char) == 0).casefold()
    return text


def tokenize(text, *, stop_words=(), standardize=standardize):
    # \w is letters, digits and the underscore
    return [token for token in re.findall(r"[^\W_]+", standardize(text)) if token not in stop_words]


def build_vocabulary(documents, *, min_count=1):
    tokens = sorted(token for document in documents for token in document)
    distinct = sorted(set(tokens))
    numbers = {token: tokens.count(token) for token in distinct}
    order = sorted(distinct, key=lambda token: -numbers[token])  # stable: equal counts stay sorted
    return ["<pad>", "<unk>", *(token for token in order if numbers[token] >= min_count)]


def count_vectors(documents, n_words):
    rows = [np.bincount(np.asarray(document, dtype=int), minlength=n_words) for document in documents]
    return np.array(rows, dtype=float).reshape(len(documents), n_words)


def idf(counts):
    present = np.sign(np.asarray(counts, dtype=float))
    return 1 - np.log((present.sum(axis=0) + 1) / (len(present) + 1))


def tf_idf(counts, corpus, *, idf=idf):
    weighted = np.einsum("nv,v->nv", np.asarray(counts, dtype=float), idf(corpus))
    squares = np.einsum("nv,nv->n", weighted, weighted)
    return np.divide(weighted, np.sqrt(squares)[:, None], out=np.zeros_like(weighted), where=squares[:, None] > 0)


def cooccurrence(documents, n_words, *, window, by_distance=True):
    X = np.zeros((n_words, n_words))
    for document in documents:
        T = len(document)
        one_hot = np.eye(n_words)[np.asarray(document, dtype=int)]  # (T, n_words)
        distance = np.abs(np.subtract.outer(np.arange(T), np.arange(T)))
        near = (distance > 0) & (distance <= window)
        weights = near / np.maximum(distance, 1) if by_distance else near.astype(float)
        X = X + one_hot.T @ weights @ one_hot
    return X


def pmi(X):
    P = np.asarray(X, dtype=float) / np.sum(X)
    rows, columns = P.sum(axis=1), P.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(P) - np.log(rows)[:, None] - np.log(columns)
    return np.where(P > 0, logs, -np.inf)


def best_score(n_true, n_noise):
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(n_true, dtype=float)) - np.log(n_noise)


def ppmi(X, *, shift=0.0, pmi=pmi):
    M = np.array(pmi(X)) - shift
    M[M < 0] = 0.0
    return M


def svd_vectors(M, d, *, power=0.5):
    # the SVD of the transpose: its right singular vectors are the rows' directions
    _, sigma, Ut = np.linalg.svd(np.asarray(M, dtype=float).T, full_matrices=False)
    W = (sigma[:d, None] ** power * Ut[:d]).T
    return W * np.sign(W[np.abs(W).argmax(axis=0), np.arange(d)])


def _weighted_errors(W, C, b, c, X, x_max, power):
    X = np.asarray(X, dtype=float)
    predicted = np.column_stack([W, b, np.ones(len(W))]) @ np.column_stack([C, np.ones(len(C)), c]).T
    error = np.where(X > 0, predicted - np.log(np.maximum(X, 1e-300)), 0.0)
    return error, np.minimum(X, x_max) ** power / x_max**power


def glove_loss(W, C, b, c, X, *, x_max=100.0, power=0.75):
    error, weight = _weighted_errors(W, C, b, c, X, x_max, power)
    return float(np.vdot(weight, error * error))


def glove_gradients(W, C, b, c, X, *, x_max=100.0, power=0.75):
    error, weight = _weighted_errors(W, C, b, c, X, x_max, power)
    slope = 2 * error * weight
    ones = np.ones(len(slope))
    return np.einsum("ij,jd->id", slope, C), np.einsum("ij,id->jd", slope, W), slope @ ones, ones @ slope


def triple_step(W, C, X, i, s, g, *, lr):
    W, C = np.asarray(W, dtype=float), np.asarray(C, dtype=float)
    sign = np.eye(len(W))[i] - np.eye(len(W))[s]
    given = np.asarray(X, dtype=float)[:, g]
    gap = sign @ W @ C[g] - np.log(given[i] / given[s])
    return W - 2 * lr * gap * np.outer(sign, C[g]), C - 2 * lr * gap * np.outer(np.eye(len(C))[g], sign @ W)


def mean_triple_error(errors):
    errors = np.asarray(errors, dtype=float)
    centered = errors - errors.mean(axis=0)
    return float(2 * (centered**2).sum() / centered.size)


def nearest(vectors, query, n, *, exclude=()):
    vectors = np.asarray(vectors, dtype=float)
    products = np.einsum("vd,d->v", vectors, query)
    squares = np.einsum("vd,vd->v", vectors, vectors) * np.dot(query, query)
    cosines = np.zeros(len(vectors))
    cosines[squares > 0] = products[squares > 0] / np.sqrt(squares[squares > 0])
    order = np.lexsort((np.arange(len(vectors)), -cosines))
    return [int(i) for i in order if i not in list(exclude)][:n]


def analogy(vectors, a, b, c, *, nearest=nearest):
    vectors = np.asarray(vectors, dtype=float)
    best = nearest(vectors, vectors[[b, c]].sum(axis=0) - vectors[a], 4, exclude={a, b, c})
    return best[0]


def average_ranks(x):
    distinct, place, number = np.unique(np.asarray(x, dtype=float), return_inverse=True, return_counts=True)
    last = np.cumsum(number)
    return ((last + last - number + 1) / 2)[place]


def windows(documents, size):
    contexts, targets = [np.zeros((0, size), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for document in documents:
        if len(document):
            padded = np.concatenate([np.zeros(size, dtype=np.int64), np.asarray(document, dtype=np.int64)])
            contexts.append(np.lib.stride_tricks.sliding_window_view(padded, size)[:-1])
            targets.append(padded[size:])
    return np.concatenate(contexts), np.concatenate(targets)


def window_lm_forward(params, contexts):
    E = params["E"]
    one_hot = np.eye(len(E))[contexts]  # (N, size, V)
    W = params["W"].reshape(one_hot.shape[1], E.shape[1], -1)
    hidden = np.tanh(np.einsum("nsv,vd,sdh->nh", one_hot, E, W) + params["b"])
    return np.einsum("nh,vh->nv", hidden, params["U"] if "U" in params else E) + params["c"], hidden


def window_lm_backward(params, contexts, hidden, d_logits):
    E = params["E"]
    one_hot = np.eye(len(E))[contexts]
    W = params["W"].reshape(one_hot.shape[1], E.shape[1], -1)
    d_z = (d_logits @ (params["U"] if "U" in params else E)) * (1 - np.square(hidden))
    grads = {
        "E": np.einsum("nsv,nh,sdh->vd", one_hot, d_z, W),
        "W": np.einsum("nsv,vd,nh->sdh", one_hot, E, d_z).reshape(params["W"].shape),
        "b": d_z.sum(axis=0),
        "c": d_logits.sum(axis=0),
    }
    out = np.einsum("nv,nh->vh", d_logits, hidden)
    if "U" in params:
        grads["U"] = out
    else:
        grads["E"] = grads["E"] + out
    return grads


def kneser_ney(counts, *, discount=0.75):
    counts = np.asarray(counts, dtype=float)
    different = np.count_nonzero(counts, axis=0)
    continuation = different / different.sum()
    P = np.tile(continuation, (len(counts), 1))
    known = counts.sum(axis=1) > 0
    kept = np.clip(counts[known] - discount, 0, None) / counts[known].sum(axis=1, keepdims=True)
    P[known] = kept + np.outer(1 - kept.sum(axis=1), continuation)
    return P


def bits_per_byte(mean_loss, n_tokens, text):
    return float(np.log2(np.exp(mean_loss)) * n_tokens / len(text.encode()))
