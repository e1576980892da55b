"""The pytest plugin behind an assignment's public checks, on a student's own machine.

It provides the fixtures `impl`, `rng`, `torch_rng`, `device` and `vjp`, and ends a run with a table of the tasks and
the one thing to do next (see `coursekit.terminal`). In the judge the same names are fixtures of another plugin,
with a sandboxed process behind them; a check is written once and does not know which side it is on.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import hashlib
import importlib.util
import linecache
import re
import signal
import sys
import textwrap
import threading
import tomllib
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from coursekit.checks import assertion_text
from coursekit.compare import Mismatch
from coursekit.costs import another_python, costs_of, defines_no, not_python
from coursekit.functions import About, CheckFile, Function, Written, functions_of, owner_of, written_in_text
from coursekit.progress import NOT_WRITTEN, STOPPED, WRONG, Progress, Ran, left_to_see
from coursekit.terminal import Summary, last_line

LOCAL_SEED = 0  # your checks draw the same inputs on every run; the graded ones draw others
PATIENCE = 4  # a check is stopped after so many times the limit that it has when graded: this machine may be slower
STATEMENT = 200  # characters of a check's line that are shown
_SIGNATURE = re.compile(r"[\w.]+\(\) (takes|got|missing) ")  # Python's words for a call that a function does not take
FRAMES = 50  # of a student's functions under way that are kept, the innermost


@dataclass(frozen=True)
class Student:
    """The code under check where it is no file beside the checks, but what a notebook has defined.

    Attributes:
        module: Stands for the student's module.
        place: The line of a traceback in words, such as `cell In[7], line 3: return x`; empty for lines of others.
    """

    module: object
    place: Callable[[pytest.TracebackEntry], str]


STUDENT = pytest.StashKey[Student]()  # in a run's `config.stash`


def check_seed(seed: int, check: str) -> int:
    """A 64-bit seed of its own for each check, the same on every machine.

    Args:
        seed: The run's seed.
        check: Name of the check, with its case: `test_softmax[rows]`.
    """
    digest = hashlib.blake2b(f"{seed}:{check}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def torch_generator(seed: int) -> object:
    """A torch.Generator on the CPU, seeded."""
    import torch

    return torch.Generator().manual_seed(seed % 2**63)


def load_module(path: Path) -> types.ModuleType:
    """Import the student's file afresh under its own name.

    Its folder goes to the end of `sys.path`, so that a file called `numpy.py` in it shadows nothing.
    """
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def load_or_fail(path: Path) -> types.ModuleType:
    """`load_module`, with a failure that is one line about the student's file instead of a traceback of ours."""
    if not path.is_file():
        found = ", ".join(sorted(file.name for file in path.parent.glob("*.py")))
        pytest.fail(f"{path.name} is not beside {path.parent.name}'s checks; found: {found}", pytrace=False)
    try:
        return load_module(path)
    except SyntaxError as error:
        where = f"{Path(error.filename or path).name}:{error.lineno}"  # the file itself, or another that it imports
        pytest.fail(not_python(where, error.msg), pytrace=False)
    except ModuleNotFoundError as error:
        pytest.fail(
            f"{path.name} imports {error.name}, which is not installed here and won't be when graded",
            pytrace=False,
        )


# ---- fixtures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _modules() -> dict[Path, types.ModuleType | BaseException]:
    """What came of importing the students' files, once each."""
    return {}


@pytest.fixture
def impl(request: pytest.FixtureRequest, _modules: dict[Path, types.ModuleType | BaseException]) -> types.ModuleType:
    """Your module: the file that `test_NAME.py` checks is `NAME.py` beside it, or the notebook it runs in."""
    if (student := request.config.stash.get(STUDENT, None)) is not None:
        return student.module
    path = request.path.with_name(request.path.name.removeprefix("test_"))
    if path not in _modules:
        try:
            _modules[path] = load_or_fail(path)
        except (Exception, pytest.fail.Exception) as error:
            error.while_loading = True
            _modules[path] = error
    loaded = _modules[path]
    if isinstance(loaded, BaseException):
        raise loaded
    return loaded


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """NumPy's random generator, seeded for this check."""
    return np.random.default_rng(check_seed(LOCAL_SEED, request.node.name))


