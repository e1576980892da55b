"""Figures of the conformal assignment, drawn from your own conformal.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import X_RANGE, regression, regression_quantile
from coursekit.plots import COLORS, band, figure, if_written, main, name_lines, subplots

ALPHA = 0.1


@figure("pinball", caption="Tilting the absolute value moves its minimizer away from the median. What share of the ticks lies below it?")
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


@figure("bands", caption="Both bands are promised 90% over all x. The numbers at the bottom: how often each one misses.")
def bands(student):
    rng = np.random.default_rng(11)  # both miss about as often as over many draws
    x, y = regression(rng, 800)
    x_new, y_new = regression(rng, 4000)
    grid = np.linspace(*X_RANGE, 200)
    X, X_test = features(x), features(np.concatenate([grid, x_new]))

    def fit_quantile(X, y, tau):
        return student.fit_quantile_regression(X, y, tau, lr=2.0, n_steps=600)

    def predict_quantile(model, X):
        return X @ model[0] + model[1]

    fig, axes = subplots(1, 2, size=(11, 4.2), sharey=True)
    ways = {
        "Split conformal": (student.split_conformal, fit_mean, predict_mean),
        "CQR": (student.cqr, fit_quantile, predict_quantile),
    }
    for ax, (name, (way, fit, predict)) in zip(axes, ways.items()):
        ax.plot(x_new[:500], y_new[:500], ".", color=COLORS["grey"], markersize=3, alpha=0.6)
        with if_written(ax):
            lower, upper = way(fit, predict, X, y, X_test, ALPHA, n_train=400)
            band(ax, grid, lower[:200], upper[:200])
            lower, upper = lower[200:], upper[200:]
            missed = (y_new < lower) | (y_new > upper)
            for start in range(4):  # in each quarter of the range of x
                share = missed[(x_new >= start) & (x_new < start + 1)].mean()
                ax.text(start + 0.5, 0.02, f"{share:.0%}", transform=ax.get_xaxis_transform(), ha="center", size=10)
            name += f": {missed.mean():.1%} missed, mean width {student.mean_width(lower, upper):.2f}"
        ax.set_title(name)
        for level in (ALPHA / 2, 1 - ALPHA / 2):
            truth = regression_quantile(grid, level)
            ax.plot(grid, truth, color=COLORS["black"], linestyle=(0, (4, 2)), linewidth=1)
            ax.text(grid[-1] + 0.05, truth[-1], f"{level:.0%}", va="center", size=10)
        ax.set(xlabel="x (dashed: the true 5% and 95% quantiles)", xlim=(-0.2, 4.4))
    axes[0].set_ylabel("y")
    return fig


@figure("coverage", caption="A calibration may be lucky or not. What does 90% mean for one calibration?")
def coverage(student):
    rng = np.random.default_rng(2)
    fig, axes = subplots(1, 2, size=(11, 4.2), sharex=True)
    for ax, n, trials, bins in zip(axes, (50, 1000), (20_000, 4_000), (61, 121)):
        # the coverage of a threshold q on uniform scores is q itself
        scores = np.sort(rng.uniform(size=(trials, n)), axis=1)
        edges = np.linspace(0.7, 1.0, bins)
        bars = {"density": True, "histtype": "stepfilled", "alpha": 0.4}
        with if_written(ax):
            q = student.conformal_quantile(scores, ALPHA)
            ax.hist(q, edges, color=COLORS["blue"], label=f"conformal quantile: mean {q.mean():.3f}", **bars)
        q = np.quantile(scores, 1 - ALPHA, axis=1)
        ax.hist(q, edges, color=COLORS["orange"], label=f"NumPy's quantile at 0.9: mean {q.mean():.3f}", **bars)
        with if_written():
            law = student.coverage_cdf(edges, n, student.conformal_rank(n, ALPHA))
            middles, step = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
            ax.plot(middles, np.diff(law) / step, color=COLORS["blue"], linestyle="-", label="your exact law")
        ax.axvline(1 - ALPHA, color=COLORS["black"], linewidth=1)
        ax.set(title=f"After calibrating on {n} scores", xlabel="coverage (line: asked for)")
        ax.legend(loc="upper left")
    axes[0].set_ylabel("density")
    return fig


@figure("online", caption="The noise triples at round 500. Ticks: rounds that the adaptive level answers with the whole line.")
def online(student):
    rng = np.random.default_rng(3)
    scores = np.abs(rng.normal(size=1500)) * np.where(np.arange(1500) < 600, 1.0, 3.0)
    fig, ax = subplots(size=(7.5, 4.2))
    window = np.ones(100) / 100
    for gamma, name in ((1e-12, "fixed level"), (0.02, "adaptive, γ = 0.02")):
        thresholds, missed, _ = student.adaptive_conformal(scores, ALPHA, gamma, n_start=100)
        share = np.convolve(missed, window, mode="valid")
        ax.plot(np.arange(len(share)) + 100, share, linestyle="-", label=name)
    unbounded = np.flatnonzero(np.isposinf(thresholds))
    ax.plot(unbounded, np.full(len(unbounded), 0.01), "|", color=COLORS["red"], markersize=10)
    ax.axhline(ALPHA, color=COLORS["black"], linewidth=1)
    ax.set(title="Misses among the last 100 rounds (black: α)", ylabel="share of misses", ylim=(0, None))
    ax.set(xlabel="rounds so far (100 fill the first window)", xlim=(100, 1400))
    name_lines(ax)
    return fig


if __name__ == "__main__":
    main("conformal")
