"""What travels between the grading process and a worker of the cluster: the job, a submission's files, and the replies.

What a worker answers is msgpack of known types. What travels to it is pickled, as everything is with Dask: a cluster
trusts its scheduler and its clients.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import coursekit
import msgspec

import gradkit
from gradkit.errors import GradkitError
from gradkit.judge.messages import REPAIR_S, CaseDone, UnitDone
from gradkit.model import Check

if TYPE_CHECKING:
    pass

GPU = "GPU"  # the resource that workers with a device are started with


class Job(msgspec.Struct, frozen=True):
    """What a worker must have to grade: the client's own kit."""

    root: str
    assignment: str
    device: str
    checks: str  # digest of the assignment
    engine: str  # digest of the code
    at_least: str = ""  # the weakest level of isolation to grade at
    repair_s: float = REPAIR_S  # processor time for each submission, to look for a wrong line


class Fit(msgspec.Struct, tag=True):
    """A worker that can grade."""


class Opened(msgspec.Struct, tag=True):
    """A judge is ready on the worker."""

    checks: list[Check]
    isolation: dict


class Done(msgspec.Struct, tag=True):
    """A submission was graded: its cases, in order, and what came of all together."""

    cases: list[CaseDone]
    unit: UnitDone


class Failed(msgspec.Struct, tag=True):
    """What went wrong on the worker. `died`: the judge, in the middle of its work."""

    message: str
    died: bool = False


Reply = Fit | Opened | Done | Failed


def engine_digest() -> str:
    """A hash of the code that grades: gradkit and coursekit, as they are installed here."""
    total = hashlib.blake2b(digest_size=16)
    for package in (gradkit, coursekit):
        folder = Path(package.__file__).parent
        for path in sorted(folder.rglob("*.py")):
            total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


# --- a submission on its way -----------------------------------------------------------------------------------


def pack(folder: Path) -> list[tuple[bytes, bytes]]:
    """The files of a prepared submission: their paths in it, and their content."""
    return [
        (os.fsencode(path.relative_to(folder)), path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def lay_out(files: list[tuple[bytes, bytes]], place: Path) -> None:
    """Write the files of a submission under the fresh folder `place`, readable by workers.

    Raises:
        GradkitError: When a path leads out of `place`; they come from `pack`, so that is no submission's doing.
    """
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    for name, content in files:
        path = Path(os.fsdecode(name))
        if path.is_absolute() or ".." in path.parts:
            raise GradkitError(f"{path}: not a path in a submission")
        here = place
        for part in path.parts[:-1]:
            here = here / part
            here.mkdir(exist_ok=True)
            here.chmod(0o755)
        target = here / path.name
        target.write_bytes(content)
        target.chmod(0o644)
