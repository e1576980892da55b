"""Draws what representations keep, from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digit_bitmaps, digits
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, heatmap, subplots

F64 = torch.float64
SIDE = 12  # pixels of a digit


def normal(generator, *shape):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64)


def images(n, seed=0, noise=0.08):
    """Digits as rows of 144 pixels, and their labels."""
    pixels, labels = digits(n, seed=seed, noise=noise)
    return torch.from_numpy(pixels).flatten(1), torch.from_numpy(labels)


def show(ax, pixels, title, *, signed=False):
    """One row of pixels as an image."""
    limit = float(pixels.abs().max())
    ax.imshow(pixels.view(SIDE, SIDE), cmap="PuOr_r" if signed else "gray_r", vmin=-limit if signed else 0, vmax=limit if signed else 1)
    ax.set_title(title, fontsize=10, loc="center")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)


@figure("components", caption="Above: the mean of 400 digits, and components. Below: one digit, rebuilt from its first k coordinates.")
def components(student):
    fig, axes = subplots(2, 7, size=(11.5, 3.9))
    x, _ = images(400)
    with if_written(axes[0, 0]):
        mean, rows, _, share = student.pca(x, 100)
        show(axes[0, 0], mean, "mean")
        for ax, at in zip(axes[0, 1:], (0, 1, 2, 3, 9, 49), strict=True):
            show(ax, rows[at], f"no. {at + 1}: {share[at]:.1%}", signed=True)
        show(axes[1, 0], x[5], "pixels")
        for ax, k in zip(axes[1, 1:], (1, 2, 5, 10, 30, 100), strict=True):
            show(ax, mean + (x[5] - mean) @ rows[:k].T @ rows[:k], f"k = {k}: {share[:k].sum():.0%}")
    return fig


@figure("white", caption="The same 300 points three times. Colors show where a point was before; the arrows are what became of the two axes.")
def white(student):
    fig, axes = subplots(1, 3, size=(11.5, 3.9))
    x = normal(torch.Generator().manual_seed(0), 300, 2) @ torch.tensor([[2.0, 1.2], [0.0, 0.7]], dtype=F64)
    x = x - x.mean(0)
    with if_written(axes[0]):
        whites = {kind: student.whiten(x, kind=kind) for kind in ("pca", "zca")}
        for ax, (title, z) in zip(axes, {"as it is": x, **whites}.items(), strict=True):
            hue = torch.atan2(x[:, 1], x[:, 0])
            ax.scatter(*z.T, c=hue, cmap="twilight", s=12)
            arrows = torch.linalg.solve(x.T @ x, x.T @ z)  # where a linear map takes the unit vectors
            for arrow, color, name in zip(2 * arrows, ("red", "blue"), ("x₁", "x₂"), strict=True):
                ax.annotate("", arrow.tolist(), (0, 0), arrowprops={"arrowstyle": "-|>", "color": COLORS[color], "linewidth": 2.5})
                ax.annotate(name, (1.25 * arrow).tolist(), color=COLORS[color], weight="bold", ha="center", va="center")
            ax.set(title=title, xlim=(-5, 5), ylim=(-5, 5), aspect="equal")
    return fig


def six_features():
    """200 examples with six features, of standard deviations 3, 2, 1, ½, ½, ½, centered."""
    x = normal(torch.Generator().manual_seed(0), 200, 6) * torch.tensor([3, 2, 1, 0.5, 0.5, 0.5], dtype=F64)
    return x - x.mean(0)


def train_autoencoder(autoencoder_gradients, x, k, seed, *, steps=10_000, lr=0.01):
    """Gradient descent from random weights. Gives the encoder, the decoder and the losses."""
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = 0.5 * normal(generator, x.shape[1], k), 0.5 * normal(generator, k, x.shape[1])
    losses = []
    for _ in range(steps):
        loss, slope_encoder, slope_decoder = autoencoder_gradients(x, encoder, decoder)
        encoder, decoder = encoder - lr * slope_encoder, decoder - lr * slope_decoder
        losses.append(float(loss))
    return encoder, decoder, losses


@figure("autoencoder", caption="Two trainings of one linear autoencoder with two codes. The components are those of PCA.")
def autoencoder(student):
    fig, axes = subplots(1, 3, size=(12, 3.6))
    x = six_features()
    _, singular, rows = torch.linalg.svd(x, full_matrices=False)
    floor = float((singular[2:] ** 2).sum() / len(x))
    with if_written(axes[0]):
        for at, color in enumerate(("blue", "orange")):
            _, decoder, losses = train_autoencoder(student.autoencoder_gradients, x, 2, at)
            label, line = f"seed {at}", "-" if at == 0 else "--"
            axes[0].plot(np.arange(len(losses)) + 1, np.array(losses) - floor + 1e-16, line, color=COLORS[color], label=label)
            cosines = (decoder / decoder.norm(dim=1, keepdim=True) @ rows[:4].T).abs().round(decimals=2)
            names = [f"no. {j + 1}" for j in range(4)]
            heatmap(axes[at + 1], cosines, rows=["row 1", "row 2"], columns=names, limits=(0, 1), label="|cosine|")
            axes[at + 1].set(title=f"Decoder of seed {at}", xlabel="component")
        axes[0].legend()
    axes[0].set(title="Loss above PCA's error", xlabel="step", ylabel="excess", xscale="log", yscale="log")
    return fig


@figure("neighbors", caption="300 digits. The share whose label is that of most of their 5 nearest neighbors, for coordinates along k components.")
def neighbors(student):
    fig, ax = subplots(size=(8.5, 3.9))
    x, labels = images(300)
    ks = [1, 2, 3, 5, 8, 12, 20, 35, 60, 100, 144]
    series = [("pca", "blue", "-", lambda x, k: x @ student.pca(x, k)[1].T), ("white", "orange", "--", lambda x, k: student.whiten(x)[:, :k])]
    with if_written(ax):
        pixels = float((student.knn_predict(x, labels, 5) == labels).double().mean())
        ax.axhline(pixels, color=COLORS["grey"], ls=":", label="all 144 pixels")
        for name, color, line, code in series:
            shares = [float((student.knn_predict(code(x, k), labels, 5) == labels).double().mean()) for k in ks]
            ax.plot(ks, shares, line, marker="o", color=COLORS[color], label={"pca": "components", "white": "whitened components"}[name])
        ax.legend(loc="lower right")
    ax.set(title="Who has neighbors of the same class?", xlabel="k", ylabel="right labels", xscale="log", ylim=(0, 0.6))
    ax.set_xticks(ks, [str(k) for k in ks])
    ax.minorticks_off()
    return fig


def two_views(n, seed, *, turn_seed=7):
    """Two views of n examples, shape (2n, 32): 8 directions that both views share, of standard deviation 1, and 24 of 3 that they don't."""
    generator = torch.Generator().manual_seed(seed)
    content = normal(generator, n, 8)
    turn = torch.linalg.qr(normal(torch.Generator().manual_seed(turn_seed), 32, 32)).Q
    return torch.cat([torch.cat([content, 3 * normal(generator, n, 24)], 1) for _ in range(2)]) @ turn


