"""An assignment's figures: registered by `figures.py`, drawn from the student's module, saved with their captions.

An assignment's `figures.py` registers functions and hands over to `main`:

    from coursekit.drawing import figure, main
    from coursekit.plots import heatmap, subplots

    @figure("attention_map", caption="Every row sums to one, and nothing above the diagonal is seen.")
    def attention_map(student):
        fig, ax = subplots()
        heatmap(ax, student.attention_weights(...), label="weight")
        ax.set(title="Causal attention", xlabel="key", ylabel="query")
        return fig

    if __name__ == "__main__":
        main("attention")

`python figures.py` then writes figures/attention_map.svg and .png beside the script. A figure that needs a function
that is not written yet is skipped with a line that says so; one of several parts draws those that are ready:

        with if_written(ax):
            ax.plot(x, student.softplus(x))

`python figures.py -i` draws nothing: it starts Python with the student's functions in it.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import textwrap
import tomllib
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from coursekit.console import talk
from coursekit.functions import CheckFile, functions_of, owner_of, written_in_text
from coursekit.plots import COLORS, style

Drawing = Callable[[ModuleType], Any]
"""A function that draws one figure from a student's module and returns it."""


@dataclass(frozen=True)
class Registered:
    """A figure: its name (the file's stem), what to notice in it, and the function that draws it."""

    name: str
    caption: str
    draw: Drawing


_REGISTRY: dict[str, dict[str, Registered]] = {}


def figure(name: str, *, caption: str) -> Callable[[Drawing], Drawing]:
    """Register a function that draws one figure from the student's module and returns a matplotlib Figure.

    Args:
        name: The file's stem: letters, digits, "-" and "_".
        caption: What to notice, in one sentence. It stands below the figure, and is printed when that is drawn.

    Returns:
        A decorator that leaves the function as it is.

    Raises:
        ValueError: If the name can't be a file's stem.
    """
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise ValueError(f"name must be made of letters, digits, '-' and '_', got {name!r}")

    def register(function: Drawing) -> Drawing:
        _REGISTRY.setdefault(function.__module__, {})[name] = Registered(name, caption, function)
        return function

    return register


def registered(module_name: str) -> tuple[Registered, ...]:
    """Return the figures that a module registered, in its order."""
    return tuple(_REGISTRY.get(module_name, {}).values())


def save(fig: Any, folder: Path, name: str, caption: str = "") -> tuple[Path, Path]:
    """Write a figure as SVG and PNG, byte for byte the same on every run.

    Args:
        fig: A matplotlib Figure.
        folder: Where to; made if it is not there.
        name: The files' stem.
        caption: Goes into the SVG as its description.

    Returns:
        The two paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    with style():
        about = {"Date": None, "Creator": None, "Title": name, "Description": caption}
        fig.savefig(svg, format="svg", metadata=about)
        fig.savefig(png, format="png", metadata={"Software": None})
    return svg, png


def _write_below(fig: Any, caption: str) -> None:
    """Write a caption into a strip that is added at the bottom, so that the drawing above stays as large as it was."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine, TightLayoutEngine

    width, height = fig.get_size_inches()
    lines = textwrap.wrap(caption, max(20, int((width - 0.3) / 0.073)))  # inches per letter, in this size
    if not lines:
        return
    strip = 0.14 + 0.19 * len(lines)
    share = strip / (height + strip)
    engine = fig.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, share, 1, 1 - share))
    elif isinstance(engine, TightLayoutEngine):
        engine.set(rect=(0, share, 1, 1))
    else:
        place = fig.subplotpars
        fig.subplots_adjust(bottom=share + (1 - share) * place.bottom, top=share + (1 - share) * place.top)
    fig.set_size_inches(width, height + strip)
    fig.text(
        0.15 / width,
        0.1 / (height + strip),
        "\n".join(lines),
        size=10,
        color="#444444",
        ha="left",
        va="bottom",
    )


_left_out: list[str] = []  # of the figure that is being drawn: the functions whose parts wait


@contextmanager
def if_written(ax: Any = None) -> Iterator[None]:
    """Draw a part of a figure, or, where a function that it needs is not written, say so on the axes and go on.

    Args:
        ax: Where to write which function the part waits for. Default: nowhere; the line that is printed names it.
    """
    try:
        yield
    except NotImplementedError as error:
        name = unwritten(error)
        _left_out.append(name)
        if ax is not None:
            middle = {"transform": ax.transAxes, "ha": "center", "va": "center"}
            ax.text(0.5, 0.5, f"{name}\nis not written yet", color=COLORS["grey"], **middle)


def drawn(item: Registered, student: ModuleType) -> tuple[Any, list[str]]:
    """A figure, and the functions that parts of it wait for."""
    _left_out.clear()
    fig = item.draw(student)
    if not hasattr(fig, "savefig"):
        raise TypeError(f"the figure's function must return a Figure, got {type(fig).__name__}")
    return fig, list(dict.fromkeys(_left_out))


