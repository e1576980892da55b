"""What figures look like: one style, colors, and the kinds of plot that several assignments draw.

The style is a context, entered only while a figure is drawn and saved (`coursekit.drawing`): no global setting is left
changed, no window opens and pyplot is not needed. The same code gives the same bytes on every run. Colors are Okabe and
Ito's, told apart with any kind of color blindness and in gray; lines also differ in their dashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#222222",
    "grey": "#8A8A8A",
}
"""Named colors. Series take them in this order; the gray one is for what is only there for reference."""

SEQUENTIAL = "cividis"
"""Color map for amounts from zero up: lightness rises evenly, and it reads the same to every eye."""

DIVERGING = "PuOr_r"
"""Color map for signed numbers, centered on zero: purple below, orange above."""

_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)), (0, (8, 2)))

_INK = "#222222"
_FAINT = "#D9D9D9"


def _settings() -> dict[str, Any]:
    from cycler import cycler

    series = [COLORS[name] for name in ("blue", "orange", "green", "red", "purple", "sky")]
    return {
        # Bundled with matplotlib, so that every machine draws the same letters.
        "font.family": "DejaVu Sans",
        "font.size": 11,
        "axes.titlesize": 12.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 10,
        "axes.labelsize": 11,
        "axes.labelcolor": _INK,
        "axes.edgecolor": "#666666",
        "axes.linewidth": 0.9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.prop_cycle": cycler(color=series) + cycler(linestyle=list(_DASHES)),
        "grid.color": _FAINT,
        "grid.linewidth": 0.7,
        "text.color": _INK,
        "xtick.color": "#444444",
        "ytick.color": "#444444",
        "xtick.labelsize": 10,
        "ytick.labelsize": 10,
        "lines.linewidth": 2.0,
        "lines.markersize": 6,
        "scatter.edgecolors": "face",
        "legend.frameon": False,
        "legend.fontsize": 10,
        "image.cmap": SEQUENTIAL,
        "image.interpolation": "nearest",
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "savefig.facecolor": "white",
        "figure.dpi": 100,
        "savefig.dpi": 150,
        # Letters as outlines: a viewer without the font shows the same figure.
        "svg.fonttype": "path",
        "svg.hashsalt": "coursekit",
        "axes.unicode_minus": True,
        "text.usetex": False,
    }


@contextmanager
def style() -> Iterator[None]:
    """Draw in the course's style inside a `with` block, and leave matplotlib's settings as they were."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_settings())
        yield


def subplots(
    nrows: int = 1, ncols: int = 1, *, size: tuple[float, float] | None = None, **kwargs: Any
) -> tuple[Any, Any]:
    """Return a figure and its axes, laid out so that no label is cut, without pyplot and without a window.

    Args:
        nrows, ncols: Rows and columns of axes.
        size: Width and height in inches. Default: 6.4 x 4 for one, and in proportion for several.
        **kwargs: Passed to `Figure.subplots`: sharex, sharey, squeeze, width_ratios, gridspec_kw, ...

    Returns:
        The Figure, and one Axes or an array of them, as `matplotlib.pyplot.subplots` returns.
    """
    from matplotlib.figure import Figure

    if size is None:
        size = (6.4 if ncols == 1 else min(4.2 * ncols, 13.0), 4.0 if nrows == 1 else 3.2 * nrows)
    fig = Figure(figsize=size, layout="constrained")
    return fig, fig.subplots(nrows, ncols, **kwargs)


