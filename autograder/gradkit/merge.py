"""Makes one grade of two runs over the same submissions: one where there was no device, one where there was.

A case counts as it went in the run where it ran; where it ran in both, as it went without the device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gradkit import results
from gradkit.digests import Digests
from gradkit.errors import InputError
from gradkit.manifest import Assignment, load_assignment
from gradkit.model import Graded
from gradkit.overrides import OVERRIDES, Overrides, read_overrides
from gradkit.roster import ROSTER, write_roster
from gradkit.runs import RECORD, checks_digest, kept_roster, run_record
from gradkit.splice import combine
from gradkit.tables import Row, make_row, write_tables


@dataclass(frozen=True)
class Merged:
    """What came of it. `problems` has a line for each submission that could not be merged."""

    assignment: Assignment
    rows: tuple[Row, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()  # on students whose gradebook stays blank


def merge(root: Path, cpu: Path, gpu: Path, out: Path) -> Merged:
    """Merge the runs in two folders into a third, which gets what `grade` writes.

    A submission that can't be merged is in the table, not graded, with the reason.

    Args:
        root: The kit.
        cpu: What `grade --device cpu` wrote.
        gpu: What `grade --device cuda` wrote.
        out: A new folder, or an empty one.

    Raises:
        InputError: When the folders hold no runs, runs of different checks, or `out` is in use.
    """
    record = run_record(cpu)
    other = run_record(gpu)
    if record.assignment != other.assignment:
        raise InputError(f"{cpu} is a run of {record.assignment}, {gpu} one of {other.assignment}")
    if record.checks != other.checks:
        raise InputError(
            f"{cpu} and {gpu} were graded with different checks of {record.assignment}; grade one of them anew"
        )
    for folder, run, device in ((cpu, record, "cpu"), (gpu, other, "cuda")):
        if run.device != device:
            raise InputError(f"{folder} was graded on {run.device}, where a run on {device} is due")
    assignment = load_assignment(root, record.assignment)
    if checks_digest(assignment) != record.checks:
        raise InputError(
            f"the checks of {record.assignment} have changed since {cpu} was graded; merge with the kit that graded"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"{out} is not empty; choose another --out")
    except OSError as error:
        raise InputError(f"{out}: can't be used for results: {error.strerror}; choose another --out") from None
    set_here = next((folder / OVERRIDES for folder in (cpu, gpu) if (folder / OVERRIDES).exists()), None)
    names = _submissions(cpu) | _submissions(gpu)
    overrides = read_overrides(set_here, assignment, names) if set_here else Overrides()
    rows, problems = [], []
    for name in sorted(names):
        graded, problem = _merge_one(name, cpu, gpu, record.assignment)
        if problem:
            problems.append(f"{name}: {problem}")
            graded = replace(graded, status="not_graded", reason=f"not merged: {problem}", results=())
        graded = overrides.on(graded)
        problems += overrides.idle(graded)
        (out / name).mkdir()
        results.write(graded, out / name)
        rows.append(make_row(graded, assignment))
    students = kept_roster(cpu) or kept_roster(gpu)
    notes = write_tables(rows, assignment, out, students, points=record.points)
    if students:
        results.write_whole(out / ROSTER, write_roster(students).encode("utf-8"))
    if set_here:
        results.write_whole(out / OVERRIDES, set_here.read_bytes())
    if record.digests != other.digests:  # the results are of two versions of something
        record = msgspec.structs.replace(record, digests=Digests())
    results.write_whole(out / RECORD, msgspec.json.encode(record))
    return Merged(assignment, tuple(rows), tuple(problems), notes)


def _submissions(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.glob("*/results.json")}


def _merge_one(name: str, cpu: Path, gpu: Path, assignment: str) -> tuple[Graded, str]:
    """The grade of one submission, and why it can't be had, empty if it can."""
    ones, others = results.read(cpu / name), results.read(gpu / name)
    known = ones or others or Graded(name, assignment, "not_graded")
    for graded, folder in ((ones, cpu), (others, gpu)):
        if graded is None and not (folder / name).is_dir():
            return known, f"it is not in {folder}"
        if graded is None:
            return known, f"{folder / name / 'graded.json'} is missing or damaged"
        if not graded.complete:
            return known, f"it is not finished in {folder}; run grade there again with --resume"
    if ones.digest != others.digest:
        return known, "the two runs graded different files"
    if ones.status != others.status and "not_graded" not in (ones.status, others.status):
        return known, f"it is {ones.status} in {cpu} and {others.status} in {gpu}"
    stays = next((graded for graded in (ones, others) if graded.status == "not_graded"), None)
    if stays is not None:  # what is not graded in one run stays so
        return replace(stays, submitters=ones.submitters or others.submitters), ""
    return combine(ones, others), ""
