"""Draws what your attention does, from your own code. Run: python figures.py

A figure, or a part of a figure, is skipped while its task isn't written yet. `leak` and `learned_attention` train small
models, which takes seconds.
"""

import math
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, heatmap, subplots

WORDS = ["What", "is", "your", "name"]


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights_of(student, q, k, **options):
    """The attention weights. If the values are the unit matrix, their weighted average is the weights themselves."""
    return student.scaled_dot_product_attention(q, k, torch.eye(k.shape[-2], dtype=q.dtype), **options)


@figure("positions", caption="Left: columns on the left turn fast, columns on the right slowly. Right: row p times every row of the table.")
def positions(student):
    table = student.sinusoidal_positions(64, 32, dtype=torch.float64)
    fig, (left, right) = subplots(1, 2, size=(11, 4.2), width_ratios=[1.25, 1])
    heatmap(left, table, label="PE[p, column]", values=False)
    left.set(title="The position table", xlabel="column", ylabel="position p")
    for p, dash in ((0, "-"), (16, "--"), (40, ":")):
        right.plot(table @ table[p], dash, label=f"p = {p}")
    right.set(title="Products of two rows", xlabel="position", ylabel="PE[p] · PE[position]")
    right.legend(loc="upper right")
    return fig


@figure("masks", caption="All maps come from the same queries and keys. Each row adds up to 1 over the keys that it may see.")
def masks(student):
    q, k = 1.2 * normal(3, 4, 8), 1.2 * normal(4, 4, 8)
    maps = {
        "nothing hidden": weights_of(student, q, k),
        "causal": weights_of(student, q, k, causal=True),
        "“your” is padding": weights_of(student, q, k, mask=torch.tensor([True, True, False, True])),
        "2 queries, 4 keys, causal": weights_of(student, q[2:], k, causal=True),
    }
    fig, axes = subplots(1, 4, size=(14, 3.4))
    for ax, (title, weights) in zip(axes, maps.items(), strict=True):
        heatmap(ax, weights, rows=WORDS[-len(weights) :], columns=WORDS, limits=(0.0, 1.0))
        for text, weight in zip(ax.texts, weights[weights.isfinite()], strict=True):
            text.set_text(f"{weight:.2f}")  # as many decimals in every cell
        ax.set(title=title, xlabel="key")
    axes[0].set_ylabel("query")
    return fig


N_VOCAB, N_HEADS, BACK = 16, 2, 2


