"""What the tests of notebooks and nbgrader share: a course of the small kit, and nbgrader's own commands in it."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for handed_in, which no package holds
sys.path.insert(0, str(Path(__file__).parent.parent))  # for sample_class


@pytest.fixture(scope="session")
def nbgrader() -> Callable[..., subprocess.CompletedProcess]:
    """Run one of nbgrader's commands in a course's folder."""

    def run(course: Path, *arguments: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        return subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments],
            cwd=course, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def exported(nbgrader) -> Callable[[Path], dict[str, dict[str, str]]]:
    """The rows that `nbgrader export` writes, by student."""

    def export(course: Path) -> dict[str, dict[str, str]]:
        done = nbgrader(course, "export")
        assert done.returncode == 0, done.stderr
        with (course / "grades.csv").open(encoding="utf-8", newline="") as file:
            return {row["student_id"]: row for row in csv.DictReader(file)}

    return export