def train_encoder(nt_xent_gradient, x, tau, *, d=8, steps=300, lr=1.0):
    """Gradient descent on the contrastive loss of a linear encoder with d features. Gives the encoders before and after."""
    first = encoder = normal(torch.Generator().manual_seed(0), x.shape[1], d) / 6
    for _ in range(steps):
        encoder = encoder - lr * x.T @ nt_xent_gradient(x @ encoder, tau)
    return first, encoder


@figure("views", caption="Cosines of 30 new examples: rows are first views, columns are second views. Three linear encoders, each with 8 features.")
def views(student):
    fig, axes = subplots(1, 3, size=(12.5, 3.9))
    train, test = two_views(200, 0), two_views(30, 1)
    with if_written(axes[0]):
        before, after = train_encoder(student.nt_xent_gradient, train, 0.2)
        largest = torch.linalg.svd(train - train.mean(0), full_matrices=False)[2][:8].T
        for ax, encoder, title in zip(axes, (before, largest, after), ("Random", "Largest variance", "Trained by pairs"), strict=True):
            z = test @ encoder
            z = torch.nn.functional.normalize(z)
            heatmap(ax, z[:30] @ z[30:].T, limits=(-1, 1), label="cosine" if ax is axes[2] else "")
            ax.set(title=title, xlabel="second view", ylabel="first view" if ax is axes[0] else "")
    return fig


def one_anchor(*, n=510, d=128):
    """Cosines of an anchor with its partner, with one similar negative, and with n - 1 random directions."""
    directions = torch.nn.functional.normalize(normal(torch.Generator().manual_seed(0), n - 1, d))
    return torch.cat([torch.tensor([0.9, 0.8], dtype=F64), directions[:, 0]])


def push_shares(infonce, cosines, tau):
    """Which share of the slopes of one anchor's estimate each negative has, the most similar first."""
    scores = torch.zeros(len(cosines), len(cosines), dtype=F64)
    scores[0] = cosines / tau
    scores.requires_grad_()
    slopes = torch.autograd.grad(infonce(scores), scores)[0][0, 1:].abs()
    return (slopes / slopes.sum()).sort(descending=True).values


