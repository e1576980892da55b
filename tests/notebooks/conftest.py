"""What the tests of notebooks and nbgrader share: a course of the small kit, and nbgrader's own commands in it."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.coursedir import CourseDirectory
from traitlets import Instance
from traitlets.config import Config, LoggingConfigurable, PyFileConfigLoader

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
def configured() -> Callable[..., Config]:
    """A course's settings, as nbgrader's commands read them there."""

    def load(course: Path, **choice: str) -> Config:
        config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
        config.CourseDirectory.update({"root": str(course), **choice})
        return config

    return load


@pytest.fixture(scope="session")
def exported(configured) -> Callable[[Path], dict[str, dict[str, str]]]:
    """The rows that `nbgrader export` writes, by student, without the start of its command."""

    class App(LoggingConfigurable):
        coursedir = Instance(CourseDirectory)

    def export(course: Path) -> dict[str, dict[str, str]]:
        config = configured(course)
        coursedir = CourseDirectory(config=config)
        path = course / "exported.csv"
        with Gradebook(coursedir.db_url) as gradebook:
            config.ExportApp.plugin_class(parent=App(coursedir=coursedir), to=str(path)).export(gradebook)
        with path.open(encoding="utf-8", newline="") as file:
            return {row["student_id"]: row for row in csv.DictReader(file)}

    return export
