"""Makes one grade of two runs over the same submissions: one where there was no device, one where there was.

A case counts as it went in the run where it ran; where it ran in both, as it went without the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gradkit import results
from gradkit.errors import InputError
from gradkit.manifest import Assignment, load_assignment
from gradkit.model import CheckResult, Graded, Outcome
from gradkit.roster import ROSTER, write_roster
from gradkit.runs import RECORD, checks_digest, kept_roster, run_record
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
    rows, problems = [], []
    for name in sorted(_submissions(cpu) | _submissions(gpu)):
        graded, problem = _merge_one(name, cpu, gpu, record.assignment)
        if problem:
            problems.append(f"{name}: {problem}")
            graded = replace(graded, status="not_graded", reason=f"not merged: {problem}", results=())
        (out / name).mkdir()
        results.write(graded, out / name)
        rows.append(make_row(graded, assignment))
    students = kept_roster(cpu) or kept_roster(gpu)
    notes = write_tables(rows, assignment, out, students, points=record.points)
    if students:
        results.write_whole(out / ROSTER, write_roster(students).encode("utf-8"))
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
    return combine(ones, others), ""


def combine(cpu: Graded, gpu: Graded) -> Graded:
    """One grade of two of the same files. What is not graded in one run stays so."""
    for graded in (cpu, gpu):
        if graded.status == "not_graded":
            return replace(graded, submitters=cpu.submitters or gpu.submitters)
    there = {result.check.id: result for result in gpu.results}
    merged = tuple(_check(result, there.get(result.check.id)) for result in cpu.results)
    return replace(
        cpu,
        results=merged,
        submitters=cpu.submitters or gpu.submitters,
        flags=_union(cpu, gpu, lambda graded: graded.flags),
        notes=_union(cpu, gpu, lambda graded: graded.notes),
        elapsed_s=cpu.elapsed_s + gpu.elapsed_s,
        worker_cpu_s=cpu.worker_cpu_s + gpu.worker_cpu_s,
        peak_mib=max(cpu.peak_mib, gpu.peak_mib),
    )


def _check(here: CheckResult, there: CheckResult | None) -> CheckResult:
    ran = {case.case: case for case in there.cases if case.outcome is not Outcome.NOT_RUN} if there else {}
    cases = tuple(ran.get(case.case, case) if case.outcome is Outcome.NOT_RUN else case for case in here.cases)
    return replace(here, cases=cases)


def _union(cpu: Graded, gpu: Graded, of: Callable[[Graded], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*of(cpu), *of(gpu)]))
