"""What a run keeps of itself in its folder, beside the results: what it was of (run.json), and who takes the course."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from gradkit.errors import InputError
from gradkit.manifest import Assignment
from gradkit.model import Submitter
from gradkit.roster import ROSTER, read_roster

RECORD = "run.json"


class RunRecord(msgspec.Struct):
    """`run.json`: what must be the same for a run to be resumed."""

    assignment: str
    checks: str  # hash of the assignment's files
    seed: int
    device: str  # which decides what the scores are out of
    points: float = 0.0  # what the assignment counts for in the gradebook, if the course says so


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
