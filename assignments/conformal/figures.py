"""Figures of the conformal assignment, drawn from your own conformal.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import X_RANGE, regression, regression_quantile
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, band, name_lines, subplots

ALPHA = 0.1


@figure("pinball", caption="Dots mark the constants of least loss. Which share of the values lies at or below the dots?")
def pinball(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    error = np.linspace(-2, 2, 201)
    values = np.append(np.arange(1.0, 10.0), 1000.0)
    constants = np.linspace(0, 14, 281)
    for tau in (0.1, 0.85, 0.9):
        left.plot(error, student.pinball_loss(error, 0.0, tau), label=f"τ = {tau}")
        mean = student.pinball_loss(values[:, None], constants, tau).mean(axis=0)
        above = mean - mean.min()
        (line,) = right.plot(constants, above)
        best = constants[above < 1e-9]  # all constants of least loss, up to rounding
        right.plot(best, np.zeros(len(best)), "o", color=line.get_color(), markersize=3 if len(best) > 1 else 7, zorder=2 if len(best) > 1 else 4)
    right.plot(values, np.full(len(values), -0.25), "|", color=COLORS["grey"], markersize=10)
    left.set(title="Loss of one prediction", xlabel="y − ŷ (above 0: predicted too low)", ylabel="pinball loss")
    right.set(title="Mean loss of one constant for ten values", ylabel="mean loss above its minimum", ylim=(-0.5, 4))
    right.set(xlabel="the constant (ticks: the values; 1,000 is far to the right)", xlim=(0, 14))
    left.legend()
    return fig


@figure("path", caption="A line through 50 rows at τ = 0.9. A fit should return the best point of its path.")
def path(student):
    x, y = np.random.default_rng(9).uniform(size=(2, 50))
    losses = {}  # one entry for each point of the path, however often its loss is asked for

    def loss(y, y_hat, tau):
        losses[tuple(y_hat)] = student.pinball_loss(y, y_hat, tau).mean()
        return student.pinball_loss(y, y_hat, tau)

    w, b = student.fit_quantile_regression(x[:, None], y, 0.9, lr=4.0, loss=loss)
    mean = np.array([*losses.values()])
    best, uphill = mean.argmin(), np.diff(mean) > 0
    above = np.where(mean > mean.min(), mean - mean.min(), np.nan)  # a logarithmic axis has no place for 0
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    left.plot(above, linestyle="-", linewidth=1)
    left.axvline(best, color=COLORS["red"], linewidth=1)
    left.set(title=f"{uphill.mean():.0%} of the steps go uphill; best point after {best} steps", yscale="log")
    left.set(xlabel="steps taken (red: the best point)", ylabel="mean loss above that of the best point")
    right.plot(x, y, "o", color=COLORS["grey"], markersize=5)
    ends = np.array([0.0, 1.0])
    right.plot(ends, ends * w[0] + b, color=COLORS["red"], linestyle="-")
    right.set(title=f"{np.mean(y < x * w[0] + b):.0%} of the rows lie below your line", xlabel="x", ylabel="y")
    return fig


def features(x):
    """Columns that a linear model can bend with, of length about one: the method's steps suit them."""
    return np.column_stack([np.sin(2 * x), np.cos(2 * x), x / 2 - 1])


def fit_mean(X, y):
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


def predict_mean(model, X):
    return X @ model[:-1] + model[-1]


@figure("models", caption="Model A: the y of the nearest training row. Model B: noise. Each interval aims at 90%.")
def models(student):
    rng = np.random.default_rng(7)
    (x, y), (x_new, y_new) = regression(rng, 800), regression(rng, 4000)

    def nearest(model, X):
        return model[1][np.abs(X - model[0].T).argmin(axis=1)]

    def noise(model, X):
        return 5 * np.sin(1e4 * X[:, 0])

    ways = {
        "A, on its training rows": (nearest, [*range(400)] * 2),
        "A, on fresh rows": (nearest, range(800)),
        "B, on fresh rows": (noise, range(800)),
    }
    fig, axes = subplots(1, 3, size=(12, 4), sharey=True)
    for ax, (name, (predict, rows)) in zip(axes, ways.items()):
        lower, upper = student.split_conformal(
            lambda X, y: (X, y), predict, x[rows, None], y[rows], x_new[:, None], ALPHA, n_train=400
        )
        missed = (y_new < lower) | (y_new > upper)
        ax.vlines(x_new[:60], lower[:60], upper[:60], color=COLORS["blue"], alpha=0.5)
        ax.plot(x_new[:60], y_new[:60], "o", color=COLORS["black"], markersize=3)
        width = student.mean_width(lower, upper)
        ax.set(title=f"{name}:\n{missed.mean():.1%} missed, mean width {width:.1f}", xlabel="x (60 new cases)")
    axes[0].set_ylabel("y")
    return fig


