"""Every assignment keeps its promises, on the files as they are committed: what `gradkit verify` asks, part by part.

`gradkit verify` shows the same on 20 seeds; one is enough to find what an edit broke.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradkit.examine.faults import static_faults
from gradkit.examine.rehearsal import rehearse
from gradkit.manifest import assignment_ids, load_assignment
from gradkit.prices import matrix
from gradkit.verify import verify

ROOT = Path(__file__).resolve().parent.parent.parent
IDS = assignment_ids(ROOT)


@pytest.mark.parametrize("id", IDS)
def test_no_file_contradicts_another(id):
    """Points, checks, handout, stub, notebook, hints: whole and consistent, and no draft."""
    assignment = load_assignment(ROOT, id)

    assert static_faults(assignment) == []
    assert not assignment.manifest.draft


@pytest.mark.parametrize("id", IDS)
def test_every_command_works_in_every_shell(id):
    """No command of a handout begins with a variable, as only some shells allow: Windows' don't."""
    handout = (ROOT / "assignments" / id / "README.md").read_text(encoding="utf-8")

    assert not re.findall(r"\b[A-Z_]+=\S* (?:python|pytest)\b.*", handout)


@pytest.mark.parametrize("id", IDS)
def test_the_readme_says_how_long_it_takes(id):
    """The table of the README has each assignment's tasks, and its minutes in hours."""
    tasks = load_assignment(ROOT, id).manifest.tasks
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith(f"| [{id}](assignments/{id}/README.md) |"))

    assert [cell.strip() for cell in row.split("|")[3:5]] == [str(len(tasks)), f"{sum(task.minutes for task in tasks) / 60:.1f}"]


@pytest.mark.parametrize("id", IDS)
def test_a_solved_assignment_works_where_students_work(id):
    """In the students' bundle, the reference passes the public checks, every figure is drawn and every snippet runs."""
    assert rehearse(load_assignment(ROOT, id)) == []


@pytest.mark.parametrize("id", IDS)
@pytest.mark.usefixtures("sandboxed")
def test_stub_reference_mistakes_and_vandals_get_what_they_should(id):
    """Stub 0, reference and second solutions full marks, every mistake caught with its own hint, no vandal passes."""
    report = verify(ROOT, load_assignment(ROOT, id), seeds=1)

    assert report.holds, "\n".join([*report.problems, matrix(report)])
