"""An assignment's checks and figures inside its notebook, on what the notebook has defined.

The notebook's first cell makes one object, and the cells below each task use it:

    from coursekit.notebook import Notebook
    course = Notebook("attention.py", globals())

    course.check("softmax")      # runs this task's public checks, and shows a table; without a name, all tasks'
    course.figure("positions")   # draws one figure of figures.py; without a name, all

The checks are those of the file `test_attention.py` beside the notebook, run by pytest, so that fixtures and
parameters mean what they mean in a terminal. A task that is not written yet is one line, never a traceback.
"""

from __future__ import annotations

import contextlib
import html
import importlib.util
import io
import linecache
import os
import re
import sys
import tomllib
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from coursekit import drawing, plots
from coursekit.costs import costs_of_cell
from coursekit.functions import codes_of, written_in_namespace
from coursekit.plugin import STUDENT, Student, progress_of
from coursekit.progress import NOT_WRITTEN, Ran
from coursekit.terminal import OWN_LINES

_PYTEST_OPTIONS = (
    "-o", "addopts=", "-p", "coursekit.plugin", "-p", "no:cacheprovider", "-p", "no:faulthandler",
    "--noconftest", "--import-mode=importlib", "--capture=sys", "-q",
)  # fmt: skip
_PRINTED = 2000  # characters of what a failing check's code printed that are shown: the last ones


