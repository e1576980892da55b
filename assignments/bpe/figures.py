"""Draws what your tokenizer does, from your own bpe.py: `python figures.py` writes to figures/."""

import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import languages
from coursekit.drawing import figure, main
from coursekit.plots import COLORS, name_lines, subplots

SIZES = (256, 272, 288, 320, 352, 384, 448, 512, 576, 640, 768, 896, 1024)


def learn(student, text, n_merges):
    """Merges learned from text by Task 5, or by Task 4 where that is not written yet."""
    try:
        return student.train_tokenizer(text, 256 + n_merges).merges
    except NotImplementedError:
        return student.train(student.count_words(text), 256 + n_merges)


@figure(
    "compression",
    caption="Bytes per token on the very text that the merges were learned from.",
)
def compression(student):
    """UTF-8 bytes per token against the size of the vocabulary, on the text that the merges were learned from.

    Needs Tasks 2, 3, and 4 or 5.
    """
    texts = languages()
    # Merges are learned one after the other, so a smaller vocabulary is a shorter list of the same merges.
    merges = learn(student, "\n".join(texts.values()), max(SIZES) - 256)
    curves = {name: [] for name in texts}
    for name, text in texts.items():
        words = student.count_words(text)
        for size, before in zip(SIZES, (256, *SIZES), strict=False):
            for pair in merges[before - 256 : size - 256]:
                words = {student.merge_pair(word, pair): n for word, n in words.items()}
            curves[name].append(sum(len(word) * n for word, n in words.items()))
    n_bytes = {name: len(text.encode("utf-8")) for name, text in texts.items()}
    fig, ax = subplots(size=(7.4, 4.2))
    for name in ("English", "Russian", "Hindi", "Chinese"):
        ax.plot(SIZES, n_bytes[name] / np.array(curves[name]), label=name)
    together = sum(n_bytes.values()) / np.sum(list(curves.values()), axis=0)
    ax.plot(SIZES, together, color=COLORS["black"], linestyle="-", linewidth=3, label="all nine")
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
    caption="The same sentences in nine languages, so the bars are prices.",
)
def fertility(student):
    """Tokens per character for nine languages: no merges, 100 from English, 100 and 400 from all nine.

    Needs Task 6; the bars with merges also need Tasks 2, 3, and 4 or 5.
    """
    texts = languages()
    trained = {"bytes only": []}
    try:
        trained["100 merges from English"] = learn(student, texts["English"], 100)
        merges = learn(student, "\n".join(texts.values()), 400)
        trained |= {"100 merges from all nine": merges[:100], "400 merges from all nine": merges}
    except NotImplementedError as error:
        print(f"fertility: without merges, {error}")
    fig, ax = subplots(size=(7.4, 5.6))
    places = np.arange(len(texts))
    height = 0.84 / len(trained)
    for i, (label, merges) in enumerate(trained.items()):
        cost = student.tokens_per_character(student.Tokenizer(merges).encode, texts)
        color = COLORS[("grey", "orange", "sky", "blue")[i]]
        middle = places + (i - (len(trained) - 1) / 2) * height
        ax.barh(middle, [cost[name] for name in texts], height=0.92 * height, color=color, label=label)
    ax.set_yticks(places, list(texts))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(title="What a character costs", xlabel="tokens per character")
    ax.legend(loc="upper right")
    return fig


if __name__ == "__main__":
    main("bpe")
