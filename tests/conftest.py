"""What the kit's own tests share: a small kit to grade with, and ways to run the command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gradkit.errors import IsolationError
from gradkit.grading import Grade
from gradkit.judge import isolation
from gradkit.judges import JudgeClient, scratch_folder
from gradkit.manifest import Assignment, load_assignment
from gradkit.mistakes import find_mistake, read_mistakes
from gradkit.model import Graded
from gradkit.scaffold import new_assignment
from gradkit.worker import sandbox

ROOT = Path(__file__).resolve().parent.parent

_seconds: Counter[str] = Counter()  # by area, of setup, call and teardown, in all processes together
_tests: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up where the time goes. With xdist the reports of all its processes come here too."""
    area = report.nodeid.removeprefix("tests/").partition("/")[0]
    _seconds[area] += report.duration
    _tests[area] += report.when == "call"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell where the time went, by the top-level folders of `tests/`; of one folder alone there is nothing to tell."""
    if len(_seconds) > 1:
        terminalreporter.section("seconds by area, all processes together")
        for area, seconds in _seconds.most_common():
            terminalreporter.write_line(f"{seconds:8.1f}  {area} ({_tests[area]} tests)")
        terminalreporter.write_line(f"{_seconds.total():8.1f}  in all")


def isolation_fault() -> str:
    """Why no submission can be graded on this machine, or empty."""
    try:
        isolation.require(isolation.choose(sandbox.probe()), [])
    except IsolationError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def sandboxed() -> None:
    """Skip a test that grades where nothing isolates."""
    if fault := isolation_fault():
        pytest.skip(f"not run: {fault}")


@pytest.fixture(scope="session")
def small_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit that holds the one assignment that `gradkit new scaling` writes, with a short time limit."""
    root = tmp_path_factory.mktemp("kit")
    (root / "assignments").mkdir()
    (root / "solutions").mkdir(mode=0o700)
    new_assignment(root, "scaling")
    manifest = root / "assignments" / "scaling" / "assignment.toml"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace("\n\n[[", "\ntimeout_s = 1\n\n[[", 1), encoding="utf-8"
    )
    return root


@pytest.fixture
def kit(small_kit: Path, tmp_path: Path) -> Path:
    """A copy of the small kit that a test may damage."""
    root = tmp_path / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    return root


@pytest.fixture(scope="session")
def scaling(small_kit: Path) -> Assignment:
    return load_assignment(small_kit, "scaling")


@pytest.fixture(scope="session")
def reference_source(scaling: Assignment) -> str:
    return scaling.reference.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def mistaken(scaling: Assignment, reference_source: str) -> Callable[..., str]:
    """The text of a submission to `scaling` that has the named mistakes."""

    def text(*names: str) -> str:
        source = reference_source
        for name in names:
            source = find_mistake(read_mistakes(scaling), name, scaling.hidden).submission(source)
        return source

    return text


@contextlib.contextmanager
def grading(root: Path, *, device: str = "cpu") -> Iterator[Callable[[str], Graded]]:
    """A function that grades the text of a submission to `scaling`; one judge serves all calls."""
    with scratch_folder() as scratch, JudgeClient(root, "scaling", scratch, device=device) as judge:
        count = 0

        def grade(source: str, *, seed: int = 1) -> Graded:
            nonlocal count
            count += 1
            folder = scratch / f"source-{count}"
            folder.mkdir(mode=0o755)
            module = folder / "scaling.py"
            module.write_text(source, encoding="utf-8")
            module.chmod(0o644)
            collected = Grade(Graded("student01", "scaling", "graded", isolation=judge.isolation), judge.checks)
            return collected.finish(judge.grade(module, seed, collected.add))

        grade.judge_pid = judge.pid
        yield grade


@pytest.fixture(scope="session")
def grading_in(sandboxed: None) -> Callable[..., contextlib.AbstractContextManager]:
    """`with grading_in(kit) as grade`: the same for a kit of a test's own."""
    return grading


@pytest.fixture(scope="session")
def grade_source(sandboxed: None, small_kit: Path) -> Iterator[Callable[[str], Graded]]:
    """Grade the text of a submission to `scaling`; one judge serves the whole session."""
    with grading(small_kit) as grade:
        yield grade


@pytest.fixture(scope="session")
def kit_with_torch(small_kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small kit, with torch for its workers."""
    root = tmp_path_factory.mktemp("torch") / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    manifest = root / "assignments" / "scaling" / "assignment.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('libraries = ["numpy"]', 'libraries = ["numpy", "torch"]'), encoding="utf-8")
    return root


@pytest.fixture(scope="session")
def grade_with_torch(sandboxed: None, kit_with_torch: Path) -> Iterator[Callable[[str], Graded]]:
    """Grade where workers have torch too."""
    with grading(kit_with_torch) as grade:
        yield grade


@pytest.fixture(scope="session")
def grade_on_a_device(sandboxed: None, kit_with_torch: Path) -> Iterator[Callable[[str], Graded]]:
    """Grade where workers have torch and a CUDA device; `GRADKIT_DEVICE` names a stand-in for it."""
    with grading(kit_with_torch, device=os.environ.get("GRADKIT_DEVICE", "cuda")) as grade:
        yield grade


@pytest.fixture(scope="session")
def gradkit() -> Callable[..., subprocess.CompletedProcess]:
    """Run the command line as a user would."""

    def run(*arguments: object, cwd: Path = ROOT, **options: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "gradkit", *map(str, arguments)]
        environment = {**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"}
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, **options)

    return run
