"""Figures of the semantic_search assignment, drawn from your own semantic_search.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, heatmap, subplots

N = 10_000  # documents in the collection of figure `saturation`, of 100 words on average


def relative_score(student, tf, length, b):
    """The score of a page, divided by that of one mention in a document of average length."""
    lengths = np.full(N, (100.0 * N - length - 100.0) / (N - 2))
    lengths[:2] = length, 100.0
    scores = student.bm25(["word"], {"word": [(0, tf), (1, 1)]}, lengths, b=b)
    return scores[0] / scores[1]


@figure("saturation", caption="At the far left, each page has 100 words and one mention. How much does each repetition add, for each b?")
def saturation(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4.2))
    counts, pastes = np.unique(np.geomspace(1, 1000, 40).astype(int)), np.arange(1, 13)
    for b in (0.0, 0.75, 1.0):
        # a page of 100 words at first; each further mention makes it longer once it has nothing else
        left.plot(counts, [relative_score(student, int(n), max(100, n), b) for n in counts], label=f"b = {b:g}")
        right.plot(pastes, [relative_score(student, int(n), 100 * n, b) for n in pastes], label=f"b = {b:g}")
    left.set(title="A page stuffed with one word", xscale="log", ylim=(0, 2.8), ylabel="score (one honest mention = 1)")
    left.set(xlabel="mentions (beyond 100, the page gets longer)")
    right.set(title="A page pasted several times", ylim=(0, 2.8), xlabel="copies of the text (one mention in each)")
    left.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1,000"])
    left.minorticks_off()
    left.legend(loc="upper left")
    right.legend(loc="lower right")
    return fig


@figure("training", caption="Eight queries and eight documents of length 1, trained freely at temperature 1. Where does the loss end?")
def training(student):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(16, 8))
    first = second = np.zeros_like(rows)
    losses, matrices = [], []
    for step in range(1, 602):
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        unit = rows / lengths
        losses.append(student.info_nce(unit[:8], unit[8:], temperature=1.0))
        if step in (1, 601):
            matrices.append(unit[:8] @ unit[8:].T)
        slope = np.concatenate(student.info_nce_gradient(unit[:8], unit[8:], temperature=1.0))
        slope = (slope - unit * (slope * unit).sum(axis=1, keepdims=True)) / lengths
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2  # Adam
        rows = rows - 0.05 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    fig, axes = subplots(1, 3, size=(13, 4), gridspec_kw={"width_ratios": [1, 1, 1.1]})
    for ax, matrix, title in zip(axes, matrices, ("Cosines before training", "Cosines after 600 steps")):
        heatmap(ax, matrix, values=False, diverging=True, limits=(-1, 1), label="")
        for (i, j), value in np.ndenumerate(matrix):
            color = "white" if abs(value) > 0.6 else "black"
            ax.text(j, i, f"{value:.2f}".replace("-", "−"), ha="center", va="center", size=7.5, color=color)
        ax.set(title=title, xlabel="document", ylabel="query")
    axes[2].plot(losses, label="loss")
    axes[2].axhline(np.log(8), color=COLORS["grey"], linewidth=1, linestyle="--", label="all vectors equal: log 8")
    with if_written():
        axes[2].axhline(student.lowest_loss(8, 1.0), color=COLORS["red"], linewidth=1.2, label="your lowest_loss")
    axes[2].set(title=f"Loss: {losses[0]:.2f} at first, {losses[-1]:.4f} at last", xlabel="step", ylim=(0, None))
    axes[2].legend(loc="lower right")
    return fig


KINDS = {"50 topics": 50, "random vectors": 0}


@figure("bits", caption="5,000 vectors of 64 numbers, 100 queries. The bits choose candidates, the real vectors rank them.")
def bits(student):
    fig, ax = subplots(size=(7.5, 4.4))
    sizes = [10, 20, 40, 70, 100, 200, 400, 800]
    for name, n_topics in KINDS.items():
        vectors, queries = student.toy_vectors(n_topics)
        codes, query_codes = student.binary_codes(vectors), student.binary_codes(queries)
        distances = [student.hamming(code, codes) for code in query_codes]
        shares = []
        for size in sizes:
            found = [student.rescore(q, vectors, far, 10, n_candidates=size) for q, far in zip(queries, distances)]
            shares.append(student.share_found(found, queries, vectors))
        ax.plot(sizes, shares, marker="o", markersize=4, label=name)
        for size, share in zip(sizes, shares):
            if size in (10, 100):
                ax.annotate(f"{share:.0%}", (size, share), (8, -12), textcoords="offset points", size=10)
    ax.set(title="True ten best among the candidates", xscale="log", ylim=(0, 1.05), ylabel="share found")
    ax.set_xticks([10, 100, 800], ["10 (bits alone)", "100", "800"])
    ax.set(xlabel="candidates that are rescored")
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return fig


@figure("cells", caption="70 cells, and 1, 2, 5, 10, 20 and 70 probes. A search without an index makes 5,000 comparisons.")
def cells(student):
    fig, ax = subplots(size=(7.5, 4.4))
    for name, n_topics in KINDS.items():
        vectors, queries = student.toy_vectors(n_topics)
        centers, members = student.toy_cells(vectors, 70)
        shares, costs = [], []
        for n_probe in (1, 2, 5, 10, 20, 70):
            found = [student.ivf_search(q, vectors, centers, members, 10, n_probe=n_probe) for q in queries]
            shares.append(student.share_found([ids for ids, _ in found], queries, vectors))
            costs.append(np.mean([comparisons for _, comparisons in found]))
        ax.plot(costs, shares, marker="o", markersize=4, label=name)
        for at, label in ((0, "1 probe"), (2, "5 probes")):
            ax.annotate(f"{label}: {shares[at]:.0%}", (costs[at], shares[at]), (8, -15), textcoords="offset points", size=10)
    ax.set(title="True ten best in the probed cells", xscale="log", ylim=(0, 1.05), ylabel="share found")
    ax.set_xticks([100, 200, 500, 1000, 2000, 5000], ["100", "200", "500", "1,000", "2,000", "5,000"])
    ax.set(xlabel="comparisons for each query")
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    main("semantic_search")
