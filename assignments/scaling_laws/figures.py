"""Figures of the scaling_laws assignment, drawn from your own scaling_laws.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, name_lines, subplots


@figure("memory", caption="One training step of the 7B model on one sequence, on one of 8 devices. Which bars does each trick shorten?")
def memory(student):
    fig, ax = subplots(size=(8.4, 4.2))
    config, n_parameters, T = student.LLAMA["7B"], 6_738_415_616, 4096
    bars = []
    with if_written():
        for stage in range(4):
            parts = student.state_bytes(n_parameters, n_devices=8, stage=stage)
            bars.append((f"state, stage {stage}", [parts[name] for name in ("weights", "gradients", "optimizer")]))
    with if_written(ax):
        for name, fused in (("activations", False), ("activations, fused", True)):
            bars.append((name, [32 * student.activation_bytes(config, T, fused=fused)]))
        block = student.activation_bytes(config, T)
        bars.append(("activations, checkpoints", [student.checkpoint_plan(32, 2 * T * config["d_model"], block)[1]]))
    for row, (name, sizes) in enumerate(bars):
        left = 0.0
        colors = ("blue", "orange", "green") if len(sizes) == 3 else ("sky",)
        for size, color in zip(sizes, colors):
            ax.barh(row, size / 1e9, left=left, color=COLORS[color], height=0.65)
            left += size / 1e9
        ax.text(left + 1, row, f"{left:.1f} GB", va="center")
    ax.set(yticks=range(len(bars)), yticklabels=[name for name, _ in bars], xlabel="GB on one device", xlim=(0, 138))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    legend = (("weights", "blue"), ("gradients", "orange"), ("optimizer", "green"), ("activations", "sky"))
    for row, (name, color) in enumerate(legend):
        ax.text(0.97, 0.52 - 0.08 * row, name, color=COLORS[color], transform=ax.transAxes, ha="right", weight="bold")
    ax.set_title("Memory by part, Llama 7B, 4096 tokens")
    return fig


@figure("budget", caption="Left: what another size pays for the same loss. Where is the price nearly flat, and where does each curve end? Right: how much do three published fits disagree about the best ratio?")
def budget(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.4))
    shares = np.geomspace(0.05, 10, 400)
    with if_written(left):
        for name, surface in student.SURFACES.items():
            factors = np.array([student.compute_factor(surface, 1e21, share) for share in shares])
            factors[~np.isfinite(factors) | (factors > 1e3)] = np.nan
            left.plot(shares, factors, label=name)
    left.set(xscale="log", yscale="log", ylim=(0.9, 300), xlim=(0.05, 14), title="Compute for the same loss")
    left.set(xlabel="parameters, as a share of the best size", ylabel="compute, relative to the best size")
    left.set_xticks([0.1, 0.5, 1, 2, 10], labels=["1/10", "1/2", "1", "2", "10"])
    left.set_yticks([1, 2, 10, 100], labels=["1", "2", "10", "100"])
    if left.lines:
        left.legend()
    C = np.geomspace(1e18, 1e25, 50)
    with if_written(right):
        for name, surface in student.SURFACES.items():
            N, D = student.compute_optimal(surface, C)
            right.plot(C, D / N, label=name)
    right.set(xscale="log", yscale="log", xlim=(1e18, 1e25), title="Tokens per parameter at the best size")
    right.set(xlabel="compute C", ylabel="D / N")
    right.set_yticks([10, 20, 50, 100, 200], labels=["10", "20", "50", "100", "200"])
    name_lines(right)
    return fig


def made_runs(student, budgets, *, noise=0.006):
    """Runs of nine sizes for each budget on the printed surface, with noise in the logarithm of the loss."""
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1e7, 3e10, 22)
    C, N, L = [], [], []
    for budget in budgets:
        loss = student.surface_loss(student.SURFACES["printed"], sizes, budget / (6 * sizes))
        chosen = np.argsort(loss)[:9]
        C += [budget] * 9
        N += sizes[chosen].tolist()
        L += (loss[chosen] * np.exp(noise * rng.normal(size=9))).tolist()
    return np.array(C), np.array(N), np.array(L)


@figure("valleys", caption="Runs with noise, nine for each budget. How far from the true best sizes are the lowest points, and the line through them?")
def valleys(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.4))
    budgets = np.geomspace(1e18, 1e21, 4)
    C, N, L = made_runs(student, budgets)
    for k, budget in enumerate(budgets):
        color = COLORS[("blue", "orange", "green", "red")[k]]
        chosen = budget == C
        left.plot(N[chosen], L[chosen], "o", color=color, markersize=4)
        largest = N[chosen].argmax()
        name = f"$10^{{{round(np.log10(budget))}}}$"
        left.text(1.25 * N[chosen][largest], L[chosen][largest], name, color=color, va="center")
    with if_written(left):
        _, best, losses = student.isoflop_optima(C, N, L)
        for k, budget in enumerate(budgets):
            chosen = budget == C
            x = np.linspace(np.log(N[chosen]).min(), np.log(N[chosen]).max(), 60)
            left.plot(np.exp(x), np.polyval(np.polyfit(np.log(N[chosen]), L[chosen], 2), x), color=COLORS["grey"], linewidth=1, linestyle="-")
        left.plot(best, losses, "v", color=COLORS["black"], markersize=8)
        right.plot(budgets, best, "v", color=COLORS["black"], markersize=8, label="lowest points")
        with if_written(right):
            k, p = student.fit_power_law(budgets, best)
            far = np.array([1e18, 1e24])
            right.plot(far, k * far**p, color=COLORS["grey"], label=f"fit, power {p:.3f}")
        with if_written():
            far = np.geomspace(1e18, 1e24, 20)
            N, _ = student.compute_optimal(student.SURFACES["printed"], far)
            right.plot(far, N, "--", color=COLORS["blue"], label="true best size")
        right.legend()
    left.set(xscale="log", xlim=(1.5e7, 3e10), title="Loss for each budget", xlabel="parameters N", ylabel="loss")
    right.set(xscale="log", yscale="log", title="Best size", xlabel="compute C", ylabel="parameters N")
    return fig


@figure("floor", caption="Two ways to extend losses from small budgets. Which one can go below the gray line, and what would that mean?")
def floor(student):
    fig, ax = subplots(size=(8, 4.6))
    printed = student.SURFACES["printed"]
    C, far = np.geomspace(1e17, 1e20, 8), np.geomspace(1e17, 1e26, 60)
    ax.axhline(printed[0], color=COLORS["grey"], linewidth=1.2)
    ax.text(1.2e17, printed[0] - 0.04, "E = 1.69", color=COLORS["grey"], va="top")
    with if_written(ax):
        losses = student.surface_loss(printed, *student.compute_optimal(printed, C))
        ax.plot(C, losses, "o", color=COLORS["black"])
        with if_written():
            k, p = student.fit_power_law(C, losses)
            ax.plot(far, k * far**p, color=COLORS["orange"], label="straight line in the logs")
        with if_written():
            N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e9, 8), np.geomspace(1e8, 1e10, 6)))
            near = [[0.5, 6.0, 6.0, 0.4, 0.4], [0.0, 5.0, 5.0, 0.3, 0.3]]
            fitted = student.fit_surface(N, D, student.surface_loss(printed, N, D), near)
            ax.plot(far, student.surface_loss(fitted, *student.compute_optimal(fitted, far)), color=COLORS["blue"], label="fitted surface")
        ax.legend()
    ax.set(xscale="log", yscale="log", ylim=(1.0, 6.5), title="Best loss for each budget", xlabel="compute C", ylabel="loss")
    ax.set_yticks([1, 1.5, 2, 3, 4, 6], labels=["1", "1.5", "2", "3", "4", "6"])
    ax.minorticks_off()
    return fig


@figure("width", caption="Loss after 40 steps against the learning rate, at three widths. Where is each curve lowest, left and right?")
def width(student):
    fig, axes = subplots(1, 2, size=(12, 4.4), sharey=True)
    rates = 2.0 ** -np.arange(4.0, 11.0)
    for ax, title, name in ((axes[0], "Usual rules", "standard_multipliers"), (axes[1], "Your multipliers", "mup_multipliers")):
        with if_written(ax):
            for color, n in (("blue", 32), ("orange", 64), ("green", 128)):
                rule = getattr(student, name)(n, 32)
                losses = [np.mean([student.train_network(n, rate, rule, seed=seed)[0] for seed in range(3)]) for rate in rates]
                ax.plot(rates, losses, marker="o", color=COLORS[color], label=f"width {n}")
                ax.plot(rates[np.argmin(losses)], min(losses), "o", markersize=13, markerfacecolor="none", color=COLORS[color])
            ax.legend()
        ax.set_xscale("log", base=2)
        ax.set(yscale="log", title=title, xlabel="learning rate at width 32")
    axes[0].set_ylabel("mean loss of 3 seeds")
    return fig


if __name__ == "__main__":
    main("scaling_laws")
