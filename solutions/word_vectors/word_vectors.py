"""Word vectors: from raw text to counts, from counts to vectors, and a language model whose first layer is a table.

Holds text processing and vocabularies; bags of words and tf-idf; co-occurrence counts; PMI and its factorization; GloVe and its
form with triples; cosine neighbors, analogies and ranks; a language model with a fixed window, forward and back; Kneser-Ney
bigrams and bits per byte. Leaves out: subwords, attention, vectors that depend on the sentence, and anything that needs real data.

Numbers are float64. Nothing handed in is changed. A document is a list of tokens or, once encoded, a list of ids.
"""

import math
import unicodedata

import numpy as np

PAD, UNK = "<pad>", "<unk>"
PAD_ID, UNK_ID = 0, 1


# ---------------------------------------------------------------------------------------------------------
# Given: two made corpora

_NOUNS = (("dog", "cat"), ("car", "bus"))
_VERBS = (("barks", "eats", "sleeps"), ("stops", "drives", "turns"))
_PEOPLE = {
    "king": ("he", "throne"), "queen": ("she", "throne"), "man": ("he", "work"),
    "woman": ("she", "work"), "prince": ("he", "school"), "princess": ("she", "school"),
}  # fmt: skip
_NEAR = {"he": ("he", "his"), "she": ("she", "her"), "throne": ("throne", "crown"), "work": ("work", "street"), "school": ("school", "play")}


def toy_corpus(rng, n):
    """Return n sentences such as `the dog never barks`, as lists of ids, and the words that the ids stand for.

    A sentence is an article, a noun, in half of all sentences an adverb, and a verb that fits the noun.
    """
    sentences = []
    for _ in range(n):
        kind = int(rng.integers(2))
        sentence = [str(rng.choice(["the", "a"])), str(rng.choice(_NOUNS[kind]))]
        if rng.uniform() < 0.5:
            sentence.append(str(rng.choice(["often", "never"])))
        sentences.append([*sentence, str(rng.choice(_VERBS[kind]))])
    return _as_ids(sentences, ["the", "a", *sum(_NOUNS, ()), "often", "never", *sum(_VERBS, ())])


def people_corpus(rng, n):
    """Return n sentences such as `there queen her crown`, as lists of ids, and the words that the ids stand for.

    The last two of the four words fit the person's gender and rank.
    """
    sentences = []
    for _ in range(n):
        person = str(rng.choice(list(_PEOPLE)))
        gender, rank = _PEOPLE[person]
        filler = str(rng.choice(["the", "a", "was", "there"]))
        sentences.append([filler, person, str(rng.choice(_NEAR[gender])), str(rng.choice(_NEAR[rank]))])
    return _as_ids(sentences, ["the", "a", "was", "there", *_PEOPLE, *sum(_NEAR.values(), ())])


def _as_ids(sentences, words):
    words = [PAD, UNK, *words]
    return [encode(sentence, words) for sentence in sentences], words


# ---------------------------------------------------------------------------------------------------------
# Task 1: text, tokens, ids


def standardize(text):
    """Return the text with case, accents and typographic variants taken away.

    Three steps, each taken once. Their order is for you to find. Two rules fix it: standardizing a second time changes nothing,
    and a mark leaves no letter behind.

    - drop marks: every character whose `unicodedata.combining` is not 0 goes away;
    - fold case: `str.casefold`;
    - decompose: `unicodedata.normalize("NFKD", text)` takes characters apart, é into e and an accent, ﬁ into f and i.

    Args:
        text: Any str.

    Returns:
        A str, perhaps of another length.

    Example:
        "Café" becomes "cafe", a bold capital A (U+1D400) becomes "a", and ᾀ becomes "α".
    """
    # BEGIN SOLUTION vocabulary
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return bare.casefold()
    # END SOLUTION


def tokenize(text, *, stop_words=(), standardize=standardize):
    """Return the words of a text, in order.

    The text is standardized first. A token is a longest run of characters for which `str.isalnum` is true; every other character
    only separates tokens. Tokens that are stop words are left out.

    Args:
        text: Any str.
        stop_words: Tokens to leave out, already standardized: a set, list or tuple.
        standardize: Called as standardize(text); returns a str.

    Returns:
        A list of str. It may be empty.

    Example:
        "Don't eat the theme!" with the stop word "the": ["don", "t", "eat", "theme"].
    """
    # BEGIN SOLUTION vocabulary
    spaced = "".join(char if char.isalnum() else " " for char in standardize(text))
    return [token for token in spaced.split() if token not in stop_words]
    # END SOLUTION