@figure("bands", caption="Both bands aim at 90% over all x. The numbers at the bottom are the shares of misses in each quarter of x.")
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


@figure("sets", caption="Each histogram counts the labels in 4,000 sets, for α = 0.2 and exact probabilities.")
def sets(student):
    rng = np.random.default_rng(6)
    p, u = rng.dirichlet(np.full(10, 0.1), size=8000), rng.uniform(size=8000)
    labels = (p.cumsum(axis=1) < rng.uniform(size=(8000, 1))).sum(axis=1)  # drawn from p
    new = np.arange(4000, 8000)
    fig, axes = subplots(1, 3, size=(12, 4), sharey=True)
    for ax, name in zip(axes, ("LAC", "APS without u", "APS with u")):
        with if_written(ax):
            if name == "LAC":
                scores = student.lac_scores(p)
            else:
                scores = student.aps_scores(p, u=u if name == "APS with u" else None)
            q = student.conformal_quantile(scores[range(4000), labels[:4000]], 0.2)
            if name == "LAC":
                kept = student.lac_sets(p[new], q)
            else:
                kept = student.aps_sets(p[new], q, u=u[new] if name == "APS with u" else None)
            sizes = kept.sum(axis=1)
            ax.bar(range(11), np.bincount(sizes, minlength=11) / len(new), color=COLORS["blue"])
            name += f": covers {kept[range(4000), labels[new]].mean():.0%}\nmean size {sizes.mean():.1f}"
            name += f", {np.mean(sizes == 0):.1%} empty"
        ax.set(title=name, xlabel="labels in the set")
    axes[0].set_ylabel("share of the sets")
    return fig


@figure("groups", caption="The minority is a tenth of the patients and has three times the noise. Dashed: the coverage aimed at.")
def groups(student):
    rng = np.random.default_rng(0)
    group = (rng.uniform(size=40_000) < 0.1).astype(int)
    scores = np.abs(rng.normal(size=40_000)) * (1 + 2 * group)
    old, new = np.split(np.arange(40_000), 2)
    fig, axes = subplots(1, 2, size=(11, 4), sharey=True)
    for ax, name in zip(axes, ("One threshold for all", "A threshold for each group")):
        with if_written(ax):
            if name == "One threshold for all":
                q = np.full(2, student.conformal_quantile(scores[old], ALPHA))
            else:
                q = student.group_quantiles(scores[old], group[old], ALPHA, n_groups=2)
            shares = [np.mean(scores[new][group[new] == g] <= q[g]) for g in (0, 1)]
            bars = ax.bar(("majority", "minority"), shares, color=[COLORS["blue"], COLORS["orange"]], width=0.5)
            ax.bar_label(bars, [f"{share:.0%}, width {2 * q[g]:.1f}" for g, share in enumerate(shares)])
            name += f": mean width {2 * q[group[new]].mean():.2f}"
        ax.axhline(1 - ALPHA, color=COLORS["black"], linestyle=(0, (4, 2)), linewidth=1)
        ax.set(title=name, ylim=(0, 1.1))
    axes[0].set_ylabel("coverage")
    return fig


@figure("coverage", caption="Each histogram shows the coverage of many calibrations. Which coverage does one calibration have?")
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
        ax.set(title=f"After calibrating on {n} scores", xlabel="coverage (black line: aimed at)")
        ax.legend(loc="upper left")
    axes[0].set_ylabel("density")
    return fig


@figure("online", caption="The noise triples at round 500. Red ticks: rounds with an infinite adaptive threshold.")
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
