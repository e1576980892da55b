"""Draws what your tokenizer does, from your own bpe.py: `python figures.py` writes to figures/."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import languages
from coursekit.plots import COLORS, figure, main, name_lines, subplots

SIZES = (256, 272, 288, 320, 352, 384, 448, 512, 576, 640, 768, 896, 1024)


@figure(
    "compression",
    caption="Each merge buys less than those before it; a line is flat where other scripts are merged.",
)
def compression(student):
    """UTF-8 bytes per token against the size of the vocabulary, on the text that the merges were learned
    from.
    """
    texts = languages()
    # Merges are learned one after the other, so a smaller vocabulary is a shorter list of the same merges.
    merges = student.train_tokenizer("\n".join(texts.values()), max(SIZES)).merges
    tokenizers = [student.Tokenizer(merges[: size - 256]) for size in SIZES]
    fig, ax = subplots(size=(7.4, 4.2))
    for name in ("English", "Russian", "Hindi", "Chinese"):
        ax.plot(
            SIZES,
            [student.bytes_per_token(tokenizer.encode, {name: texts[name]}) for tokenizer in tokenizers],
            label=name,
        )
    everything = [student.bytes_per_token(tokenizer.encode, texts) for tokenizer in tokenizers]
    ax.plot(SIZES, everything, color=COLORS["black"], linestyle="-", linewidth=3, label="all nine")
    ax.set_xticks(range(256, 1025, 128))
    ax.set(
        title="What merges buy",
        xlabel="size of the vocabulary",
        ylabel="bytes per token",
        xlim=(256, 1024),
        ylim=(0.9, None),
    )
    fig.draw_without_rendering()  # settles the layout, which the names at the lines' ends are placed by
    name_lines(ax)
    return fig


@figure(
    "fertility",
    caption="With merges from English only, other scripts pay per byte; a shared vocabulary narrows the gap.",
)
def fertility(student):
    """Tokens per character for nine languages: no merges, merges from English, merges from all."""
    texts = languages()
    trained = {
        "bytes only": student.Tokenizer([]),
        "400 merges from English": student.train_tokenizer(texts["English"], 256 + 400),
        "400 merges from all nine": student.train_tokenizer("\n".join(texts.values()), 256 + 400),
    }
    fig, ax = subplots(size=(7.4, 5.2))
    places = np.arange(len(texts))
    for i, (label, tokenizer) in enumerate(trained.items()):
        cost = student.tokens_per_character(tokenizer.encode, texts)
        color = COLORS[("grey", "orange", "blue")[i]]
        ax.barh(
            places + (i - 1) * 0.27, [cost[name] for name in texts], height=0.25, color=color, label=label
        )
    ax.set_yticks(places, list(texts))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(title="What a character costs", xlabel="tokens per character")
    ax.legend(loc="upper right")
    return fig


if __name__ == "__main__":
    main("bpe")
