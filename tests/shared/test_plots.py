"""Figures are drawn alike on every run, leave nothing behind, and fail softly."""

import os
import subprocess
import sys
import types
import warnings
import xml.etree.ElementTree as ElementTree

import matplotlib
import matplotlib.figure
import numpy as np
import pytest
import torch
from coursekit import drawing, plots

STUDENT = """
def curve(x):
    return x ** 2

def later(x):
    raise NotImplementedError("task later is not written yet")

def broken(x):
    y = x
    return y / 0
"""

SCRIPT = """
from coursekit.drawing import figure, main
from coursekit.plots import subplots

@figure("curve", caption="It bends upwards, by x².")
def _(student):
    fig, ax = subplots()
    ax.plot([0, 1, 2], [student.curve(x) for x in (0, 1, 2)], label="curve")
    ax.set(title="A curve", xlabel="x", ylabel="y")
    return fig

@figure("soft", caption="Not there yet.")
def _(student):
    student.later(1)

{more}

if __name__ == "__main__":
    main("student")
"""

BROKEN = """
@figure("broken", caption="Never.")
def _(student):
    student.broken(1)
"""


@pytest.fixture
def run(tmp_path):
    """Write an assignment's folder and run its figures.py; returns the finished process."""

    def run(*arguments, student=STUDENT, more="", typed=None):
        folder = tmp_path / "assignment"
        folder.mkdir(exist_ok=True)
        if student is not None:
            (folder / "student.py").write_text(student, encoding="utf-8")
        (folder / "figures.py").write_text(SCRIPT.format(more=more), encoding="utf-8")
        command = [sys.executable, str(folder / "figures.py"), *map(str, arguments)]
        return subprocess.run(command, input=typed, capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)

    run.folder = tmp_path / "assignment"
    return run


def test_figures_are_drawn_beside_the_script_and_the_unwritten_are_skipped(run):
    """Every figure becomes an SVG and a PNG with its caption printed; an unwritten task is only a line."""
    done = run()

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "drew figures/curve.svg and .png: It bends upwards, by x².",
        "skipped: soft, later is not written yet",
    ]
    assert sorted(p.name for p in (run.folder / "figures").iterdir()) == ["curve.png", "curve.svg"]


def test_an_error_names_the_students_line_and_the_others_are_still_drawn(run):
    """A figure that fails says where in the student's file, and only the exit code tells of it otherwise."""
    done = run(more=BROKEN)

    assert done.returncode == 1
    assert "failed: broken, student.py:10: ZeroDivisionError: division by zero" in done.stdout
    assert "drew figures/curve.svg" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_lines_can_be_tried_with_the_students_functions(run):
    """With `-i` Python starts among the names of the file, and what is redefined there is what the others call."""
    typed = "print(curve(3))\ndef curve(x):\n    return -x\nprint(curve(3))\nlater(1)\nprint('on')\nexit()\nprint('never')\n"
    done = run("-i", typed=typed)

    assert done.returncode == 0
    assert done.stdout.replace("... ", "").replace(">>> ", "").split() == ["9", "-3", "on"]
    assert "names of student.py" in done.stderr and "task later is not written yet" in done.stderr
    assert not (run.folder / "figures").exists()


def test_a_file_with_an_error_is_not_tried(run):
    """What can't be imported is told in a line, as where figures are drawn."""
    done = run("-i", student="def curve(x)\n    return x", typed="print(1)\n")

    assert done.returncode == 1 and done.stdout == "failed: student.py:1: expected ':'\n"


PARTS = """
from coursekit.drawing import if_written

@figure("parts", caption="Two.")
def parts(student):
    fig, axes = subplots(1, 2)
    with if_written(axes[0]):
        axes[0].plot([student.curve(x) for x in range(3)])
    with if_written(axes[1]):
        axes[1].plot([student.later(x) for x in range(3)])
    return fig
"""


def test_a_figure_draws_the_parts_that_are_ready(run):
    """What is missing stands on its axes and in the line that is printed."""
    done = run("parts", more=PARTS)

    assert done.returncode == 0
    assert done.stdout == "drew figures/parts.svg and .png (without the parts that wait for later): Two.\n"


RETURNED = """
def spread(student):
    middle = student.nothing(3)
    low, high = middle
    return high - low

@figure("spread", caption="Never.")
def _(student):
    spread(student)
"""


def test_what_a_function_returned_wrongly_is_said_with_its_line(run):
    """The error arises in figures.py, and nothing of it is the student's; the function whose result it was is."""
    done = run("spread", more=RETURNED, student=STUDENT + "\ndef nothing(x):\n    y = x\n")

    (line,) = done.stdout.splitlines()
    assert line.startswith("failed: spread, what nothing (student.py:12) returned can't be drawn (figures.py:")
    assert line.endswith(": TypeError: cannot unpack non-iterable NoneType object); check it first: pytest -k nothing")


