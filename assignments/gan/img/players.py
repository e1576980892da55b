"""Draws players.svg: the generator, the critic, their losses, and the judge. Run: python img/players.py"""

from pathlib import Path

from matplotlib.patches import FancyBboxPatch

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots


def draw():
    fig, ax = subplots(size=(11, 3.6))
    ax.axis("off")
    ax.set(xlim=(0, 16), ylim=(0, 5.8))

    def box(x, y, text, color, width=2.2, height=0.9):
        ax.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, boxstyle="round,pad=0.1", fc="white", ec=COLORS[color], lw=1.8))
        ax.text(x, y, text, ha="center", va="center", color=COLORS[color], size=11)

    def arrow(start, end, color="grey", bend=0.0, dashed=False):
        look = {"arrowstyle": "-|>", "color": COLORS[color], "lw": 1.6, "connectionstyle": f"arc3,rad={bend}", "ls": "--" if dashed else "-"}
        ax.annotate("", end, start, arrowprops=look)

    ax.text(0.7, 3.0, "noise z", ha="center", va="center")
    box(3.2, 3.0, "generator θ", "blue")
    ax.text(5.95, 3.0, "fakes", ha="center", va="center", color=COLORS["blue"])
    ax.text(5.95, 4.6, "real samples", ha="center", va="center")
    box(8.6, 3.8, "critic ψ", "red")
    ax.text(11.0, 3.8, "logits", ha="center", va="center")
    box(14.2, 4.6, "critic's loss", "red", width=2.9)
    box(14.2, 3.0, "generator's loss", "blue", width=2.9)
    box(8.6, 0.7, "judge: FID, KID, precision, recall", "black", width=6.4)

    arrow((1.4, 3.0), (1.95, 3.0))
    arrow((4.45, 3.0), (5.4, 3.0))
    arrow((6.5, 3.1), (7.35, 3.6))
    arrow((7.0, 4.5), (7.35, 4.1))
    arrow((9.85, 3.8), (10.45, 3.8))
    arrow((11.55, 3.95), (12.6, 4.5))
    arrow((11.55, 3.65), (12.6, 3.1))
    ax.text(12.15, 4.75, "all", ha="center", va="center", size=9, color=COLORS["grey"])
    ax.text(11.75, 2.95, "fakes only", ha="center", va="center", size=9, color=COLORS["grey"])
    arrow((5.95, 2.7), (6.6, 1.35), "grey")
    ax.text(4.1, 1.85, "features of fakes and real samples", ha="center", va="center", size=9, color=COLORS["grey"])
    ax.text(10.75, 4.8, "slopes in ψ", ha="center", va="center", size=9, color=COLORS["red"])
    ax.text(10.6, 2.2, "slopes in θ", ha="center", va="center", size=9, color=COLORS["blue"])
    ax.annotate("", (8.6, 4.45), (14.2, 5.2), arrowprops={"arrowstyle": "-|>", "color": COLORS["red"], "lw": 1.4, "ls": "--", "connectionstyle": "arc3,rad=0.18"})
    ax.annotate("", (3.2, 2.4), (14.2, 2.4), arrowprops={"arrowstyle": "-|>", "color": COLORS["blue"], "lw": 1.4, "ls": "--", "connectionstyle": "arc3,rad=-0.08"})
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "A generator makes fakes, a critic gives logits to fakes and real samples, each player has a loss, and a judge compares features"
    svg, png = save(fig, Path(__file__).parent, "players", about)
    png.unlink()
