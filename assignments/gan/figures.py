"""Draws two players and their judges from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import normal_mixture, ring_of_modes
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots
from coursekit.toys import mlp, mlp_weights

F64 = torch.float64
LOOKS = {"minimax": ("red", "-"), "non_saturating": ("blue", "--")}


def tensor(values):
    return torch.as_tensor(values, dtype=F64)


@figure("slopes", caption="How hard each loss pushes a fake's logit up. On the left stand fakes that the critic finds out.")
def slopes(student):
    fig, ax = subplots(size=(8, 3.8))
    logits = torch.linspace(-8, 8, 161, dtype=F64)
    with if_written(ax):
        for kind, (color, dashes) in LOOKS.items():
            ax.plot(logits, -student.generator_slope(logits, kind=kind), color=COLORS[color], ls=dashes, label=kind)
        ax.axvline(-5, color=COLORS["grey"], lw=0.8, ls=":")
        ax.legend(loc="center right")
    ax.set(title="The push on one fake", xlabel="logit of the fake", ylabel="minus the slope", ylim=(-0.05, 1.05))
    return fig


def bells(distance, width=14.0, n=4001):
    """Two normal distributions of deviation 1, this far apart, as tables on one grid."""
    x = torch.linspace(-width, distance + width, n, dtype=F64)
    tables = [torch.exp(-((x - c) ** 2) / 2) for c in (0.0, distance)]
    return [t / t.sum() for t in tables]


def quantiles(n=400):
    """n points that stand for N(0, 1)."""
    places = (torch.arange(n, dtype=F64) + 0.5) / n
    return math.sqrt(2) * torch.erfinv(2 * places - 1)


@figure("distance", caption="Two normal distributions of deviation 1. What does each divergence say while they come closer?")
def distance(student):
    fig, (left, right) = subplots(1, 2, size=(11, 3.8))
    distances = np.linspace(0, 15, 61)
    with if_written(left):
        left.plot(distances, [float(student.js_divergence(*bells(d))) for d in distances], color=COLORS["red"])
        left.axhline(math.log(2), color=COLORS["grey"], ls=":", lw=1)
        left.text(0.3, math.log(2) + 0.015, "log 2", color=COLORS["grey"])
    left.set(title="Jensen–Shannon divergence", xlabel="distance of the means", ylim=(0, 0.78))
    with if_written(right):
        x = quantiles()
        right.plot(distances, [float(student.w1_distance(x, x + d)) for d in distances], color=COLORS["blue"])
    right.set(title="Wasserstein distance W₁", xlabel="distance of the means", ylim=(0, 15.6))
    return fig


def orbit(student, kind, n_steps, *, gamma=0.0, eta=0.1):
    """The players of the Dirac game from (1, 0) on, shape (n_steps + 1, 2)."""

    def pulls(theta, psi):
        return -psi, theta + gamma * psi

    theta, psi = tensor(1.0), tensor(0.0)
    path = [(1.0, 0.0)]
    for _ in range(n_steps):
        theta, psi = student.game_step(theta, psi, pulls, eta=eta, kind=kind)
        path.append((float(theta), float(psi)))
    return np.array(path)


@figure("spirals", caption="The Dirac game from (1, 0), eta = 0.1: 150 steps are drawn. The dot is the equilibrium.")
def spirals(student):
    fig, axes = subplots(1, 4, size=(13, 3.9))
    games = [("simultaneous", 0.0), ("alternating", 0.0), ("extragradient", 0.0), ("simultaneous", 1.0)]
    for ax, (kind, gamma), color in zip(axes, games, ("red", "orange", "blue", "green"), strict=True):
        with if_written(ax):
            path = orbit(student, kind, 1000, gamma=gamma)
            ax.plot(*path[:151].T, color=COLORS[color], lw=1.3, marker=".", ms=3)
            radius = np.hypot(*path[-1])
            ax.set_xlabel(f"θ\nradius after 1000 steps: {radius:.3g}")
        ax.plot(0, 0, "o", color=COLORS["black"], ms=5)
        ax.set(title=kind + (f", γ = {gamma:.0f}" if gamma else ""), xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal")
    axes[0].set_ylabel("ψ")
    return fig


def modulus(student, kind, gamma, eta=0.1):
    """The largest absolute value of an eigenvalue of a step."""
    return float(torch.linalg.eigvals(student.step_matrix(eta=eta, gamma=gamma, kind=kind)).abs().max())


@figure("gamma", caption="The largest modulus of an eigenvalue at eta = 0.1. Above the gray line, the players fly apart.")
def gamma_figure(student):
    fig, ax = subplots(size=(8, 3.8))
    gammas = np.linspace(0, 21, 211)
    looks = {"simultaneous": ("red", "-"), "alternating": ("orange", "--"), "extragradient": ("blue", ":")}
    with if_written(ax):
        for kind, (color, dashes) in looks.items():
            ax.plot(gammas, [modulus(student, kind, g) for g in gammas], color=COLORS[color], ls=dashes, label=kind, lw=2)
        ax.legend(loc="lower right")
    ax.axhline(1, color=COLORS["grey"], lw=1)
    ax.set(title="How fast does a step approach the equilibrium?", xlabel="γ, the strength of the penalty", ylabel="modulus", ylim=(0.88, 1.12))
    return fig


CHECKPOINTS = (0, 500, 1500, 4000)


def near_each(points, centers):
    """How many points lie less than 0.5 from each center."""
    distance = np.linalg.norm(points[:, None] - centers, axis=-1)
    return np.bincount(distance.argmin(1)[distance.min(1) < 0.5], minlength=len(centers))


def trained(student, n_rounds=CHECKPOINTS[-1], *, modes=8, seed=0, n_critic=1, B=64, lr=0.05):
    """Points of a generator in training on a ring, at the checkpoints."""
    rng = np.random.default_rng(seed)
    centers = ring_of_modes(modes)
    generator, critic = mlp_weights([2, 64, 64, 2], rng), mlp_weights([2, 64, 64, 1], rng)
    show = tensor(rng.standard_normal((500, 2)))
    pictures = []
    for n in range(n_rounds + 1):
        if n in CHECKPOINTS:
            pictures.append(mlp(generator, show).numpy())
        reals = np.stack([normal_mixture(rng, B, centers, std=0.15)[0] for _ in range(n_critic)])
        noise = tensor(rng.standard_normal((n_critic + 1, B, 2)))
        generator, critic = student.gan_step(generator, critic, tensor(reals), noise[:-1], noise[-1], lr=lr)
    return pictures


@figure("training", caption="500 fakes of one generator during training on a ring of eight modes (gray). Near means less than 0.5 away.")
def training(student):
    fig, axes = subplots(1, 4, size=(13, 3.7))
    real = normal_mixture(np.random.default_rng(1), 500, ring_of_modes(), std=0.15)[0]
    with if_written(axes[0]):
        for ax, fakes in zip(axes, trained(student), strict=True):
            ax.plot(*real.T, ".", color=COLORS["grey"], ms=3, alpha=0.5)
            ax.plot(*fakes.T, ".", color=COLORS["blue"], ms=3)
            near = near_each(fakes, ring_of_modes())
            ax.set_xlabel(f"{near.min()} to {near.max()} fakes near a mode")
    for ax, n in zip(axes, CHECKPOINTS, strict=True):
        ax.set(title=f"after {n} rounds", xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
    return fig


@figure("clipping", caption="The largest slope that a critic can have, by its clip. Its hidden layers have width 64, its input has width 2.")
def clipping(student):
    fig, ax = subplots(size=(8, 4.0))
    clips = np.geomspace(0.003, 0.3, 60)
    with if_written(ax):
        for n_layers, color, dashes in ((2, "blue", "-"), (3, "green", "--"), (5, "red", ":")):
            sizes = (2, *(64,) * (n_layers - 1), 1)
            ax.plot(clips, [student.clipped_slope(sizes, clip=float(c)) for c in clips], color=COLORS[color], ls=dashes, lw=2, label=f"{n_layers} layers")
        ax.legend(loc="upper left")
    ax.axhline(1, color=COLORS["grey"], lw=1)
    ax.set(xscale="log", yscale="log", title="Clipped weights", xlabel="clip", ylabel="largest slope")
    return fig


SIZES = (150, 250, 500, 1000, 2000, 5000)


def scores_of_equals(student, sizes=SIZES, d=64, repeats=3):
    """fid of two samples of one and the same N(0, I_d), the mean of a few pairs, for each size."""
    rng = np.random.default_rng(0)
    return [
        np.mean([float(student.fid(*tensor(rng.standard_normal((2, n, d))))) for _ in range(repeats)]) for n in sizes
    ]


@figure("equals", caption="FID of two samples of n from one and the same distribution with 64 features. A perfect generator scores this.")
def equals(student):
    fig, ax = subplots(size=(8, 4.0))
    grid = np.geomspace(120, 6000, 50)
    with if_written(ax):
        ax.plot(SIZES, scores_of_equals(student), "o", color=COLORS["blue"], label="measured")
        ax.plot(grid, [student.fid_of_equals(64, float(n)) for n in grid], color=COLORS["orange"], label="fid_of_equals")
        ax.legend(loc="upper right")
    ax.set(xscale="log", title="What does a perfect generator score?", xlabel="n, the size of both samples", ylabel="FID", ylim=(0, 20))
    ax.set_xticks(SIZES, [str(n) for n in SIZES])
    ax.minorticks_off()
    return fig


def rings(n=8000):
    """Real points on a ring of eight modes and the fakes of four generators, by name."""
    rng = np.random.default_rng(0)
    centers = ring_of_modes()
    real, again = (normal_mixture(rng, n, centers, std=0.05)[0] for _ in range(2))
    root = np.linalg.cholesky(np.cov(real.T))
    fakes = {
        "A: fresh real data": again,
        "B: normal, same moments": rng.standard_normal((n, 2)) @ root.T + real.mean(0),
        "C: every other mode": normal_mixture(rng, n, centers[::2], std=0.05)[0],
        "D: one mode": normal_mixture(rng, n, centers[:1], std=0.05)[0],
    }
    return real, fakes


def near_a_mode(points):
    """The share of points that lie less than 0.2 from a mode."""
    return float((np.linalg.norm(points[:, None] - ring_of_modes()[None], axis=-1).min(1) < 0.2).mean())


@figure("rings", caption="Real points lie on eight modes (gray). Which of these numbers sees what is wrong with each generator?")
def rings_figure(student):
    fig, axes = subplots(1, 4, size=(13, 4.3))
    real, fakes = rings()
    for ax, (name, points) in zip(axes, fakes.items(), strict=True):
        ax.plot(*real[:600].T, ".", color=COLORS["grey"], ms=4, alpha=0.6)
        ax.plot(*points[:600].T, ".", color=COLORS["blue"], ms=2)
        lines = []
        with if_written(ax):
            lines.append(f"FID {float(student.fid(tensor(real), tensor(points))):.4f}")
        with if_written():
            precision, recall = student.precision_recall(tensor(real[:400]), tensor(points[:400]), k=5)
            lines.append(f"precision {precision:.2f}, recall {recall:.2f}")
        with if_written():
            density, coverage = student.density_coverage(tensor(real[:400]), tensor(points[:400]), k=5)
            lines.append(f"density {density:.2f}, coverage {coverage:.2f}")
        ax.set(title=name, xlim=(-4.2, 4.2), ylim=(-4.2, 4.2), aspect="equal")
        ax.set_xlabel("\n".join(lines))
    return fig


def outlier_sets(moved):
    """500 real points around (0, 0), one of them moved if asked, and 500 fakes around (8, 0)."""
    rng = np.random.default_rng(0)
    real, fake = rng.standard_normal((500, 2)), rng.standard_normal((500, 2)) + [8, 0]
    if moved:
        real[0] = [20, 0]
    return tensor(real), tensor(fake)


@figure("outlier", caption="The largest balls of the real points (gray circles), k = 5. Below, one real point has moved to (20, 0).")
def outlier(student):
    from matplotlib.patches import Circle

    fig, axes = subplots(2, 1, size=(9, 7.2))
    for ax, moved in zip(axes, (False, True), strict=True):
        real, fake = outlier_sets(moved)
        radii = torch.cdist(real, real).sort(-1).values[:, 5]
        for i in radii.argsort(descending=True)[:12].tolist():
            ax.add_patch(Circle(real[i].tolist(), float(radii[i]), fill=False, ec=COLORS["grey"], lw=0.8))
        ax.plot(*real.T, ".", color=COLORS["black"], ms=3, label="real")
        ax.plot(*fake.T, ".", color=COLORS["red"], ms=3, label="fake")
        lines = []
        with if_written(ax):
            precision, recall = student.precision_recall(real, fake, k=5)
            lines.append(f"precision {precision:.3f}, recall {recall:.3f}")
        with if_written():
            density, coverage = student.density_coverage(real, fake, k=5)
            lines.append(f"density {density:.3f}, coverage {coverage:.3f}")
        ax.set(title="One real point moved" if moved else "Real points and fakes", xlim=(-5, 24), ylim=(-5, 5), aspect="equal")
        ax.set_xlabel(", ".join(lines))
        ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    main("gan")
