"""Draws posteriors and two kinds of uncertainty, from your own code. Run: python figures.py

A figure whose task isn't written yet is skipped. `network` and `dropout` train small networks, which takes
some seconds.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import X_RANGE, regression, regression_mean, regression_std
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots

F64 = torch.float64
NOISE_STD, PRIOR_STD = 0.5, 2.0
GRID = torch.linspace(X_RANGE[0] - 0.5, X_RANGE[1] + 0.5, 120, dtype=F64)
SIZES = (1, 8, 2)
MASS = 0.9
GAP = (1.4, 2.4)  # a strip of inputs without data
PARTS = {  # of the uncertainty: the same lines in every figure
    "aleatoric": {"color": COLORS["orange"], "linestyle": "-", "label": "aleatoric"},
    "epistemic": {"color": COLORS["blue"], "linestyle": (0, (5, 2)), "label": "epistemic"},
}


def tensors(*arrays):
    """NumPy arrays as tensors."""
    return [torch.from_numpy(np.asarray(array)) for array in arrays]


def outside_the_gap(x, y):
    """The points that do not lie in the strip."""
    kept = (x < GAP[0]) | (x > GAP[1])
    return x[kept], y[kept]


def shade(ax, interval, tint, **options):
    """An interval over the grid in an opaque tint, so that it looks as in the legend over another."""
    ax.fill_between(GRID, *interval, color=tint, linewidth=0, **options)


def mark_gap(ax, *, label=None):
    """A gray strip where there are no data, over the bands and under the lines."""
    ax.axvspan(*GAP, color=COLORS["grey"], alpha=0.2, linewidth=0, zorder=1.5, label=label)


def ellipse(ax, mean, covariance, **options):
    """The contour of a Gaussian in the plane that holds 90% of it."""
    angle = torch.linspace(0, 2 * torch.pi, 200, dtype=F64)
    circle = torch.stack([angle.cos(), angle.sin()])
    radius = (-2 * np.log(1 - MASS)) ** 0.5
    outline = mean[:, None] + radius * torch.linalg.cholesky(covariance) @ circle
    ax.plot(*outline, **options)


@figure(
    "mean_field",
    caption="How wide is the best q along each axis, and how wide is the posterior? "
    "Its ELBO stays below log p(D) by the KL.",
)
def mean_field(student):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.2, 2.2, size=12)  # on one side of zero: slope and intercept are correlated
    X, y = tensors(np.column_stack([np.ones(12), x]), 1 - 0.7 * x + NOISE_STD * rng.standard_normal(12))
    std = {"noise_std": NOISE_STD, "prior_std": PRIOR_STD}
    mean, precision = student.linear_posterior(X, y, **std)
    covariance = torch.linalg.inv(precision)

    fig, (left, right) = subplots(1, 2, size=(11, 4.2))
    ellipse(left, mean, covariance, label="posterior")
    with if_written(left):
        mu, sigma = student.mean_field_optimum(mean, precision)
        ellipse(left, mu, (sigma**2).diag(), label="best q")
    ellipse(left, mean, covariance.diagonal().diag(), label="the posterior's marginals", color=COLORS["grey"])
    left.set(title="90% of each Gaussian", xlabel="intercept", ylabel="slope")
    left.set_ylim(top=0.3)
    left.legend(loc="upper right")

    steps, generator = 400, torch.Generator().manual_seed(1)
    eps = torch.randn(steps, 16, 2, generator=generator, dtype=F64)
    start = torch.tensor([0.0, 0.0], dtype=F64), torch.tensor([-2.0, -2.0], dtype=F64)
    options = {"log_likelihood": student.linear_model(NOISE_STD), "prior_std": PRIOR_STD}
    with if_written(right):
        _, _, values = student.fit_mean_field(*start, eps, X, y, lr=0.0005, **options)
        right.plot(values, color=COLORS["sky"], linestyle="-", linewidth=0.8, label="estimate in each step")
    with if_written():
        best = student.mean_field_optimum(mean, precision)
        elbo = float(student.linear_elbo(*best, X, y, **std))
        right.axhline(elbo, color=COLORS["orange"], linestyle=(0, (5, 2)), label="ELBO of the best q")
    with if_written():
        evidence = float(student.log_evidence(X, y, **std))
        right.axhline(evidence, color=COLORS["black"], linewidth=1.2, linestyle="-", label="log p(D)")
        right.set_ylim(evidence - 6, evidence + 2)
    right.set(title="A bound from below", xlabel="step", ylabel="nats")
    if right.get_legend_handles_labels()[0]:
        right.legend(loc="lower right")
    return fig


def adam(gradient, parameters, *, steps, lr):
    """Gradient ascent with Adam: `gradient` maps the step and the parameters to their gradients."""
    parameters = [p.detach().clone().requires_grad_() for p in parameters]
    optimizer = torch.optim.Adam(parameters, lr=lr, maximize=True)
    for t in range(steps):
        for parameter, g in zip(parameters, gradient(t, *parameters), strict=True):
            parameter.grad = g.detach()
        optimizer.step()
    return [p.detach() for p in parameters]


def rescaled(x):
    """Inputs of about unit size, in a column: what a small network likes."""
    return ((x - 2) / 1.2)[:, None]


def train(student, x, y):
    """mu and rho of a network with two outputs, fitted to points."""
    generator = torch.Generator().manual_seed(0)
    P = student.n_parameters(SIZES)
    X, model = rescaled(x), student.network_model(SIZES)

    def gradient(t, mu, rho):
        eps = torch.randn(4, P, generator=generator, dtype=F64)
        return student.elbo_gradient(mu, rho, eps, X, y, log_likelihood=model, prior_std=1.0)[1:]

    start = 0.5 * torch.randn(P, generator=generator, dtype=F64), torch.full((P,), -4.0, dtype=F64)
    return adam(gradient, start, steps=1500, lr=0.02)


def show_parts(ax, aleatoric, epistemic):
    """Both parts over the grid, and their means in the strip and where the data are."""
    inside = (GRID > GAP[0]) & (GRID < GAP[1])
    data = ~inside & (GRID > X_RANGE[0]) & (GRID < X_RANGE[1])
    told = []
    for name, variance in (("aleatoric", aleatoric), ("epistemic", epistemic)):
        std = variance.sqrt()
        ax.plot(GRID, std, **PARTS[name])
        told.append(f"{name} {std[inside].mean():.2f} in the strip, {std[data].mean():.2f} at data")
    ax.set_title("\n".join(told), size=9)


@figure(
    "network",
    caption="Does the epistemic part grow in the strip? And is the aleatoric part what more data leave as it is?",
)
def network(student):
    rng, generator = np.random.default_rng(2), torch.Generator().manual_seed(3)
    x, y = outside_the_gap(*tensors(*regression(rng, 1000)))
    fig, axes = subplots(2, 2, size=(11, 7), sharex=True, sharey="row", gridspec_kw={"height_ratios": (3, 2)})
    for n, (top, bottom) in zip((60, 600), axes.T, strict=True):
        mu, rho = train(student, x[:n], y[:n])
        eps = torch.randn(400, len(mu), generator=generator, dtype=F64)
        means, stds = student.noisy_network(student.sample_weights(mu, rho, eps), rescaled(GRID), SIZES)
        noise = torch.randn(means.shape, generator=generator, dtype=F64)
        draws = student.predictive_samples(means, stds, noise)
        for samples, tint, what in ((draws, "#D9EDF9", "y"), (means, "#A6CBE3", "f")):
            with if_written():
                shade(top, student.credible_interval(samples, MASS), tint, label=f"90% for {what}")
        mark_gap(top, label="no data")
        mark_gap(bottom)
        top.plot(GRID, means.mean(0), label="mean")
        top.plot(GRID, regression_mean(GRID.numpy()), color=COLORS["black"], linewidth=1, label="true f")
        top.plot(x[:n], y[:n], ".", color=COLORS["black"], markersize=3, alpha=0.5)
        top.set(title=f"{n} points", ylim=(-2.2, 5.2))
        with if_written(bottom):
            show_parts(bottom, *student.decompose_variance(means, stds))
        truth = {"color": COLORS["black"], "linewidth": 1, "linestyle": ":", "label": "true noise"}
        bottom.plot(GRID, regression_std(GRID.numpy()), **truth)
        bottom.set(xlabel="x", ylim=(0, 1.8))
    axes[0, 0].legend(loc="upper left", ncols=3)
    axes[0, 0].set_ylabel("y")
    axes[1, 0].legend(loc="upper left", ncols=3)
    axes[1, 0].set_ylabel("standard deviation")
    return fig


@figure(
    "data",
    caption="Here the noise is known. How does the doubt fall with the number of data? The drop on the left: until "
    "the data pin down all four weights, some of them are known from the prior alone.",
)
def data(student):
    rng, generator = np.random.default_rng(4), torch.Generator().manual_seed(5)

    def features(x):
        return torch.stack([torch.ones_like(x), x, (2 * x).sin(), (2 * x).cos()], -1)

    x = torch.from_numpy(rng.uniform(*X_RANGE, size=10_000))
    y = torch.from_numpy(regression_mean(x.numpy()) + NOISE_STD * rng.standard_normal(10_000))
    sizes = np.unique(np.concatenate([np.arange(1, 10), np.geomspace(10, 10_000, 16).astype(int)]))
    eps = torch.randn(2000, 4, generator=generator, dtype=F64)
    inside = features(torch.linspace(0.5, 3.5, 50, dtype=F64))
    std = {"noise_std": NOISE_STD, "prior_std": PRIOR_STD}
    parts = []
    for n in sizes:
        mean, precision = student.linear_posterior(features(x[:n]), y[:n], **std)
        # L^-T eps has the covariance (L L^T)^-1
        root = torch.linalg.cholesky(precision)
        theta = mean + torch.linalg.solve_triangular(root.T, eps.T, upper=True).T
        means = theta @ inside.T
        variances = student.decompose_variance(means, torch.full_like(means, NOISE_STD))
        parts.append([float(each.mean().sqrt()) for each in variances])
    fig, ax = subplots(size=(7.5, 4.2))
    aleatoric, epistemic = zip(*parts, strict=True)
    ax.loglog(sizes, aleatoric, **PARTS["aleatoric"])
    ax.loglog(sizes, epistemic, **PARTS["epistemic"])
    ax.loglog(sizes, sizes**-0.5, color=COLORS["grey"], linewidth=1, linestyle=":", label="slope −1/2")
    ax.set(title="Linear regression, the exact posterior", xlabel="number of data")
    ax.set_ylabel("standard deviation")
    ax.legend()
    return fig


@figure("dropout", caption="A network that never turns its dropout off: each pass is another function.")
def dropout(student):
    rng, generator, p = np.random.default_rng(2), torch.Generator().manual_seed(6), 0.1
    x, y = outside_the_gap(*tensors(*regression(rng, 400)))
    x, y = x[:120], y[:120]
    width = 48
    counts = [width, width, width * width, width, width, 1]

    def layers(flat):
        cuts = flat.split(counts)
        shapes = [(width, 1), (width,), (width, width), (width,), (1, width), (1,)]
        parts = [cut.view(shape) for cut, shape in zip(cuts, shapes, strict=True)]
        return list(zip(parts[::2], parts[1::2], strict=True))

    def passes(flat, x, S):
        u = [torch.rand(S, width, generator=generator, dtype=F64) for _ in range(2)]
        return student.mc_dropout(layers(flat), rescaled(x), u, p=p)[..., 0]

    def gradient(t, flat):
        leaf = flat.detach().requires_grad_()
        # minus half the mean squared error, and a little weight decay
        score = -0.5 * ((passes(leaf, x, 2) - y) ** 2).mean() - 1e-4 * (leaf**2).sum()
        return torch.autograd.grad(score, leaf)

    scales = [1.0, 1.0, width**-0.5, 0.1, width**-0.5, 0.1]
    start = torch.cat(
        [
            scale * torch.randn(count, generator=generator, dtype=F64)
            for count, scale in zip(counts, scales, strict=True)
        ]
    )
    (flat,) = adam(gradient, [start], steps=1200, lr=0.01)
    functions = passes(flat, GRID, 300).detach()
    fig, ax = subplots(size=(7.5, 4.2))
    shade(ax, student.credible_interval(functions, MASS), "#C7DFEE", label="90% of 300 passes")
    mark_gap(ax, label="no data")
    passing = {"color": COLORS["blue"], "linestyle": "-", "linewidth": 0.6, "alpha": 0.6}
    ax.plot(GRID, functions[:20].T, **passing, label=["20 passes"] + ["_nolegend_"] * 19)
    truth = regression_mean(GRID.numpy())
    ax.plot(GRID, truth, color=COLORS["black"], linestyle="-", linewidth=1.2, label="true f")
    ax.plot(x, y, ".", color=COLORS["black"], markersize=4, alpha=0.6)
    ax.set(title="Dropout as a sampler of functions", xlabel="x", ylabel="y")
    ax.legend(loc="upper left")
    return fig


if __name__ == "__main__":
    main("vi")