@pytest.fixture
def torch_rng(request: pytest.FixtureRequest) -> object:
    """A torch.Generator on the CPU, seeded for this check."""
    return torch_generator(check_seed(LOCAL_SEED, request.node.name))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """Where a check puts its tensors: `cpu`, or what `--device` says."""
    wanted = request.config.getoption("--device")
    if request.node.get_closest_marker("gpu") and wanted == "cpu":
        pytest.skip("needs a GPU: run pytest --device cuda where there is one")
    if wanted == "cuda":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device is available")
    return wanted


@pytest.fixture
def vjp() -> Callable[..., tuple]:
    """`vjp(impl.f, *args, wrt=(0,), cotangent=w)`: gradients of `sum(w * f(*args))`, from your own autograd."""
    from coursekit.gradcheck import torch_vjp

    return torch_vjp


@pytest.fixture
def agree() -> Callable[..., object]:
    """Hidden checks compare with a reference that only staff have."""
    pytest.fail("`agree` compares with the reference, which runs when you submit", pytrace=False)


@pytest.fixture
def reference() -> types.ModuleType:
    """The reference, which only staff have."""
    pytest.fail("the reference runs when you submit", pytrace=False)


# ---- what a run looks like --------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options that students have."""
    group = parser.getgroup("course kit")
    group.addoption("--device", default="cpu", choices=["cpu", "cuda"], help="where checks put their tensors")
    group.addoption("--task", help="run the checks of one task only, by the name in `task NAME is not written yet`")
    group.addoption("--all", action="store_true", help="explain every failing check, not only the first")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known by which checks ask for a GPU."""
    config.addinivalue_line("markers", "gpu: needs a CUDA device; reported as not run where there is none")


@pytest.hookimpl(tryfirst=True)  # before pytest's own -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the task that `--task` names, and those about the function that `-k` names in so many words."""
    wanted, keyword = config.getoption("--task"), config.option.keyword
    tasks = dict.fromkeys(task for item in items if (task := _task_of(item)))
    chosen = list(items)
    if wanted:
        chosen = [item for item in items if _task_of(item) == wanted]
        if not chosen:
            raise pytest.UsageError(f"no task is called {wanted}; tasks here: {', '.join(tasks)}")
    if keyword and any(function.name == keyword for item in items for function in _known(item)):
        chosen = [item for item in chosen if any(function.name == keyword for function in _functions(item))]
        if not chosen:
            raise pytest.UsageError(f"no public check{f' of task {wanted}' if wanted else ''} is about {keyword}")
        config.option.keyword = ""
    elif keyword in tasks and not wanted:
        chosen = [item for item in items if _task_of(item) == keyword]
        config.option.keyword = ""
    if len(chosen) < len(items):
        kept = {id(item) for item in chosen}
        config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
        items[:] = chosen


def _task_of(item: pytest.Item) -> str:
    return (getattr(getattr(item, "function", None), "__tags__", None) or ("",))[0]


@functools.cache
def _manifest_of(path: Path) -> dict | None:
    """The assignment's manifest beside a public check, or None for any other test."""
    manifest = path.with_name("assignment.toml")
    if not path.name.startswith("test_") or not manifest.is_file():
        return None
    return tomllib.loads(manifest.read_text(encoding="utf-8"))


def _check_file(path: Path) -> CheckFile:
    return _read_checks(_text_of(path))


_read_checks = functools.cache(CheckFile)  # by its text: in a notebook the file may be edited between two runs


def _about(item: pytest.Item) -> About:
    """What a check names, in this case of it."""
    about = _check_file(item.path).about(getattr(item, "originalname", item.name))
    return about.of_case(item.callspec.params if hasattr(item, "callspec") else {})


