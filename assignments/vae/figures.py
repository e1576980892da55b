"""Draws what a VAE assumes, learns and loses, from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digits
from coursekit.exact import normal_nodes
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots
from coursekit.toys import mlp, mlp_weights

F64 = torch.float64
SIDE = 12  # pixels


def pictures(n, seed=0):
    """Images of digits as rows, and their labels."""
    images, labels = digits(n, seed=seed)
    return torch.from_numpy(images.reshape(n, -1)), labels


def centered_pictures(n):
    """The same images with the ink in the middle, so that two latents needn't say where the digit stands."""
    images, labels = digits(n)
    for image in images[:, 0]:
        ink = np.where(image > 0.4, image, 0.0)  # not the noise
        places = [int(round(SIDE / 2 - 0.5 - (ink.sum(1 - axis) @ np.arange(SIDE)) / ink.sum())) for axis in (0, 1)]
        image[:] = np.roll(image, places, axis=(0, 1))
    return torch.from_numpy(images.reshape(n, -1)), labels


def tile(rows, gap=1):
    """One large image of a table of small ones, shape (R, C, D)."""
    R, C = rows.shape[:2]
    sheet = np.full((R * (SIDE + gap) - gap, C * (SIDE + gap) - gap), np.nan)
    for r in range(R):
        for c in range(C):
            top, left = r * (SIDE + gap), c * (SIDE + gap)
            sheet[top : top + SIDE, left : left + SIDE] = np.asarray(rows[r][c]).reshape(SIDE, SIDE)
    return sheet


def show(ax, image, title="", *, names=(), limits=(0, 1)):
    """A gray image without axes, with names beside its rows."""
    ax.imshow(image, cmap="gray_r", vmin=limits[0], vmax=limits[1])
    ax.set(title=title, xticks=[])
    ax.grid(False)
    ax.set_yticks([(SIDE + 1) * i + SIDE / 2 for i in range(len(names))], names)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


# --- Task 1 ------------------------------------------------------------------------------------


@figure("noise", caption="A digit, and what the model says such an image looks like: the same digit with the noise that the loss implies.")
def noise(student):
    fig, axes = subplots(1, 5, size=(12, 3.0))
    x = pictures(20)[0][3]
    eps = torch.from_numpy(np.random.default_rng(0).standard_normal(SIDE * SIDE))
    show(axes[0], x.reshape(SIDE, SIDE), "the digit")
    for ax, weight in zip(axes[1:], (1e-4, 1e-3, 1e-2, 1.0), strict=True):
        with if_written(ax):
            sigma = student.implied_sigma(SIDE * SIDE, weight)
            show(ax, (x + sigma * eps).reshape(SIDE, SIDE), f"σ = {sigma:.2g}")
        ax.set(xticks=[], yticks=[], xlabel=f"KL weight {weight:g}")
        ax.grid(False)
    return fig


# --- Task 2 ------------------------------------------------------------------------------------


def train(student, x, *, sigma, k=2, hidden=64, steps=500, lr=0.01, beta=1.0, seed=0):
    """Adam on minus the mean ELBO, with all images in each step. Returns the weights of the encoder and of the decoder."""
    rng = np.random.default_rng(seed)
    D = x.shape[1]
    encoder, decoder = mlp_weights((D, hidden, 2 * k), rng), mlp_weights((k, hidden, D), rng)
    encoder[-2] *= 0.1  # begins near the prior
    weights = [w.requires_grad_() for w in encoder + decoder]
    optimizer = torch.optim.Adam(weights, lr=lr)
    for _ in range(steps):
        eps = torch.from_numpy(rng.standard_normal((1, len(x), k)))
        loss = -student.elbo(x, encoder, decoder, eps, sigma=sigma, beta=beta).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [w.detach() for w in encoder], [w.detach() for w in decoder]


def mean_kl(encoder, x):
    """The KL of q(z|x) from the prior, summed over latents, the mean over images."""
    head = mlp(encoder, x)
    k = head.shape[-1] // 2
    q = torch.distributions.Normal(head[:, :k], head[:, k:].exp().sqrt())
    prior = torch.distributions.Normal(torch.zeros_like(q.loc), 1.0)
    return float(torch.distributions.kl_divergence(q, prior).sum(-1).mean())


