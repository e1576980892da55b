"""Draws what your PPO does, from your own code. Run: python figures.py

A figure whose task isn't written yet is skipped; a line says so. `training`, `belt` and
`policies` run the loop, which takes some seconds.
"""

import functools
import math
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, name_lines, subplots

VOCAB, MAX_NEW, BETA = 3, 3, 0.5
NAMES = "·ab"  # token 0 ends a response
REF = r"$\pi_\mathrm{ref}$"
PROMPT = [1]
ROUNDS, ROWS = 30, 128
CLIP, LR = 0.2, 0.4


def score(tokens, prompt_lengths, lengths):
    """Likes b, dislikes two of them in a row, and likes a response that ends by itself."""
    likes = (tokens[:, 1:] == 2).sum(-1) - 2.0 * ((tokens[:, 1:-1] == 2) & (tokens[:, 2:] == 2)).sum(-1)
    rows = torch.arange(len(tokens))
    return likes + 0.5 * (tokens[rows, lengths - 1] == 0).double()


def reference_policy(student):
    params = student.init_params(VOCAB, len(PROMPT) + MAX_NEW)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(params["logits"].shape, generator=generator, dtype=torch.float64)
    return params | {"logits": 0.5 * noise + torch.tensor([0.0, 0.7, 0.0]).double()}


@functools.cache
def train(student, clip=CLIP, lr=LR):
    """The reference, the policy after training from one prompt, and what was seen after each round."""
    ref_params = reference_policy(student)
    ref_logps, _, rewards = response_logps(student, ref_params)
    _, log_z = student.optimal_policy(ref_logps, rewards, beta=BETA)
    generator = torch.Generator().manual_seed(1)
    uniforms = torch.rand(ROUNDS, ROWS, MAX_NEW, generator=generator, dtype=torch.float64)
    minibatches = [rows for _ in range(4) for rows in torch.randperm(ROWS, generator=generator).split(32)]
    prompts = torch.tensor([PROMPT] * ROWS)
    prompt_lengths = torch.full((ROWS,), len(PROMPT))
    record = {"score": [], "kl": [], "gap": [], "lowest": [], "highest": []}

    def watch(i, params, batch):
        logp = student.token_logps(student.forward(params, batch["tokens"])[0], batch["tokens"])
        ratio = (logp - batch["old_logp"]).exp()[batch["mask"]]
        log_ratio = torch.where(batch["mask"], batch["old_logp"] - batch["ref_logp"], 0.0).sum(-1)
        logps, _, _ = response_logps(student, params)
        objective = student.kl_objective(logps, ref_logps, rewards, beta=BETA)
        record["score"].append(float(batch["scores"].mean()))
        record["kl"].append(float(log_ratio.mean()))
        record["gap"].append(float(BETA * log_z - objective))
        record["lowest"].append(float(ratio.min()))
        record["highest"].append(float(ratio.max()))

    data = prompts, prompt_lengths, score, uniforms, minibatches
    params = student.rlhf(ref_params, ref_params, *data, beta=BETA, lr=lr, clip=clip, watch=watch)
    return ref_params, params, record


def response_logps(student, params):
    """log π of all responses, and their texts and scores."""
    tokens, prompt_lengths, lengths = student.all_responses(PROMPT, VOCAB, MAX_NEW)
    mask = student.response_mask(prompt_lengths, lengths, tokens.shape[1])
    logp = student.token_logps(student.forward(params, tokens)[0], tokens)
    texts = ["".join(NAMES[token] for token in row[len(PROMPT) : n]) for row, n in zip(tokens, lengths)]
    return torch.where(mask, logp, 0.0).sum(-1), texts, score(tokens, prompt_lengths, lengths)


@figure("estimators", caption="k1 and k3 have the divergence as their mean. Far from the reference, k3 varies most of the three.")
def estimators(student):
    generator = torch.Generator().manual_seed(0)
    ref_logits, direction = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    ref = torch.distributions.Categorical(logits=ref_logits)
    fig, (left, middle, right) = subplots(1, 3, size=(13, 4))
    log_rho = torch.linspace(-2.0, 1.5, 200, dtype=torch.float64)
    distances, means, spreads = [], {}, {}
    for step in torch.linspace(0.05, 1.6, 40).tolist():
        policy = torch.distributions.Categorical(logits=ref_logits + step * direction)
        distances.append(float(torch.distributions.kl_divergence(policy, ref)))
        for kind in ("k1", "k2", "k3"):
            says = student.kl_estimates(policy.logits, ref.logits, kind=kind)
            mean = float((policy.probs * says).sum())
            means.setdefault(kind, []).append(mean)
            spreads.setdefault(kind, []).append(float((policy.probs * (says - mean) ** 2).sum() ** 0.5))
    for kind, style in (("k1", "-"), ("k2", "-"), ("k3", (0, (1, 3)))):  # in the middle k3 lies on k1
        looks = {"label": kind, "linestyle": style, "linewidth": 2 if style == "-" else 4}
        left.plot(log_rho, student.kl_estimates(torch.zeros_like(log_rho), log_rho, kind=kind), **looks)
        middle.plot(distances, means[kind], **looks)
        right.plot(distances, spreads[kind], **looks)
    left.set(title="What one token says", xlabel=f"log ρ = log {REF} − log π", ylabel="estimate")
    middle.set(title="On average under π", xlabel=f"KL(π‖{REF})", ylabel="mean of the estimate")
    right.set(title="How much it varies", xlabel=f"KL(π‖{REF})", ylabel="standard deviation")
    for ax in (left, middle, right):
        ax.legend()
    return fig


