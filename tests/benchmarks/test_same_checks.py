"""The benchmark of graders is fair only if the others do the work that the judge does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from gradkit.judges import JudgeClient, scratch_folder

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def runner():
    """same_checks.py as a module."""
    spec = importlib.util.spec_from_file_location("same_checks", HERE / "same_checks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["same_checks"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("assignment", ["conformal", "attention"])
def test_the_cases_are_the_judges(runner, assignment):
    """Other graders run the same checks with the same points, and cases of the same names, hence with the same inputs."""
    with scratch_folder() as scratch, JudgeClient(runner.ROOT, assignment, scratch) as judge:
        want = {
            check.number: (
                check.points,
                [check.id.split(":")[1] + (f"[{case}]" if case else "") for case in check.cases],
            )
            for check in judge.checks
        }

    checks = runner.read_checks(runner.Selection(assignment, "all"))

    assert {number: (check.points, [name for name, _ in check.cases]) for number, check in checks.items()} == want


@pytest.mark.parametrize("assignment", ["conformal", "attention"])
def test_a_wrong_submission_fails_and_the_reference_does_not(runner, assignment, monkeypatch):
    """The runner's checks can fail: a module whose functions all return None fails every check, the reference none."""
    monkeypatch.setenv("SAME_CHECKS", f"{assignment}/all")
    checks = runner.Checks()

    class Wrong:
        def __getattr__(self, name):
            return lambda *args, **kwargs: None

    assert checks.failing(checks.reference) == []
    assert checks.failing(Wrong()) == [number for number, check in checks.checks.items() if not check.needs_gpu]
