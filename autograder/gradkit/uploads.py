"""The CSV files that gradebooks take, made from grades: Canvas's import, and a table with Gradescope's own columns.

A score that is not known, or not out of all points, is left empty: nobody is given a 0 that nobody has looked at.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gradkit.model import Submitter
from gradkit.safetext import cell_text

CANVAS, GRADESCOPE = "canvas.csv", "gradescope.csv"

# Canvas finds a student by its own ID, else by SIS user, SIS login or name, in this order.
CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")

# Gradescope's own "Download Grades" of an assignment, whose names these are.
GRADESCOPE_COLUMNS = (
    "First Name",
    "Last Name",
    "SID",
    "Email",
    "Sections",
    "Total Score",
    "Max Points",
    "Status",
    "Submission ID",
)


@dataclass(frozen=True)
class Entry:
    """A submission's score for those who handed it in.

    Attributes:
        submission: Empty for a student who handed in nothing.
        score: None where there is none that they can be given.
        reason: Why there is none.
    """

    submission: str
    submitters: tuple[Submitter, ...]
    score: float | None
    reason: str = ""


def files(entries: Sequence[Entry], title: str, points: float) -> dict[str, str]:
    """The content of each file by its name; none where no student is known.

    Args:
        entries: A submission's score for each, out of `points`.
        title: The assignment's.
        points: What it counts for.
    """
    if not any(entry.submitters for entry in entries):
        return {}
    return {CANVAS: canvas(entries, title, points), GRADESCOPE: gradescope(entries, points)}


def canvas(entries: Sequence[Entry], title: str, points: float) -> str:
    """A row per student for Canvas's gradebook import (Gradebook, Import)."""
    rows = [
        [*CANVAS_COLUMNS, title],
        ["    Points Possible", "", "", "", "", f"{points:g}"],
    ]
    rows += [
        [student.name, student.canvas_id, student.sid, student.login or student.email, student.section, _number(score)]
        for student, _, score in _students(entries)
    ]
    return _csv(rows)


def gradescope(entries: Sequence[Entry], points: float) -> str:
    """A row per student as Gradescope's own table of grades has it."""
    rows: list[Sequence[str]] = [GRADESCOPE_COLUMNS]
    for student, submission, score in _students(entries):
        first, _, last = student.name.partition(" ")
        status = ("Ungraded" if submission else "Missing") if score is None else "Graded"
        number = submission.removeprefix("submission_")
        cells = [_number(score), f"{points:g}", status, number]
        rows.append([first, last, student.sid, student.email, student.section, *cells])
    return _csv(rows)


def blank(entries: Sequence[Entry]) -> list[tuple[Submitter, str]]:
    """Every student who is left empty in these files, and why."""
    left = []
    for student, _, score in _students(entries):
        if score is None:
            theirs = [entry for entry in entries if any(_key(who) == _key(student) for who in entry.submitters)]
            twice = f"handed in as {' and as '.join(entry.submission for entry in theirs)}: grade one of them alone"
            left.append((student, theirs[0].reason if len(theirs) == 1 else twice))
    return left


def _students(entries: Iterable[Entry]) -> list[tuple[Submitter, str, float | None]]:
    """Each student with submission and score; a student with two submissions gets neither's score."""
    found = [(student, entry) for entry in entries for student in entry.submitters]
    times = Counter(_key(student) for student, _ in found)
    once: dict[tuple[str, str], tuple[Submitter, str, float | None]] = {}
    for student, entry in found:
        score = entry.score if times[_key(student)] == 1 else None
        once.setdefault(_key(student), (student, entry.submission, score))
    return [once[key] for key in sorted(once)]


def _key(student: Submitter) -> tuple[str, str]:
    return ("", student.email.casefold()) if student.email else (student.sid or student.canvas_id, student.name)


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:g}"


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([cell_text(text) for text in row] for row in rows)
    return out.getvalue()