class NotebookError(Exception):
    """Something that a cell can't do, said in one line: Jupyter shows no traceback of ours."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it by this name
        return [str(self)]


class ChecksFailed(NotebookError):
    """Raised under `nbgrader validate` only, which knows a failed check by its error."""


@dataclass(frozen=True)
class Row:
    """What came of one case of a public check.

    `state` is `passed`, `failed`, `not written` or `not run`; `text` says what was observed.
    """

    number: str
    claim: str
    case: str
    state: str
    text: str = ""


class Notebook:
    """An assignment's checks and figures, for the notebook that stands beside them.

    Args:
        module: File name of the module that the notebook stands for, such as `attention.py`.
        namespace: The notebook's names: `globals()`.
        folder: Where the checks lie. Default: the current folder, which is the notebook's in Jupyter.

    Raises:
        NotebookError: When the assignment's files are not there.
    """

    def __init__(self, module: str, namespace: dict[str, Any], *, folder: Path | None = None) -> None:
        self.folder = Path.cwd() if folder is None else Path(folder)
        self.stem = Path(module).stem
        self._tests = self.folder / f"test_{self.stem}.py"
        self._namespace = namespace
        self._module = _Module(self.stem, namespace)
        manifest = self.folder / "assignment.toml"
        for path in (self._tests, manifest):
            if not path.is_file():
                raise NotebookError(
                    f"{path.name} is not in {self.folder}: keep the notebook in the assignment's folder and open it there"
                )
        self._manifest = tomllib.loads(manifest.read_text(encoding="utf-8"))
        self._broken: dict[str, str] = {}  # functions whose cell was last run as it is no Python, and where
        if (shell := _shell()) is not None:
            shell.events.register("post_run_cell", self._after_cell)
            shell.set_custom_exc((NotImplementedError,), _show_unwritten)

    def _after_cell(self, result: Any) -> None:
        """Remember which functions a cell should have defined that is no Python: else they are only missing, or old."""
        text = getattr(result.info, "raw_cell", None) or ""
        names = re.findall(r"^(?:async[ \t]+def|def|class)[ \t]+(\w+)", text, re.MULTILINE)
        error = result.error_before_exec
        for name in names:
            if isinstance(error, SyntaxError):
                self._broken[name] = f"cell In[{result.execution_count}], line {error.lineno}: {_in_words(error, text)}"
            else:
                self._broken.pop(name, None)

    def check(self, task: str | None = None) -> None:
        """Run the public checks of one task on what the notebook has defined, and show what came of them.

        Args:
            task: Its id. Default: every task, one after the other.

        Raises:
            NotebookError: When there is no such task, or the checks can't be run at all.
        """
        known = {entry["id"]: entry for entry in self._manifest["tasks"]}
        if task is None:
            for each in known:
                self.check(each)
            return
        if task not in known:
            raise NotebookError(f"no task is called {task}; tasks here: {', '.join(known)}")
        number = list(known).index(task) + 1
        title = f"Task {number}: {known[task]['title']}"
        functions_asked = dict.fromkeys(name.partition(".")[0] for name in known[task]["functions"])
        missing = [name for name in functions_asked if not hasattr(self._module, name)]
        for name in functions_asked:
            if name in self._broken:
                older = "" if name in missing else f" What is checked is the {name} of before."
                _show_line(f"{title}: the cell of {name} is not valid Python: {self._broken[name]}.{older}")
        if missing:
            names = ", ".join(missing)
            if not all(name in self._broken for name in missing):
                verb = "is" if len(missing) == 1 else "are"
                _show_line(f"{title}: {names} {verb} not defined here. Run the cell of each first.")
            self._tell_nbgrader(f"{title}: not defined: {names}")
            return
        ran = self._run(task)
        rows = ran.rows
        functions = self._functions(task, ran.checks)
        if all(row.state == "not written" for row in rows) and set(functions) <= {NOT_WRITTEN}:
            _show_line(f"{title}: not written yet.")
        else:
            _show(_as_html(title, functions, rows), _as_text(title, functions, rows))
        for cost in self._costs(functions_asked):
            _show_line(cost)
        if any(row.state not in ("passed", "not run") for row in rows):
            self._tell_nbgrader(_as_text(title, functions, rows))

    def figure(self, name: str | None = None) -> None:
        """Draw one of the assignment's figures from what the notebook has defined.

        Args:
            name: Of the figure. Default: all of them, one after the other.

        Raises:
            NotebookError: When there is no such figure.
        """
        drawings = {item.name: item for item in self._figures()}
        if name is None:
            for each in drawings:
                self.figure(each)
            return
        if name not in drawings:
            raise NotebookError(f"no figure is called {name}; there are {', '.join(drawings) or 'none'}")
        item = drawings[name]
        try:
            with plots.style(), _closing_figures():
                picture, left_out = drawing.drawn(item, self._module)
                image = io.BytesIO()
                picture.savefig(image, format="png", dpi=144, metadata={"Software": None})
        except NotImplementedError as error:
            _show_line(f"Figure {name}: {drawing.unwritten(error)} is not written yet.")
        except Exception as error:
            _show_line(f"Figure {name}: {self._blame(error, item)}")
        else:
            if left_out:
                _show_line(f"Figure {name}: without the parts that wait for {', '.join(left_out)}.")
            _show_image(image.getvalue(), picture.get_size_inches()[0], item.caption)

    # ---- running ----------------------------------------------------------------------------------------------

    def _functions(self, task: str, checks: list[Ran]) -> dict[str, list[str]]:
        """The functions of a task by what came of them, such as `passes`."""
        progress = progress_of(self._tests, self._manifest, checks, written_in_namespace(self._namespace))
        found: dict[str, list[str]] = {}
        for function, state in progress.states.items():
            if function.task == task:
                found.setdefault(state.word, []).append(function.name + (f" ({state.detail})" if state.detail else ""))
        return found

    def _costs(self, names: Iterable[str]) -> list[str]:
        """The banned calls in the cells that define these names, in the words of the grader."""
        imported = {name: value.__name__ for name, value in self._namespace.items() if isinstance(value, ModuleType)}
        files = dict.fromkeys(
            code.co_filename
            for name in names
            for code in codes_of(self._namespace.get(name))
            if _cell_name(code.co_filename)
        )
        return [
            cost for file in files
            for cost in costs_of_cell(_cell_name(file), "".join(linecache.getlines(file)), imported, self._manifest)
        ]  # fmt: skip

    def _run(self, task: str) -> _Collector:
        collector = _Collector(Student(self._module, self._place))
        for name in [name for name, module in sys.modules.items() if _file_of(module) == str(self._tests)]:
            del sys.modules[name]  # the checks may have been edited since
        said = io.StringIO()
        options = [*_PYTEST_OPTIONS, f"--rootdir={self.folder}", f"--task={task}", str(self._tests)]
        with _without_settings(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = pytest.main(options, plugins=[collector])
        if collector.broken:
            raise NotebookError(f"{self._tests.name} can't be read: {collector.broken}")
        if status == pytest.ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise NotebookError(f"the checks could not be run: {said.getvalue().strip()[-500:]}")
        return collector

    def _tell_nbgrader(self, text: str) -> None:
        """Fail the cell under `nbgrader validate`, and only there: elsewhere the cells below must still run."""
        if os.environ.get("NBGRADER_VALIDATING"):
            raise ChecksFailed(text)

    def _figures(self) -> tuple[drawing.Registered, ...]:
        path = self.folder / "figures.py"
        if not path.is_file():
            return ()
        name = f"{self.stem}_figures"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return drawing.registered(name)

    def _place(self, entry: pytest.TracebackEntry) -> str:
        code = entry.frame.code.raw
        return self._words(code.co_filename, entry.lineno + 1)

    def _words(self, file: str, line: int) -> str:
        """A line of one of the notebook's cells, in words; empty for a line of anything else."""
        cell = _cell_name(file)
        return f"{cell}, line {line}: {linecache.getline(file, line).strip()}" if cell else ""

    def _blame(self, error: Exception, item: drawing.Registered) -> str:
        """The error, with the last line of the notebook that led to it, or the functions whose results can't be drawn."""
        frames = traceback.extract_tb(error.__traceback__)
        words = [words for frame in frames if (words := self._words(frame.filename, frame.lineno))]
        what = f"{type(error).__name__}: {error}"
        if not words and (names := drawing.behind(error, item, self._module)):
            codes = [getattr(self._module, name).__code__ for name in names]
            places = [self._words(code.co_filename, code.co_firstlineno).partition(":")[0] for code in codes]
            returned = ", ".join(
                f"{name} ({place})" if place else name for name, place in zip(names, places, strict=True)
            )
            return f"what {returned} returned can't be drawn: {what}"
        return f"{what} ({words[-1]})" if words else what