MANIFEST = """
[[tasks]]
id = "later"
functions = ["later", "soon"]
"""
SOON = '\ndef soon(x):\n    raise NotImplementedError("task later is not written yet")\n'


def test_with_nothing_written_it_is_one_line_at_once(run):
    """What the stub gives is not drawn; with one function written, the figures are tried."""
    run.folder.mkdir()
    (run.folder / "assignment.toml").write_text(MANIFEST, encoding="utf-8")

    nothing, one = run(student=STUDENT + SOON), run(student=STUDENT + "\ndef soon(x):\n    return x\n")
    named = run("soft", student=STUDENT + SOON)

    assert nothing.returncode == 0
    assert nothing.stdout == "nothing to draw yet: no function in student.py is written; begin with later\n"
    assert "drew figures/curve.svg" in one.stdout
    assert named.stdout == "skipped: soft, later is not written yet\n"


@pytest.mark.parametrize(
    ("student", "text"),
    [
        (None, "failed: there is no student.py in"),
        ("def curve(x)\n    return x", "failed: student.py:1: expected ':'"),
        ("x = 1\nprint(undefined)", "failed: student.py:2: NameError"),
        ("raise NotImplementedError('task a')", "calls an unwritten task when it is imported (task a)"),
    ],
)
def test_a_module_that_cannot_be_imported_is_one_line(run, student, text):
    """A missing or broken file is said in a line, with exit code 1."""
    done = run(student=student)

    assert done.returncode == 1
    assert text in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_figures_and_files_can_be_chosen(run, tmp_path):
    """The command line names figures, another module and another folder; an unknown name is an error."""
    other = tmp_path / "reference.py"
    other.write_text("def curve(x): return x", encoding="utf-8")

    done = run("curve", "--module", other, "--out", tmp_path / "out", student=None)

    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["curve.png", "curve.svg"]
    assert run("nothing").returncode == 2


def test_the_same_code_gives_the_same_bytes(run):
    """Two runs write identical files: no dates, no random ids, no versions."""
    run()
    first = {p.name: p.read_bytes() for p in (run.folder / "figures").iterdir()}
    run()

    assert {p.name: p.read_bytes() for p in (run.folder / "figures").iterdir()} == first
    assert b"Matplotlib v" not in first["curve.png"]


