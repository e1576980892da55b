"""Who takes the course: read from a file that Canvas or Gradescope exports, and found again in what was handed in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gradkit.errors import InputError
from gradkit.model import Submitter
from gradkit.safetext import one_line
from gradkit.staffiles import read_csv

ROSTER = "roster.csv"  # what a run keeps of it, so that a later step knows it too

# What the columns are called, in lower case: here, in Canvas's gradebook, in Gradescope's roster and grades.
_COLUMNS = {
    "name": ("name", "student", "student name", "full name"),
    "first": ("first name",),
    "last": ("last name", "surname"),
    "email": ("email", "e-mail", "email address", "student email"),
    "sid": ("sid", "student id", "sis user id"),
    "login": ("login", "sis login id"),
    "canvas_id": ("canvas_id", "id"),
    "section": ("section", "sections"),
    "role": ("role",),
}
_STAFF = ("instructor", "ta", "reader", "teacher")  # of Gradescope's roles
_CANVAS_NUMBER = re.compile(r".*_(\d+)")  # of a download's file: the student's number in Canvas


def read_roster(path: Path) -> tuple[Submitter, ...]:
    """The students of a CSV file with a column of names, e-mail addresses or numbers.

    Raises:
        InputError: When it can't be read, has no such column, or names a student twice.
    """
    (_, header), *lines = read_csv(path) or [(1, [])]
    known = {field: _place(header, names) for field, names in _COLUMNS.items()}
    if all(known[field] is None for field in ("name", "last", "email", "sid")):
        found = ", ".join(one_line(name, 30) for name in header[:8]) or "none"
        raise InputError(f"{path}: no column is called Name, Student, Email or SID; its columns: {found}")
    students: dict[tuple, int] = {}
    for number, line in lines:
        student = _student(line, known, turned=tuple(header) != Submitter._fields)
        if student is None:
            continue
        if student in students:
            raise InputError(f"{path}:{number}: {label(student)} stands in line {students[student]} too; delete one")
        students[student] = number
    if not students:
        raise InputError(f"{path}: names no student")
    return tuple(students)


def write_roster(students: Sequence[Submitter]) -> str:
    """The content of a file that `read_roster` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Submitter._fields)
    writer.writerows(students)
    return out.getvalue()


def label(student: Submitter) -> str:
    """What a student is called in a line for staff."""
    return one_line(student.name or student.email or student.sid or student.login or student.canvas_id)


class Roster:
    """Finds the students behind submissions.

    Args:
        students: As read.
    """

    def __init__(self, students: Sequence[Submitter]) -> None:
        self.students = tuple(students)
        self._by: dict[str, dict[str, list[Submitter]]] = {
            field: _index((getattr(student, field), student) for student in students)
            for field in ("email", "sid", "login", "canvas_id")
        }
        self._by_name = _index((name, student) for student in students for name in _spellings(student))

    def behind(self, submission: str, submitters: Sequence[Submitter]) -> tuple[Submitter, ...]:
        """The students who handed a submission in; those whom an export names and the roster does not are kept.

        An export's e-mail address or SID decides, then Canvas's number in the name of a file, then a submission that is
        named after a login, an address, a SID or one student's name.
        """
        if submitters:
            return tuple(self._known(who) or who for who in submitters)
        if (canvas := _CANVAS_NUMBER.fullmatch(submission)) and (found := self._one("canvas_id", canvas[1])):
            return (found,)
        for field in ("login", "email", "sid"):
            if found := self._one(field, submission):
                return (found,)
        named = self._by_name.get(_plain(submission), [])
        return (named[0],) if len(named) == 1 else ()

    def _known(self, who: Submitter) -> Submitter | None:
        """A student of the roster whom an export names; at many schools the login is the address."""
        found = (("email", who.email), ("login", who.email), ("sid", who.sid))
        return next((one for field, value in found if (one := self._one(field, value))), None)

    def _one(self, field: str, value: str) -> Submitter | None:
        found = self._by[field].get(_plain(value), [])
        return found[0] if len(found) == 1 else None


def _place(header: Sequence[str], names: Sequence[str]) -> int | None:
    lower = [name.strip().lower() for name in header]
    return next((lower.index(name) for name in names if name in lower), None)


def _student(line: Sequence[str], known: dict[str, int | None], *, turned: bool) -> Submitter | None:
    """A line's student; None for an empty line, one of staff, and Canvas's lines that are no student.

    `turned`: a comma in the one column of names turns them around, as Canvas writes them; in a file of ours it is a comma.
    """

    def cell(field: str) -> str:
        place = known[field]
        return " ".join(line[place].split()) if place is not None and place < len(line) else ""

    name = cell("name")
    if not name:
        name = f"{cell('first')} {cell('last')}".strip()
    elif turned and "," in name:
        last, _, first = name.partition(",")
        name = f"{first.strip()} {last.strip()}".strip()
    student = Submitter(name, cell("email"), cell("sid"), cell("login"), cell("canvas_id"), cell("section"))
    if not any(student[:5]) or cell("role").lower() in _STAFF:
        return None
    if name in ("Points Possible", "Test Student") or name.startswith("Student Test"):
        return None
    return student


def _spellings(student: Submitter) -> Iterable[str]:
    """How a student's name may stand in a file's: in either order, with or without what separates."""
    words = student.name.split()
    return {student.name, "".join(words), "".join([*words[-1:], *words[:-1]]), " ".join([*words[-1:], *words[:-1]])}


def _index(pairs: Iterable[tuple[str, Submitter]]) -> dict[str, list[Submitter]]:
    found: dict[str, list[Submitter]] = {}
    for key, student in pairs:
        if key:
            found.setdefault(_plain(key), []).append(student)
    return found


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").split()).casefold()
