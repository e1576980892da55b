"""Figures of the regularization assignment, drawn from your own regularization.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, band, subplots


def centered(values):
    return values - np.mean(values, axis=0)


@figure("averages", caption="Descent on a parabola of curvature 1, along the mean of the last K gradients. Which K settle with both learning rates?")
def averages(student):
    fig, axes = subplots(1, 2, size=(12, 4.2))
    for ax, lr in zip(axes, (0.4, 1.2)):
        with if_written(ax):
            for K, color in ((1, "blue"), (3, "orange"), (5, "green"), (10, "red")):
                path = student.averaged_descent(lambda w: w, np.ones(1), lr=lr, n_average=K, n_steps=30)[:, 0]
                path = np.where(np.abs(path) > 4, np.nan, path)
                ax.plot(path, marker="o", markersize=3, color=COLORS[color], label=f"K = {K}")
            ax.legend(loc="lower left", ncols=2)
        ax.axhline(0, color=COLORS["grey"], linewidth=1)
        ax.set(title=f"Learning rate {lr}", xlabel="step", ylabel="w", ylim=(-2.6, 2.1))
    return fig


def copied(student, n_copies):
    """`three_features`, the first of which stands there n_copies times; centered."""
    X, y = student.three_features()
    X = np.column_stack([np.repeat(X[:, :1], n_copies, axis=1), X[:, 1:]])
    return centered(X), centered(y)


@figure("copies", caption="The first feature is there once, twice, … a hundred times. Which penalty notices?")
def copies(student):
    fig, ax = subplots(size=(7.6, 4.4))
    counts = [1, 2, 3, 5, 10, 20, 50, 100]
    ax.axhline(2.045, color=COLORS["grey"], linewidth=1.2)
    ax.text(1, 2.055, "least squares", color=COLORS["grey"], va="bottom")
    with if_written(ax):
        ax.plot(counts, [student.ridge(*copied(student, k), 20.0)[0][:k].sum() for k in counts], marker="o", color=COLORS["blue"], label="ridge")
    with if_written():
        lasso = [student.lasso_path(*copied(student, k), np.array([20.0]))[0][:k].sum() for k in counts]
        ax.plot(counts, lasso, marker="s", color=COLORS["orange"], label="lasso")
    if len(ax.lines) > 1:
        ax.legend(loc="center right")
    ax.set(xscale="log", ylim=(1.2, 2.2), title="Weight of one feature, all copies together", xlabel="number of copies", ylabel="sum of weights")
    ax.set_xticks(counts, labels=[str(k) for k in counts])
    ax.minorticks_off()
    return fig


@figure("shares", caption="The share of the least-squares weights that is left, for weak directions (left) to strong ones (right). Curves of one color nearly agree in the weakest directions. Which of the two reaches 1 first?")
def shares(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.2), sharey=True)
    s = np.geomspace(0.01, 1, 200)
    look = (("blue", "-"), ("orange", "--"), ("green", "-."))
    with if_written(left):
        for (color, dash), lam in zip(look, (0.5, 0.02, 0.001)):
            left.plot(s, student.shrinkage(s, lam), color=COLORS[color], linestyle=dash, label=f"λ = {lam}")
        left.legend()
    with if_written(right):
        for (color, dash), n_steps in zip(look, (2, 50, 1000)):
            right.plot(s, student.descent_filter(s, 1.0, n_steps), color=COLORS[color], linestyle=dash, label=f"{n_steps} steps")
        right.legend()
    for ax, title in ((left, "Ridge"), (right, "Gradient descent, learning rate 1")):
        ax.set(xscale="log", ylim=(-0.03, 1.05), title=title, xlabel="singular value s")
    left.set_ylabel("share")
    return fig


@figure("decay", caption="No gradient but the penalty's: where does a weight of 1 go in 1000 steps with learning rate 0.001?")
def decay(student):
    fig, axes = subplots(1, 2, size=(12, 4.2), sharey=True)
    for ax, coupled in zip(axes, (True, False)):
        with if_written(ax):
            for lam, color, dash in ((0.01, "blue", "-"), (0.1, "orange", "--"), (1.0, "green", ":")):
                w, state, path = np.ones(1), (np.zeros(1), np.zeros(1), 0), [1.0]
                for _ in range(1000):
                    w, state = student.adam_step(w, np.zeros(1), state, lr=0.001, decay=lam, coupled=coupled)
                    path.append(float(w[0]))
                width = {"-": 4.5, "--": 3.0, ":": 2.0}[dash]
                ax.plot(path, color=COLORS[color], linestyle=dash, linewidth=width, label=f"λ = {lam}")
            ax.legend(loc="lower left")
        ax.set(title="Adam, coupled" if coupled else "Adam, decoupled", xlabel="step", ylim=(-0.05, 1.05))
    axes[0].set_ylabel("weight")
    return fig


@figure("ball", caption="Contours of the squared error in two weights, and where the best weights go as the penalty grows. On which path does one weight become exactly 0?")
def ball(student):
    fig, axes = subplots(1, 2, size=(11, 5), sharex=True, sharey=True)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    y = X @ np.array([1.6, 0.5]) + 0.3 * rng.normal(size=40)
    X, y = centered(X), centered(y)
    grid, up = np.linspace(-0.6, 2.6, 120), np.linspace(-1.0, 1.6, 100)
    errors = ((y[:, None, None] - np.tensordot(X, np.stack(np.meshgrid(grid, up)), axes=1)) ** 2).sum(axis=0) / 2
    turn = np.linspace(0, 2 * np.pi, 200)
    lams = np.geomspace(1000, 0.01, 120)
    for ax, title in zip(axes, ("Ridge", "Lasso")):
        ax.contour(grid, up, errors, levels=errors.min() + np.array([1, 4, 10, 20, 35]), colors=COLORS["grey"], linewidths=0.9)
        with if_written(ax):
            if title == "Ridge":
                path = np.array([student.ridge(X, y, lam)[0] for lam in lams])
                at = path[np.abs(np.linalg.norm(path, axis=1) - 0.9).argmin()]
                ax.plot(*(np.hypot(*at) * np.stack([np.cos(turn), np.sin(turn)])), color=COLORS["orange"], linestyle="-")
            else:
                path = student.lasso_path(X, y, lams)
                at = path[np.abs(np.abs(path).sum(axis=1) - 0.9).argmin()]
                ax.plot(*(np.abs(at).sum() * np.array([[1, 0, -1, 0, 1], [0, 1, 0, -1, 0]])), color=COLORS["orange"], linestyle="-")
            ax.plot(*path.T, color=COLORS["blue"], linewidth=2.4, linestyle="-")
            ax.plot(*at, "o", color=COLORS["black"])
        ax.axhline(0, color=COLORS["black"], linewidth=0.6)
        ax.axvline(0, color=COLORS["black"], linewidth=0.6)
        ax.set(title=title, xlabel="$w_1$", xlim=(-0.6, 2.6), ylim=(-1.0, 1.6), aspect="equal")
        ax.grid(visible=False)
    axes[0].set_ylabel("$w_2$")
    return fig


@figure("paths", caption="y = x1 + x2, and x3 is a blurred copy of the sum. Read from right to left: which weight wakes first, and what becomes of it?")
def paths(student):
    fig, axes = subplots(1, 2, size=(12, 4.4), sharey=True)
    X, y = student.sum_of_two()
    lams = np.geomspace(300, 0.05, 80)
    for ax, title in zip(axes, ("Ridge", "Lasso")):
        with if_written(ax):
            path = student.lasso_path(X, y, lams) if title == "Lasso" else np.array([student.ridge(X, y, lam)[0] for lam in lams])
            for j, (color, dash) in enumerate((("blue", "-"), ("orange", "--"), ("red", "-."))):
                ax.plot(lams, path[:, j], color=COLORS[color], linestyle=dash, label=f"$w_{j + 1}$")
            ax.legend(loc="center left")
        ax.set(xscale="log", title=title, xlabel="λ", ylim=(-0.05, 1.2))
    axes[0].set_ylabel("weight")
    return fig


@figure("tradeoff", caption="Ridge with the singular values 2, 1 and 0.1: expected squared error of predictions. Where is the sum lowest?")
def tradeoff(student):
    fig, ax = subplots(size=(7.6, 4.4))
    lams = np.geomspace(0.003, 100, 120)
    with if_written(ax):
        parts = np.array([student.ridge_bias_variance(np.array([2.0, 1.0, 0.1]), np.ones(3), lam, 1.0) for lam in lams])
        ax.plot(lams, parts[:, 0], color=COLORS["orange"], linestyle="--", label="squared bias")
        ax.plot(lams, parts[:, 1], color=COLORS["green"], linestyle="-.", label="variance")
        ax.plot(lams, parts.sum(axis=1), color=COLORS["blue"], linestyle="-", label="sum")
        ax.axhline(3, color=COLORS["grey"], linewidth=1.2)
        ax.text(100, 3.06, "least squares", color=COLORS["grey"], ha="right", va="bottom")
        ax.legend(loc="upper left")
    ax.set(xscale="log", title="Two ways to be wrong", xlabel="λ", ylabel="error", ylim=(0, 5))
    return fig


@figure("validation", caption="60 examples, 40 features. Which curve says nothing about new examples, and where is it lowest?")
def validation(student):
    fig, ax = subplots(size=(8, 4.6))
    rng = np.random.default_rng(4)
    X, lams = rng.normal(size=(60, 40)), np.geomspace(0.1, 1000, 25)
    y = X[:, :8].sum(axis=1) * 0.6 + 1.5 * rng.normal(size=60)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    with if_written(ax):
        fits = [student.ridge(X, y, lam) for lam in lams]
        training = [((y - X @ w - b) ** 2).mean() for w, b in fits]
        ax.plot(lams, training, color=COLORS["grey"], linestyle="--", label="training error")
    with if_written(ax):
        def fit_predict(lam):
            def predict(X_train, y_train, X_test):
                w, b = student.ridge(X_train, y_train, lam)
                return X_test @ w + b
            return predict

        held_out = student.folds(np.arange(60), 10)
        errors = np.array([student.cross_validate(fit_predict(lam), X, y, held_out) for lam in lams])
        mean, spread = errors.mean(axis=1), errors.std(axis=1, ddof=1) / np.sqrt(60)
        ax.plot(lams, mean, color=COLORS["blue"], linestyle="-", label="10 folds")
        band(ax, lams, mean - spread, mean + spread)
        with if_written():
            chosen = student.one_standard_error(errors, lams)
            for lam, name, side in ((lams[mean.argmin()], "lowest", "right"), (chosen, "within one\nstandard error", "left")):
                ax.axvline(lam, color=COLORS["black"], linewidth=1, linestyle=":")
                ax.text(lam * (1.1 if side == "left" else 0.9), 9.2, name, ha=side, va="center", size=10)
    with if_written():
        loo = [(student.leave_one_out(X, y, lam) ** 2).mean() for lam in lams]
        ax.plot(lams, loo, color=COLORS["orange"], linestyle="-.", label="leave one out")
    if ax.lines:
        ax.legend(loc="upper left")
    ax.set(xscale="log", ylim=(0, 10), title="Training error and estimates of the test error", xlabel="λ", ylabel="mean squared error")
    return fig


@figure("examples", caption="50 features, noise of variance 1/4. Lines are formulas, dots are means of 60 draws with your dual_ridge. What do more examples do to each of them?")
def examples(student):
    fig, ax = subplots(size=(8.6, 4.8))
    d, ns = 50, np.arange(5, 151)
    risks = np.array([student.minimum_norm_risk(int(n), d, noise_variance=0.25) for n in ns])
    ax.plot(ns, risks, color=COLORS["orange"], linestyle="-", label="shortest of the best fits")
    sizes = np.array([10, 20, 30, 40, 45, 55, 60, 70, 80, 100, 120, 150])
    rng = np.random.default_rng(0)
    with if_written(ax):
        found = {1e-8: [], 12.5: []}
        for n in sizes:
            risk = dict.fromkeys(found, 0.0)
            for _ in range(60):
                w = rng.normal(size=d)
                w /= np.sqrt(w @ w)
                X = rng.normal(size=(n, d))
                y = X @ w + 0.5 * rng.normal(size=n)
                gram = X @ X.T
                for lam in found:
                    risk[lam] += ((X.T @ student.dual_ridge(gram, y, lam) - w) ** 2).sum() / 60
            for lam in found:
                found[lam].append(risk[lam])
        ax.plot(sizes, found[1e-8], "o", color=COLORS["orange"], label="λ almost 0")
        ax.plot(sizes, found[12.5], "s--", color=COLORS["blue"], label="λ = 12.5")
    ax.axvline(d, color=COLORS["grey"], linewidth=1, linestyle=":")
    ax.text(d + 1, 3.8, "n = d", color=COLORS["grey"], va="center")
    ax.set(ylim=(0, 4), xlim=(5, 155), title="Error of predictions, noise aside", xlabel="number of examples n", ylabel="risk")
    ax.legend()
    return fig


if __name__ == "__main__":
    main("regularization")