@figure("plane", caption="A VAE with two latents, trained for a few seconds. Left: means of q(z|x). Middle: decoded points, evenly spread under the prior. Right: decoded means for two choices of σ, and the mean KL in nats.")
def plane(student):
    fig, (left, middle, right) = subplots(1, 3, size=(13, 4.4), width_ratios=(1.1, 1, 1.25))
    x, labels = centered_pictures(400)
    with if_written(left):
        encoder, decoder = train(student, x, sigma=0.2)
        mu = mlp(encoder, x)[:, :2]
        for digit in range(10):
            for point in mu[labels == digit]:
                left.text(*point.tolist(), str(digit), color=list(COLORS.values())[digit % 8], size=8, ha="center", va="center")
        reach = 1.08 * float(mu.abs().max())
        left.set(xlim=(-reach, reach), ylim=(-reach, reach))
        shares = torch.linspace(0.05, 0.95, 9, dtype=F64)
        at = torch.special.ndtri(shares)
        grid = torch.stack(torch.meshgrid(-at, at, indexing="ij"), -1).flip(-1)  # the second latent upward
        show(middle, tile(mlp(decoder, grid)), "decoded points")
        dull, blind = train(student, x, sigma=8.5)
        some = x[:8]
        rows = torch.stack([some, mlp(decoder, mlp(encoder, some)[:, :2]), mlp(blind, mlp(dull, some)[:, :2])])
        names = [f"σ = {sigma}\nKL {mean_kl(e, x):.1f}" for sigma, e in ((0.2, encoder), (8.5, dull))]
        show(right, tile(rows), "reconstructions", names=("images", *names))
    left.set(title="two latents", xlabel="mean of latent 1", ylabel="mean of latent 2", aspect="equal")
    return fig


# --- Task 3 ------------------------------------------------------------------------------------


@figure("estimators", caption="Left: variance of two estimates of the same gradient. Right: estimates of a gradient that is 0, because q = N(0.75, ½) is the exact posterior.")
def estimators(student):
    fig, (left, right) = subplots(1, 2, size=(11.5, 4.0))
    nodes, weights = (torch.from_numpy(a) for a in normal_nodes(120))
    mu, sigma = torch.zeros(1, dtype=F64), torch.ones(1, dtype=F64)
    frequencies = np.linspace(0.25, 5, 39)

    def variance(estimate):
        return float(weights @ estimate**2 - (weights @ estimate) ** 2)

    with if_written(left):
        values = [variance(student.pathwise(mu, sigma, nodes[:, None], lambda z, a=a: a * torch.cos(a * z))[0][:, 0]) for a in frequencies]
        left.plot(frequencies, values, label="pathwise")
    with if_written(left):
        values = [variance(student.score_function(mu, sigma, nodes[:, None], lambda z, a=a: torch.sin(a * z)[:, 0])[0][:, 0]) for a in frequencies]
        left.plot(frequencies, values, "--", color=COLORS["orange"], label="score function")
    left.set(title="f(z) = sin(a z), q = N(0, 1)", xlabel="a", ylabel="variance of the gradient in μ", ylim=(0, 5))
    if left.lines:
        left.legend(loc="upper left")
    with if_written(right):
        eps = torch.randn(5000, 1, dtype=F64, generator=torch.Generator().manual_seed(0))
        q = torch.tensor([0.75], dtype=F64), torch.tensor([math.sqrt(0.5)], dtype=F64)
        bins = np.linspace(-5.1, 5.1, 52)
        for path_only, color in ((False, "blue"), (True, "orange")):
            estimate = student.elbo_gradient(*q, eps, lambda z: 1.5 - 2 * z, path_only=path_only)[0][:, 0]
            label = f"{'path_only' if path_only else 'both places'}: variance {abs(float(estimate.var())):.1f}"
            right.hist(estimate.numpy(), bins, color=COLORS[color], alpha=0.7, label=label)
        right.set_yscale("log")
        right.legend()
    right.set(title="Gradient of the ELBO in μ, 5000 samples", xlabel="estimate", ylabel="how many")
    return fig


# --- Task 4 ------------------------------------------------------------------------------------


def k_samples(student, K, runs=20_000):
    """The bound, and how clear its gradients are (|mean| / std), for z ~ N(theta, 1), x|z ~ N(z, 1), x = 1.5, q = N(0.6 + b, 0.8²).

    Returns:
        The mean bound, and the clarity of the gradients in theta (the model) and b (the encoder), at theta = b = 0.
    """
    eps = torch.randn(runs, K, dtype=F64, generator=torch.Generator().manual_seed(0)).T  # (K, runs)
    theta, b = (torch.zeros(runs, dtype=F64, requires_grad=True) for _ in range(2))
    z = 0.6 + b + 0.8 * eps
    log_joint = -0.5 * ((z - theta) ** 2 + (1.5 - z) ** 2) - math.log(2 * math.pi)
    log_q = -0.5 * ((z - 0.6 - b) / 0.8) ** 2 - math.log(0.8) - 0.5 * math.log(2 * math.pi)
    bound = student.iwae_bound(log_joint - log_q)
    gradients = torch.autograd.grad(bound.sum(), (theta, b))
    return [bound.mean().item(), *((g.mean() / g.std()).abs().item() for g in gradients)]


