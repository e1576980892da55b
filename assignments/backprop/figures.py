"""Figures of the backprop assignment, drawn from your own backprop.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import players
from coursekit.drawing import figure, main
from coursekit.plots import COLORS, DIVERGING, subplots


def loss_and_grads(student):
    """The binary loss and its gradients in all parameters, from the student's forward and backward pass."""

    def function(params, x, y):
        logits, cache = student.mlp_forward(x, params, activation=student.tanh)
        loss, d_logits = student.binary_cross_entropy(logits, y)
        return loss, student.mlp_backward(params, cache, d_logits, derivative=student.tanh_derivative)

    return function


def disc(rng, n):
    """Points in the plane, labeled by whether they lie in a disc; one label in eight is wrong."""
    x = rng.uniform(-2, 2, size=(n, 2))
    inside = np.hypot(x[:, 0], x[:, 1]) < 1.4
    return x, (inside ^ (rng.uniform(size=n) < 1 / 8)).astype(float)[:, None]


@figure("early_stopping", caption="The training loss keeps falling while wrong labels are learned by heart.")
def early_stopping(student):
    rng = np.random.default_rng(3)
    (x, y), (x_val, y_val) = disc(rng, 100), disc(rng, 400)
    gradients = loss_and_grads(student)

    def run(patience):
        return student.fit(
            student.init_params([2, 24, 24, 1], np.random.default_rng(5)), x, y, loss_and_grads=gradients,
            step=lambda params, grads, state: student.adam_step(params, grads, state, lr=0.01),
            validate=lambda params: gradients(params, x_val, y_val)[0],
            shuffle=np.random.default_rng(7).permutation, batch_size=16, max_epochs=160, patience=patience,
        )[1]  # fmt: skip

    history = run(patience=160)
    stopped = len(run(patience=25)["val"])
    best = int(np.argmin(history["val"][:stopped])) + 1

    fig, ax = subplots()
    epochs = np.arange(1, len(history["val"]) + 1)
    ax.plot(epochs, history["train"], label="training")
    ax.plot(epochs, history["val"], label="validation")
    ax.scatter([best], [history["val"][best - 1]], color=COLORS["red"], zorder=3, label=f"kept: epoch {best}")
    ax.axvline(stopped, color=COLORS["grey"], linestyle=":", label=f"patience 25 ends at {stopped}")
    ax.set(title="Training past the best epoch", xlabel="epoch", ylabel="mean loss (nats)", ylim=(0, None))
    ax.legend()
    return fig


@figure("players", caption="Training finds the boundary, then sharpens it: certainty from ten examples.")
def drafted(student):
    x, y = players()
    center, spread = x.mean(axis=0), x.std(axis=0)
    goals, passes = np.meshgrid(np.linspace(10, 110, 120), np.linspace(55, 95, 120))
    points = (np.column_stack([goals.ravel(), passes.ravel()]) - center) / spread
    params, state = student.init_params([2, 3, 4, 3, 1], np.random.default_rng(8)), None
    gradients = loss_and_grads(student)

    fig, axes = subplots(1, 3, size=(13, 4.2), sharey=True)
    done = 0
    for ax, n_steps in zip(axes, (20, 80, 400), strict=True):
        for _ in range(n_steps - done):
            _, grads = gradients(params, (x - center) / spread, y[:, None])
            params, state = student.adam_step(params, grads, state, lr=0.01)
        done = n_steps
        logits, _ = student.mlp_forward(points, params, activation=student.tanh)
        p = student.sigmoid(logits).reshape(goals.shape)
        shades = ax.contourf(goals, passes, p, levels=np.linspace(0, 1, 11), cmap=DIVERGING, alpha=0.75)
        ax.contour(goals, passes, p, levels=[0.5], colors=COLORS["black"], linewidths=1.5)
        for label, marker, name in ((1, "o", "drafted"), (0, "X", "not drafted")):
            look = {"s": 70, "color": COLORS["black"], "edgecolors": "white", "zorder": 3}
            ax.scatter(*x[y == label].T, marker=marker, label=name, **look)
        ax.set(title=f"After {n_steps} steps", xlabel="goals per hundred games")
        ax.grid(False)
    axes[0].set(ylabel="passes that arrived (%)")
    axes[0].legend(loc="upper right", facecolor="white", frameon=True, framealpha=0.9)
    fig.colorbar(shades, ax=axes, label="probability of being drafted", pad=0.01)
    return fig


@figure(
    "optimizers",
    caption="Plain descent steps just below its limit of 0.01, which the steep direction sets, and crawls along the flat one.",
)
def optimizers(student):
    curvature = np.array([[2.0, 100.0]])
    start = {"W1": np.array([[-4.0, 0.6]])}
    ways = {
        "gradient descent, lr 0.0095": (student.sgd_step, {"lr": 0.0095}),
        "momentum, lr 0.004, β 0.9": (student.momentum_step, {"lr": 0.004, "beta": 0.9}),
        "Adam, lr 0.3": (student.adam_step, {"lr": 0.3}),
    }
    fig, (left, right) = subplots(1, 2, size=(12, 4.2), width_ratios=(3, 2))
    x, y = np.meshgrid(np.linspace(-4.6, 1.6, 200), np.linspace(-0.85, 0.85, 200))
    heights = 2 * x**2 + 100 * y**2
    left.contour(x, y, heights, levels=[1, 4, 10, 20, 40, 70], colors=COLORS["grey"], linewidths=0.7)
    for name, (step, rates) in ways.items():
        try:
            step(start, start, None, **rates)
        except NotImplementedError as error:
            print(f"  left out: {step.__name__}, {error}")
            continue
        params, state, path = start, None, [start["W1"][0]]
        for _ in range(60):
            params, state = step(params, {"W1": 2 * curvature * params["W1"]}, state, **rates)
            path.append(params["W1"][0])
        path = np.array(path)
        left.plot(*path.T, marker=".", linewidth=1.4, label=name)
        right.plot(np.maximum(path**2 @ curvature[0], 1e-8), label=name)
    left.scatter([0], [0], marker="*", s=120, color=COLORS["black"], zorder=3)
    left.set(title="Sixty steps from (−4, 0.6)", xlabel="x", ylabel="y", ylim=(-0.85, 0.85))
    right.set(title="How far down", xlabel="step", ylabel="2x² + 100y²", yscale="log")
    fig.legend(*right.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig


if __name__ == "__main__":
    main("backprop")
