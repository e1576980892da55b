"""Reads what a run left in its folder."""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gradkit import results
from gradkit.errors import InputError
from gradkit.model import Check, CheckResult, Graded
from gradkit.safetext import cell_text

TABLE = "grades.csv"


@dataclass(frozen=True)
class Entry:
    """One submission of a run.

    Attributes:
        name: Its folder's name.
        graded: What came of it, None where there is no whole record.
        submitters: Who handed it in, as grades.csv says.
        listed: Whether it is a row of grades.csv; what an earlier run left behind is not.
    """

    name: str
    graded: Graded | None
    submitters: str = ""
    listed: bool = True

    @functools.cached_property
    def by_check(self) -> dict[str, CheckResult]:
        """Its results by the check's id."""
        return {result.check.id: result for result in self.graded.results} if self.graded else {}

    @property
    def counts(self) -> bool:
        """Whether it stands in the statistics: all its checks were run and judged."""
        return self.listed and self.graded is not None and self.graded.status == "graded" and self.graded.complete


@dataclass(frozen=True)
class Run:
    """A run over one assignment. `checks` are in the order of their numbers, as every record has them."""

    assignment: str
    entries: tuple[Entry, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def counted(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.counts]


def read_run(folder: Path) -> Run:
    """Read the folder that `gradkit grade --out` wrote.

    Raises:
        InputError: When it holds no run, or runs of several assignments.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the one that gradkit grade --out wrote")
    rows, notes = _read_table(folder / TABLE)
    names = {path.parent.name for path in folder.glob("*/graded.json")}
    by_cell = {cell_text(name): name for name in names}
    # A row without a readable name of a folder keeps the row's text: it is a submission without a record.
    listed = {by_cell.get(cell, cell): submitters for cell, submitters in rows.items()}
    entries = [
        Entry(name, results.read(folder / name), listed.get(name, ""), not rows or name in listed)
        for name in sorted(names | set(listed))
    ]
    if not entries:
        raise InputError(f"{folder}: no graded submissions here; give the folder that gradkit grade --out wrote")
    assignments = sorted({entry.graded.assignment for entry in entries if entry.graded})
    if len(assignments) > 1:
        raise InputError(f"{folder}: results of several assignments ({', '.join(assignments)}); a report is about one")
    return Run(assignments[0] if assignments else "", tuple(entries), _checks(entries), tuple(notes))


def _read_table(path: Path) -> tuple[dict[str, str], list[str]]:
    """Submitters by the submission's cell in grades.csv, and what is to be said about the table."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            table = list(csv.DictReader(file))
        # a student of the roster who handed in nothing has a row without a submission
        return {row["submission"]: row["submitters"] or "" for row in table if row["submission"]}, []
    except FileNotFoundError:
        return {}, [f"{TABLE} is missing: the run was killed or is still going, and submitters are not known"]
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from None
    except (KeyError, csv.Error, UnicodeDecodeError):
        raise InputError(
            f"{path}: not a table that gradkit grade wrote; remove it, and submissions are taken from their folders"
        ) from None


def _checks(entries: Sequence[Entry]) -> tuple[Check, ...]:
    found: dict[str, Check] = {}
    for entry in entries:
        for result in entry.graded.results if entry.graded else ():
            found.setdefault(result.check.id, result.check)
    return tuple(found.values())