@figure("clipping", caption="The minimum is flat only where the ratio has gone far enough the right way.")
def clipping(student):
    ratios = torch.linspace(0.3, 1.9, 321, dtype=torch.float64)
    mask, zero = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, dtype=torch.float64)
    fig, axes = subplots(1, 2, size=(10.5, 4), sharex=True)
    for advantage, name in ((1.0, "A = +1"), (-1.0, "A = −1")):
        heights, slopes = [], []
        for ratio in ratios:
            logp = ratio.log().reshape(1, 1).requires_grad_()
            loss = student.clipped_policy_loss(logp, zero, zero + advantage, mask)
            (slope,) = torch.autograd.grad(loss, logp)
            heights.append(-float(loss.detach()))
            slopes.append(-float(slope) / float(ratio))  # in the ratio: d log ρ = dρ / ρ
        axes[0].plot(ratios, heights, label=name)
        axes[1].plot(ratios, slopes, label=name)
    panels = ("Objective", "center right"), ("Its slope in ρ", "upper right")
    for ax, (title, place) in zip(axes, panels, strict=True):
        ax.axvspan(0.8, 1.2, color=COLORS["grey"], alpha=0.15, linewidth=0)
        ax.set(title=title, xlabel="ρ = π / π_old (gray: inside the clip)")
        ax.legend(loc=place)
    return fig


@figure("training", caption="Score and KL come to what they are under π*, and in most rounds some ratio leaves the clip.")
def training(student):
    ref_params, _, record = train(student)
    ref_logps, _, rewards = response_logps(student, ref_params)
    best, _ = student.optimal_policy(ref_logps, rewards, beta=BETA)
    due = {
        "score": float((best.exp() * rewards).sum()),
        "kl": float((best.exp() * (best - ref_logps)).sum()),
    }
    fig, axes = subplots(1, 3, size=(13, 3.8))
    titles = {"score": "Mean score of the batch", "kl": f"Mean log π/{REF} of a response"}
    rounds = range(1, ROUNDS + 1)
    for ax, (name, title) in zip(axes, titles.items(), strict=False):
        ax.plot(rounds, record[name])
        ax.axhline(due[name], color=COLORS["black"], linestyle=(0, (4, 2)), linewidth=1, label="under π*")
        ax.set(title=title, xlabel="round")
        ax.legend(loc="lower right")
    axes[2].plot(rounds, record["highest"], label="highest")
    axes[2].plot(rounds, record["lowest"], label="lowest")
    axes[2].axhspan(1 - CLIP, 1 + CLIP, color=COLORS["grey"], alpha=0.15, linewidth=0)
    axes[2].set(title="Ratios after the update (gray: the clip)", xlabel="round", ylim=(0, None))
    axes[2].legend(loc="lower right")
    return fig


@figure("belt", caption="No clip, or ten times the learning rate: the loop still arrives. Both together destroy the policy.")
def belt(student):
    fig, ax = subplots(size=(8.6, 4.2))
    runs = {
        "as given": {},
        "no clip": {"clip": math.inf},
        "lr × 10": {"lr": 10 * LR},
        "no clip, lr × 10": {"clip": math.inf, "lr": 10 * LR},
    }
    for name, options in runs.items():
        ax.semilogy(range(1, ROUNDS + 1), train(student, **options)[2]["gap"], label=name)
    ax.set(title="Distance of J from its maximum, after the update", xlabel="round", ylabel="gap")
    name_lines(ax)
    return fig


@figure("policies", caption="Your policy beside the best one, over every response there is.")
def policies(student):
    ref_params, params, _ = train(student)
    ref_logps, texts, rewards = response_logps(student, ref_params)
    best, _ = student.optimal_policy(ref_logps, rewards, beta=BETA)
    logps, _, _ = response_logps(student, params)
    order = best.argsort(descending=True)
    fig, ax = subplots(size=(10.5, 4.2))
    places = torch.arange(len(order)).double()
    ways = ((ref_logps, "grey", "reference"), (logps, "blue", "after PPO"), (best, "orange", "π*"))
    for shift, (values, color, name) in zip((-0.27, 0.0, 0.27), ways, strict=True):
        ax.bar(places + shift, values[order].exp(), width=0.25, color=COLORS[color], label=name)
    labels = [f"{texts[i]}\n{float(rewards[i]):g}".replace("-", "−") for i in order.tolist()]
    ax.set_xticks(places, labels)
    ax.grid(False, axis="x")
    ax.set(title="All responses to one prompt", xlabel="response (· ends it) and its score", ylabel="probability")
    ax.legend()
    return fig


if __name__ == "__main__":
    main("ppo")
