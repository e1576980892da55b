"""Figures of the inference assignment, drawn from your own inference.py: `python figures.py`."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, name_lines, subplots


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


@figure("bits", caption="127 weights between -1 and 1 and one weight of 100, in 8 bits. Which groups suffer from the large weight?")
def bits(student):
    w = np.append(np.random.default_rng(0).uniform(-1, 1, 127), 100.0)[None]
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    ways = {"one scale": (128, "orange"), "groups of 32": (32, "blue")}
    for place, (name, (group_size, color)) in enumerate(ways.items()):
        codes, scales = student.quantize(w, group_size=group_size)
        stored = student.dequantize(codes, scales)
        small = np.argsort(w[0, :127])
        n_codes = len(np.unique(codes[0, :127])) if group_size == 128 else len(np.unique(codes[0, :96]))
        label = f"{name}: {n_codes} codes for the 127" if group_size == 128 else f"{name}: {n_codes} codes for the first 96"
        shown = small if group_size == 128 else small[small < 96]
        left.plot(w[0, shown], stored[0, shown], ".", color=COLORS[color], label=label)
        errors = np.sqrt(((stored - w) ** 2).reshape(4, 32).mean(axis=1))
        right.bar(np.arange(4) + 0.4 * place - 0.2, errors, width=0.38, color=COLORS[color], label=name)
    left.set(title="The small weights", xlabel="weight", ylabel="weight that the code stands for", ylim=(-1.1, 1.45))
    left.legend(loc="upper left")
    right.set(title="Error of each group", ylabel="root mean square error", yscale="log", ylim=(1e-3, 2))
    right.set_xticks(range(4), ["weights 1 to 32", "33 to 64", "65 to 96", "97 to 128"])
    right.legend(loc="upper left", ncol=2)
    return fig


@figure("gptq", caption="200 layers for each correlation: 16 weights per row, rounded to integers. How much damage is left?")
def gptq(student):
    shares = np.array([0.0, 0.25, 0.5, 0.75, 0.9])
    left_over, counts = [], []
    for share in shares:
        damage = np.zeros((200, 2))
        for seed in range(200):
            rng = np.random.default_rng(seed)
            common = rng.normal(size=(200, 1))
            x = np.sqrt(share) * common + np.sqrt(1 - share) * rng.normal(size=(200, 16))
            hessian, w = x.T @ x + 0.01 * np.eye(16), 2 * rng.normal(size=(1, 16))
            codes = student.gptq(w, hessian, np.ones((1, 1)), bits=8)
            damage[seed] = [student.layer_error(w, rounded, hessian) for rounded in (np.rint(w), codes)]
        left_over.append(damage[:, 1].sum() / damage[:, 0].sum())
        counts.append([np.sum(damage[:, 1] < damage[:, 0] - 1e-9), np.sum(damage[:, 1] > damage[:, 0] + 1e-9)])
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    left.plot(shares, left_over, "o", linestyle="-", color=COLORS["blue"])
    for share, value in zip(shares, left_over):
        left.annotate(f"{value:.0%}", (share, value), xytext=(6, 6), textcoords="offset points", size=10)
    left.set(title="GPTQ: damage, as a share of nearest rounding's", ylim=(0, 1.15), xlim=(-0.05, 1.0))
    left.set(xlabel="correlation of any two inputs", ylabel="share of the damage")
    better, worse = np.array(counts).T
    bottom = 200 - better - worse
    right.bar(shares, better, width=0.12, color=COLORS["blue"], label="less damage than nearest rounding")
    right.bar(shares, bottom, width=0.12, bottom=better, color=COLORS["grey"], label="the same codes")
    right.bar(shares, worse, width=0.12, bottom=better + bottom, color=COLORS["red"], label="more damage")
    right.set(title="GPTQ in 200 layers", xlabel="correlation of any two inputs", ylabel="layers", ylim=(0, 290))
    right.legend(loc="upper left")
    return fig


@figure("overlap", caption="Left: one target and one draft. Right: means over 500 pairs of models. When is a drafted token accepted?")
def overlap(student):
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(500, 50))
    p, q = softmax(logits), softmax(logits + rng.normal(size=(500, 50)))
    best_guess = np.eye(50)[q.argmax(axis=-1)]
    fig, (left, right) = subplots(1, 2, size=(11, 4))
    order = np.argsort(-p[1])[:12]
    tokens = np.arange(12)
    left.bar(tokens, p[1, order], width=0.9, color=COLORS["blue"], alpha=0.45, label="target p")
    left.bar(tokens, q[1, order], width=0.9, color=COLORS["orange"], alpha=0.45, label="draft q")
    rate = float(student.acceptance_rate(p[1], q[1]))
    left.set(title=f"The twelve most probable tokens: accepted {rate:.2f}", xlabel="token, by falling p", ylabel="probability")
    left.legend()
    bars = {
        "best guess\nof the draft": (p, best_guess),
        "draw from\nthe draft": (p, q),
        "draw at\ntemperature 2": (p, student.cool(q, 2)),
        "both at\n0.1": (student.cool(p, 0.1), student.cool(q, 0.1)),
        "both at\n4": (student.cool(p, 4), student.cool(q, 4)),
    }
    heights = [student.acceptance_rate(*pair).mean() for pair in bars.values()]
    drawn = right.bar(list(bars), heights, color=[COLORS["orange"]] * 3 + [COLORS["green"]] * 2, width=0.6)
    right.bar_label(drawn, [f"{height:.2f}" for height in heights])
    right.set(title="Mean acceptance", ylabel="probability of acceptance", ylim=(0, 1.1))
    right.tick_params(axis="x", labelsize=9)
    return fig


@figure("speed", caption="A call of the draft takes a tenth of a call of the target. Dots: the best draft length for each α.")
def speed(student):
    lengths = np.arange(21)
    fig, ax = subplots(size=(7.5, 4.2))
    notes = []
    for alpha in (0.6, 0.8, 0.9):
        values = [student.speedup(alpha, int(gamma), 0.1) for gamma in lengths]
        (line,) = ax.plot(lengths, values, linestyle="-", label=f"α = {alpha}")
        best = student.best_draft_length(alpha, 0.1, longest=20)
        ax.plot(best, values[best], "o", color=line.get_color())
        ax.annotate(f"{values[best]:.2f} at {best}", (best, values[best]), xytext=(0, 7), textcoords="offset points", size=10, ha="center")
        if alpha == 0.6:
            notes.append(f"α = 0.6 at 16: {values[16]:.2f}")
    ax.axhline(1, color=COLORS["black"], linewidth=1)
    ax.set(title=f"Speedup over the target alone ({notes[0]})", xlabel="draft length γ (black: no draft)", ylabel="speedup")
    ax.set(xticks=range(0, 21, 4), ylim=(0, 4), xlim=(0, 20))
    name_lines(ax)
    return fig


@figure("condition", caption="A has 0.9 and B has 0.1. All texts with B are valid. How often should A be written?")
def condition(student):
    def allowed(state):
        return [[1, 2], [3], [0]][state]

    def step(state, token):
        return state + 1

    shares = np.concatenate([[0.01], np.linspace(0.02, 1, 50)])
    masked, exact = [], []
    for share in shares:
        rows = {(): (0, 0.9, 0.1, 0), (1,): (1 - share, 0, 0, share), (2,): (0, 0, 0, 1)}  # eos, A, B, a third token

        def model(text):
            return np.array(rows.get(tuple(text), (1.0, 0, 0, 0)))

        masked.append(student.masked_distribution(model, [], 0, allowed)[1])
        exact.append(student.exact_distribution(model, [], 0, allowed, step, eos=0, remaining=3)[1])
    fig, ax = subplots(size=(7.5, 4.2))
    ax.plot(shares, masked, linestyle="-", label="masked")
    ax.plot(shares, exact, linestyle="-", label="exact")
    ax.set(title=f"If 1% of A's texts are valid: masked {masked[0]:.2f}, exact {exact[0]:.3f}", ylim=(0, 1), xlim=(0, 1))
    ax.set(xlabel="share of valid texts among those that begin with A", ylabel="probability of A")
    name_lines(ax)
    return fig


if __name__ == "__main__":
    main("inference")