def _known(item: pytest.Item) -> list[Function]:
    """The functions of the assignment that an item checks; none for any other test."""
    manifest = _manifest_of(item.path)
    return functions_of(manifest) if manifest else []


def _functions(item: pytest.Item) -> list[Function]:
    """Those of them that it is about."""
    return _about(item).functions(_known(item), _task_of(item))


# ---- a check that does not end

# Loading the student's file is part of a check's setup.


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> object:
    """Fixtures share the check's time limit."""
    with _time_limit(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> object:
    """Hold a check to its time limit, as grading does."""
    with _time_limit(item):
        return (yield)


class Stopped(pytest.fail.Exception):
    """A check took too long."""


@contextlib.contextmanager
def _time_limit(item: pytest.Item) -> Iterator[None]:
    """Fail an assignment's check that goes on and on, with the line that it was at.

    Not under a debugger, not on a GPU, whose first use may take long, and not on Windows, which has no such timer.
    """
    manifest = _manifest_of(item.path)
    unlimited = (
        manifest is None
        or not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
        or sys.gettrace() is not None
        or item.config.option.usepdb
        or item.config.getoption("--device") != "cpu"
    )
    if unlimited:
        yield
        return
    seconds = PATIENCE * manifest.get("timeout_s", 10.0)

    def stop(signum: int, frame: types.FrameType | None) -> None:
        raise Stopped(f"stopped after {seconds:g} s: is there a loop that does not end?", pytrace=False)

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again and again: a bare `except` may swallow one
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> object:
    """Give a failed check's report the words that a student reads."""
    report = yield
    if _manifest_of(item.path) is None or (report.passed and report.when != "call"):
        return report
    name = item.name.removeprefix("test_").replace("_", " ")
    claim = " ".join((getattr(item.function, "__doc__", None) or "").split("\n\n")[0].split())
    about = _about(item)
    ran = Ran(name, _task_of(item), report.outcome, claim)
    ran.names, ran.attributes = sorted(about.names), sorted(about.attributes)
    if call.excinfo is not None and not report.skipped:
        ran.loaded = not getattr(call.excinfo.value, "while_loading", False)
        _explain(ran, call.excinfo)
        _trace(ran, item, call.excinfo)
        ran.printed = report.capstdout
        report.longrepr = "\n".join(filter(None, (ran.observed, ran.claim, *ran.own, ran.check, ran.details)))
    report.coursekit = {
        "path": str(item.path),
        "ran": dataclasses.asdict(ran),
    }  # plain data, which xdist can send
    return report


def _explain(ran: Ran, excinfo: pytest.ExceptionInfo) -> None:
    """What a student reads first for a failing check: what was observed."""
    error = excinfo.value
    if isinstance(error, NotImplementedError):
        ran.outcome = NOT_WRITTEN
        ran.observed = f"{error or 'not written yet'} (its `raise NotImplementedError` is still reached)"
        return
    ran.outcome = WRONG
    if isinstance(error, AssertionError) and not isinstance(error, Mismatch):
        ran.observed, ran.details = assertion_text(error)
        return
    message = str(error)
    if not isinstance(error, (Mismatch, pytest.fail.Exception)):
        message = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, AttributeError) and error.name in ran.names and isinstance(error.obj, types.ModuleType):
        message = defines_no(f"{error.obj.__name__}.py", error.name)
    ran.observed, _, ran.details = message.strip().partition("\n")


