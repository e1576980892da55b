"""Figures of the conformal assignment, drawn from your own conformal.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import X_RANGE, regression, regression_quantile
from coursekit.plots import COLORS, band, figure, main, name_lines, subplots

ALPHA = 0.1


@figure("pinball", caption="Tilting the absolute value moves its minimiser from the median to a quantile.")
def pinball(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    error = np.linspace(-2, 2, 201)
    values = np.random.default_rng(4).gamma(3.0, size=40)
    constants = np.linspace(0, 8, 401)
    for tau in (0.1, 0.5, 0.9):
        left.plot(error, student.pinball_loss(error, 0.0, tau), label=f"τ = {tau}")
        mean = student.pinball_loss(values[:, None], constants, tau).mean(axis=0)
        (line,) = right.plot(constants, mean)
        right.scatter(constants[mean.argmin()], mean.min(), color=line.get_color(), zorder=3)
    right.scatter(values, np.full(len(values), -0.06), marker="|", color=COLORS["grey"])
    left.set(title="Cost of one error", xlabel="y − ŷ (above 0: predicted too low)", ylabel="pinball loss")
    right.set(title="Mean cost of one answer for 40 values", ylabel="mean pinball loss")
    right.set(xlabel="the answer (ticks: the values)")
    left.legend()
    return fig


def features(x):
    """Columns that a linear model can bend with, of length about one: the method's steps suit them."""
    return np.column_stack([np.sin(2 * x), np.cos(2 * x), x / 2 - 1])


def fit_mean(X, y):
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


def predict_mean(model, X):
    return X @ model[:-1] + model[-1]


@figure(
    "bands",
    caption="90% were asked for, and both give that over all x; only CQR is as wide as the noise at each x.",
)
def bands(student):
    rng = np.random.default_rng(1)
    x, y = regression(rng, 800)
    x_new, y_new = regression(rng, 4000)
    grid = np.linspace(*X_RANGE, 200)
    X, X_test = features(x), features(np.concatenate([grid, x_new]))

    def fit_quantile(X, y, tau):
        return student.fit_quantile_regression(X, y, tau, lr=2.0, n_steps=600)

    def predict_quantile(model, X):
        return X @ model[0] + model[1]

    fig, axes = subplots(1, 2, size=(11, 4.2), sharey=True)
    data = X, y, X_test, ALPHA
    ways = {
        "Split conformal": student.split_conformal(fit_mean, predict_mean, *data, n_train=400),
        "CQR": student.cqr(fit_quantile, predict_quantile, *data, n_train=400),
    }
    for ax, (name, (lower, upper)) in zip(axes, ways.items()):
        ax.plot(x_new[:500], y_new[:500], ".", color=COLORS["grey"], markersize=3, alpha=0.6)
        band(ax, grid, lower[:200], upper[:200])
        for level in (ALPHA / 2, 1 - ALPHA / 2):
            truth = regression_quantile(grid, level)
            ax.plot(grid, truth, color=COLORS["black"], linestyle=(0, (4, 2)), linewidth=1)
            ax.text(grid[-1] + 0.05, truth[-1], f"{level:.0%}", va="center", size=10)
        coverage = student.interval_coverage(y_new, lower[200:], upper[200:])
        width = student.mean_width(lower[200:], upper[200:])
        ax.set_title(f"{name}: {coverage:.1%} covered, mean width {width:.2f}")
        ax.set(xlabel="x (dashed: the true 5% and 95% quantiles)", xlim=(-0.2, 4.4))
    axes[0].set_ylabel("y")
    return fig


@figure("coverage", caption="A calibration may be lucky or not; the rank puts the mean where promised.")
def coverage(student):
    n, trials = 50, 20_000
    rng = np.random.default_rng(2)
    # the coverage of a threshold q on uniform scores is q itself
    scores = np.sort(rng.uniform(size=(trials, n)), axis=1)
    k = student.conformal_rank(n, ALPHA)
    fig, ax = subplots(size=(7.5, 4.2))
    edges = np.linspace(0.7, 1.0, 61)
    middles, step = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    ways = [
        (student.conformal_quantile(scores, ALPHA), "blue", f"conformal quantile (k = {k})"),
        (np.quantile(scores, 1 - ALPHA, axis=1), "orange", "NumPy's quantile at 0.9"),
    ]
    for q, color, name in ways:
        label = f"{name}: mean {q.mean():.3f}"
        ax.hist(q, edges, density=True, histtype="stepfilled", alpha=0.4, color=COLORS[color], label=label)
    density = np.diff(student.coverage_cdf(edges, n, k)) / step
    ax.plot(middles, density, color=COLORS["blue"], linestyle="-", label=f"Beta({k}, {n + 1 - k})")
    ax.axvline(1 - ALPHA, color=COLORS["black"], linewidth=1)
    above = ax.get_xaxis_transform()
    ax.text(1 - ALPHA, 1.01, f"asked for: {1 - ALPHA}", transform=above, ha="center", size=10)
    ax.set(title=f"Coverage after calibrating on {n} scores", xlabel="coverage", ylabel="density")
    ax.legend(loc="upper left")
    return fig


@figure("online", caption="The noise triples at round 500: a fixed level misses for long, ours recovers.")
def online(student):
    rng = np.random.default_rng(3)
    scores = np.abs(rng.normal(size=1500)) * np.where(np.arange(1500) < 600, 1.0, 3.0)
    fig, ax = subplots(size=(7.5, 4.2))
    window = np.ones(100) / 100
    for gamma, name in ((1e-12, "fixed level"), (0.02, "adaptive, γ = 0.02")):
        _, missed, _ = student.adaptive_conformal(scores, ALPHA, gamma, n_start=100)
        share = np.convolve(missed, window, mode="valid")
        ax.plot(np.arange(len(share)) + 100, share, linestyle="-", label=name)
    ax.axhline(ALPHA, color=COLORS["black"], linewidth=1)
    ax.set(title="Misses among the last 100 rounds (black: α)", ylabel="share of misses", ylim=(0, None))
    ax.set(xlabel="rounds so far (100 fill the first window)", xlim=(100, 1400))
    name_lines(ax)
    return fig


if __name__ == "__main__":
    main("conformal")
