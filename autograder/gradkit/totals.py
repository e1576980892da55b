"""The course's totals: each student's final scores in several runs, and their weighted mean."""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradkit import results
from gradkit.course import Course
from gradkit.errors import InputError
from gradkit.manifest import load_assignment
from gradkit.model import Submitter
from gradkit.roster import Roster, label
from gradkit.runs import EarlierRun, kept_roster
from gradkit.safetext import cell_text, one_line
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
    has no total. The total is of the assignments that have a run; a note names the others.

    Args:
        root: The kit.
        course: Weights and due dates.
        runs: What `grade --roster` wrote.
        now: When.

    Raises:
        InputError: When a run's assignment is not in the course or is there twice, or a run has no roster or is not finished.
    """
    found: dict[str, dict[Submitter, float | str]] = {}
    students: list[Submitter] = []
    notes: list[str] = []
    for folder in runs:
        run = EarlierRun.read(folder)
        id = run.record.assignment
        if course.planned(id) is None:
            raise InputError(f"{folder} is a run of {id}, which is not in the course; it has {', '.join(course.ids)}")
        if id in found:
            raise InputError(f"{folder}: there are two runs of {id}; name one")
        if not run.finished:
            raise InputError(f"{folder} is not finished: go on with gradkit grade --resume")
        roster = kept_roster(folder)
        if not roster:
            raise InputError(f"{folder} knows no students: grade it with --roster")
        known = _known(roster, students)
        students += [student for student in known.values() if student not in students]
        scores, more = _scores(root, run, roster)
        found[id] = {known[student]: score for student, score in scores.items()}
        notes += more
    ids = [id for id in course.ids if id in found]
    notes += [f"no run of {id}: the total leaves it out" for id in course.ids if id not in found]
    parts = [course.planned(id).part for id in ids]
    rows = []
    for student in students:
        shares, why = [], []
        for id, part in zip(ids, parts, strict=True):
            due = course.due(id, [student])
            missing = 0.0 if due is not None and due < now else "nothing was handed in, and it is not due yet"
            score = found[id].get(student, missing)
            shares.append(None if isinstance(score, str) else score)
            why += [f"{id}: {score}"] if isinstance(score, str) and part else []
        whole = sum(parts)
        earned = sum(part * (share or 0) for part, share in zip(parts, shares, strict=True))
        rows.append((student, tuple(shares), earned / whole if whole and not why else None))
        notes += [f"{label(student)} has no total: {'; '.join(why)}"] if why else []
    return Totals(tuple(ids), tuple(rows), tuple(notes))


def _known(roster: Sequence[Submitter], students: Collection[Submitter]) -> dict[Submitter, Submitter]:
    """Each student of a roster as another run's roster has them, whose section, say, was another one then."""
    known = {student: student for student in roster if student in students}
    for student in roster:
        taken = set(known.values())
        same = (other for other in students if other not in taken and _is_same(student, other))
        known.setdefault(student, next(same, student))
    return known


def _is_same(one: Submitter, other: Submitter) -> bool:
    """Whether two entries are one student: the first of these that both have decides."""
    for field in ("sid", "email", "login", "canvas_id", "name"):
        mine, theirs = getattr(one, field).casefold(), getattr(other, field).casefold()
        if mine and theirs:
            return mine == theirs
    return False


def _scores(
    root: Path, run: EarlierRun, students: Sequence[Submitter]
) -> tuple[dict[Submitter, float | str], list[str]]:
    """What share of the points each student of a roster has who handed something in, or why nobody can say."""
    assignment = load_assignment(root, run.record.assignment)
    roster = Roster(students)
    scores: dict[Submitter, float | str] = {}
    notes = []
    for name, graded in run.graded().items():
        row = make_row(graded, assignment)
        behind = dict.fromkeys(one for one in roster.behind(name, row.submitters) if one in roster.students)
        if not behind:
            notes.append(f"{one_line(name)} in {run.folder} belongs to nobody on the roster")
        for student in behind:
            score = why_blank(row, assignment) or final(row, assignment, 1.0)
            scores[student] = "two submissions" if student in scores else score
    return scores, notes


def _percent(share: float | None) -> str:
    return "" if share is None else f"{round(100 * share, 4):g}"