def test_a_terminal_without_the_characters_is_no_failure(run, tmp_path):
    """A caption's characters that the terminal's encoding lacks are replaced."""
    run()
    done = subprocess.run(
        [sys.executable, str(run.folder / "figures.py")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert done.returncode == 0, done.stderr
    assert b"by x?." in done.stdout


# In this process


@pytest.fixture
def before():
    """matplotlib's settings before a test, held against those after it."""
    kept = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == kept


def draw(function, tmp_path, name="f"):
    return drawing.draw([drawing.Registered(name, "Notice.", function)], types.ModuleType("student"), tmp_path)


def test_the_style_leaves_no_setting_changed(before, tmp_path):
    """Drawing changes no global setting, however it ends, even if the figure changes some."""

    def good(student):
        matplotlib.rcParams["font.size"] = 40
        return plots.subplots()[0]

    def unwritten(student):
        raise NotImplementedError

    assert draw(good, tmp_path) == 0
    assert draw(unwritten, tmp_path) == 0
    assert draw(lambda student: 1 / 0, tmp_path) == 1


def test_a_function_that_returns_no_figure_fails(tmp_path, capsys):
    """Forgetting `return fig` is named."""
    assert draw(lambda student: None, tmp_path) == 1
    assert "must return a Figure, got NoneType" in capsys.readouterr().out


def test_the_svg_is_well_formed_and_described(tmp_path):
    """The SVG parses, and carries title and description for those who can't see it."""
    draw(lambda student: plots.subplots()[0], tmp_path, "some_name")

    text = (tmp_path / "some_name.svg").read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "some_name" in text and "Notice." in text


@pytest.mark.parametrize("layout", ["constrained", "tight", None])
def test_the_caption_stands_below_the_drawing(tmp_path, layout):
    """Whatever lays a figure out, the strip that is added leaves the drawing its size, and they don't touch."""
    kept = {}

    def one(student):
        fig = matplotlib.figure.Figure(figsize=(6, 5), layout=layout)
        ax = fig.subplots()
        ax.set(xlabel="x", ylabel="y")
        fig.draw_without_rendering()
        kept.update(fig=fig, ax=ax, before=ax.get_window_extent().size)
        return fig

    caption = "Notice this: it is long enough to need more than one line below a drawing six inches wide."
    drawing.draw([drawing.Registered("f", caption, one)], types.ModuleType("student"), tmp_path)

    fig, ax = kept["fig"], kept["ax"]
    with plots.style():
        fig.draw_without_rendering()
    (text,) = fig.texts
    box = text.get_window_extent()
    assert " ".join(text.get_text().split()) == caption and "\n" in text.get_text()
    assert fig.get_figheight() > 5 and box.y0 >= 0 and box.x1 <= fig.bbox.x1
    assert box.y1 <= ax.get_tightbbox().y0 + 1
    assert ax.get_window_extent().size == pytest.approx(kept["before"], abs=2)


def test_figures_are_registered_by_module():
    """A decorated function stays callable and belongs to the module that defined it."""

    @drawing.figure("registered-here", caption="c")
    def mine(student):
        return 1

    assert mine(None) == 1
    assert drawing.registered(__name__)[-1].name == "registered-here"
    assert drawing.registered("elsewhere") == ()
    with pytest.raises(ValueError, match="name must be made of letters"):
        drawing.figure("../up", caption="c")


def luminance(color: str) -> float:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_series_differ_in_colour_and_in_dashes():
    """No two series share a dash pattern, so they are told apart in grey too; every colour shows on white."""
    with plots.style():
        cycle = list(matplotlib.rcParams["axes.prop_cycle"])

    assert len({str(item["linestyle"]) for item in cycle}) == len(cycle) == 6
    for color in plots.COLORS.values():
        assert (1.05) / (luminance(color) + 0.05) > 2  # contrast against white


@pytest.mark.parametrize(
    ("matrix", "low", "high", "cmap"),
    [
        (np.array([[0.0, 1.0], [0.5, 0.25]]), 0, 1, plots.SEQUENTIAL),
        (torch.tensor([[-1.0, 3.0]]), -3, 3, plots.DIVERGING),
        (np.array([[np.nan, 2.0], [1.0, np.inf]]), 1, 2, plots.SEQUENTIAL),
        (np.zeros((2, 2)), 0, 1, plots.SEQUENTIAL),
    ],
)
def test_heatmaps_choose_their_colours(matrix, low, high, cmap, tmp_path):
    """Signed numbers get a map centred on zero, others one from least to greatest; NaN is left blank."""
    fig, ax = plots.subplots()
    image = plots.heatmap(ax, matrix, label="weight")

    assert image.get_clim() == (low, high)
    assert image.get_cmap().name == cmap
    assert len(ax.texts) == int(np.isfinite(np.asarray(matrix)).sum())
    drawing.save(fig, tmp_path, "map")


def test_heatmaps_refuse_other_ranks():
    """Only matrices are drawn as heatmaps."""
    with pytest.raises(ValueError, match=r"matrix must have two axes, got shape \(3,\)"):
        plots.heatmap(plots.subplots()[1], np.zeros(3))


def test_line_names_do_not_overlap():
    """Names at the ends of lines that end together keep a line's height between them, inside the axes."""
    fig, ax = plots.subplots()
    for k in range(5):
        ax.plot([0, 1], [0, 1 + 0.001 * k], label=f"line {k}")
    ax.plot([0, 1], [0, 0.5])

    plots.name_lines(ax)

    heights = sorted(text.xy[1] * ax.bbox.height for text in ax.texts)
    assert len(heights) == 5
    assert min(np.diff(heights)) > 14
    assert heights[-1] <= ax.bbox.height + 1


def test_a_line_that_leaves_the_axes_is_named_where_it_leaves():
    """A line that ends far above pushes no name away: its own stands where it crosses the top, those of others at their ends."""
    fig, ax = plots.subplots()
    x = np.linspace(0, 10, 101)
    ax.plot(x, x**2, label="steep")
    ax.plot(x, 0 * x + 2, label="flat")
    ax.set_ylim(0, 4)

    plots.name_lines(ax)

    places = {text.get_text(): text.xy for text in ax.texts}
    assert places["flat"] == pytest.approx((1.01, 0.5))
    left, right = ax.get_xlim()
    assert places["steep"] == pytest.approx(((2 - left) / (right - left), 1.0), abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no layout that collapses
        fig.draw_without_rendering()


def test_bands_take_names_and_tensors():
    """A band is shaded between two curves, given as arrays or tensors, in a named colour."""
    fig, ax = plots.subplots()
    high = torch.ones(3, requires_grad=True)
    shade = plots.band(ax, torch.arange(3.0), np.zeros(3), high, color="green", label="90 %")

    assert matplotlib.colors.to_hex(shade.get_facecolor()[0]) == plots.COLORS["green"].lower()
