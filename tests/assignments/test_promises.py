"""Every assignment keeps its promises, in the sandbox, on the files as they are committed.

`gradkit verify` shows the same on 20 seeds; one is enough to find what an edit broke.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gradkit.manifest import assignment_ids, load_assignment
from gradkit.mistakes import read_mistakes
from gradkit.stubs import build_stub
from gradkit.verify import matrix, verify

ROOT = Path(__file__).resolve().parent.parent.parent
IDS = assignment_ids(ROOT)


@pytest.mark.parametrize("id", IDS)
@pytest.mark.usefixtures("sandboxed")
def test_stub_reference_mistakes_and_vandals_get_what_they_should(id):
    """Stub 0, reference and second solutions full marks, every mistake caught with its own hint, no vandal passes."""
    report = verify(ROOT, load_assignment(ROOT, id), seeds=1)

    assert report.holds, "\n".join([*report.problems, matrix(report)])


@pytest.mark.parametrize("id", IDS)
def test_the_assignment_is_whole(id):
    """Handout, stub, public checks, figures, notes, at least twelve mistakes and a second solution; 100 points."""
    assignment = load_assignment(ROOT, id)

    for path in (
        assignment.public / "README.md",
        assignment.public / "figures.py",
        assignment.public_tests,
        assignment.hidden / "notes.md",
    ):
        assert path.is_file(), path
    assert assignment.stub.read_text(encoding="utf-8") == build_stub(assignment)
    assert len(read_mistakes(assignment)) >= 12 and assignment.alternatives()
    assert assignment.manifest.points == 100 and 4 <= len(assignment.manifest.tasks) <= 9


@pytest.mark.parametrize("id", IDS)
def test_the_handout_names_every_task_and_function(id):
    """Each task has its section, with its points, minutes and the functions to write."""
    assignment = load_assignment(ROOT, id)
    handout = (assignment.public / "README.md").read_text(encoding="utf-8")

    for number, task in enumerate(assignment.manifest.tasks, start=1):
        section = handout.partition(f"## Task {number}")[2].partition("\n## ")[0]
        assert f"{task.points} points" in section, task.id
        assert f"{task.minutes} minutes" in section, task.id
        for function in task.functions:
            assert f"`{function}`" in section, function


@pytest.mark.parametrize("id", IDS)
def test_nothing_of_the_solutions_is_in_what_students_get(id):
    """No line of a solution block stands in the stub, and no hint in the handout or the public checks."""
    assignment = load_assignment(ROOT, id)
    stub = assignment.stub.read_text(encoding="utf-8")

    assert "BEGIN SOLUTION" not in stub
    for path in (assignment.public / "README.md", assignment.public_tests):
        text = path.read_text(encoding="utf-8")
        assert "solutions/" not in text and "HINT" not in text
