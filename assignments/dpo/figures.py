"""Draws what preferences do to a policy, from your own code. Run: python figures.py

A figure draws the parts whose tasks are written, and prints a line for those that are not. `training` trains a small
model for some seconds.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, name_lines, subplots
from coursekit.toys import ModelConfig, random_weights

F64 = torch.float64
N_RESPONSES = 12
EOS = 0
SIZE = ModelConfig(vocab_size=12, n_layers=2, n_heads=2, n_kv_heads=1, d_model=16, d_k=8, max_len=16)


def table():
    """One prompt: log-probabilities of a reference, and rewards of its responses."""
    rng = torch.Generator().manual_seed(3)
    reference_logp = torch.randn(N_RESPONSES, generator=rng, dtype=F64).log_softmax(-1)
    return reference_logp, torch.randn(N_RESPONSES, generator=rng, dtype=F64)


def place(logp, reference_logp, reward):
    """Where a policy lies: its divergence from the reference, and its mean reward."""
    p, q = (torch.distributions.Categorical(logits=x) for x in (logp, reference_logp))
    return torch.distributions.kl_divergence(p, q).tolist(), (p.probs * reward).sum(-1).tolist()


def drawn(*parts):
    """Draw the parts whose tasks are written, and print a line for each other part.

    Raises:
        NotImplementedError: If none is written.
    """
    missing = []
    for draw in parts:
        try:
            draw()
        except NotImplementedError as error:
            missing.append(error)
    if len(missing) == len(parts):
        raise missing[0]
    for error in dict.fromkeys(map(str, missing)):
        print(f"not drawn yet: a part of the figure, {error}")


def draw_curve(student, ax, reference_logp, reward, color):
    betas = torch.logspace(-1.4, 2.5, 80, dtype=F64)
    best = torch.stack([student.optimal_policy(reference_logp, reward, beta=float(b)) for b in betas])
    ax.plot(*place(best, reference_logp, reward), color=COLORS[color], label="π* for every β")


@figure("frontier", caption="Left: the mean reward and the KL of π* for every β, and of best-of-n. Right: the KL of best-of-n, and your bound.")
def frontier(student):
    reference_logp, reward = table()
    likely = -float(reference_logp[reward.argmax()])
    fig, (left, right) = subplots(1, 2, size=(11.5, 4.3))

    def curve():
        draw_curve(student, left, reference_logp, reward, "blue")
        for beta in (0.1, 0.2, 0.5):
            best = student.optimal_policy(reference_logp, reward, beta=beta)
            kl, mean = place(best, reference_logp, reward)
            left.plot(kl, mean, "o", color=COLORS["blue"])
            left.annotate(f"β = {beta:g}", (kl, mean), (-6, 6), textcoords="offset points", ha="right", size=9)

    def best_of_n():
        counts = [1, 2, 4, 8, 16, 64]
        q = torch.stack([student.best_of_n(reference_logp.exp(), reward, n) for n in counts])
        places = place(q.log(), reference_logp, reward)
        left.plot(*places, "s", color=COLORS["red"], label="best of n", clip_on=False)
        for n, kl, mean in zip(counts, *places, strict=True):
            left.annotate(f"n = {n}", (kl, mean), (6, -11), textcoords="offset points", size=9)
        counts = np.unique(np.geomspace(1, 300, 40).astype(int))
        q = torch.stack([student.best_of_n(reference_logp.exp(), reward, int(n)) for n in counts])
        right.semilogx(counts, place(q.log(), reference_logp, reward)[0], color=COLORS["red"], label="best of n")

    def bound():
        counts = np.unique(np.geomspace(1, 300, 40).astype(int))
        right.semilogx(counts, [student.best_of_n_kl_bound(int(n)) for n in counts], label="bound", ls="--")

    drawn(curve, best_of_n, bound)
    left.set(title="Reward against distance", xlabel="KL from the reference (nats)", ylabel="mean reward")
    left.margins(y=0.1)
    left.set_xlim(0, 3.3)
    right.axhline(likely, color=COLORS["grey"], linestyle=":", linewidth=1.5)
    name = r"$-\log\,\pi_\mathrm{ref}$ of the best answer"
    right.text(1, likely - 0.25, name, color=COLORS["grey"], size=9)
    right.set(title="Best of n and its bound", xlabel="n", ylabel="KL from the reference (nats)")
    for ax in (left, right):
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="lower right")
    return fig


@figure("descent", caption="DPO sees only preferences, and it starts at the reference, on the left. The ring is π* for the β of the panel.")
def descent(student):
    reference_logp, reward = table()
    strength = reward.exp()
    preferences = (strength[:, None] / (strength[:, None] + strength))[None]
    fig, axes = subplots(1, 3, size=(12, 4.0))
    for ax, beta, color in zip(axes, (2.0, 0.5, 0.2), ("orange", "green", "red"), strict=True):

        def path(ax=ax, beta=beta, color=color):
            lr = 0.4 * (N_RESPONSES - 1) / beta**2
            steps = [0, 1, 2, 4, 8, 16, 32, 64, 400]
            policies = [
                student.fit_table(reference_logp[None], preferences, beta=beta, lr=lr, n_steps=n)[0] for n in steps
            ]
            places = place(torch.stack(policies), reference_logp, reward)
            ax.plot(*places, ".-", color=COLORS[color], linewidth=1.2, clip_on=False, label="DPO, step by step")
            ax.set(xlim=(0, 1.5 * places[0][-1]), ylim=(-0.08, 1.25 * places[1][-1] + 0.05))

        def curve(ax=ax, beta=beta):
            draw_curve(student, ax, reference_logp, reward, "grey")
            best = student.optimal_policy(reference_logp, reward, beta=beta)
            end = place(best, reference_logp, reward)
            ring = {"markerfacecolor": "none", "markersize": 12, "linestyle": "none"}
            ax.plot(*end, "o", color=COLORS["black"], label="π* for this β", **ring)
            ax.set(xlim=(0, 1.5 * end[0]), ylim=(-0.08, 1.25 * end[1] + 0.05))

        drawn(curve, path)
        ax.set(title=f"β = {beta:g}", xlabel="KL from the reference (nats)", ylabel="mean reward")
        ax.legend(loc="lower right")
    return fig


@figure("both_fall", caption="One parameter θ is trained on one pair. The logits of the chosen, the rejected and a third answer are θ, 0 and 5θ.")
def both_fall(student):
    # the logits of the chosen, the rejected and a third answer are theta times these three numbers
    feature = torch.tensor([1.0, 0.0, 5.0], dtype=F64)
    theta, base, log = torch.zeros((), dtype=F64), torch.full((3,), 1 / 3, dtype=F64).log(), []
    for _ in range(21):
        theta.requires_grad_()
        logp = (theta * feature).log_softmax(-1)
        loss = student.dpo_loss(logp[:1], logp[1:2], base[:1], base[1:2], beta=1.0)
        log.append([loss.item(), *logp.tolist()])
        theta = (theta - torch.autograd.grad(loss, theta)[0]).detach()
    log = np.array(log)
    fig, (left, right) = subplots(1, 2, size=(11, 3.8))
    left.plot(log[:, 0])
    left.set(title="Loss of the only pair", xlabel="step", ylabel="loss", ylim=(0, None), xticks=range(0, 21, 5))
    for column, (label, color) in enumerate((("chosen", "blue"), ("rejected", "red"), ("third", "grey")), start=1):
        right.plot(log[:, column], color=COLORS[color], label=label)
    right.set(title="Log-probabilities", xlabel="step", ylabel="nats", xticks=range(0, 21, 5))
    name_lines(right)
    return fig


@figure("losses", caption="Three losses of one pair at β = 1. A dot marks where a loss is least.")
def losses(student):
    margins = torch.linspace(-4, 8, 200, dtype=F64)
    zero = torch.zeros(1, dtype=F64)
    fig, ax = subplots(size=(7.2, 4.2))

    def draw(label, loss):
        values = torch.stack([loss(m[None]) for m in margins])
        (line,) = ax.plot(margins, values, label=label)
        if label != "DPO":
            ax.plot(margins[values.argmin()], values.min(), "o", color=line.get_color())

    drawn(
        lambda: draw("DPO", lambda m: student.dpo_loss(m, zero, zero, zero, beta=1.0)),
        lambda: draw("DPO, ε = 0.1", lambda m: student.smoothed_dpo_loss(m, zero, zero, zero, beta=1.0, label_smoothing=0.1)),
        lambda: draw("IPO", lambda m: student.ipo_loss(m, zero, zero, zero, beta=1.0)),
    )
    ax.set(title="Three losses of one pair", ylim=(-0.1, 4.2), ylabel="loss")
    ax.set_xlabel("difference of log-ratios h")
    name_lines(ax)
    return fig


def pairs(student, rng, n):
    """Pairs of responses in which even tokens are preferred: of 4 tokens, 3 are even in the chosen response and 1 in the rejected."""
    prompts = rng.integers(1, 12, size=(n, 2)).tolist()
    even, odd = rng.choice([2, 4, 6, 8, 10], size=(n, 4)), rng.choice([1, 3, 5, 7, 9, 11], size=(n, 4))
    mixed = rng.permuted(np.arange(4) < np.full((n, 1), 3), axis=1)
    chosen = np.where(mixed, even, odd).tolist()
    rejected = np.where(~mixed, even, odd).tolist()
    return [
        student.collate(prompts, [[*y, EOS] for y in responses], pad=EOS) for responses in (chosen, rejected)
    ]


def new_adapters(student, weights, rng):
    """Adapters of rank 2 for three weights of each layer."""
    names = [f"blocks.{layer}.{name}" for layer in range(SIZE.n_layers) for name in ("W_Q", "W_V", "W_1")]
    noise = {name: torch.from_numpy(rng.standard_normal((SIZE.d_model, 2))) for name in names}
    return {name: student.new_adapter(weights[name], noise[name]) for name in names}


@figure("training", caption="Left: the mean margin on the pairs of the training (seen) and on others (unseen). Right: mean log-ratios, unseen pairs.")
def training(student):
    rng = np.random.default_rng(1)
    weights = random_weights(SIZE, rng)
    seen, unseen = pairs(student, rng, 48), pairs(student, rng, 200)
    start = new_adapters(student, weights, rng)
    base = [student.model_logps(SIZE, weights, batch) for batch in (*seen, *unseen)]
    fig, (left, right) = subplots(1, 2, size=(11.5, 4.2))
    options = {"alpha": 4.0, "lr": 0.5, "n_steps": 4}
    for beta, color in ((0.1, "blue"), (0.5, "orange")):
        adapters, log = start, []
        for _ in range(26):
            policy = student.adapted_weights(weights, adapters, alpha=4.0)
            with torch.no_grad():
                now = [student.model_logps(SIZE, policy, batch) for batch in (*seen, *unseen)]
            log.append([float((a - b).mean()) for a, b in zip(now, base, strict=True)])
            adapters, _ = student.train_dpo(SIZE, weights, adapters, *seen, beta=beta, **options)
        steps, log = 4 * np.arange(len(log)), np.array(log)
        left.plot(steps, beta * (log[:, 0] - log[:, 1]), color=COLORS[color], ls="-", label=f"seen, β = {beta:g}")
        left.plot(
            steps, beta * (log[:, 2] - log[:, 3]), color=COLORS[color], ls=":", label=f"unseen, β = {beta:g}"
        )
        right.plot(steps, log[:, 2], color=COLORS[color], ls="-", label=f"chosen, β = {beta:g}")
        right.plot(steps, log[:, 3], color=COLORS[color], ls="--", label=f"rejected, β = {beta:g}")
    left.set(title="Mean margin", xlabel="step", ylabel="reward")
    right.set(title="Log-ratio to the reference, unseen pairs", xlabel="step", ylabel="nats")
    for ax in (left, right):
        name_lines(ax)
    return fig


if __name__ == "__main__":
    main("dpo")