@figure("negatives", caption="One anchor and 510 negatives. One of these has the cosine 0.8 with the anchor, the others are random in 128 dimensions.")
def negatives(student):
    fig, (left, right) = subplots(1, 2, size=(11.5, 3.8), width_ratios=(1, 1.3))
    taus, cosines = (1.0, 0.5, 0.2, 0.1, 0.05), one_anchor()
    left.hist(cosines[2:].numpy(), bins=30, color=COLORS["grey"])
    for at, (name, color) in enumerate((("partner", "green"), ("similar negative", "red"))):
        left.axvline(float(cosines[at]), color=COLORS[color], ls="-" if at == 0 else "--", label=name)
    left.legend(loc="upper right", bbox_to_anchor=(0.86, 0.98))
    with if_written(right):
        shares = [push_shares(student.infonce, cosines, tau) for tau in taus]
        bottom = np.zeros(len(taus))
        for part, label, color in ((slice(0, 1), "the most similar", "red"), (slice(1, 11), "the next ten", "orange"), (slice(11, None), "the other 499", "grey")):
            heights = np.array([float(share[part].sum()) for share in shares])
            right.bar(range(len(taus)), heights, bottom=bottom, width=0.65, color=COLORS[color], label=label)
            bottom += heights
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)
    left.set(title="Cosines with the anchor", xlabel="cosine", ylabel="negatives", xlim=(-0.4, 1))
    right.set(title="Who pushes the anchor?", ylabel="share of the slopes", ylim=(0, 1))
    right.set_xticks(range(len(taus)), [f"τ = {tau:g}" for tau in taus])
    right.grid(axis="x", visible=False)
    return fig


def noisy_copy(M, p):
    """X is uniform on M values. With probability 1 - p, Y is a copy of X; else it is drawn afresh."""
    return (1 - p) * torch.eye(M, dtype=F64) / M + p / M**2


def mean_estimate(infonce, joint, critic, N, *, seed=0, rows=40_000):
    """The mean estimate of batches of N pairs from a finite joint distribution: about `rows` rows, and at least 400 batches."""
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.multinomial(joint.flatten(), max(rows // N, 400) * N, replacement=True, generator=generator).view(-1, N)
    x, y = pairs // joint.shape[1], pairs % joint.shape[1]
    return float(torch.stack([infonce(critic[a[:, None], b[None, :]]) for a, b in zip(x, y, strict=True)]).mean())


@figure("bound", caption="Mean estimates with the best critic. 64 values, equally likely; p is the chance that Y is drawn afresh.")
def bound(student):
    fig, ax = subplots(size=(8.5, 4.2))
    sizes = [2, 4, 8, 16, 32, 64, 128, 256, 512]
    with if_written(ax):
        for p, color, line in ((0.0, "blue", "-"), (0.5, "orange", "--")):
            joint = noisy_copy(64, p)
            critic = student.best_critic(joint)
            ax.plot(sizes, [mean_estimate(student.infonce, joint, critic, N) for N in sizes], line, marker="o", color=COLORS[color], label=f"estimate, p = {p:g}")
            information = float(student.mutual_information(joint))
            ax.axhline(information, color=COLORS[color], lw=1, ls=":")
            ax.text(2, information + 0.08, f"I(X; Y) = {information:.2f}", color=COLORS[color])
        ax.legend(loc="lower right")
    ax.set(title="How much does a batch of N pairs show?", xlabel="N", ylabel="nats", xscale="log", ylim=(0, 4.8))
    ax.set_xticks(sizes, [str(N) for N in sizes])
    ax.minorticks_off()
    return fig


def clouds(n=500, d=64):
    """Three clouds whose d features all have variance 1: copies of one feature, a falling spectrum, independent features."""
    generator = torch.Generator().manual_seed(0)
    z = normal(generator, n, d)
    turn = torch.linalg.qr(normal(generator, d, d)).Q
    found = {
        "64 copies": z[:, :1].expand(n, d),
        "variances 1/k², turned": z / torch.arange(1, d + 1, dtype=F64) @ turn,
        "independent": z,
    }
    return {name: (z - z.mean(0)) / z.std(0) for name, z in found.items()}


@figure("spectrum", caption="Three representations of 500 examples. In each, all 64 features have standard deviation 1.")
def spectrum(student):
    fig, (left, right) = subplots(1, 2, size=(11.5, 3.9))
    colors = ("red", "orange", "blue")
    with if_written(left):
        for (name, z), color, line in zip(clouds().items(), colors, ("o", "--", "-"), strict=True):
            variances = np.maximum((torch.linalg.svdvals(z) ** 2 / len(z)).numpy(), 1e-20)
            left.plot(np.arange(1, 65)[variances > 1e-12], variances[variances > 1e-12], line, color=COLORS[color], label=f"{name}: {float(student.effective_rank(z)):.1f}")
        left.legend(title="effective rank", loc="lower left")
    with if_written(right):
        for at, (z, color) in enumerate(zip(clouds().values(), colors, strict=True)):
            terms = [float(term) for term in student.vicreg_terms(z, z)][1:]
            for kind, (value, shade) in enumerate(zip(terms, (1.0, 0.45), strict=True)):
                right.bar(3 * kind + 0.8 * at, value / 2, width=0.7, color=COLORS[color], alpha=1.0)
                right.text(3 * kind + 0.8 * at, value / 2 + 1, f"{value / 2:.2g}", ha="center", color=COLORS[color])
        right.set_xticks([0.8, 3.8], ["variance term", "covariance term"])
    left.set(title="Variances along the components", xlabel="component", ylabel="variance", xscale="log", yscale="log")
    right.set(title="Terms of VICReg, for one view", ylabel="term", ylim=(0, 75))
    right.grid(axis="x", visible=False)
    return fig


def two_networks(*, shared, size, n=1000, d=50):
    """Two representations with one feature of standard deviation `size` and 49 of 1. They share that one, or all but that one."""
    generator = torch.Generator().manual_seed(0)
    large, small = [normal(generator, n, 1) * size for _ in range(2)], [normal(generator, n, d - 1) for _ in range(2)]
    if shared == "large":
        large[1] = large[0]
    else:
        small[1] = small[0]
    return [torch.cat(parts, 1) for parts in zip(large, small, strict=True)]


@figure("cka", caption="1000 examples, 50 features. One feature has the standard deviation on the axis, all others have 1.")
def cka(student):
    fig, ax = subplots(size=(8.5, 4.0))
    sizes = np.linspace(0.5, 8, 16)
    styles = {"large": ("blue", "-", "the one feature is shared, the 49 others are not"), "rest": ("red", "--", "the 49 others are shared, the one is not")}
    with if_written(ax):
        for shared, (color, line, label) in styles.items():
            ax.plot(sizes, [float(student.cka(*two_networks(shared=shared, size=size))) for size in sizes], line, color=COLORS[color], label=label)
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.55))
    ax.set(title="Which pair does CKA call alike?", xlabel="standard deviation of the one feature", ylabel="CKA", ylim=(0, 1.05))
    return fig