def build_vocabulary(documents, *, min_count=1):
    """Return the words that have an id; a word's id is its place in the list.

    Args:
        documents: A list of documents, each a list of tokens.
        min_count: Tokens that occur less often, in all documents together, get no id. At least 1.

    Returns:
        A list of str: PAD, UNK, then the tokens, the most frequent first. Tokens of equal count stand in the order of `sorted`.

    Raises:
        ValueError: If min_count is below 1.
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    # BEGIN SOLUTION vocabulary
    counts = {}
    for document in documents:
        for token in document:
            counts[token] = counts.get(token, 0) + 1
    kept = [token for token in counts if counts[token] >= min_count]
    return [PAD, UNK, *sorted(kept, key=lambda token: (-counts[token], token))]
    # END SOLUTION


def encode(document, vocabulary):
    """Return the ids of a document's tokens, UNK_ID for those that the vocabulary lacks. Given."""
    ids = {token: i for i, token in enumerate(vocabulary)}
    return [ids.get(token, UNK_ID) for token in document]


# ---------------------------------------------------------------------------------------------------------
# Task 2: documents as bags of words


def count_vectors(documents, n_words):
    """Return how often each word occurs in each document.

    Args:
        documents: N documents, each a list of ids in 0 .. n_words - 1. A document may be empty.
        n_words: Size of the vocabulary.

    Returns:
        float64, shape (N, n_words).
    """
    # BEGIN SOLUTION documents
    counts = np.zeros((len(documents), n_words))
    for row, document in zip(counts, documents):
        np.add.at(row, np.asarray(document, dtype=int), 1.0)
    return counts
    # END SOLUTION


def idf(counts):
    """Return how informative each word is: the fewer documents it occurs in, the more (inverse document frequency).

    Word j has idf_j = ln((1 + N) / (1 + df_j)) + 1, where df_j is the number of documents that hold j at least once.

    Args:
        counts: Of a corpus: what `count_vectors` returns, shape (N, V).

    Returns:
        float64, shape (V,).

    Raises:
        ValueError: If counts is not two-dimensional.
    """
    counts = _matrix("counts", counts)
    # BEGIN SOLUTION documents
    holding = (counts > 0).sum(axis=0)
    return np.log((1 + len(counts)) / (1 + holding)) + 1
    # END SOLUTION


def tf_idf(counts, corpus, *, idf=idf):
    """Return documents as vectors of length 1, in which frequent words weigh little.

    Each count is multiplied by its word's idf in the corpus. Then each row is divided by its Euclidean length.

    Args:
        counts: The documents to return, shape (M, V).
        corpus: Counts of the documents that idf comes from, shape (N, V). It may be another collection.
        idf: Called as idf(corpus); returns shape (V,).

    Returns:
        float64, shape (M, V). A document without words keeps its row of zeros.

    Raises:
        ValueError: If counts or corpus is not two-dimensional, or they differ in V.
    """
    counts, corpus = _matrix("counts", counts), _matrix("corpus", corpus)
    if counts.shape[1] != corpus.shape[1]:
        raise ValueError(f"counts and corpus must have the same words, got {counts.shape} and {corpus.shape}")
    # BEGIN SOLUTION documents
    weighted = counts * idf(corpus)
    length = np.linalg.norm(weighted, axis=1, keepdims=True)
    return weighted / np.where(length > 0, length, 1.0)
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 3: co-occurrence