def trained(student, params, batches, lr, **options):
    """Train `params` in place on batches of (tokens, targets, mask), and return the loss at each step."""
    optimizer = torch.optim.Adam([leaf.requires_grad_() for leaf in leaves(params)], lr=lr)
    losses = []
    for tokens, targets, mask in batches:
        logits = student.transformer(tokens, params, n_heads=N_HEADS, pre_norm=True, **options)
        loss = student.next_token_loss(logits, targets, mask=mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def losses_on_noise(student, causal, n_steps=200):
    """The training loss of a model of two blocks on tokens that nobody can predict."""
    generator = torch.Generator().manual_seed(0)
    params = student.init_transformer(0, n_vocab=N_VOCAB, d_model=32, d_mlp=32, n_blocks=2)
    noise = (torch.randint(0, N_VOCAB, (64, 8), generator=generator) for _ in range(n_steps))
    return trained(student, params, ((tokens, tokens, None) for tokens in noise), 1.2e-2, causal=causal)


def training_curves(ax, curves):
    for label, losses in curves.items():
        ax.plot(losses, label=label)
    ax.axhline(math.log(N_VOCAB), color=COLORS["grey"], linestyle="--", label="log V: a guess")
    ax.set(xlabel="step", ylabel="loss (nats per token)", ylim=(0, None))
    ax.legend(loc="center right" if len(curves) == 1 else "lower left")


@figure("leak", caption="The tokens are pure noise, which no model can predict.")
def leak(student):
    fig, ax = subplots(size=(7, 4))
    curves = {"both blocks masked": True, "first block without its mask": [False, True]}
    training_curves(ax, {label: losses_on_noise(student, causal) for label, causal in curves.items()})
    ax.set(title="Two blocks, trained on noise")
    return fig


@figure(
    "learned_attention",
    caption=f"The model is trained to name the token {BACK} places back. Each row shows where one query looks.",
)
def learned_attention(student):
    """A model of one block is trained to name the token BACK places before each position."""
    generator = torch.Generator().manual_seed(0)
    params = student.init_transformer(0, n_vocab=N_VOCAB, d_model=32, d_mlp=64, n_blocks=1)

    batches = [torch.randint(0, N_VOCAB, (32, 16), generator=generator) for _ in range(400)]
    known = torch.arange(16).expand(32, 16) > BACK
    # The loss compares the logits at position t with target t + 1, so that target is token t - BACK.
    targeted = ((tokens, tokens.roll(BACK + 1, dims=-1), known) for tokens in batches)
    losses = trained(student, params, targeted, 5e-3)
    fig, axes = subplots(1, 1 + N_HEADS, size=(14, 4), width_ratios=[1.2, 1, 1])
    training_curves(axes[0], {"loss": losses})
    axes[0].set(title="Training")
    maps = first_block_weights(student, params, batches[-1][0])
    for head, (ax, weights) in enumerate(zip(axes[1:], maps, strict=True)):
        heatmap(ax, weights, label="weight", values=False, limits=(0.0, 1.0))
        ax.set(title=f"Head {head}", xlabel="key position", ylabel="query position")
    return fig


def leaves(params):
    if isinstance(params, torch.Tensor):
        yield params
    else:
        for part in params.values() if isinstance(params, dict) else params:
            yield from leaves(part)


def first_block_weights(student, params, tokens):
    """Attention weights of the first block's heads while the student's own `transformer` runs."""
    caught = []
    attention = student.scaled_dot_product_attention

    def watched(q, k, v, **options):
        caught.append(attention(q, k, torch.eye(k.shape[-2], dtype=q.dtype), **options))
        return attention(q, k, v, **options)

    # Functions look each other up among their globals. In a notebook, `student` itself is another object.
    names = student.transformer.__globals__
    names["scaled_dot_product_attention"] = watched
    try:
        with torch.no_grad():
            student.transformer(tokens, params, n_heads=N_HEADS, pre_norm=True)
    finally:
        names["scaled_dot_product_attention"] = attention
    return caught[0]


@figure("relative_positions", caption="Left: two queries that are 1,000 tokens apart. Right: one query at position 31.")
def relative_positions(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    left.set(title="RoPE", xlabel="distance to the key", ylabel="product of query and key")
    right.set(title="ALiBi, 8 heads", xlabel="distance to the key", ylabel="bias added to the score")
    with if_written(left):
        rope_products(left, student)
    with if_written(right):
        alibi_lines(right, student)
    return fig


def rope_products(ax, student):
    distance = torch.arange(128)
    same = torch.ones(128, 64, dtype=torch.float64) / 8  # the query and all keys are the same unit vector
    for start in (0, 1000):
        keys = student.apply_rope(same, start + distance)
        products = keys @ student.apply_rope(same[:1], torch.tensor([start]))[0]
        ax.plot(distance, products, label=f"query at {start}")
    ax.legend()


def alibi_lines(ax, student):
    bias = student.alibi_bias(8, 1, 32, dtype=torch.float64)[:, 0]
    for head in (0, 1, 3, 7):
        ax.plot(31 - torch.arange(32), bias[head], label=f"head {head}")
    ax.legend(loc="lower left")


@figure("online_softmax", caption="Keys arrive one by one. Above: their scores. Below: the output for the keys so far.")
def online_softmax(student):
    n_keys = 40
    scores = 2.5 * normal(12, 1, n_keys)
    values = torch.linspace(0, 1, n_keys, dtype=torch.float64)[:, None] + 0.3 * normal(2, n_keys, 1)
    state = (torch.tensor([-math.inf]).double(), torch.zeros(1).double(), torch.zeros(1, 1).double())
    largest, mean = [], []
    for j in range(n_keys):
        state = student.online_softmax_step(state, scores[:, j : j + 1], values[j : j + 1])
        largest.append(state[0].item())
        mean.append((state[2] / state[1]).item())
    fig, (top, bottom) = subplots(2, 1, size=(8, 5.6), sharex=True)
    top.bar(range(n_keys), scores[0], color=COLORS["sky"], label="score")
    top.step(range(n_keys), largest, where="post", color=COLORS["red"], linestyle="-", label="largest so far")
    top.set(title="Scores arrive one by one", ylabel="score")
    top.set_ylim(top=8)
    top.legend(loc="upper right", ncols=2)
    bottom.plot(mean, drawstyle="steps-post", label="weighted / total")
    bottom.axhline(mean[-1], color=COLORS["grey"], linestyle="--", label="attention over all keys")
    bottom.set(title="The output so far", xlabel="key", ylabel="weighted mean")
    bottom.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    main("attention")
