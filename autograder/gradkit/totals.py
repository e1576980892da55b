"""The course's totals: each student's final scores in several runs, and their weighted mean."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gradkit import results
from gradkit.course import Course
from gradkit.errors import InputError
from gradkit.manifest import load_assignment
from gradkit.model import Submitter
from gradkit.roster import Roster, label
from gradkit.runs import kept_roster, run_record
from gradkit.safetext import cell_text
from gradkit.tables import final, make_row, why_blank


@dataclass(frozen=True)
class Totals:
    """A row per student: who it is, the share of the points in each assignment (None if not known), and of the total."""

    ids: tuple[str, ...]
    rows: tuple[tuple[Submitter, tuple[float | None, ...], float | None], ...]
    notes: tuple[str, ...]

    def write(self, path: Path) -> None:
        """As CSV, in percent; what is not known is empty.

        Raises:
            InputError: When it can't be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["name", "email", "sid", *self.ids, "total"])
        for student, shares, total in self.rows:
            cells = [student.name, student.email or student.login, student.sid, *map(_percent, (*shares, total))]
            writer.writerow([cell_text(cell) for cell in cells])
        results.write_whole(path, text.getvalue().encode("utf-8"))


def course_totals(root: Path, course: Course, runs: Sequence[Path], now: datetime.datetime) -> Totals:
    """Bring runs together, one for each assignment.

    Nothing handed in counts as 0 once it is due, and is left empty until then. A student with an empty score that counts
    has no total.

    Args:
        root: The kit.
        course: Weights and due dates.
        runs: What `grade --roster` wrote.
        now: When.

    Raises:
        InputError: When a run's assignment is not in the course or is there twice, or a run has no roster.
    """
    found: dict[str, dict[Submitter, float | None]] = {}
    students: dict[Submitter, None] = {}
    notes: list[str] = []
    for folder in runs:
        id = run_record(folder).assignment
        if course.planned(id) is None:
            raise InputError(f"{folder} is a run of {id}, which is not in the course; it has {', '.join(course.ids)}")
        if id in found:
            raise InputError(f"{folder}: there are two runs of {id}; name one")
        roster = kept_roster(folder)
        if not roster:
            raise InputError(f"{folder} knows no students: grade it with --roster")
        students |= dict.fromkeys(roster)
        found[id], more = _shares(root, folder, id, roster)
        notes += more
    ids = [id for id in course.ids if id in found]
    rows, weights = [], [course.planned(id).part for id in ids]
    for student in students:
        shares = []
        for id in ids:
            due = course.due(id, [student])
            missing = 0.0 if due is not None and due < now else None
            shares.append(found[id].get(student, missing))
        blank = [id for id, share, weight in zip(ids, shares, weights, strict=True) if share is None and weight]
        if blank:
            notes.append(f"{label(student)} has no total: no score for {', '.join(blank)}")
        whole = sum(weights)
        known = not blank and whole > 0
        total = (
            sum(weight * (share or 0) for weight, share in zip(weights, shares, strict=True)) / whole if known else None
        )
        rows.append((student, tuple(shares), total))
    return Totals(tuple(ids), tuple(rows), tuple(notes))


def _shares(
    root: Path, folder: Path, id: str, students: Sequence[Submitter]
) -> tuple[dict[Submitter, float | None], list[str]]:
    """What share of the points each student has who handed something in; None if nobody can say."""
    assignment = load_assignment(root, id)
    roster = Roster(students)
    shares: dict[Submitter, float | None] = {}
    notes = []
    for path in sorted(folder.glob("*/graded.json")):
        graded = results.read(path.parent)
        row = make_row(graded, assignment) if graded else None
        blank = why_blank(row, assignment) if row else "no whole record"
        for student in roster.behind(path.parent.name, row.submitters if row else ()):
            twice = student in shares
            if twice:
                notes.append(f"{label(student)} has two submissions of {id}: grade one of them alone")
            shares[student] = None if blank or twice else final(row, assignment, 1.0)
    return shares, notes


def _percent(share: float | None) -> str:
    return "" if share is None else f"{round(100 * share, 4):g}"
