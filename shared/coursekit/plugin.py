"""The pytest plugin behind an assignment's public checks, on a student's own machine.

It provides the fixtures `impl`, `rng`, `torch_rng`, `device` and `vjp`, and ends a run with a table of the tasks:
written or not, and how many of their public checks pass. In the judge the same names are fixtures of another plugin,
with a sandboxed process behind them; a check is written once and does not know which side it is on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import linecache
import shutil
import sys
import textwrap
import tomllib
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from coursekit.compare import Mismatch

LOCAL_SEED = 0  # your checks draw the same inputs on every run; the graded ones draw others

_NOT_WRITTEN = "not written"


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
        pytest.fail(f"{path.name}:{error.lineno}: not valid Python: {error.msg}", pytrace=False)
    except ModuleNotFoundError as error:
        pytest.fail(
            f"{path.name} imports {error.name}, which is not installed here and won't be when graded",
            pytrace=False,
        )


# ---- fixtures -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _modules() -> dict[Path, types.ModuleType]:
    return {}


@pytest.fixture
def impl(request: pytest.FixtureRequest, _modules: dict[Path, types.ModuleType]) -> types.ModuleType:
    """Your module: the file that `test_NAME.py` checks is `NAME.py` beside it, or the notebook it runs in."""
    if (student := request.config.stash.get(STUDENT, None)) is not None:
        return student.module
    path = request.path.with_name(request.path.name.removeprefix("test_"))
    if path not in _modules:
        _modules[path] = load_or_fail(path)
    return _modules[path]


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
            pytest.skip("no CUDA device is to be had here")
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
    group = parser.getgroup("course kit")
    group.addoption("--device", default="cpu", choices=["cpu", "cuda"], help="where checks put their tensors")
    group.addoption(
        "--task", help="run the checks of one task only, by the name in `task NAME is not written yet`"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "gpu: needs a CUDA device; reported as not run where there is none")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the task that `--task` names."""
    wanted = config.getoption("--task")
    if not wanted:
        return
    chosen = [item for item in items if _task_of(item) == wanted]
    if not chosen:
        tasks = dict.fromkeys(task for item in items if (task := _task_of(item)))
        raise pytest.UsageError(f"no task is called {wanted}; tasks here: {', '.join(tasks)}")
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _task_of(item: pytest.Item) -> str:
    return (getattr(getattr(item, "function", None), "__tags__", None) or ("",))[0]


def _manifest_of(path: Path) -> dict | None:
    """The assignment's manifest beside a public check, or None for any other test."""
    manifest = path.with_name("assignment.toml")
    if not path.name.startswith("test_") or not manifest.is_file():
        return None
    return tomllib.loads(manifest.read_text(encoding="utf-8"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> object:
    report = yield
    if _manifest_of(item.path) is None:
        return report
    report.task = _task_of(item)
    claim = " ".join((getattr(item.function, "__doc__", None) or "").split("\n\n")[0].split())
    if call.excinfo is not None and not report.skipped:
        error = call.excinfo.value
        report.not_written = isinstance(error, NotImplementedError)
        report.longrepr = _explain(item, call.excinfo, claim)
    return report


def _explain(item: pytest.Item, excinfo: pytest.ExceptionInfo, claim: str) -> str:
    """What a student reads for a failing check: the claim, what was observed, and the line; no traceback of ours."""
    error = excinfo.value
    if isinstance(error, NotImplementedError):
        return f"{error or 'not written yet'} (its `raise NotImplementedError` is still reached)"
    lines = [f"The claim: {claim}"] if claim else []
    if isinstance(error, Mismatch):
        lines.append(f"Observed: {error}")
    elif isinstance(error, pytest.fail.Exception):
        lines.append(str(error))
    else:
        lines.append(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    student = item.config.stash.get(STUDENT, None)
    place = (
        _in_file(item.path.with_name(item.path.name.removeprefix("test_")))
        if student is None
        else student.place
    )
    if where := [words for entry in excinfo.traceback if (words := place(entry))]:
        lines.append(f"in your {'file' if student is None else 'notebook'}: {where[-1]}")
    check = [entry for entry in excinfo.traceback if Path(entry.path) == item.path]
    if check:
        lines.append(
            f"the check: {item.path.name}:{check[-1].lineno + 1}: {str(check[-1].statement).strip()}"
        )
    return "\n".join(lines)


def _in_file(module: Path) -> Callable[[pytest.TracebackEntry], str]:
    def place(entry: pytest.TracebackEntry) -> str:
        if Path(entry.path) != module:
            return ""
        return f"{module.name}:{entry.lineno + 1}: {str(entry.statement).strip()}"

    return place


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, tuple[str, dict]] | None:
    if getattr(report, "not_written", False):
        return _NOT_WRITTEN, "-", ("NOT WRITTEN", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A table of the tasks for each assignment that was run."""
    manifests: dict[Path, dict] = {}
    reports: dict[Path, list] = {}
    for group in ("passed", "failed", _NOT_WRITTEN, "error", "skipped"):
        for report in (
            terminalreporter.getreports(group)
            if group != _NOT_WRITTEN
            else terminalreporter.stats.get(group, [])
        ):
            if not hasattr(report, "task") or (report.when != "call" and report.outcome == "passed"):
                continue
            path = config.rootpath / report.nodeid.split("::")[0]
            if path not in manifests:
                manifest = _manifest_of(path)
                if manifest is None:
                    continue
                manifests[path] = manifest
            reports.setdefault(path, []).append(report)
    for path, manifest in manifests.items():
        _write_table(terminalreporter, manifest, reports[path])


def _write_table(terminal: pytest.TerminalReporter, manifest: dict, reports: list) -> None:
    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    terminal.section(manifest["title"], sep="-")
    title_width = max(20, width - 42)
    terminal.write_line(f"{'task':<{title_width}}  {'state':<13} {'public':>7} {'points':>6} {'min.':>5}")
    passed_all = total_all = 0
    asked_for = {report.task for report in reports}
    for number, task in enumerate(manifest["tasks"], start=1):
        if task["id"] not in asked_for:
            continue
        mine = [report for report in reports if report.task == task["id"]]
        passed = sum(report.outcome == "passed" for report in mine)
        ran = sum(report.outcome != "skipped" for report in mine)
        passed_all += passed
        total_all += ran
        missing = any(getattr(report, "not_written", False) for report in mine)
        state, colour = _state(missing, passed, ran)
        title = textwrap.shorten(f"{number} {task['title']}", title_width, placeholder="...")
        terminal.write(f"{title:<{title_width}}  ")
        terminal.write(f"{state:<13}", **{colour: True})
        terminal.write_line(f" {passed:>3}/{ran:<3} {task['points']:>6} {task['minutes']:>5}")
    terminal.write_line("")
    terminal.write_line(f"Public checks: {passed_all} of {total_all}. Hidden checks run when you submit.")


def _state(missing: bool, passed: int, ran: int) -> tuple[str, str]:
    if not ran:
        return "not run", "light"
    if missing:
        return ("partly there", "yellow") if passed else (_NOT_WRITTEN, "yellow")
    return ("passes", "green") if passed == ran else ("wrong", "red")