@figure("samples", caption="20,000 estimates for each K. Left: the bound. Right: the mean of a gradient, divided by its standard deviation.")
def samples(student):
    fig, (left, right) = subplots(1, 2, size=(11, 3.9))
    Ks = (1, 2, 4, 8, 16, 32, 64)
    with if_written(left):
        bound, model, encoder = zip(*(k_samples(student, K) for K in Ks), strict=True)
        left.plot(Ks, bound, "o-", label="bound")
        right.plot(Ks, model, "o-", label="model")
        right.plot(Ks, encoder, "s--", label="encoder")
    left.axhline(-0.5 * math.log(4 * math.pi) - 1.5**2 / 4, color=COLORS["grey"], ls=":", label="log p(x)")
    left.set(title="The bound", xlabel="K", ylabel="nats", xscale="log", ylim=(-1.88, -1.82), xticks=Ks, xticklabels=Ks)
    left.legend(loc="lower right")
    right.set(title="Clarity of the gradients", xlabel="K", ylabel="|mean| / std", xscale="log", yscale="log", xticks=Ks, xticklabels=Ks)
    if right.lines:
        right.legend(loc="center right")
    for ax in (left, right):
        ax.minorticks_off()
    return fig


# --- Task 5 ------------------------------------------------------------------------------------


@figure("ppca", caption="Probabilistic PCA of 500 digits. Left: eight images, decoded from their posterior means. Right: draws from the model with 40 latents, without and with noise.")
def ppca(student):
    fig, (left, right) = subplots(1, 2, size=(12, 3.4))
    x = pictures(500)[0]
    with if_written(left):
        rows, names = [x[:8]], ["images"]
        for k in (2, 10, 40):
            mean, W, sigma2 = student.ppca_fit(x, k)
            z, _ = student.ppca_posterior(x[:8], mean, W, sigma2)
            rows.append(mean + z @ W.T)
            names.append(f"k = {k}\nσ = {float(sigma2) ** 0.5:.2f}")
        show(left, tile(torch.stack(rows)), "posterior means, decoded", names=names)
        rng = np.random.default_rng(1)
        drawn = mean + torch.from_numpy(rng.standard_normal((16, 40))) @ W.T
        noisy = drawn + sigma2.sqrt() * torch.from_numpy(rng.standard_normal(drawn.shape))
        sheet = torch.cat([drawn.reshape(2, 8, -1), noisy.reshape(2, 8, -1)])
        show(right, tile(sheet), "draws from the prior, decoded", names=["mean + Wz"] * 2 + ["+ noise"] * 2)
    return fig


# --- Task 6 ------------------------------------------------------------------------------------


@figure("waterline", caption="Left: variances of 500 digits along their eigenvectors. How many units pay at each noise? Right: the eigenvalues 4, 2, 1 and ½ with σ² = 1.")
def waterline(student):
    fig, (left, right) = subplots(1, 2, size=(12, 4.2))
    x = pictures(500)[0]
    eigenvalues = torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x)).flip(0)
    left.plot(range(1, len(eigenvalues) + 1), eigenvalues, color=COLORS["black"], ls="-")
    with if_written(left):
        for sigma, color, line in ((0.2, "blue", "--"), (0.5, "orange", "-."), (8.5, "red", ":")):
            kept = int((student.unit_lengths(eigenvalues, sigma2=sigma**2, beta=1.0) > 0).sum())
            left.plot([kept, kept], [1e-3, float(eigenvalues[max(kept, 1) - 1])], line, color=COLORS[color], label=f"σ = {sigma}: {kept} units pay")
        left.legend(loc="upper right")
    left.set(title="Digits", xlabel="eigenvalue, by rank", ylabel="variance", yscale="log", ylim=(3e-3, 2), xlim=(0, 100))
    with if_written(right):
        betas = torch.linspace(0.02, 5, 250, dtype=F64)
        ends = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=F64)
        lengths = torch.stack([student.unit_lengths(ends, sigma2=1.0, beta=float(beta)) for beta in betas])
        for j, value in enumerate(ends.tolist()):
            right.plot(betas, lengths[:, j], label=f"λ = {value:g}")
        right.legend(title="variance of the data")
    right.set(title="Four units", xlabel="β", ylabel="squared length w²", ylim=(0, 4.2), xlim=(0, 5))
    return fig


# --- Task 8 ------------------------------------------------------------------------------------


def four_codes(student, sigma):
    """Both parts of the KL for four examples with means ±1 and ±3, by nodes: with equal weights, 400 quantiles stand for the noise."""
    eps = torch.special.ndtri((torch.arange(400, dtype=F64) + 0.5) / 400)[:, None, None].expand(-1, 4, -1)
    mu = torch.tensor([[-3.0], [-1.0], [1.0], [3.0]], dtype=F64)
    return [float(part) for part in student.kl_split(mu, torch.full_like(mu, 2 * math.log(sigma)), eps)]


