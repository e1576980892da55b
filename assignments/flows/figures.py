"""Draws what flows do to pixels, grids, images and noise, from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digits, two_moons
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, name_lines, subplots
from coursekit.toys import mlp, mlp_weights

F64 = torch.float64
THREE = torch.tensor([[-2.0], [-1.0], [3.0]], dtype=F64)


def spikes(sigma):
    """The log-density of a model that knows only that values are whole: 256 equal normal spikes, sigma levels wide."""

    def log_density(y):
        near = 256 * y[..., None] - torch.arange(256)
        return (-(near / sigma).square() / 2 - math.log(sigma * math.sqrt(2 * math.pi))).logsumexp(-1).sum(1)

    return log_density


@figure("spikes", caption="A model that knows only that values are whole. Where can it go below 0 bits, and what stops it?")
def spikes_figure(student):
    fig, ax = subplots(size=(7.6, 4.2))
    widths = np.geomspace(1e-4, 1, 60)
    levels = torch.full((200, 1), 100)
    u = ((torch.arange(200, dtype=F64) + 0.5) / 200)[:, None]
    with if_written(ax):
        for label, noise, color in (("without noise", 0 * u, "red"), ("with noise", u, "blue")):
            bits = [student.bits_per_dimension(levels, noise, spikes(width)).mean().item() for width in widths]
            ax.plot(widths, bits, color=COLORS[color], label=label)
        ax.legend(loc="lower right")
    ax.axhline(8, color=COLORS["grey"], linewidth=1)
    ax.text(1.1e-4, 8.25, "a uniform model", color=COLORS["grey"])
    ax.axhline(0, color=COLORS["grey"], linewidth=1)
    ax.set(xscale="log", ylim=(-5, 16), xlim=(1e-4, 1), title="The price of a whole number")
    ax.set(xlabel="width σ of the spikes, in levels", ylabel="bits per dimension")
    return fig


def coupling_networks(sizes, n):
    """n networks with fixed weights, each returning (raw, t)."""
    all_weights = [mlp_weights(sizes, np.random.default_rng(k)) for k in range(n)]
    return [lambda h, w=w: mlp(w, h).chunk(2, 1) for w in all_weights]


def pattern(student, masks):
    """Which outputs of a stack of couplings depend on which inputs, at one point: booleans, shape (6, 6)."""
    networks = coupling_networks([6, 16, 12], len(masks))

    def stack(x):
        for mask, network in zip(masks, networks, strict=True):
            x = student.coupling(x, mask, network, bound=1.0)[0]
        return x

    jacobian = torch.autograd.functional.jacobian(stack, torch.ones(1, 6, dtype=F64))
    return jacobian[0, :, 0].abs() > 1e-12


@figure("patterns", caption="Dark: output i depends on input j, and how often of 36. Which stack has every output depend on every input?")
def patterns(student):
    fig, axes = subplots(1, 5, size=(13, 3.1))
    half = torch.tensor([1, 1, 1, 0, 0, 0]).bool()
    stacks = [([half, ~half, half, ~half][:n], f"{n} layer{'s' if n > 1 else ''}") for n in (1, 2, 3, 4)]
    stacks.append(([half] * 4, "4, same mask"))
    for ax, (masks, title) in zip(axes, stacks, strict=True):
        with if_written(ax):
            entries = pattern(student, masks).double()
            title = f"{title}: {int(entries.sum())}"
            ax.pcolormesh(entries.numpy(), cmap="Blues", vmin=0, vmax=1.25, edgecolors="white", linewidth=1.5)
        ax.set(title=title, xlabel="input j", xticks=np.arange(6) + 0.5, yticks=np.arange(6) + 0.5)
        ax.set(xticklabels=range(6), yticklabels=range(6), aspect="equal", xlim=(0, 6), ylim=(6, 0))
        ax.grid(visible=False)
    axes[0].set_ylabel("output i")
    return fig


def lines_of_a_grid(n_lines=13, n_points=120):
    """Vertical and horizontal lines of a square grid, each of shape (n_points, 2)."""
    along = torch.linspace(-2, 2, n_points, dtype=F64)
    places = torch.linspace(-2, 2, n_lines, dtype=F64)
    upright = [torch.stack([torch.full_like(along, place), along], 1) for place in places]
    return upright, [line.flip(1) for line in upright]


@figure("grid", caption="A grid bent by couplings in the plane. Which direction does each layer leave alone?")
def grid(student):
    fig, axes = subplots(1, 4, size=(13, 3.6))
    first = torch.tensor([True, False])
    networks = coupling_networks([2, 12, 4], 3)
    with if_written(axes[1]):
        bundles = [torch.stack(lines) for lines in lines_of_a_grid()]
        for step, ax in enumerate(axes):
            if step:
                mask = first if step % 2 else ~first
                shapes = [lines.shape for lines in bundles]
                bundles = [
                    student.coupling(lines.reshape(-1, 2), mask, networks[step - 1], bound=0.8)[0].reshape(shape)
                    for lines, shape in zip(bundles, shapes, strict=True)
                ]
            for lines, color in zip(bundles, ("blue", "orange"), strict=True):
                for line in lines:
                    ax.plot(line[:, 0], line[:, 1], color=COLORS[color], linestyle="-", linewidth=1)
            if step:
                ax.text(0.03, 0.94, "coordinate 0 stays" if step % 2 else "coordinate 1 stays", transform=ax.transAxes, va="top",
                        backgroundcolor="white", size=9)  # fmt: skip
    for ax, title in zip(axes, ("data", "after layer 1", "after layer 2", "after layer 3"), strict=True):
        ax.set(title=title, aspect="equal", xlim=(-5, 5), ylim=(-5, 5))
        ax.grid(visible=False)
    return fig


def fitted_normal():
    """500 digits with noise as rows, and the layer that makes the normal density fitted to them a standard normal one."""
    images = digits(500, seed=0)[0]
    x = torch.from_numpy(images * 255).round()
    x = ((x + torch.from_numpy(np.random.default_rng(1).random(x.shape))) / 256).flatten(1)
    mean = x.mean(0)
    factor = torch.linalg.cholesky(x.T.cov(correction=0))

    def forward(x):
        z = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False).T
        return z, -factor.diagonal().log().sum().expand(len(x))

    return x, (forward, None)


@figure("typical", caption="A normal density fitted to 500 digits. Which images have the highest density?")
def typical(student):
    fig, (ax, *small) = subplots(1, 4, size=(13, 3.6), gridspec_kw={"width_ratios": [3.4, 1, 1, 1]})
    x, layer = fitted_normal()
    chosen = {"mean": x.mean(0), "black": 0 * x[0], "a digit": x[0]}
    with if_written(ax):
        scores = student.log_density(x, [layer])
        best, black, _ = student.log_density(torch.stack(list(chosen.values())), [layer]).tolist()
        ax.hist(scores.numpy(), bins=40, color=COLORS["sky"])
        for score, name, color, side in ((best, "mean", "red", "left"), (black, "black image", "black", "right")):
            ax.axvline(score, color=COLORS[color])
            ax.text(score + (3 if side == "left" else -3), ax.get_ylim()[1] * 1.12, name, color=COLORS[color], ha=side)
        gaps = f"mean − digit:\n{(best - scores).mean():.1f} nats on average,\n{(best - scores).min():.1f} at least"
        ax.text(best + 3, ax.get_ylim()[1] * 0.8, gaps, va="top", size=9.5)
        ax.set(xlim=(float(scores.min()) - 10, best + 75), ylim=(0, ax.get_ylim()[1] * 1.25))
    ax.set(title="Log-densities of the digits", xlabel="log-density (nats)", ylabel="number of digits")
    for panel, (name, image) in zip(small, chosen.items(), strict=True):
        panel.imshow(image.reshape(12, 12), cmap="gray", vmin=0, vmax=1)
        panel.set(title=name, xticks=[], yticks=[])
        panel.grid(visible=False)
    return fig


def all_at_once(student, size, n_calls=64):
    """The largest error after each call when all coordinates are updated at once, from x = 0; the last answer counts as exact."""
    d, g, degrees = 64, torch.Generator().manual_seed(0), torch.arange(128) % 63
    first, last = (mask.double() for mask in student.made_masks(d, [degrees]))
    A = torch.randn(128, d, generator=g).double() / 8
    B, C = (torch.randn(d, 128, generator=g).double() / 128**0.5 for _ in range(2))
    z = torch.randn(20, d, generator=g).double()
    x, answers = torch.zeros_like(z), []
    for _ in range(n_calls):
        h = (size * x @ (A * first).T).tanh()
        x = z * (0.5 * (size * h @ (C * last).T).tanh()).exp() + size * h @ (B * last).T
        answers.append(x)
    return [(answer - answers[-1]).abs().max().item() for answer in answers]


@figure("jacobi", caption="64 coordinates, all updated at once. How many calls does an error of 10⁻⁶ take?")
def jacobi(student):
    fig, ax = subplots(size=(7.6, 4.2))
    with if_written(ax):
        for size, name in ((0.5, "weights × ½"), (1, "weights × 1"), (2, "weights × 2")):
            errors = [max(error, 1e-16) for error in all_at_once(student, size)]
            calls = 1 + next(n for n, error in enumerate(errors) if error < 1e-6)
            ax.plot(range(1, 31), errors[:30], label=f"{name}: {calls} calls")
        ax.legend()
    ax.axhline(1e-6, color=COLORS["grey"], linewidth=1)
    ax.set(yscale="log", title="The inverse of a MAF, all coordinates at once", xlabel="calls of the network", ylabel="largest error")
    ax.set(xlim=(1, 30), ylim=(1e-16, 1e2))
    return fig


@figure("errors", caption="dx/dt = x, from x = 1 at time 0 to time 1. By which factor does each error fall when the number of steps doubles?")
def errors_figure(student):
    fig, ax = subplots(size=(7.6, 4.2))
    counts = [1, 2, 4, 8, 16, 32, 64]
    for name, solve, color in (("euler", student.euler, "orange"), ("rk4", student.rk4, "blue")):
        with if_written(ax):
            ends = [solve(lambda x, t: x, torch.ones(1, 1, dtype=F64), n_steps=n)[-1].item() for n in counts]
            ax.plot(counts, [abs(end - math.e) for end in ends], "o-", color=COLORS[color], label=name)
    ax.set(xscale="log", yscale="log", title="Error at time 1", xlabel="steps", ylabel="error", xlim=(0.9, 90))
    ax.set_xticks(counts, labels=map(str, counts))
    ax.minorticks_off()
    name_lines(ax)
    return fig


def pulled(x, t):
    """A velocity in one dimension that gathers points near ±π/2 and pushes them away from 0 and ±π, harder as time goes on."""
    return 2 * t * torch.sin(2 * x)


def pulled_divergence(x, t):
    """The divergence of `pulled`, which in one dimension is its derivative. Shape (N,)."""
    return (4 * t * torch.cos(2 * x))[:, 0]


def moved_density(student, starts, n_steps=100):
    """Paths from these points, shape (n_steps + 1, N), and the log-density along them, the same shape."""
    path = student.rk4(pulled, starts[:, None], n_steps=n_steps)
    divergences = torch.stack([pulled_divergence(x, n / n_steps) for n, x in enumerate(path)])
    return path[..., 0], student.log_density_along(path, divergences)


@figure("density", caption="Left: where points go. Right: their density at time 1, and a histogram of 20,000 moved noises. Where does the density rise?")
def density(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.2))
    noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=F64)
    with if_written(left):
        path = student.rk4(pulled, torch.linspace(-3, 3, 41, dtype=F64)[:, None], n_steps=100)[..., 0]
        left.plot(np.linspace(0, 1, 101), path, color=COLORS["blue"], linestyle="-", linewidth=0.9)
        ends = student.rk4(pulled, noise, n_steps=20)[-1, :, 0]
        right.hist(ends.numpy(), bins=120, range=(-4, 4), density=True, color=COLORS["sky"], alpha=0.6, label="moved noises")
        with if_written(right):
            path, log_density = moved_density(student, torch.linspace(-5, 5, 1001, dtype=F64))
            right.plot(path[0], log_density[0].exp(), color=COLORS["grey"], linestyle=":", label="density at time 0")
            right.plot(path[-1], log_density[-1].exp(), color=COLORS["red"], linestyle="-", label="your density at time 1")
        right.legend(loc="upper right")
    left.set(title="Paths", xlabel="time t", ylabel="x", xlim=(0, 1))
    right.set(title="Density", xlabel="x", ylabel="density", xlim=(-4, 4), ylim=(0, 1.9))
    return fig


def carried(student, noise, points, *, n_steps):
    """Noise along the mean velocity, in equal steps: shape (n_steps + 1, N, d)."""
    path = [noise]
    for n in range(n_steps):
        path.append(path[-1] + student.marginal_velocity(path[-1], n / n_steps, points) / n_steps)
    return torch.stack(path)


@figure("trajectories", caption="Left: training paths. Right: paths of the mean velocity, in 200 steps, and dotted, in one step. Which paths cross?")
def trajectories(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.4), sharey=True)
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(60, 1, generator=g, dtype=F64)
    ends = THREE[torch.randint(3, (60,), generator=g)]
    for begin, end in zip(noise, ends, strict=True):
        left.plot([0, 1], [begin, end], color=COLORS["grey"], linestyle="-", linewidth=0.9)
    with if_written(right):
        path = carried(student, noise, THREE, n_steps=200)[..., 0]
        right.plot(np.linspace(0, 1, 201), path, color=COLORS["blue"], linestyle="-", linewidth=0.9)
        one = carried(student, noise, THREE, n_steps=1)[..., 0]
        right.plot([0, 1], one[:, ::4], color=COLORS["red"], linestyle=":", linewidth=1.1)
    for ax, title in ((left, "Training paths"), (right, "The field's own paths")):
        ax.plot([1, 1, 1], THREE[:, 0], "o", color=COLORS["black"], clip_on=False)
        ax.set(title=title, xlabel="time t", xlim=(0, 1.02), ylim=(-3.6, 3.4))
    left.set_ylabel("x")
    return fig


@figure("moons", caption="400 noises carried to 300 points of two moons by the mean velocity. When does the shape appear?")
def moons(student):
    fig, axes = subplots(1, 5, size=(13, 3.0), sharey=True)
    points = torch.from_numpy(two_moons(np.random.default_rng(0), 300)[0])
    points = (points - points.mean(0)) * 1.5
    noise = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    times = (0, 40, 70, 90, 100)
    with if_written(axes[0]):
        path = carried(student, noise, points, n_steps=100)
        for ax, n in zip(axes, times, strict=True):
            ax.scatter(*path[n].T, s=6, color=COLORS["blue"])
    for ax, n in zip(axes, times, strict=True):
        ax.set(title=f"t = {n / 100:g}", xlim=(-3.2, 3.2), ylim=(-2.8, 2.8), aspect="equal")
    return fig


def small_batch():
    """Seven normal noises and seven points near ±2."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(7)
    points = rng.choice([-2.0, 2.0], 7) + 0.3 * rng.standard_normal(7)
    return torch.from_numpy(noise)[:, None], torch.from_numpy(points)[:, None]


def crossings(noise, points):
    """How many of all pairs of straight paths cross."""
    n = range(len(noise))
    return sum(bool((noise[i] - noise[j]) * (points[i] - points[j]) < 0) for i in n for j in range(i))


@figure("pairing", caption="The same seven noises and points, paired as they come and paired best. How many paths cross?")
def pairing(student):
    fig, axes = subplots(1, 2, size=(11, 4.0), sharey=True)
    noise, points = small_batch()
    with if_written(axes[1]):
        orders = [torch.arange(7), student.best_pairing(noise, points)]
        for ax, order, color, title in zip(axes, orders, ("red", "blue"), ("As they come", "Best"), strict=True):
            ends = points[order]
            for begin, end in zip(noise, ends, strict=True):
                ax.plot([0, 1], [begin, end], "o-", color=COLORS[color], markersize=4)
            distance = (noise - ends).square().mean().item()
            ax.set_title(f"{title}: {crossings(noise, ends)} crossings, {distance:.2f} mean squared distance", size=11)
    for ax in axes:
        ax.set(xlabel="time t", xlim=(-0.02, 1.02))
    axes[0].set_ylabel("x")
    return fig


if __name__ == "__main__":
    main("flows")
