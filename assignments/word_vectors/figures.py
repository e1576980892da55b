"""Figures of the word_vectors assignment, drawn from your own word_vectors.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, heatmap, name_lines, subplots

CLASSES = {
    "animals": ("blue", ("dog", "cat")),
    "vehicles": ("orange", ("car", "bus")),
    "what animals do": ("sky", ("barks", "eats", "sleeps")),
    "what vehicles do": ("red", ("stops", "drives", "turns")),
    "adverbs": ("green", ("often", "never")),
    "articles": ("grey", ("the", "a")),
}


def word_map(ax, vectors, words, *, size):
    """Draw words at their two coordinates, in the color of their class; each name goes where there is room.

    Args:
        ax: Where to draw.
        vectors: Shape (V, 2).
        words: V strings.
        size: Width and height of the axes, in points, roughly.
    """
    vectors = np.asarray(vectors, dtype=float)
    shown = [(COLORS[color], word, words.index(word)) for color, members in CLASSES.values() for word in members]
    points = vectors[[i for _, _, i in shown]]
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.14 * (high - low)
    ax.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
    points = (points - low + margin) / (high - low + 2 * margin) * size  # in points of the page
    taken = [(x - 4, x + 4, y - 4, y + 4) for x, y in points]
    for (color, word, i), (x, y) in zip(shown, points):
        width = 7.0 * len(word)
        places = [(dx, dy) for dy in (0, 12, -12, 24, -24, 36) for dx in (7, -7 - width, -width / 2) if dy or dx != -width / 2]
        boxes = [(x + dx, x + dx + width, y + dy - 6, y + dy + 6) for dx, dy in places]
        free = [k for k, box in enumerate(boxes) if not any(_meet(box, other) for other in taken)]
        chosen = free[0] if free else 0
        taken.append(boxes[chosen])
        ax.plot(*vectors[i], "o", color=color)
        ax.annotate(word, vectors[i], xytext=places[chosen], textcoords="offset points", color=color, va="center", size=10)
    ax.set(xlabel="first coordinate", ylabel="second coordinate")


def _meet(one, other):
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]


def toy_counts(student):
    documents, words = student.toy_corpus(np.random.default_rng(0), 2000)
    return student.cooccurrence(documents, len(words), window=2), words


def fit_glove(student, X, d, *, seed=0, steps=600):
    """Adagrad from small random numbers; returns W, C, b, c."""
    rng = np.random.default_rng(seed)
    V = len(X)
    params = [0.3 * rng.normal(size=(V, d)), 0.3 * rng.normal(size=(V, d)), np.zeros(V), np.zeros(V)]
    squares = [np.full(value.shape, 1e-8) for value in params]
    for _ in range(steps):
        grads = student.glove_gradients(*params, X)
        squares = [square + grad**2 for square, grad in zip(squares, grads)]
        params = [value - 0.2 * grad / np.sqrt(square) for value, grad, square in zip(params, grads, squares)]
    return params


@figure("word_map", caption="Counts alone drew this map. Which words lie close together: those that stand side by side, or those that could replace each other?")
def map_of_words(student):
    X, words = toy_counts(student)
    fig, ax = subplots(size=(7.2, 5))
    word_map(ax, student.svd_vectors(student.ppmi(X), 2), words, size=(440, 290))
    ax.set_title("PPMI and SVD, d = 2")
    return fig


@figure("glove", caption="Cosines of word vectors. On the right, all w are multiplied by a matrix and all w̃ by the inverse of its transpose. What stays the same?")
def glove(student):
    X, words = toy_counts(student)
    W, C, b, c = fit_glove(student, X, 4)
    A = np.random.default_rng(3).normal(size=(4, 4))
    order = [words.index(word) for _, members in CLASSES.values() for word in members]
    names = [words[i] for i in order]
    fig, axes = subplots(1, 2, size=(12.5, 5))
    for ax, name, W, C in ((axes[0], "fitted", W, C), (axes[1], "mixed", W @ A, C @ np.linalg.inv(A).T)):
        unit = W[order] / np.linalg.norm(W[order], axis=1, keepdims=True)
        heatmap(ax, unit @ unit.T, rows=names, columns=names, label="cosine", values=False, diverging=False, limits=(0, 1))
        ax.tick_params(axis="x", rotation=90)
        with if_written():
            name += f": loss {student.glove_loss(W, C, b, c, X):.4f}"
        ax.set_title(f"GloVe, d = 4, {name}")
    return fig


def plain_n_gram_loss(train, held_out, n_words, *, added=0.1):
    """Counts of what followed each window, 0.1 added to each, on the held-out windows."""
    counts = {}
    for context, target in zip(map(tuple, train[0]), train[1]):
        counts.setdefault(context, np.full(n_words, added))[target] += 1
    unseen = np.full(n_words, added)
    return -np.mean([np.log(row[y] / row.sum()) for row, y in ((counts.get(tuple(x), unseen), y) for x, y in zip(*held_out))])


@figure("windows", caption="Trained on 120 sentences. When does a larger window hurt counts? Verbs only end sentences: what has moved their rows of E?")
def windows(student):
    documents, words = student.toy_corpus(np.random.default_rng(1), 120)
    others, _ = student.toy_corpus(np.random.default_rng(2), 1000)
    fig, (left, right) = subplots(1, 2, size=(12, 4.6))
    sizes, neural, counted = (1, 2, 3, 4), [], []
    for size in sizes:
        train, held_out = student.windows(documents, size), student.windows(others, size)
        counted.append(plain_n_gram_loss(train, held_out, len(words)))
        with if_written(right if size == 2 else None):
            params = student.init_window_lm(np.random.default_rng(0), len(words), 2, size, 8)
            best, _, losses = student.fit_window_lm(params, train, held_out, n_steps=250, lr=0.03)
            neural.append(min(losses))
            if size == 2:
                word_map(right, best["E"], words, size=(330, 270))
    left.plot(sizes, counted, marker="o", label="counts, + 0.1")
    if neural:
        left.plot(sizes, neural, marker="o", label="your network")
    with if_written():
        pairs, next_words = student.windows(documents, 1)
        N = np.zeros((len(words), len(words)))
        np.add.at(N, (pairs[:, 0], next_words), 1.0)
        pairs, next_words = student.windows(others, 1)
        loss = -np.log(student.kneser_ney(N)[pairs[:, 0], next_words]).mean()
        left.plot([1], [loss], "s", color=COLORS["black"])
        left.text(1.08, loss, "Kneser-Ney", va="center")
    left.set(title="Loss on other sentences", xlabel="words in the window", ylabel="nats per word", xticks=sizes, xlim=(0.8, 4.2))
    name_lines(left)
    right.set_title("The network's table E, window of 2")
    return fig


if __name__ == "__main__":
    main("word_vectors")