@figure("between", caption="Left: the norm on two ways between two draws from the prior with 128 latents; the band is the mean of draws ± 2 deviations. The title compares log-densities for 1000 pairs. Right: both parts of the KL of four examples with means ±1 and ±3.")
def between(student):
    fig, (left, right) = subplots(1, 2, size=(11.5, 4.0))
    a, b = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 128)))
    t = np.linspace(0, 1, 41)
    left.axhspan(11.29 - 2 * 0.71, 11.29 + 2 * 0.71, color=COLORS["grey"], alpha=0.2, linewidth=0)
    left.plot(t, [float(((1 - s) * a + s * b).norm()) for s in t], label="straight line")
    with if_written(left):
        left.plot(t, [float(student.slerp(a, b, float(s)).norm()) for s in t], "--", color=COLORS["orange"], label="slerp")
    ends = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 1000, 128)))
    gain = float((ends**2).sum(-1).mean() - (ends.mean(0) ** 2).sum(-1).mean()) / 2  # log p(midpoint) - log p(end), on average
    left.set(title=f"log p at a midpoint: {gain:.0f} nats above the ends", xlabel="t", ylabel="norm", ylim=(6, 13.5))
    left.legend(loc="lower left")
    with if_written(right):
        sigmas = np.geomspace(0.02, 3, 40)
        information, distance = np.array([four_codes(student, s) for s in sigmas]).T
        right.stackplot(sigmas, information, distance, colors=(COLORS["blue"], COLORS["orange"]), alpha=0.75)
        right.axhline(math.log(4), color=COLORS["black"], ls=":", linewidth=1.3)
        right.text(2.9, math.log(4) + 0.1, "log 4", ha="right", va="bottom")
        right.text(0.03, 0.5, "information", color="white", weight="bold")
        right.text(0.03, 2.6, "distance", color=COLORS["black"], weight="bold")
        right.set_title("σ = 0.1: information {:.2f}, distance {:.2f}".format(*four_codes(student, 0.1)))
    right.set(xlabel="σ of each q(z|x)", ylabel="nats", xscale="log", xlim=(0.02, 3), ylim=(0, 7))
    return fig


# --- Task 9 ------------------------------------------------------------------------------------


def cluster_data():
    """1000 points in eight clusters, and two tables of 64 codes: normal numbers, and some of the points."""
    rng = np.random.default_rng(0)
    centers = 5 * rng.standard_normal((8, 2))
    points = centers[rng.integers(0, 8, 1000)] + 0.3 * rng.standard_normal((1000, 2))
    starts = {"normal numbers": rng.standard_normal((64, 2)), "some of the points": points[rng.choice(1000, 64, False)]}
    return torch.from_numpy(points), {name: torch.from_numpy(start) for name, start in starts.items()}


def lloyd(student, points, codebook, steps=50):
    """The table after each step with decay 0, and its perplexity: from step 0 on."""
    counts, sums, tables, used = torch.ones(len(codebook), dtype=F64), codebook, [codebook], []
    for _ in range(steps + 1):
        codes = student.nearest_codes(points, codebook)
        used.append(float(student.perplexity(codes, len(codebook))))
        codebook, counts, sums = student.ema_update(codebook, counts, sums, points, codes, decay=0.0)
        tables.append(codebook)
    return tables[steps], used, codes


@figure("codes", caption="64 codes and eight clusters of points, 50 steps with decay 0. Gray: points. Blue: codes that points use. Red: codes that no point uses.")
def codes_figure(student):
    fig, axes = subplots(1, 3, size=(13, 4.1))
    points, starts = cluster_data()
    for ax, (name, start) in zip(axes, starts.items(), strict=False):
        ax.plot(*points.T, ".", color=COLORS["grey"], markersize=2.5, alpha=0.5)
        ax.set_title(f"start: {name}")
        with if_written(ax):
            table, used, codes = lloyd(student, points, start)
            alive = torch.zeros(len(table), dtype=torch.bool)
            alive[codes] = True
            ax.plot(*table[~alive].T, "x", color=COLORS["red"], markersize=5)
            ax.plot(*table[alive].T, "o", color=COLORS["blue"], markersize=4)
            ax.set_title(f"start: {name}\n{int(alive.sum())} codes in use, perplexity {used[-1]:.1f}")
            axes[2].plot(used, "-" if name.startswith("normal") else "--", label=name)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    axes[2].set(title="Perplexity of the codes", xlabel="step", ylim=(0, 64))
    if axes[2].lines:
        axes[2].legend(title="start", loc="center right")
    return fig


if __name__ == "__main__":
    main("vae")
