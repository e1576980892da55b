"""What students get works by itself, in an empty folder, and holds nothing of the solutions."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def bundle(gradkit, small_kit, tmp_path_factory) -> Path:
    """The students' zip of the small kit, unpacked alone."""
    folder = tmp_path_factory.mktemp("student")
    done = gradkit("bundle", "student", "scaling", "--out", folder / "course.zip", "--root", small_kit)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / "course.zip") as archive:
        archive.extractall(folder)
    return folder / "course"


def student(bundle: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python in the assignment's folder, without the kit's own packages on the path."""
    code = "import sys; sys.path = [p for p in sys.path if 'autograder' not in p and 'shared' not in p]; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f).lower()]; "
    environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    if arguments[0] == "pytest":
        code += f"import pytest; sys.exit(pytest.main({list(arguments[1:])!r}))"
    else:
        code += f"import runpy; sys.argv = {list(arguments)!r}; sys.path.insert(0, '.'); runpy.run_path({arguments[0]!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=bundle / "scaling",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def solved(bundle, reference_source):
    """The student's file, solved for one test."""
    module = bundle / "scaling" / "scaling.py"
    stub = module.read_text(encoding="utf-8")
    module.write_text(reference_source, encoding="utf-8")
    yield module
    module.write_text(stub, encoding="utf-8")


def test_nothing_of_the_solutions_is_in_it(bundle, small_kit):
    """No hidden check, mistake or solution block."""
    text = "\n".join(
        path.read_text(encoding="utf-8", errors="replace") for path in bundle.rglob("*") if path.is_file()
    )

    assert "BEGIN SOLUTION" not in text and "test_population_variance" not in text and "HINT =" not in text
    assert "x.mean(axis=0)) / np.sqrt" not in text


def test_the_stub_is_told_to_be_unwritten(bundle):
    """A table of tasks, and that hidden checks run elsewhere; no traceback."""
    done = student(bundle, "pytest")

    assert done.returncode == 1
    assert "not written" in done.stdout and "0/1" in done.stdout
    assert "Public checks: 0 of 2. Hidden checks run when you submit." in done.stdout
    assert "Traceback" not in done.stdout + done.stderr and "test_public" not in done.stdout


def test_a_solved_file_passes(bundle, solved):
    """Everything public passes, and the table says so."""
    done = student(bundle, "pytest")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Public checks: 2 of 2." in done.stdout


def test_a_wrong_answer_shows_the_claim_what_was_observed_and_the_values(bundle, solved):
    """On the student's machine everything is shown, the observation first."""
    solved.write_text(
        solved.read_text(encoding="utf-8").replace("return x - x.mean(axis=0)", "return x.mean(axis=0) - x"),
        encoding="utf-8",
    )

    said = student(bundle, "pytest", "--task", "centre").stdout

    assert "The claim: Features 1, 3 and 10, 30 have means 2 and 20." in said
    assert "Observed: output" in said and "opposite sign" in said
    assert "want" in said and "wrong" in said


def test_an_error_points_at_the_students_line(bundle, solved):
    """File, line and text of the student's own code."""
    solved.write_text(
        solved.read_text(encoding="utf-8").replace("return x - x.mean(axis=0)", "return x - x.average()"),
        encoding="utf-8",
    )

    assert "in your file: scaling.py:" in student(bundle, "pytest").stdout


def test_a_syntax_error_is_one_line(bundle, solved):
    """Named with its line, not as a traceback of the plugin's."""
    solved.write_text("def centre(x:\n    return x\n", encoding="utf-8")

    done = student(bundle, "pytest")

    assert "scaling.py:1: not valid Python" in done.stdout and "importlib" not in done.stdout


def test_an_unknown_task_is_answered_with_those_there_are(bundle):
    """`--task` with a wrong name."""
    done = student(bundle, "pytest", "--task", "center")

    assert done.returncode == 4
    assert "no task is called center; tasks here: centre, standardise" in done.stderr


def test_gpu_checks_without_a_gpu_are_skipped_not_wrong(bundle, solved):
    """`--device cuda` on a machine without one fails nothing that does not need it."""
    assert "2 of 2" in student(bundle, "pytest", "--device", "cuda").stdout


def test_figures_are_drawn_from_the_students_code(bundle, solved):
    """`python figures.py`, with nothing installed but the requirements."""
    done = student(bundle, "figures.py")

    assert done.returncode == 0, done.stderr
    assert (bundle / "scaling" / "figures" / "before_after.svg").is_file()


def test_figures_of_an_unwritten_task_are_skipped_by_name(bundle):
    """They fail softly."""
    done = student(bundle, "figures.py")

    assert done.returncode == 0 and "standardise" in done.stdout + done.stderr


def test_a_bundle_is_not_written_over(gradkit, small_kit, bundle):
    """One line, and nothing changed."""
    done = gradkit("bundle", "student", "scaling", "--out", bundle.parent / "course.zip", "--root", small_kit)

    assert done.returncode == 2 and "is there already" in done.stderr