def cooccurrence(documents, n_words, *, window, by_distance=True):
    """Return how much each word stands near each other one.

    Every two places of the same document that are d <= window apart, with the words i and j on them, add a weight to X[i, j] and
    the same weight to X[j, i]: 1/d, or 1 if by_distance is False. A word that stands near itself therefore adds twice to X[i, i].

    Args:
        documents: Each a list of ids in 0 .. n_words - 1. A document may be empty.
        n_words: Size of the vocabulary.
        window: Largest distance that counts, at least 1.
        by_distance: Whether near words count more than far ones.

    Returns:
        float64, shape (n_words, n_words), symmetric.

    Raises:
        ValueError: If window is below 1.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    # BEGIN SOLUTION cooccurrence
    X = np.zeros((n_words, n_words))
    for document in documents:
        ids = np.asarray(document, dtype=int)
        for distance in range(1, min(window, len(ids) - 1) + 1):
            weight = 1 / distance if by_distance else 1.0
            np.add.at(X, (ids[:-distance], ids[distance:]), weight)
            np.add.at(X, (ids[distance:], ids[:-distance]), weight)
    return X
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 4: PMI and SVD


def pmi(X):
    """Return the pointwise mutual information of rows and columns, in nats.

    PMI_ij = log(P(i, j) / (P(i) P(j))), where P(i, j) = X_ij / S, P(i) and P(j) are the sums of row i and of column j divided by S,
    and S is the sum of all of X.

    Args:
        X: Counts, shape (R, C), none negative. Not necessarily symmetric or square.

    Returns:
        float64, shape (R, C); -inf where X is 0, also in a row or column without any count.

    Raises:
        ValueError: If X is not two-dimensional or holds a negative number.
    """
    X = _counts("X", X)
    # BEGIN SOLUTION pmi
    expected = X.sum(axis=1, keepdims=True) * X.sum(axis=0, keepdims=True)
    out = np.full(X.shape, -np.inf)
    seen = X > 0
    out[seen] = np.log(X[seen]) + np.log(X.sum()) - np.log(expected[seen])
    return out
    # END SOLUTION


def best_score(n_true, n_noise):
    """Return the score s of a pair that minimizes -n_true log sigmoid(s) - n_noise log sigmoid(-s).

    The pair was met n_true times in the text and n_noise times among made-up pairs. Elementwise.

    Args:
        n_true: Not negative, any shape.
        n_noise: Positive, broadcastable with n_true.

    Returns:
        float64, the broadcast shape; -inf where n_true is 0.

    Raises:
        ValueError: If an n_true is negative or an n_noise is not positive.

    Source:
        Levy and Goldberg 2014, section 3.1.
    """
    n_true, n_noise = np.asarray(n_true, dtype=float), np.asarray(n_noise, dtype=float)
    if (n_true < 0).any():
        raise ValueError("n_true must not be negative")
    if not (n_noise > 0).all():
        raise ValueError("n_noise must be positive")
    # BEGIN SOLUTION pmi
    with np.errstate(divide="ignore"):
        return np.log(n_true / n_noise)
    # END SOLUTION


def ppmi(X, *, shift=0.0, pmi=pmi):
    """Return the positive part of PMI: subtract `shift` from every entry, then replace what is below 0 by 0.

    Args:
        X: Counts, shape (R, C).
        shift: Any number.
        pmi: Called as pmi(X); returns shape (R, C), with -inf where X is 0.

    Returns:
        float64, shape (R, C), never negative; 0 where X is 0.

    Raises:
        ValueError: If X is not two-dimensional or holds a negative number.

    Source:
        Levy and Goldberg 2014, section 4.
    """
    X = _counts("X", X)
    # BEGIN SOLUTION pmi
    return np.maximum(pmi(X) - shift, 0.0)
    # END SOLUTION


def svd_vectors(M, d, *, power=0.5):
    """Return d numbers for each row of M: its coordinates on the d main directions, U_d diag(sigma_1 ** power, ...).

    M = U diag(sigma) V^T is the singular value decomposition, sigma_1 >= sigma_2 >= ... . U_d holds the first d columns of U.

    Args:
        M: Shape (R, C).
        d: Number of columns to keep, from 1 to min(R, C).
        power: 0, 1/2 and 1 are usual.

    Returns:
        float64, shape (R, d). An SVD leaves the sign of each column free. The last line, which is given, chooses it.

    Raises:
        ValueError: If M is not two-dimensional or d is not in 1 .. min(R, C).
    """
    M = _matrix("M", M)
    if not 1 <= d <= min(M.shape):
        raise ValueError(f"d must be in 1 .. {min(M.shape)}, got {d}")
    W = np.zeros((len(M), d))  # to be replaced by yours; the last line stays
    # BEGIN SOLUTION pmi
    U, sigma, _ = np.linalg.svd(M, full_matrices=False)
    W = U[:, :d] * sigma[:d] ** power
    # END SOLUTION
    return fix_signs(W)  # so that two right answers are the same


def fix_signs(W):
    """Return W with each column or its negative, whichever has its largest entry, by absolute value, above 0. Given."""
    largest = W[np.abs(W).argmax(axis=0), np.arange(W.shape[1])]
    return W * np.where(largest < 0, -1.0, 1.0)


# ---------------------------------------------------------------------------------------------------------
# Task 5: GloVe


def glove_loss(W, C, b, c, X, *, x_max=100.0, power=0.75):
    """Return how badly dot products predict the logarithms of counts.

    The loss is the sum of f(X_ij) e_ij^2 over all cells with X_ij > 0. The error of a cell is e_ij = w_i · w̃_j + b_i + b̃_j - log X_ij,
    and its weight is f(X_ij), with f(x) = min((x / x_max) ** power, 1). There is no factor 1/2, and nothing is averaged.

    Args:
        W: Word vectors w_i, shape (V, d).
        C: Context vectors w̃_j, shape (V, d).
        b: Biases b_i of the words, shape (V,).
        c: Biases b̃_j of the contexts, shape (V,).
        X: Counts, shape (V, V), not necessarily symmetric. Many are 0.
        x_max: Count from which on all weigh the same.
        power: Exponent of smaller counts' weight.

    Returns:
        float.

    Raises:
        ValueError: If the shapes do not fit together.

    Source:
        Pennington, Socher and Manning 2014, equations 8 and 9.
    """
    W, C, b, c, X = _glove_arguments(W, C, b, c, X)
    # BEGIN SOLUTION glove
    seen = X > 0
    error = (W @ C.T + b[:, None] + c)[seen] - np.log(X[seen])
    weight = np.minimum((X[seen] / x_max) ** power, 1.0)
    return float((weight * error**2).sum())
    # END SOLUTION


def glove_gradients(W, C, b, c, X, *, x_max=100.0, power=0.75):
    """Return the gradient of `glove_loss` in all its parameters, by your formula.

    Args:
        W, C, b, c, X, x_max, power: As for `glove_loss`.

    Returns:
        (dW, dC, db, dc), with the shapes of W, C, b and c.

    Raises:
        ValueError: If the shapes do not fit together.
    """
    W, C, b, c, X = _glove_arguments(W, C, b, c, X)
    # each cell's slope in its own prediction; then the chain rule to the four parameters
    # BEGIN SOLUTION glove
    seen = X > 0
    error = W @ C.T + b[:, None] + c - np.log(np.where(seen, X, 1.0))
    weight = np.where(seen, np.minimum((X / x_max) ** power, 1.0), 0.0)
    slope = 2 * weight * error  # (V, V)
    return slope @ C, slope.T @ W, slope.sum(axis=1), slope.sum(axis=0)
    # END SOLUTION


def triple_step(W, C, X, i, s, g, *, lr):
    """Return word and context vectors after one step of gradient descent on a triple.

    The step goes lr times the gradient of (r_hat - r)^2 downhill. r_hat = (w_i - w_s) · w̃_g is the predicted log-ratio, and
    r = log(P(i | g) / P(s | g)) is the one that was counted, with P(i | g) = X_ig / (sum of column g).

    Args:
        W: Word vectors, shape (V, d).
        C: Context vectors, shape (V, d).
        X: Counts, shape (V, V), with X[i, g] and X[s, g] above 0.
        i, s: Two different words.
        g: A context word; it may be i or s.
        lr: Positive.

    Returns:
        (W, C): new arrays.

    Raises:
        ValueError: If i and s are the same, or X[i, g] or X[s, g] is not positive.
    """
    W, C, X = _matrix("W", W), _matrix("C", C), _matrix("X", X)
    if i == s:
        raise ValueError(f"i and s must be different words, got {i} twice")
    if not (X[i, g] > 0 and X[s, g] > 0):
        raise ValueError(f"X[i, g] and X[s, g] must be positive, got {X[i, g]} and {X[s, g]}")
    # BEGIN SOLUTION glove
    difference = W[i] - W[s]
    slope = 2 * (difference @ C[g] - np.log(X[i, g] / X[s, g]))
    new_W, new_C = W.copy(), C.copy()
    new_W[i] -= lr * slope * C[g]
    new_W[s] += lr * slope * C[g]
    new_C[g] -= lr * slope * difference
    return new_W, new_C
    # END SOLUTION


def mean_triple_error(errors):
    """Return the mean of (e_ig - e_sg)^2 over all g and all ordered pairs (i, s) of rows, i = s included.

    The error of a triple is the difference of two errors, e_ig - e_sg. There may be 20,000 rows: don't list the pairs.

    Args:
        errors: e, shape (V, G).

    Returns:
        float.

    Raises:
        ValueError: If errors is not two-dimensional.

    Example:
        One column with the errors 0 and 3: two of four pairs cost 9, so the mean is 4.5.
    """
    errors = _matrix("errors", errors)
    # BEGIN SOLUTION glove
    return float(2 * errors.var(axis=0).mean())
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Task 6: neighbors, analogies, ranks


def nearest(vectors, query, n, *, exclude=()):
    """Return the ids of the n vectors with the largest cosine to the query, the largest first.

    The cosine of a and b is a . b / (|a| |b|), and 0 if a or b is the zero vector. Of cosines that are equal as
    computed, the lower id comes first.

    Args:
        vectors: Shape (V, d).
        query: Shape (d,).
        n: How many ids; fewer are returned if fewer are left.
        exclude: Ids that may not be returned.

    Returns:
        A list of ints.

    Raises:
        ValueError: If vectors is not two-dimensional or query has another d.
    """
    vectors, query = _matrix("vectors", vectors), np.asarray(query, dtype=float)
    if query.shape != vectors.shape[1:]:
        raise ValueError(f"query must have shape {vectors.shape[1:]}, got {query.shape}")
    # BEGIN SOLUTION similarity
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    cosines = vectors @ query / np.where(lengths > 0, lengths, 1.0)
    excluded = set(exclude)
    order = np.argsort(-cosines, kind="stable")
    return [int(i) for i in order if int(i) not in excluded][:n]
    # END SOLUTION


def analogy(vectors, a, b, c, *, nearest=nearest):
    """Return the word that relates to c as b relates to a: man is to king as woman is to ...

    It is the word nearest to the vector b - a + c; a, b and c themselves are no answers.

    Args:
        vectors: Shape (V, d), used as they are (some libraries scale each to length 1 first).
        a, b, c: Ids.
        nearest: Called as nearest(vectors, query, n, exclude=ids).

    Returns:
        An int, the id.
    """
    vectors = _matrix("vectors", vectors)
    # BEGIN SOLUTION similarity
    query = vectors[b] - vectors[a] + vectors[c]
    return nearest(vectors, query, 1, exclude=(a, b, c))[0]
    # END SOLUTION


def average_ranks(x):
    """Return the rank of each value, 1 for the smallest. Equal values share the mean of the ranks that they take up together.

    Args:
        x: Shape (n,).

    Returns:
        float64, shape (n,).

    Example:
        (30, 10, 20, 10) has the ranks (4, 1.5, 3, 1.5).

    Raises:
        ValueError: If x is not one-dimensional or holds NaN.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 1 or np.isnan(x).any():
        raise ValueError(f"x must be one-dimensional and without NaN, got shape {x.shape}")
    # BEGIN SOLUTION similarity
    below = (x[:, None] > x).sum(axis=1)
    equal = (x[:, None] == x).sum(axis=1)
    return below + (equal + 1) / 2
    # END SOLUTION