class _Module(ModuleType):
    """The notebook's names as a module: whatever they stand for at the moment they are asked for."""

    def __init__(self, name: str, namespace: dict[str, Any]) -> None:
        super().__init__(name)
        self._namespace = namespace

    def __getattr__(self, name: str) -> object:
        try:
            return self._namespace[name]
        except KeyError:
            raise AttributeError(f"{name} is not defined here: run its cell first") from None


class _Collector:
    """The pytest plugin of one run: gives the checks the notebook, and keeps what came of each case."""

    def __init__(self, student: Student) -> None:
        self._student = student
        self._about: dict[str, tuple[str, str, str]] = {}
        self.rows: list[Row] = []
        self.checks: list[Ran] = []
        self.broken = ""

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[STUDENT] = self._student

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.broken:
            lines = str(report.longrepr).strip().splitlines()
            errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E ")]
            self.broken = (errors or lines or ["unknown error"])[-1]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            function = item.function
            claim = " ".join((function.__doc__ or item.name).split("\n\n")[0].split())
            case = item.callspec.id if hasattr(item, "callspec") else ""
            self._about[item.nodeid] = (str(getattr(function, "__number__", "")), claim, case)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.outcome == "passed":
            return
        number, claim, case = self._about[report.nodeid]
        self.rows.append(Row(number, claim, case, *_state(report)))
        self.checks.append(Ran(**report.coursekit["ran"]))


def _state(report: pytest.TestReport) -> tuple[str, str]:
    if report.outcome == "passed":
        return "passed", ""
    if report.outcome == "skipped":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return "not run", reason.removeprefix("Skipped: ")
    ran = Ran(**report.coursekit["ran"])
    if ran.outcome == NOT_WRITTEN:
        return "not written", ran.observed
    lines = [f"Observed: {ran.observed}", ran.details]
    lines += [f"in your notebook: {line}" for line in ran.own[-OWN_LINES:]]
    lines += [f"the check: {ran.check}"] if ran.check else []
    if printed := ran.printed.strip():
        lines.append(f"your code printed: {printed[-_PRINTED:]}")
    return "failed", "\n".join(filter(None, lines))


@contextlib.contextmanager
def _without_settings() -> Iterator[None]:
    """No pytest options or plugins of the machine's: a check means the same in every notebook."""
    changed = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": ""}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _closing_figures() -> Iterator[None]:
    """Close what was made with pyplot, finished or not: Jupyter would show it once more."""

    def numbers() -> set[int]:
        pyplot = sys.modules.get("matplotlib.pyplot")
        return set(pyplot.get_fignums()) if pyplot else set()

    before = numbers()
    try:
        yield
    finally:
        for number in numbers() - before:
            sys.modules["matplotlib.pyplot"].close(number)


def _in_words(error: SyntaxError, text: str) -> str:
    """What Python says of a cell by itself: Jupyter compiles it so that it may go on, and then it is `incomplete`."""
    try:
        compile(text, "cell", "exec")
    except SyntaxError as plain:
        return plain.msg
    return error.msg


