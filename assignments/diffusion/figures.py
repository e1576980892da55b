"""Draws noise, denoisers, samplers and guidance from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digits
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots

F64 = torch.float64
FIVE = ("blue", "orange", "green", "red", "purple")


def linear(T):
    """The linear betas of the first papers."""
    return torch.linspace(1e-4, 0.02, T, dtype=F64)


def fixed_abar(T=1000):
    """A schedule that no task is needed for: straight lines of the angle between image and noise."""
    return torch.cos(torch.linspace(0, 0.49998 * math.pi, T + 1, dtype=F64)).square()


def five_points():
    """Five training points in the plane."""
    return 2 * torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=F64)


def everyone(t, N):
    """One time for N samples."""
    return torch.full((N,), t)


@figure("schedules", caption="What multiplies the image, for three schedules. Where is the image gone?")
def schedules(student):
    fig, ax = subplots(size=(8, 3.8))
    with if_written(ax):
        for T, color, dashes in ((1000, "blue", "-"), (100, "red", "--")):
            ax.plot(np.arange(T + 1) / T, student.cumulative(linear(T)).sqrt(), color=COLORS[color], ls=dashes, label=f"linear betas, T = {T}")
        ax.plot(np.arange(1001) / 1000, student.cosine_schedule(1000).sqrt(), color=COLORS["green"], ls="-.", label="cosine, T = 1000")
        ax.legend(loc="lower left")
    ax.set(title="How much of the image is left", xlabel="t / T", ylabel="root of abar", ylim=(-0.03, 1.03))
    return fig


TIMES = (0, 100, 250, 500, 750, 1000)


@figure("strip", caption="A digit at six times, with the same noise. Top: linear betas. Bottom: cosine. The image lies from −1 to 1.")
def strip(student):
    fig, axes = subplots(2, len(TIMES), size=(11, 4.2))
    image = torch.from_numpy(digits(1, noise=0.0)[0][0]).to(F64).reshape(1, -1) * 2 - 1
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    side = math.isqrt(image.shape[1])
    for row, name in zip(axes, ("linear", "cosine"), strict=True):
        with if_written(row[0]):
            abar = student.cumulative(linear(1000)) if name == "linear" else student.cosine_schedule(1000)
            for ax, t in zip(row, TIMES, strict=True):
                ax.imshow(student.q_sample(image, everyone(t, 1), noise, abar).reshape(side, side), cmap="gray", vmin=-1.3, vmax=1.3)
        for ax, t in zip(row, TIMES, strict=True):
            ax.set(xticks=[], yticks=[], title=f"t = {t}")
            ax.grid(visible=False)
        row[0].set_ylabel(name)
    return fig


@figure("errors", caption="Linear betas, T = 1000. Left: an error of 0.01 in the noise. Right: the weight of the noise's squared error.")
def errors(student):
    fig, (left, right) = subplots(1, 2, size=(11, 3.9))
    abar, t = torch.cat([torch.ones(1, dtype=F64), (1 - linear(1000)).cumprod(0)]), torch.arange(2, 1001)
    with if_written(left):
        left.plot(t, 0.01 * student.x0_error(t, abar), color=COLORS["blue"])
        left.axhline(1, color=COLORS["grey"], lw=1, ls=":")
    left.set(yscale="log", title="The error that follows in the image", xlabel="t")
    with if_written(right):
        for weighting, color, dashes in (("noise", "black", ":"), ("min_snr", "orange", "--"), ("bound", "blue", "-")):
            right.plot(t, student.loss_weight(t, abar, kind="noise", weighting=weighting), color=COLORS[color], ls=dashes, label=weighting)
        right.legend(loc="center right")
    right.set(yscale="log", title="Three weightings", xlabel="t")
    return fig


@figure("weights", caption="How probable each of five training points is, for eight noisy samples of one of them (a column each).")
def weights(student):
    fig, axes = subplots(1, 3, size=(11, 3.6))
    points, abar = five_points(), fixed_abar()
    noise = torch.randn(8, 2, generator=torch.Generator().manual_seed(2), dtype=F64)
    for ax, t in zip(axes, (900, 500, 100), strict=True):
        with if_written(ax):
            xt = abar[t].sqrt() * points[3] + (1 - abar[t]).sqrt() * noise
            shares = student.point_weights(xt, everyone(t, 8), abar, points)
            floor = np.zeros(8)
            for k, color in enumerate(FIVE):
                ax.bar(np.arange(8), shares[:, k], bottom=floor, color=COLORS[color], width=0.8)
                floor = floor + shares[:, k].numpy()
        ax.set(title=f"t = {t} of 1000", xlabel="noisy sample", ylim=(0, 1.02))
    axes[0].set_ylabel("probability")
    return fig


@figure("field", caption="The best denoiser's answer for a grid of x: a line goes from each x (without its scale) to the answer, a dot.")
def field(student):
    fig, axes = subplots(1, 3, size=(11, 4.2))
    points, abar = five_points(), fixed_abar()
    line = torch.linspace(-5, 5, 13, dtype=F64)
    grid = torch.cartesian_prod(line, line)
    for ax, t in zip(axes, (900, 500, 100), strict=True):
        with if_written(ax):
            answers = student.point_denoiser(abar[t].sqrt() * grid, everyone(t, len(grid)), abar, points)
            for start, end in zip(grid, answers, strict=True):
                ax.plot([start[0], end[0]], [start[1], end[1]], color=COLORS["grey"], lw=0.4)
            ax.plot(*answers.T, ".", color=COLORS["blue"], ms=4)
        ax.plot(*points.T, "x", color=COLORS["red"], ms=8, mew=2)
        ax.set(title=f"t = {t} of 1000", xlim=(-5.4, 5.4), ylim=(-5.4, 5.4), aspect="equal")
    return fig


@figure("paths", caption="Twelve samples on their way from noise (dots) to data (crosses: training points). Every twentieth time is used.")
def paths(student):
    fig, axes = subplots(1, 2, size=(10, 4.6))
    points, abar, g = five_points(), fixed_abar(), torch.Generator().manual_seed(3)
    start = torch.randn(12, 2, generator=g, dtype=F64)
    for ax, eta in zip(axes, (0.0, 1.0), strict=True):
        with if_written(ax):
            x, path = start, [start]
            for t in range(1000, 0, -20):
                answers = student.point_denoiser(x, everyone(t, 12), abar, points)
                x = student.ddim_step(x, answers, t, t - 20, torch.randn(12, 2, generator=g, dtype=F64), abar, eta=eta)
                path.append(x)
            for each in torch.stack(path, 1):
                ax.plot(*each.T, color=COLORS["blue"], ls="-", lw=0.8, alpha=0.7)
        ax.plot(*start.T, ".", color=COLORS["black"], ms=5)
        ax.plot(*points.T, "x", color=COLORS["red"], ms=8, mew=2)
        ax.set(title=f"eta = {eta:.0f}", xlim=(-5.4, 5.4), ylim=(-5.4, 5.4), aspect="equal")
    return fig


STEPS = (2, 3, 5, 10, 20, 50, 100, 200, 500)


def even_times(n, T=1000):
    """n steps from T to 0, evenly spaced."""
    return [round(T * (n - i) / n) for i in range(n + 1)]


@figure("spread", caption="What samplers with a perfect denoiser return. Left: DDPM on all T times. Right: DDIM, eta = 0, on some of 1000 times.")
def spread(student):
    fig, (left, right) = subplots(1, 2, size=(11, 3.9))
    with if_written(left):
        for variance, color, marker in (("beta", "red", "o"), ("posterior", "blue", "s")):
            found = [float(student.ddpm_variance(fixed_abar(T), 0.3, variance=variance)) for T in STEPS]
            left.plot(STEPS, found, color=COLORS[color], marker=marker, ms=4, label=variance)
        left.legend(loc="lower right")
    left.axhline(0.3, color=COLORS["grey"], lw=1)
    left.set(xscale="log", title="Data has the variance 0.3", xlabel="number of steps T", ylabel="variance of samples", ylim=(0, 0.42))
    with if_written(right):
        for std, color, marker in ((1.0, "green", "o"), (0.3, "orange", "s")):
            found = [float(student.ddim_std(even_times(n), fixed_abar(), std)) / std for n in STEPS]
            right.plot(STEPS, found, color=COLORS[color], marker=marker, ms=4, label=f"data's deviation {std:g}")
        right.legend(loc="lower right")
    right.axhline(1, color=COLORS["grey"], lw=1)
    right.set(xscale="log", title="Deviation of samples / deviation of data", xlabel="number of steps", ylim=(0, 1.1))
    return fig


def guided_samples(student, scale, n=1000):
    """Mean and deviation of guided DDIM samples: N(0, 2) without a condition, N(1, 1/2) with it. Samples are affine in the noise."""
    abar = fixed_abar()

    def denoise(x, t):
        without = student.gaussian_denoiser(x, t, abar, mean=0.0, var=2.0)
        with_condition = student.gaussian_denoiser(x, t, abar, mean=1.0, var=0.5)
        return student.guide(without, with_condition, scale=scale)

    start = torch.tensor([[0.0], [1.0]], dtype=F64)
    low, high = student.ddim_sample(denoise, start, torch.zeros(n, 2, 1, dtype=F64), even_times(n), abar, eta=0.0).flatten().tolist()
    return low, abs(high - low)


def bell(x, mean, std):
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))


@figure("guided", caption="Guided sampling for N(0, 2) without and N(1, 1/2) with the condition: the tilted density, and what DDIM returns.")
def guided(student):
    fig, axes = subplots(1, 4, size=(13, 3.6))
    x = np.linspace(-2, 4, 1201)
    for ax, scale in zip(axes, (1.0, 2.0, 3.0, 5.0), strict=True):
        with if_written(ax):
            mean, var = student.tilted_law(0.0, 2.0, 1.0, 0.5, scale=scale)
            ax.plot(x, bell(x, mean, math.sqrt(var)), color=COLORS["grey"], lw=2.5, label="tilted density")
        with if_written(ax):
            ax.plot(x, bell(x, *guided_samples(student, scale)), color=COLORS["red"], ls="--", label="samples")
        ax.set(title=f"scale {scale:g}", xlabel="x")
    if axes[0].lines:
        axes[0].legend(loc="upper left", fontsize=8)
        axes[0].set_ylim(0, 0.85)
    return fig


if __name__ == "__main__":
    main("diffusion")