def spearman(x, y, *, ranks=average_ranks):
    """Return Spearman's correlation of two lists of scores: the ordinary correlation of their ranks. Given."""
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


# ---------------------------------------------------------------------------------------------------------
# Task 7: a language model with a window


def windows(documents, size):
    """Return what a model with a window sees before each token, and the token.

    Every token of every document is a target once. Its context is the `size` tokens before it in its own document, the oldest
    first; where there are fewer, PAD_ID fills the places on the left.

    Args:
        documents: Each a list of ids. A document may be empty.
        size: Number of tokens that are seen, at least 1.

    Returns:
        (contexts, targets): int64 of shape (N, size) and (N,), N the number of tokens, in the order of the text.

    Raises:
        ValueError: If size is below 1.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    # BEGIN SOLUTION window_model
    contexts, targets = [], []
    for document in documents:
        padded = [PAD_ID] * size + list(document)
        for t, target in enumerate(document):
            contexts.append(padded[t : t + size])
            targets.append(target)
    return np.array(contexts, dtype=np.int64).reshape(-1, size), np.array(targets, dtype=np.int64)
    # END SOLUTION


def init_window_lm(rng, n_words, d, size, hidden):
    """Return random parameters; without "U" (hidden = None) the model is tied, with a hidden layer as wide as a word vector. Given."""
    width = d if hidden is None else hidden
    params = {
        "E": rng.normal(size=(n_words, d)),
        "W": rng.normal(size=(size * d, width)) / math.sqrt(size * d),
        "b": np.zeros(width),
        "c": np.zeros(n_words),
    }
    if hidden is not None:
        params["U"] = rng.normal(size=(n_words, hidden)) / math.sqrt(hidden)
    return params


def window_lm_forward(params, contexts):
    """Return the logits of the next token, and the hidden layer.

    Look up the rows of E for a context's ids, and concatenate them, the first id's row first: x. Then hidden = tanh(x W + b), and
    logits = hidden U^T + c. A model without "U" is tied: it uses E in the place of U.

    Args:
        params: Arrays by name: "E" (V, d), "W" (size d, h), "b" (h,), "c" (V,), and "U" (V, h) unless the model is tied; then h = d.
        contexts: Ids, int, shape (N, size).

    Returns:
        (logits, hidden): shape (N, V) and (N, h).

    Source:
        Bengio et al. 2003, equation 1, without its direct connections.
    """
    # BEGIN SOLUTION window_model
    x = params["E"][contexts].reshape(len(contexts), -1)  # (N, size d)
    hidden = np.tanh(x @ params["W"] + params["b"])
    out = params.get("U", params["E"])
    return hidden @ out.T + params["c"], hidden
    # END SOLUTION


def cross_entropy(logits, targets):
    """Return the mean loss in nats over the targets, and its gradient in the logits. Given."""
    rows = np.arange(len(targets))
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    d_logits = np.exp(logp)
    d_logits[rows, targets] -= 1.0
    return float(-logp[rows, targets].mean()), d_logits / len(targets)


# ---------------------------------------------------------------------------------------------------------
# Task 8: its gradients


def window_lm_backward(params, contexts, hidden, d_logits):
    """Return the gradient of the loss in every parameter, by your formulas.

    Args:
        params: As for `window_lm_forward`.
        contexts: Ids, int, shape (N, size).
        hidden: What the forward pass returned, shape (N, h).
        d_logits: Gradient of the loss in the logits, shape (N, V). It may be any; that of a mean over targets has 1/N in it already.

    Returns:
        A dict with the names and shapes of params.
    """
    # from the logits back: c; U (or E) and hidden; the slope of tanh, W and b; x, and the table
    # BEGIN SOLUTION window_gradients
    E, W = params["E"], params["W"]
    tied = "U" not in params
    x = E[contexts].reshape(len(contexts), -1)
    d_out = d_logits.T @ hidden  # (V, h)
    d_hidden = d_logits @ (E if tied else params["U"])
    d_z = d_hidden * (1 - hidden**2)  # (N, h)
    d_x = d_z @ W.T  # (N, size d)
    d_E = np.zeros(E.shape)
    np.add.at(d_E, contexts, d_x.reshape(*contexts.shape, -1))  # a token at two places gets both
    grads = {"W": x.T @ d_z, "b": d_z.sum(axis=0), "c": d_logits.sum(axis=0)}
    if tied:
        return {**grads, "E": d_E + d_out}
    return {**grads, "E": d_E, "U": d_out}
    # END SOLUTION


def fit_window_lm(params, train, held_out, *, n_steps=300, lr=0.02, patience=30, forward=window_lm_forward, backward=window_lm_backward):
    """Train by Adam on the whole training set, and stop early. Given.

    Args:
        params: Where to start.
        train, held_out: (contexts, targets).
        n_steps: At most so many steps.
        lr: Adam's step.
        patience: Stop after so many steps without a lower held-out loss.
        forward, backward: Yours.

    Returns:
        (params, train_losses, held_out_losses): the parameters with the lowest held-out loss, and both losses before each step.
    """
    moments = {name: (np.zeros_like(value), np.zeros_like(value)) for name, value in params.items()}
    best, seen, losses = params, [], []
    for step in range(1, n_steps + 1):
        held_out_loss, _ = cross_entropy(forward(params, held_out[0])[0], held_out[1])
        if not seen or held_out_loss < min(seen):
            best = params
        seen.append(held_out_loss)
        logits, hidden = forward(params, train[0])
        loss, d_logits = cross_entropy(logits, train[1])
        losses.append(loss)
        if len(seen) - int(np.argmin(seen)) > patience:
            break
        grads = backward(params, train[0], hidden, d_logits)
        moved = {}
        for name, value in params.items():
            m, v = moments[name]
            m, v = 0.9 * m + 0.1 * grads[name], 0.999 * v + 0.001 * grads[name] ** 2
            moments[name] = m, v
            moved[name] = value - lr * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        params = moved
    return best, losses, seen


# ---------------------------------------------------------------------------------------------------------
# Task 9: Kneser-Ney, and bits per byte


def kneser_ney(counts, *, discount=0.75):
    """Return the probability of each next word, for each word before it.

    Every bigram that was seen loses `discount` of its count. What its row so frees goes to all words, in proportion to the number of
    different words that stand before them:

        P(w | u) = max(N_uw - discount, 0) / N_u + share_u P_cont(w)
        P_cont(w) = (number of different words seen before w) / (number of different bigrams seen)

    N_u is the sum of row u. share_u is for you to find: each row must be a distribution. A word u that was never seen before another
    one has P(w | u) = P_cont(w).

    Args:
        counts: N, whole numbers, shape (V, V): N[u, w] is how often w came right after u. At least one is not 0.
        discount: In (0, 1].

    Returns:
        float64, shape (V, V), one row per word u.

    Raises:
        ValueError: If counts is not a square matrix, is negative somewhere or 0 everywhere, or discount is not in (0, 1].

    Source:
        Kneser and Ney 1995; Chen and Goodman 1999, section 2.7.
    """
    counts = _counts("counts", counts)
    if counts.shape[0] != counts.shape[1]:
        raise ValueError(f"counts must be square, got {counts.shape}")
    if not counts.any():
        raise ValueError("counts must have an entry above 0")
    if not 0 < discount <= 1:
        raise ValueError(f"discount must be in (0, 1], got {discount}")
    # BEGIN SOLUTION bits
    seen = counts > 0
    continuation = seen.sum(axis=0) / seen.sum()
    total = counts.sum(axis=1, keepdims=True)
    safe = np.where(total > 0, total, 1.0)
    share = np.where(total > 0, discount * seen.sum(axis=1, keepdims=True) / safe, 1.0)
    return np.maximum(counts - discount, 0.0) / safe + share * continuation
    # END SOLUTION


def bits_per_byte(mean_loss, n_tokens, text):
    """Return how many bits a model needs for each byte of a text.

    Args:
        mean_loss: The model's mean loss per token, in nats.
        n_tokens: Number of tokens that the text was cut into.
        text: The text. Its bytes are those of UTF-8.

    Returns:
        float.

    Raises:
        ValueError: If text is empty.
    """
    if not text:
        raise ValueError("text must not be empty")
    # BEGIN SOLUTION bits
    return float(mean_loss * n_tokens / math.log(2) / len(text.encode("utf-8")))
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------------
# Checks of arguments


def _matrix(name, value):
    value = np.asarray(value, dtype=float)
    if value.ndim != 2:
        raise ValueError(f"{name} must have two dimensions, got shape {value.shape}")
    return value


def _counts(name, value):
    value = _matrix(name, value)
    if (value < 0).any():
        raise ValueError(f"{name} must not be negative")
    return value


def _glove_arguments(W, C, b, c, X):
    W, C, X = _matrix("W", W), _matrix("C", C), _counts("X", X)
    b, c = np.asarray(b, dtype=float), np.asarray(c, dtype=float)
    V = len(W)
    if C.shape != W.shape or b.shape != (V,) or c.shape != (V,) or X.shape != (V, V):
        shapes = ", ".join(str(value.shape) for value in (W, C, b, c, X))
        raise ValueError(f"W and C must be (V, d), b and c (V,), X (V, V), got {shapes}")
    return W, C, b, c, X