def _show_unwritten(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
    """A line in place of a traceback for a function that is not written; any other error of the kind as always."""
    if re.fullmatch(r"task \w+ is not written yet", str(error)):
        _print(f"{drawing.unwritten(error)} is not written yet")
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _file_of(module: object) -> str:
    try:
        return str(module.__file__)
    except Exception:  # some modules compute their attributes, and may fail at it
        return ""


def _cell_name(file: str) -> str:
    """`cell In[7]` for the file name that IPython compiles a cell under, else empty."""
    shell = _shell()
    label = getattr(getattr(shell, "compile", None), "format_code_name", lambda file: None)(file)
    return " ".join(label).replace("Cell", "cell", 1) if label else ""


def _shell() -> object | None:
    interactive = sys.modules.get("IPython")
    return interactive.get_ipython() if interactive is not None else None


# ---- showing ----------------------------------------------------------------------------------------------------

_MARKS = {
    "passed": ("✓", "#009E73"),
    "failed": ("✗", "#D55E00"),
    "not written": ("–", "#8A8A8A"),
    "not run": ("○", "#8A8A8A"),
}
_CELL = "text-align:left;vertical-align:top;padding:3px 10px 3px 0;border:none"
_PRE = (
    "white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;font-family:monospace;font-size:92%;"
    "margin:2px 0 4px;padding:0;border:none;background:none"
)
_AFTERWARDS = "Hidden checks run when you submit."


def _headline(title: str, rows: list[Row]) -> str:
    ran = [row for row in rows if row.state != "not run"]
    passed = sum(row.state == "passed" for row in ran)
    return f"{title}: {passed} of {len(ran)} public checks pass"


def _grouped(rows: list[Row]) -> Iterator[tuple[str, str, str, list[tuple[str, str]]]]:
    """Each check with the worst state of its cases, its claim, and the cases that there is something to say of."""
    checks: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        checks.setdefault((row.number, row.claim), []).append(row)
    for (number, claim), cases in checks.items():
        states = [row.state for row in cases]
        state = next(state for state in ("failed", "not written", "passed", "not run") if state in states)
        passed = sum(row.state == "passed" for row in cases)
        if len(cases) > 1:
            claim = f"{claim} ({passed} of {len(cases)} cases)"
        yield number, claim, state, [(row.case, row.text) for row in cases if row.text]


def _by_state(functions: dict[str, list[str]]) -> str:
    return " · ".join(f"{word}: {', '.join(names)}" for word, names in functions.items())


def _as_html(title: str, functions: dict[str, list[str]], rows: list[Row]) -> str:
    lines = []
    for number, claim, state, cases in _grouped(rows):
        mark, color = _MARKS[state]
        texts = "".join(
            f"{f'<div>Case <code>{html.escape(case)}</code></div>' if case else ''}"
            f'<pre style="{_PRE}">{html.escape(text)}</pre>'
            for case, text in cases
        )
        lines.append(
            f'<tr style="background:none"><td style="{_CELL};color:{color}" title="{state}"><b>{mark}</b></td>'
            f'<td style="{_CELL}">{html.escape(number)}</td>'
            f'<td style="{_CELL};max-width:60em">{html.escape(claim)}{texts}</td></tr>'
        )
    return (
        f'<div><b>{html.escape(_headline(title, rows))}</b><br>{html.escape(_by_state(functions))}<table style="border:none;margin:4px 0">{"".join(lines)}'
        f'</table><span style="opacity:0.7">{_AFTERWARDS}</span></div>'
    )


def _as_text(title: str, functions: dict[str, list[str]], rows: list[Row]) -> str:
    lines = [_headline(title, rows), _by_state(functions)]
    for number, claim, state, cases in _grouped(rows):
        lines.append(f"{_MARKS[state][0]} {number} {claim}")
        for case, text in cases:
            lines += [f"    case {case}:"] if case else []
            lines += [f"    {line}" for line in text.splitlines()]
    return "\n".join([*lines, _AFTERWARDS])


def _show_line(text: str) -> None:
    _show(f'<span style="opacity:0.8">{html.escape(text)}</span>', text)


def _show(as_html: str, as_text: str) -> None:
    if _shell() is None:
        _print(as_text)
        return
    from IPython.display import display

    display({"text/html": as_html, "text/plain": as_text}, raw=True)


def _show_image(png: bytes, width_in: float, caption: str) -> None:
    if _shell() is None:
        _print(f"drawn: {caption}")
        return
    from IPython.display import Image, display

    display(Image(png, width=round(72 * width_in)))
    _show_line(caption)


def _print(text: str) -> None:
    """Print with characters that the terminal lacks replaced."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)
