"""Draws what divisors, normalizers and proxies do to a policy, from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, name_lines, subplots

F64 = torch.float64
LONGEST = 40  # words of an answer
KINDS = {"centered": "blue", "scaled": "red", "leave_one_out": "green"}
# with these step sizes, all kinds push a prompt equally hard at p = 1/2 in groups of 8
STEP_SIZES = {"centered": 12.72, "scaled": 6.0, "leave_one_out": 11.13}


def mean_length(stop):
    """The mean length of answers that end with this probability after each word."""
    t = torch.arange(1, LONGEST + 1, dtype=F64)
    p = stop * (1 - stop) ** (t - 1)
    p[-1] = (1 - stop) ** (LONGEST - 1)
    return (p * t).sum(), p


def lengths(student, how, advantage, share, n_steps=400):
    """The mean length of answers before each step, while a policy with one number, its stop logit, is trained.

    Row t of the batch is the answer of t words, at its exact probability: nothing is sampled. All these answers have the same
    reward, hence the same advantage. They are `share` of all answers.
    """
    t = torch.arange(LONGEST)
    mask = (t[None, :] <= t[:, None])[None]  # row t has t + 1 words
    stops_here = t[None, :] == t[:, None]
    logit, history = torch.zeros((), dtype=F64), []
    for _ in range(n_steps + 1):
        logit.requires_grad_()
        mean, p = mean_length(torch.sigmoid(logit))
        history.append(mean.item())
        go, stop = (torch.nn.functional.logsigmoid(x) for x in (-logit, logit))
        logp = torch.where(stops_here, stop, go)
        logp = torch.where(t == LONGEST - 1, 0.0, logp)[None]  # the last word ends the answer anyway
        # aggregate takes the mean over rows, so each row counts LONGEST times its probability
        losses = -advantage * LONGEST * p.detach()[None, :, None] * logp
        loss = student.aggregate(losses, mask, how=how, max_len=8 if how == "constant" else LONGEST)
        (gradient,) = torch.autograd.grad(loss, logit)
        logit = (logit - 0.5 * share * gradient).detach()
    return history


@figure("lengths", caption="The mean length of right and of wrong answers. Neither kind is rewarded for its length.")
def lengths_figure(student):
    fig, axes = subplots(1, 2, size=(11, 3.9), sharey=True)
    titles = {"sequence": "divided by each answer's own length", "constant": "divided by a constant"}
    for ax, (how, title) in zip(axes, titles.items(), strict=True):
        with if_written(ax):
            for label, advantage, share, color in (("wrong", -0.3, 0.7, "red"), ("right", 0.7, 0.3, "blue")):
                path = lengths(student, how, advantage, share)
                label = f"{label}: {path[100]:.1f}, then {path[-1]:.1f}"
                ax.plot(path, color=COLORS[color], ls="-" if advantage < 0 else "--", label=label)
            ax.legend(loc="upper left", title="after 100 and 400 steps")
        ax.set(title=title, xlabel="step", ylabel="mean length (words)", ylim=(0, 42), xlim=(0, 400))
    return fig


def push(student, p, kind, group_size=8):
    """The expected update of the logit of p, on a table with one right and one wrong answer."""
    logits = torch.tensor([math.log(p / (1 - p)), 0.0], dtype=F64)
    rewards = torch.tensor([1.0, 0.0], dtype=F64)

    def advantages_of(earned):
        return student.group_advantages(earned, kind=kind)

    return float(student.expected_update(logits, rewards, group_size=group_size, advantages_of=advantages_of)[0])


@figure("push", caption="Groups of 8. Left: how hard a prompt is pushed. Right: the same, relative to the push at p = ½.")
def push_figure(student):
    fig, (left, right) = subplots(1, 2, size=(11, 3.9))
    grid = np.linspace(0.01, 0.99, 25)
    styles = {"centered": "-", "scaled": "--", "leave_one_out": ":"}
    with if_written(left):
        curves = {kind: np.array([push(student, p, kind) for p in grid]) for kind in KINDS}
        for kind, color in KINDS.items():
            left.plot(grid, curves[kind], styles[kind], color=COLORS[color], label=kind)
            right.plot(grid, curves[kind] / push(student, 0.5, kind), styles[kind], color=COLORS[color], label=kind)
        for ax in (left, right):
            ax.legend(loc="lower center")
    left.set(title="Expected update of the logit of p", xlabel="p, the share of right answers", ylabel="push", ylim=(0, None))
    right.set(title="Relative to the push at p = ½", xlabel="p, the share of right answers", ylim=(0, 1.1))
    right.set_ylabel("relative push")
    return fig


def four_answers():
    """The table of Task 6: logits and reference logits of four answers."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=4)), torch.from_numpy(rng.normal(size=4))


def pull(student, kind):
    """The mean gradient of a KL term over the policy's own answers, each of one token. The drawn answers are held fixed."""
    logits, ref = four_answers()
    logits.requires_grad_()
    logp = logits.log_softmax(-1)
    mask = torch.ones(1, 4, 1, dtype=torch.bool)
    term = student.kl_term(logp[None, :, None], ref.log_softmax(-1)[None, :, None], mask, kind=kind)[0, :, 0]
    return torch.autograd.grad((logp.detach().exp() * term).sum(), logits)[0]


