"""Points that staff set by hand: a CSV file that is kept with the run and applied after the checks, before late penalties.

The columns are submission, check, points, reason and who. The check is a number such as 2.3 or an id, `task:ID` for a whole
task, or empty for the total.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradkit.errors import InputError
from gradkit.examine.checks import written_checks
from gradkit.examine.sources import Sources
from gradkit.manifest import Assignment
from gradkit.model import Graded, Override
from gradkit.safetext import cell_text, one_line, page_text
from gradkit.staffiles import read_csv

OVERRIDES = "overrides.csv"  # what a run keeps
COLUMNS = ("submission", "check", "points", "reason", "who")


@dataclass(frozen=True)
class Line:
    """A line of the file. `place` is its file and number, `override` what it sets."""

    place: str
    submission: str
    override: Override


class Overrides:
    """What staff set in one run.

    Args:
        lines: As read and settled.
    """

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.lines = tuple(lines)
        self._of: dict[str, list[Override]] = {}
        for line in self.lines:
            self._of.setdefault(line.submission, []).append(line.override)

    def on(self, graded: Graded) -> Graded:
        """The grade with what is set for it, and with nothing that was set before.

        Of a submission without results only the total can be set: `idle` names the lines that do nothing.
        """
        mine = {one.of: one for one in self._of.get(graded.submission, ())}
        results = tuple(replace(result, given=mine.get(result.check.id)) for result in graded.results)
        if graded.status != "graded":
            results = tuple(replace(result, given=None) for result in results)
            mine = {of: one for of, one in mine.items() if not of}
        others = tuple(one for of, one in mine.items() if not of or of.startswith("task:"))
        return replace(graded, results=results, overrides=others)

    def idle(self, graded: Graded) -> list[str]:
        """A line for each override that can't be applied to this grade, with what to do."""
        if graded.status == "graded":
            return []
        why = (
            f"{graded.submission} is {graded.status.replace('_', ' ')}, so only its total can be set: leave check empty"
        )
        return [
            f"{line.place}: {why}" for line in self.lines if line.submission == graded.submission and line.override.of
        ]


def read_overrides(path: Path, assignment: Assignment, submissions: Collection[str]) -> Overrides:
    """The overrides of a file, each for a submission and a check that there are.

    Args:
        path: The file.
        assignment: Whose checks they are of.
        submissions: Names of all that the run is about.

    Raises:
        InputError: Naming the line that can't be read, matches nothing, is out of range, or contradicts another.
    """
    rows = _rows(path)
    checks = _checks(assignment)
    by_cell = {cell_text(name): name for name in submissions} | {name: name for name in submissions}
    seen: dict[tuple[str, str], int] = {}
    lines = []
    for number, row in rows:
        place = f"{path}:{number}"
        name = by_cell.get(row["submission"])
        if name is None:
            raise InputError(
                f"{place}: no submission is called {one_line(row['submission'])}; take the name in grades.csv"
            )
        of, word, possible = _settled(row["check"], assignment, checks, place)
        points = _number(row["points"], possible, word, place)
        for column in ("reason", "who"):
            if not row[column]:
                raise InputError(f"{place}: {column} is empty: say {_WHY[column]}")
        for other, line in seen.items():
            if other[0] == name and (clash := _clash(of, other[1], checks)):
                raise InputError(f"{place}: line {line} {clash} for {one_line(name)}; keep one")
        seen[name, of] = number
        lines.append(
            Line(
                place,
                name,
                Override(of, points, possible, *(page_text(" ".join(row[name].split())) for name in ("reason", "who"))),
            )
        )
    return Overrides(lines)


_WHY = {"reason": "why the points differ; students read it", "who": "who decided"}


@dataclass(frozen=True)
class _Known:
    id: str
    number: str
    task: str
    points: float


def _checks(assignment: Assignment) -> list[_Known]:
    """The checks as their text says: `grade` refuses an assignment whose decorators are not written out."""
    sources, found = Sources(), []
    for side, path in (("public", assignment.public_tests), ("hidden", assignment.hidden_tests)):
        tree = sources.tree(path)
        for check in written_checks(path, tree) if tree is not None else ():
            given = check.given
            known = str(given.get("number")), str(given.get("tags")), float(given.get("weight") or 0)
            found.append(_Known(f"{side}:{check.name}", *known))
    return found


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines of the file that are not empty, each with its number."""
    rows = [(number, [field.strip() for field in fields]) for number, fields in read_csv(path)]
    header = [name.lower() for name in rows[0][1]] if rows else []
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InputError(f"{path}:1: no column is called {missing[0]}; the columns are {', '.join(COLUMNS)}")
    found = []
    for number, fields in rows[1:]:
        if not any(fields):
            continue
        if len(fields) != len(header):
            raise InputError(f"{path}:{number}: {len(fields)} cells where the first line has {len(header)}")
        found.append((number, dict(zip(header, fields, strict=True))))
    return found


def _settled(check: str, assignment: Assignment, checks: Sequence[_Known], place: str) -> tuple[str, str, float]:
    """What a cell of the column check means: the key, a word for it, and its points."""
    if not check:
        return "", "the total", float(assignment.manifest.points)
    if check.startswith("task:"):
        id = check.removeprefix("task:").strip()
        points = {task.id: float(task.points) for task in assignment.manifest.tasks}
        if id not in points:
            raise InputError(f"{place}: no task is called {one_line(id)}; there are {', '.join(points)}")
        return f"task:{id}", f"task {id}", points[id]
    found = next((known for known in checks if check in (known.number, known.id)), None)
    if found is None:
        raise InputError(
            f"{place}: no check {one_line(check)}; give a number such as {checks[0].number}, an id such as {checks[0].id}, "
            "task:ID, or nothing for the total"
        )
    return found.id, f"check {found.number}", found.points


def _number(text: str, possible: float, word: str, place: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not 0 <= points <= possible:
        raise InputError(
            f"{place}: points must be a number from 0 to {possible:g}, those of {word}; got {one_line(text)}"
        )
    return points


def _clash(one: str, other: str, checks: Sequence[_Known]) -> str:
    """How an earlier line contradicts this one, or empty."""
    tasks = {known.id: f"task:{known.task}" for known in checks}
    if one == other:
        return "sets the same"
    if not one or not other:
        return "sets the total" if not other else "sets a part of it"
    if tasks.get(one) == other:
        return "sets the whole task"
    return "sets a part of the task" if tasks.get(other) == one else ""