def unwritten(error: NotImplementedError) -> str:
    """The function that raised it, at the top of its module: the stub's line stands there."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return owner_of(last.tb_frame.f_code.co_qualname) if last is not None else str(error)


def draw(figures: Iterable[Registered], student: ModuleType, folder: Path) -> int:
    """Draw figures from a module and print a line for each.

    Args:
        figures: What to draw.
        student: The module it is drawn from.
        folder: Where the files go.

    Returns:
        The exit code: 0 if every figure was drawn or waits for a function that is not written, else 1.
    """
    code = 0
    for item in figures:
        try:
            with style():
                fig, left_out = drawn(item, student)
                _write_below(fig, item.caption)
                svg, _ = save(fig, folder, item.name, item.caption)
        except NotImplementedError as error:
            _say(f"skipped: {item.name}, {unwritten(error)} is not written yet")
        except Exception as error:
            _say(f"failed: {item.name}, {_blame(error, student, item)}")
            code = 1
        else:
            waits = f" (without the parts that wait for {', '.join(left_out)})" if left_out else ""
            _say(f"drew {svg.parent.name}/{svg.name} and .png{waits}: {item.caption}")
            _close(fig)
    return code


def main(module_name: str, argv: Sequence[str] | None = None) -> None:
    """Draw every figure that the calling script registered, from the module beside it, and exit.

    The module is `module_name`.py in the script's folder; files go to `figures/` there. The command line may
    name figures to draw only those, `--module FILE` to draw from another file and `--out DIR` to write
    elsewhere. With `-i` nothing is drawn: Python starts with the module's names, as with `python -i`, which would not
    find `coursekit`.

    Args:
        module_name: Name of the student's module.
        argv: The command line. Default: the program's.

    Raises:
        SystemExit: Always. Code 0 if every figure was drawn or skipped because a function is not written yet,
            1 if one failed or the module can't be imported, 2 for a wrong command line.
    """
    caller = sys._getframe(1).f_globals
    here = Path(caller["__file__"]).resolve().parent
    figures = registered(caller["__name__"])

    parser = argparse.ArgumentParser(description="Draw the assignment's figures from your own code.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these figures")
    beside = here / f"{module_name}.py"
    parser.add_argument("--module", type=Path, default=beside, help="the file to draw from")
    parser.add_argument("--out", type=Path, default=here / "figures", help="folder for the files")
    parser.add_argument("-i", "--interactive", action="store_true", help="start Python with your functions instead")
    options = parser.parse_args(argv)
    known = [item.name for item in figures]
    for name in options.names:
        if name not in known:
            parser.error(f"no figure is called {name}; there are {', '.join(known)}")

    if options.interactive:
        student = _load(options.module)
        if student is not None:
            talk(student, options.module.name)
        raise SystemExit(0 if student is not None else 1)
    # a figure that was asked for by name says itself what it waits for
    if not options.names and (nothing := nothing_to_draw(options.module)):
        _say(nothing)
        raise SystemExit(0)
    student = _load(options.module)
    if student is None:
        raise SystemExit(1)
    wanted = [item for item in figures if not options.names or item.name in options.names]
    raise SystemExit(draw(wanted, student, options.out))


def _load(path: Path) -> ModuleType | None:
    """Import the student's file, or say in one line why not."""
    path = path.resolve()
    if not path.is_file():
        _say(f"failed: there is no {path.name} in {path.parent}")
        return None
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a file called numpy.py beside it shadows nothing
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except NotImplementedError as error:
        _say(f"failed: {path.name} calls an unwritten task when it is imported ({error})")
        return None
    except SyntaxError as error:
        _say(f"failed: {path.name}:{error.lineno}: {error.msg}")
        return None
    except Exception as error:
        _say(f"failed: {_blame(error, module)}")
        return None
    return module


def nothing_to_draw(module: Path) -> str:
    """A line for a student who has written nothing yet; empty once a function is, or where that can't be known."""
    manifest = _manifest_beside(module)
    try:
        written = written_in_text(module.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):  # told when it is imported
        return ""
    functions = functions_of(manifest) if manifest else []
    if written.names is None or not functions or not all(map(written.holds_stub, functions)):
        return ""
    return f"nothing to draw yet: no function in {module.name} is written; begin with {functions[0].name}"


def _manifest_beside(module: Path) -> dict[str, Any] | None:
    try:
        return tomllib.loads(module.with_name("assignment.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _blame(error: Exception, student: ModuleType, item: Registered | None = None) -> str:
    """Return an error with the last line of the student's own file that led to it.

    One that arose in `figures.py` itself came of what a student's function returned: then these functions are named.
    """
    frames = traceback.extract_tb(error.__traceback__)
    file = getattr(student, "__file__", None)
    own = [frame for frame in frames if file and Path(frame.filename) == Path(file)]
    what = f"{type(error).__name__}: {error}"
    if not own and item is not None and (names := behind(error, item, student)):
        places = ", ".join(f"{name} ({_defined_at(getattr(student, name))})" for name in names)
        line = next(frame.lineno for frame in reversed(frames) if frame.filename == _script_of(item))
        return (
            f"what {places} returned can't be drawn (figures.py:{line}: {what}); check it first: pytest -k {names[0]}"
        )
    frame = (own or frames)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}: {what}"


def behind(error: Exception, item: Registered, student: object) -> list[str]:
    """The student's functions whose results the line of a figure's script used at which an error arose."""
    script = _script_of(item)
    line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if f.filename == script), 0)
    parameter = item.draw.__code__.co_varnames[0]
    try:
        reader = CheckFile(Path(script).read_text(encoding="utf-8"), subject=parameter)
    except (OSError, UnicodeDecodeError):
        return []
    reader.about(item.draw.__name__)  # learns what the script's helpers call the module
    return [name for name in sorted(reader.suspects(line)) if isinstance(getattr(student, name, None), FunctionType)]


def _script_of(item: Registered) -> str:
    return item.draw.__code__.co_filename


def _defined_at(function: FunctionType) -> str:
    code = function.__code__
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def _close(fig: Any) -> None:
    """Let go of a figure that was made with pyplot, which would keep it."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(fig)


def _say(line: str) -> None:
    """Print a line, with characters that the terminal lacks replaced."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "replace").decode(encoding), flush=True)