def heatmap(
    ax: Any,
    matrix: Any,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    label: str = "",
    values: bool | None = None,
    diverging: bool | None = None,
    limits: tuple[float, float] | None = None,
) -> Any:
    """Draw a matrix as colored cells, with a color bar and, where there is room, its numbers.

    Args:
        ax: Where to draw.
        matrix: Shape (R, C): an array or a tensor.
        rows, columns: Names of the rows and columns.
        label: What the numbers are, beside the color bar.
        values: Write the numbers into the cells. Default: where there are at most 100 cells.
        diverging: Center the colors on zero. Default: if there are numbers of both signs.
        limits: Least and greatest number of the color scale. Default: those of the matrix.

    Returns:
        The matplotlib image.
    """
    matrix = _array(matrix)
    if matrix.ndim != 2:
        raise ValueError(f"matrix must have two axes, got shape {matrix.shape}")
    finite = matrix[np.isfinite(matrix)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0))
    if diverging is None:
        diverging = low < 0 < high
    if diverging:
        high = max(abs(low), abs(high))
        low = -high
    if low == high:
        high = low + 1.0  # one color, at the lower end of the scale
    image = ax.imshow(matrix, cmap=DIVERGING if diverging else SEQUENTIAL, vmin=low, vmax=high, aspect="auto")
    ax.grid(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)
    for names, set_ticks in ((rows, ax.set_yticks), (columns, ax.set_xticks)):
        if names is not None:
            set_ticks(range(len(names)), names)
    ax.figure.colorbar(image, ax=ax, label=label, pad=0.02, aspect=30).outline.set_visible(False)
    if values is None:
        values = matrix.size <= 100
    if values:
        for (i, j), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                red, green, blue, _ = image.cmap(image.norm(value))
                # Relative luminance decides between dark and light letters.
                dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45
                text = f"{value:.2g}".replace("-", "\u2212")
                ax.text(j, i, text, ha="center", va="center", size=9, color=_INK if dark else "white")
    return image


def band(ax: Any, x: Any, low: Any, high: Any, *, color: str = "blue", label: str | None = None) -> Any:
    """Shade the region between two curves: an interval, a standard deviation.

    Args:
        ax: Where to draw.
        x, low, high: Shape (n,).
        color: A name of `COLORS`, or any matplotlib color.
        label: Its name in the legend.

    Returns:
        The matplotlib collection.
    """
    shade = COLORS.get(color, color)
    x, low, high = map(_array, (x, low, high))
    return ax.fill_between(x, low, high, color=shade, alpha=0.22, linewidth=0, label=label)


def name_lines(ax: Any) -> None:
    """Write each labeled line's name in its color, instead of a legend: at its right end, or where it leaves the axes for good."""
    named = [line for line in ax.get_lines() if not line.get_label().startswith("_") and len(line.get_xdata())]
    low, high = ax.get_ylim()
    to_axes = ax.transData + ax.transAxes.inverted()
    at_the_end = []
    for line in named:
        points = to_axes.transform(np.column_stack([_array(line.get_xdata()), _array(line.get_ydata())]))
        if place := _leaves_at(points):
            down = place[1] > 0.5  # leaves through the top: the name stands below
            look = {"xytext": (5, -3 if down else 3), "textcoords": "offset points", "va": "top" if down else "bottom"}
            ax.annotate(line.get_label(), place, xycoords="axes fraction", color=line.get_color(), size=10, **look)
        else:
            inside = points[np.isfinite(points[:, 1]), 1]
            at_the_end.append((float(np.clip(inside[-1], 0, 1)) if len(inside) else 0.0, line))
    at_the_end.sort(key=lambda end: end[0])
    gap = 15.0 / (ax.bbox.height or 1.0)
    heights: list[float] = []
    for y, _ in at_the_end:
        # Names keep their distance even where lines end together.
        heights.append(max(y, heights[-1] + gap) if heights else y)
    excess = max(0.0, heights[-1] - 1) if heights else 0.0
    for (_, line), y in zip(at_the_end, heights, strict=True):
        place = (1.01, y - excess)
        ax.annotate(line.get_label(), place, xycoords="axes fraction", color=line.get_color(), va="center", size=10)
    ax.set_ylim(low, high)


def _leaves_at(points: np.ndarray) -> tuple[float, float] | None:
    """Where a line, in fractions of the axes, crosses their top or bottom and never comes back; None if it ends inside."""
    finite = points[np.isfinite(points).all(axis=1)]
    inside = np.flatnonzero((finite[:, 1] >= -1e-9) & (finite[:, 1] <= 1 + 1e-9))
    if not len(inside) or inside[-1] == len(finite) - 1:
        return None
    (x, y), (next_x, next_y) = finite[inside[-1]], finite[inside[-1] + 1]
    edge = 1.0 if next_y > 1 else 0.0
    return float(x + (next_x - x) * (edge - y) / (next_y - y)), edge


def _array(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)
