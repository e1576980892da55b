"""A second right solution: plain Python, one word, cell or window at a time."""

import math
import unicodedata
from collections import Counter, defaultdict

import numpy as np


def standardize(text):
    out = []
    for char in unicodedata.normalize("NFKD", text):
        if unicodedata.combining(char) == 0:
            out.extend(char.casefold())
    return "".join(out)


def tokenize(text, *, stop_words=(), standardize=standardize):
    tokens, current = [], ""
    for char in standardize(text) + " ":
        if char.isalnum():
            current += char
        elif current:
            tokens.append(current)
            current = ""
    return [token for token in tokens if token not in set(stop_words)]


def build_vocabulary(documents, *, min_count=1):
    counts = Counter(token for document in documents for token in document)
    ordered = sorted(sorted(counts), key=counts.__getitem__, reverse=True)  # reverse keeps the order of equals
    return ["<pad>", "<unk>"] + [token for token in ordered if counts[token] >= min_count]


def count_vectors(documents, n_words):
    return np.array([[float(list(document).count(i)) for i in range(n_words)] for document in documents]).reshape(-1, n_words)


def idf(counts):
    counts = np.asarray(counts, dtype=float)
    N = len(counts)
    return np.array([math.log(1 + N) - math.log(1 + sum(1 for n in column if n > 0)) + 1 for column in counts.T])


def tf_idf(counts, corpus, *, idf=idf):
    weights = idf(corpus)
    rows = []
    for row in np.asarray(counts, dtype=float):
        weighted = [n * w for n, w in zip(row, weights)]
        length = math.sqrt(sum(value * value for value in weighted))
        rows.append([value / length if length else 0.0 for value in weighted])
    return np.array(rows)


def cooccurrence(documents, n_words, *, window, by_distance=True):
    X = np.zeros((n_words, n_words))
    for document in documents:
        for here, i in enumerate(document):
            for there, j in enumerate(document):
                distance = abs(here - there)
                if 0 < distance <= window:
                    X[i, j] += 1 / distance if by_distance else 1
    return X


def pmi(X):
    X = np.asarray(X, dtype=float)
    S, out = X.sum(), np.empty(X.shape)
    for i, j in np.ndindex(X.shape):
        out[i, j] = math.log(X[i, j] / S / (X[i].sum() / S) / (X[:, j].sum() / S)) if X[i, j] else -math.inf
    return out


def best_score(n_true, n_noise):
    share = np.asarray(n_true, dtype=float) / (np.asarray(n_true, dtype=float) + n_noise)
    with np.errstate(divide="ignore"):
        return np.log(share) - np.log1p(-share)


def ppmi(X, *, shift=0.0, pmi=pmi):
    shifted = pmi(X) - shift
    return np.where(shifted > 0, shifted, 0.0)


def svd_vectors(M, d, *, power=0.5):
    # by the eigenvectors of M Mᵀ, with the lengths of M's own rows along them
    M = np.asarray(M, dtype=float)
    _, vectors = np.linalg.eigh(M @ M.T)
    U = vectors[:, ::-1][:, :d]
    U = U * np.array([math.copysign(1.0, max(column, key=abs)) for column in U.T])
    return U * np.linalg.norm(M.T @ U, axis=0) ** power


def _cells(W, C, b, c, X, x_max, power):
    for i, j in zip(*np.nonzero(np.asarray(X))):
        error = np.dot(W[i], C[j]) + b[i] + c[j] - math.log(X[i][j])
        yield i, j, error, 1.0 if X[i][j] >= x_max else (X[i][j] / x_max) ** power


def glove_loss(W, C, b, c, X, *, x_max=100.0, power=0.75):
    return float(sum(weight * error**2 for _, _, error, weight in _cells(W, C, b, c, X, x_max, power)))


def glove_gradients(W, C, b, c, X, *, x_max=100.0, power=0.75):
    dW, dC, db, dc = (np.zeros(np.shape(value)) for value in (W, C, b, c))
    for i, j, error, weight in _cells(W, C, b, c, X, x_max, power):
        slope = 2 * weight * error
        dW[i] += slope * C[j]
        dC[j] += slope * W[i]
        db[i] += slope
        dc[j] += slope
    return dW, dC, db, dc


