"""What a run keeps of itself in its folder, beside the results: what it was of (run.json), and who takes the course."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradkit import results
from gradkit.digests import Digests
from gradkit.errors import InputError
from gradkit.manifest import Assignment
from gradkit.model import Graded, Submitter
from gradkit.roster import ROSTER, read_roster
from gradkit.safetext import cell_text

RECORD = "run.json"


class Regrade(msgspec.Struct, frozen=True):
    """That a run took its results from an earlier one, as far as a change allowed, and why."""

    earlier: str  # its folder
    reason: str


class RunRecord(msgspec.Struct):
    """`run.json`: what must be the same for a run to be resumed, and what a later regrade and a comparison need."""

    assignment: str
    checks: str  # hash of the assignment's files
    seed: int
    device: str  # which decides what the scores are out of
    points: float = 0.0  # what the assignment counts for in the gradebook, if the course says so
    sources: list[str] = []  # what was graded, as absolute paths
    digests: Digests = Digests()  # of what decided the results; empty where several versions did
    regrades: list[Regrade] = []  # from the first to the one that made this run


def run_record(folder: Path) -> RunRecord:
    """What a run into `folder` was of.

    Raises:
        InputError: When there is none.
    """
    path = folder / RECORD
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunRecord)
    except OSError:
        raise InputError(f"{folder} holds no run: {path.name} is missing; name a folder that grade wrote") from None
    except msgspec.MsgspecError:
        raise InputError(f"{path}: not a run's record; name a folder that grade wrote") from None


@dataclass(frozen=True)
class EarlierRun:
    """A run that another one takes results from."""

    folder: Path
    record: RunRecord

    @classmethod
    def read(cls, folder: Path) -> EarlierRun:
        """The run in `folder`.

        Raises:
            InputError: When there is none.
        """
        return cls(folder, run_record(folder))

    def of(self, name: str) -> Graded | None:
        """What it made of a submission."""
        return results.read(self.folder / name)

    def graded(self) -> dict[str, Graded]:
        """What it made of each, by name; an empty grade of one whose record is damaged."""
        names = {path.parent.name for kind in ("results", "graded") for path in self.folder.glob(f"*/{kind}.json")}
        listed = self._listed()
        return {
            name: self.of(name) or Graded(name, self.record.assignment, "not_graded")
            for name in sorted(names)
            if listed is None or cell_text(name) in listed  # else an earlier run left it behind
        }

    @property
    def finished(self) -> bool:
        """Whether it has a table, and a whole record of each submission that is in it."""
        whole = {cell_text(name) for name, graded in self.graded().items() if graded.complete and self.of(name)}
        listed = self._listed()
        return listed is not None and listed - {""} <= whole

    def _listed(self) -> set[str] | None:
        """The cells of submissions in grades.csv; None where there is no such table."""
        try:
            with open(self.folder / "grades.csv", encoding="utf-8", newline="") as file:
                return {row.get("submission") or "" for row in csv.DictReader(file)}
        except (OSError, csv.Error, UnicodeDecodeError):
            return None


def kept_roster(out: Path) -> tuple[Submitter, ...]:
    """The roster that a run was given, if it was."""
    return read_roster(out / ROSTER) if (out / ROSTER).exists() else ()


def checks_digest(assignment: Assignment) -> str:
    """A hash of everything that a grade depends on besides the submission."""
    total = hashlib.blake2b(digest_size=16)
    for folder in (assignment.public, assignment.hidden):
        for path in sorted(folder.rglob("*.py")) + sorted(folder.glob("*.toml")):
            if path != assignment.stub:
                total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