def _trace(ran: Ran, item: pytest.Item, excinfo: pytest.ExceptionInfo) -> None:
    """Where a check failed: the functions of the student's that were under way, and the statement of the check."""
    module = item.path.with_name(item.path.name.removeprefix("test_"))
    student = item.config.stash.get(STUDENT, None)
    inside = False  # the student's own code raised
    for entry in excinfo.traceback:
        inside = False
        place = f"{Path(entry.path).name}:{entry.lineno + 1}"
        function = owner_of(entry.frame.code.raw.co_qualname)
        if student is not None and (words := student.place(entry)):
            inside = True
            ran.own.append(words)
            ran.frames.append((function, words.partition(":")[0]))
        elif Path(entry.path) == module:
            inside = True
            ran.own.append(f"{place} in {entry.name}: {str(entry.statement).strip()}")
            ran.frames.append((function, place))
        elif Path(entry.path) == item.path:
            ran.check = f"{place}: {_in_one_line(str(entry.statement))}"
            ran.suspects = sorted(_check_file(item.path).suspects(entry.lineno + 1))
    ran.frames = ran.frames[-FRAMES:]
    error = excinfo.value
    if isinstance(error, AssertionError) and inside:
        message = str(error).strip()
        ran.observed = f"your own assert fails: {ran.observed}" if message else "your own assert fails"
    if isinstance(error, Stopped):
        ran.raised = STOPPED
    elif not isinstance(error, (Mismatch, pytest.fail.Exception)) and (ran.frames or _SIGNATURE.match(str(error))):
        ran.raised = type(error).__name__
    elif isinstance(error, TypeError) and "NoneType" in str(error):  # the check could not use what it was given
        ran.observed += " (is a `return` missing?)"


def _in_one_line(statement: str) -> str:
    """A statement of many lines without its comments and its layout."""
    with contextlib.suppress(SyntaxError):  # such as the head of a loop by itself
        statement = ast.unparse(ast.parse(textwrap.dedent(statement)))
    return textwrap.shorten(statement, STATEMENT, placeholder=" ...")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict]] | None:
    """Failing checks have words of their own, so that pytest does not print a traceback for each."""
    outcome = getattr(report, "coursekit", {"ran": {"outcome": ""}})["ran"]["outcome"]
    if outcome == NOT_WRITTEN:
        return NOT_WRITTEN, "-", ("NOT WRITTEN", {"yellow": True})
    if outcome == WRONG:
        return WRONG, "F", ("WRONG", {"red": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """For each assignment that was run, its tasks and what to do next; a notebook says it in its own way."""
    if STUDENT in config.stash:
        return
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    summary = Summary(terminalreporter, encoding, everything=config.getoption("--all"))
    for path, checks in _ran(terminalreporter).items():
        manifest, module = _manifest_of(path), path.with_name(path.name.removeprefix("test_"))
        text = _text_of(module)
        written = written_in_text(text)
        progress = progress_of(path, manifest, checks, written)
        left = left_to_see(path.parent, manifest, progress, written)
        summary.write(
            manifest, module.name, checks, progress, left, costs_of(module, text, manifest), another_python(manifest)
        )


def progress_of(path: Path, manifest: dict, checks: list[Ran], written: Written) -> Progress:
    """What a run of the checks in a file says about each function."""
    file, known = _check_file(path), functions_of(manifest)
    checked = {
        function for check, task in file.checks.items() for about in file.cases(check) for function in about.functions(known, task)
    }  # fmt: skip
    tried = {
        function for ran in checks
        for function in About(frozenset(ran.names), attributes=frozenset(ran.attributes)).functions(known, ran.task)
    }  # fmt: skip
    return Progress(manifest, checks, written, checked - tried)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):  # told where it is imported
        return ""


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of all: passing here is not passing everything."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    checks = [ran for some in _ran(terminal).values() for ran in some] if terminal else []
    if checks:
        terminal.write_line(last_line(checks), bold=True)


def _ran(terminal: pytest.TerminalReporter) -> dict[Path, list[Ran]]:
    """The assignments' checks that ran, by the file they stand in."""
    found: dict[Path, list[Ran]] = {}
    for reports in terminal.stats.values():
        for report in reports:
            if kept := getattr(report, "coursekit", None):
                found.setdefault(Path(kept["path"]), []).append(Ran(**kept["ran"]))
    return found