def triple_step(W, C, X, i, s, g, *, lr):
    column = np.asarray(X, dtype=float)[:, g]
    given = column / column.sum()
    w_i, w_s, c_g = np.array(W[i]), np.array(W[s]), np.array(C[g])
    gap = np.dot(w_i, c_g) - np.dot(w_s, c_g) - (math.log(given[i]) - math.log(given[s]))
    W, C = np.array(W, dtype=float), np.array(C, dtype=float)
    C[g] = c_g - 2 * lr * gap * (w_i - w_s)
    W[i] = w_i - 2 * lr * gap * c_g
    W[s] = w_s + 2 * lr * gap * c_g
    return W, C


def mean_triple_error(errors):
    # the mean of (a - b)^2 is 2 mean(a^2) - 2 mean(a)^2, of numbers near 0
    errors = np.asarray(errors, dtype=float)
    errors = errors - errors[0]
    return float(np.mean(2 * (errors**2).mean(axis=0) - 2 * errors.mean(axis=0) ** 2))


def _length(v):
    return math.sqrt(sum(float(value) ** 2 for value in v))


def nearest(vectors, query, n, *, exclude=()):
    found = []
    for i, vector in enumerate(np.asarray(vectors, dtype=float)):
        lengths = _length(vector) * _length(query)
        if i not in exclude:
            found.append((-float(np.dot(vector, query)) / lengths if lengths else 0.0, i))
    return [i for _, i in sorted(found)[:n]]


def analogy(vectors, a, b, c, *, nearest=nearest):
    vectors = np.asarray(vectors, dtype=float)
    return int(nearest(vectors, vectors[c] + (vectors[b] - vectors[a]), 1, exclude=[a, b, c])[0])


def average_ranks(x):
    places = defaultdict(list)
    for place, value in enumerate(sorted(float(v) for v in x), start=1):
        places[value].append(place)
    return np.array([sum(places[float(v)]) / len(places[float(v)]) for v in x])


def windows(documents, size):
    contexts, targets = [], []
    for document in documents:
        context = [0] * size
        for token in document:
            contexts.append(tuple(context))
            targets.append(token)
            context = [*context[1:], token]
    return np.array(contexts, dtype=np.int64).reshape(len(targets), size), np.array(targets, dtype=np.int64)


def window_lm_forward(params, contexts):
    E, U = params["E"], params["U"] if "U" in params else params["E"]
    hidden = []
    for context in contexts:
        x = np.concatenate([E[token] for token in context])
        hidden.append(np.tanh(x @ params["W"] + params["b"]))
    hidden = np.array(hidden)
    return np.array([[h @ u + bias for u, bias in zip(U, params["c"])] for h in hidden]), hidden


def window_lm_backward(params, contexts, hidden, d_logits):
    E, W = params["E"], params["W"]
    d = E.shape[1]
    grads = {name: np.zeros(value.shape) for name, value in params.items()}
    output = "U" if "U" in params else "E"
    for context, h, d_row in zip(contexts, hidden, d_logits):
        grads["c"] += d_row
        grads[output] += np.outer(d_row, h)
        d_z = (params[output].T @ d_row) * (1 - h) * (1 + h)
        grads["b"] += d_z
        for place, token in enumerate(context):
            part = slice(place * d, (place + 1) * d)
            grads["W"][part] += np.outer(E[token], d_z)
            grads["E"][token] += W[part] @ d_z
    return grads


def kneser_ney(counts, *, discount=0.75):
    counts = np.asarray(counts, dtype=float)
    V = len(counts)
    before = [sum(1 for u in range(V) if counts[u, w] > 0) for w in range(V)]
    P = np.zeros((V, V))
    for u in range(V):
        kept = [max(n - discount, 0.0) / counts[u].sum() if n > 0 else 0.0 for n in counts[u]]
        freed = 1 - sum(kept)
        for w in range(V):
            P[u, w] = kept[w] + freed * before[w] / sum(before)
    return P


def bits_per_byte(mean_loss, n_tokens, text):
    return n_tokens * (mean_loss * math.log2(math.e)) / len(bytes(text, "utf-8"))