def divergences():
    """The gradients of KL(π‖π_ref) and of KL(π_ref‖π) in the logits of Task 6's table."""
    logits, ref = four_answers()
    logits.requires_grad_()
    logp, logq = logits.log_softmax(-1), ref.log_softmax(-1)
    there, back = (logp.exp() * (logp - logq)).sum(), (logq.exp() * (logq - logp)).sum()
    return [torch.autograd.grad(x, logits, retain_graph=True)[0] for x in (there, back)]


@figure("pulls", caption="Four answers. Black and gray: the gradients of the two divergences. Colors: the mean gradients of the three terms.")
def pulls(student):
    fig, ax = subplots(size=(9.5, 3.9))
    there, back = divergences()
    series = [("KL(π‖π_ref)", lambda: there, "black"), ("KL(π_ref‖π)", lambda: back, "grey")]
    colors = {"k1": "orange", "k2": "blue", "k3": "green"}
    series += [(kind, lambda kind=kind: pull(student, kind), color) for kind, color in colors.items()]
    for at, (label, values, color) in enumerate(series):
        with if_written(ax):
            heights, places = values().numpy(), np.arange(4) + 0.16 * (at - 2)
            ax.bar(places, heights, width=0.14, color=COLORS[color], label=label)
            for x in places[np.abs(heights) < 1e-9]:  # a bar without height can't be seen
                ax.annotate("0", (x, 0), xytext=(0, 3), textcoords="offset points", ha="center", color=COLORS[color], weight="bold")
    ax.axhline(0, color=COLORS["grey"], linewidth=0.8)
    ax.set(title="Which way is the policy pulled?", ylabel="gradient in the logit")
    ax.set(xticks=range(4), xticklabels=[f"answer {i}" for i in range(1, 5)])
    ax.grid(axis="x", visible=False)
    ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return fig


def arithmetic(rng, n_prompts=60, n_answers=20):
    """Made sums: of each prompt, the logits of 20 answers, of which one is right. Easy, middling and hard prompts take turns."""
    logits = rng.normal(size=(n_prompts, n_answers)) * 0.3
    p = np.tile([0.8, 0.2, 0.02], n_prompts // 3)
    others = np.log(np.exp(logits[:, 1:]).sum(1))
    logits[:, 0] = others + np.log(p / (1 - p))
    rewards = np.zeros_like(logits)
    rewards[:, 0] = 1.0
    return torch.from_numpy(logits), torch.from_numpy(rewards)


@figure(
    "training",
    caption="60 prompts, groups of 8. Step sizes are such that all kinds push equally hard at p = ½. Shown: the mean probability of the right answer.",
)
def training(student):
    fig, axes = subplots(1, 3, size=(12, 3.7), sharey=True)
    n_rounds, n_steps = 50, 5
    with if_written(axes[0]):
        for kind, color in KINDS.items():
            rng = np.random.default_rng(0)
            logits, rewards = arithmetic(rng)
            path = [logits.softmax(-1)[:, 0]]
            for _ in range(n_rounds):
                uniforms = torch.from_numpy(rng.random((n_steps, len(logits), 8)))

                def advantages_of(earned, kind=kind):
                    return student.group_advantages(earned, kind=kind)

                logits, _ = student.train(logits, rewards, uniforms, advantages_of=advantages_of, lr=STEP_SIZES[kind])
                path.append(logits.softmax(-1)[:, 0])
            path = torch.stack(path)
            for at, ax in enumerate(axes):
                style = {"centered": "-", "scaled": "--", "leave_one_out": ":"}[kind]
                look = {"linewidth": 5, "alpha": 0.35} if kind == "centered" else {}  # wide: leave_one_out lies on it
                ax.plot(n_steps * np.arange(n_rounds + 1), path[:, at::3].mean(1), style, color=COLORS[color], label=kind, **look)
        axes[0].legend(loc="lower right")
    for ax, title in zip(axes, ("Easy: p = 0.8 at first", "Middling: p = 0.2", "Hard: p = 0.02"), strict=True):
        ax.set(title=title, xlabel="step", ylabel="success", ylim=(0, 1.03))
    return fig


def errors(kind, rng, n):
    """Errors of a proxy: normal numbers, or Student's t with 2 degrees of freedom."""
    return rng.normal(size=n) if kind == "normal" else rng.standard_t(2, size=n)


@figure("proxy", caption="1,000 answers, mean of 30 tables. The proxy is the true reward plus an error. The divergence grows with the pressure.")
def proxy_figure(student):
    fig, axes = subplots(1, 2, size=(11, 4.0))
    pressures = torch.cat([torch.zeros(1, dtype=F64), torch.logspace(-2, 0.5, 40, dtype=F64)])
    for ax, kind, title in zip(axes, ("normal", "t"), ("normal errors: light tails", "Student t errors: heavy tails"), strict=True):
        with if_written(ax):
            sums = {}
            for seed in range(30):
                rng = np.random.default_rng(seed)
                true = rng.normal(size=1000)
                proxy = true + errors(kind, rng, 1000)
                path = student.overoptimize(torch.from_numpy(proxy), torch.from_numpy(true), pressures)
                for name in ("proxy", "true", "kl"):
                    sums[name] = sums.get(name, 0.0) + path[name] / 30
            near = sums["kl"] < 5
            ax.plot(sums["kl"][near], sums["proxy"][near], color=COLORS["orange"], label="proxy")
            ax.plot(sums["kl"][near], sums["true"][near], color=COLORS["blue"], ls="--", label="true")
        ax.set(title=title, xlabel="KL from the reference (nats)", ylabel="mean reward", ylim=(-0.2, 3.2), xlim=(0, 5))
        name_lines(ax)
    return fig


if __name__ == "__main__":
    main("grpo")