def draw_map(tsne_gradient, p, *, steps=400, lr=None, seed=0):
    """Gradient descent with momentum, more of it after the first quarter, from a small random map."""
    y = 0.01 * normal(torch.Generator().manual_seed(seed), len(p), 2)
    lr = len(p) / 12 if lr is None else lr
    velocity = torch.zeros_like(y)
    for step in range(steps):
        early = step < steps // 4
        velocity = (0.5 if early else 0.8) * velocity - lr * tsne_gradient(p, y)[1]
        y = y + velocity
    return y


def noisy_bitmaps(n=150, noise=0.4):
    """Digits of 35 pixels that differ in their noise alone, and their labels."""
    labels = torch.arange(n) % 10
    return torch.from_numpy(digit_bitmaps()).flatten(1)[labels] + noise * normal(torch.Generator().manual_seed(0), n, 35), labels


@figure("maps", caption="Three maps of the same 150 noisy digits. Each point is drawn as its digit.")
def maps(student):
    fig, axes = subplots(1, 3, size=(12, 4.1))
    x, labels = noisy_bitmaps()
    shades = [*(COLORS[name] for name in ("blue", "orange", "green", "red", "purple", "sky", "black", "grey")), "#8B4513", "#C71585"]
    with if_written(axes[0]):
        for ax, perplexity in zip(axes, (2, 12, 100), strict=True):
            y = draw_map(student.tsne_gradient, student.affinities(x, perplexity))
            for place, digit in zip(y.tolist(), labels.tolist(), strict=True):
                ax.text(*place, str(digit), color=shades[digit], size=9, ha="center", va="center")
            low, high = y.amin(0), y.amax(0)
            margin = 0.05 * (high - low)
            (left, bottom), (right, top) = (low - margin).tolist(), (high + margin).tolist()
            ax.set(xlim=(left, right), ylim=(bottom, top))
            ax.set(title=f"perplexity {perplexity}", xticks=[], yticks=[])
            ax.grid(False)
    return fig


if __name__ == "__main__":
    main("representation")
