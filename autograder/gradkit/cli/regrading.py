"""For whoever found a check to be wrong: regrade what it concerns, and see whose grade changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from gradkit import devices
from gradkit.cli.app import Root, app, chosen, err, out
from gradkit.cli.course import CourseFile
from gradkit.cli.grading import (
    AtLeast,
    Jobs,
    LineSeconds,
    OverridesFile,
    Scheduler,
    check_level,
    judges_for,
    manifest_if_here,
    print_batch,
    run_batch,
)
from gradkit.errors import InputError
from gradkit.judge.messages import REPAIR_S

if TYPE_CHECKING:
    from gradkit.report.changes import Changes
    from gradkit.runs import EarlierRun

MOST = 10  # names in a line


@app.command()
def regrade(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What gradkit grade --out wrote.")],
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(help="Where the submissions are now; by default where they were."),
    ] = None,
    out_dir: Annotated[Path | None, typer.Option("--out", help="A new folder for the results.")] = None,
    reason: Annotated[str, typer.Option(help="Why: kept in the new run, and shown by gradkit diff.")] = "",
    root: Root = None,
    jobs: Jobs = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted regrade.")] = False,
    scheduler: Scheduler = None,
    at_least: AtLeast = "",
    line_seconds: LineSeconds = REPAIR_S,
    course: CourseFile = None,
    overrides: OverridesFile = None,
) -> None:
    """Grade a run again after a change of its checks, reference or mistakes: only what the change can reach."""
    from gradkit.batch import Batch
    from gradkit.course import TIMES, find_course
    from gradkit.examine.faults import grading_faults, refuse_faults
    from gradkit.overrides import OVERRIDES
    from gradkit.roster import ROSTER
    from gradkit.runs import EarlierRun

    check_level(at_least)
    earlier = EarlierRun.read(run)
    base, (assignment,) = chosen(root, [earlier.record.assignment])
    if out_dir is None:
        raise InputError("--out is missing: name a new folder for the results")
    if not reason.strip() and not resume:
        raise InputError('--reason is missing: say in a sentence what was wrong, such as --reason "2.3 was too strict"')
    paths = submissions or _sources(earlier)
    refuse_faults(assignment, grading_faults(assignment))
    if not earlier.record.digests.checks:
        err.print(f"note: {run} does not say what its checks were, so everything is graded anew", markup=False)
    device = earlier.record.device
    if device == "cuda" and scheduler is None and not devices.present():
        raise InputError(f"{run} was graded on a GPU, and no NVIDIA device is here; regrade where there is one")
    with judges_for(base, assignment, scheduler, device, jobs, at_least, line_seconds) as judges:
        batch = Batch(
            assignment,
            paths,
            out_dir,
            judges,
            resume=resume,
            roster=_kept(run / ROSTER),
            course=find_course(base, course),
            times=_kept(run / TIMES),
            overrides=overrides or (None if resume else _kept(run / OVERRIDES)),
            earlier=earlier,
            reason=" ".join(reason.split()),
        )
        _print_change(batch.reached, run)
        result = run_batch(batch, judges, f"regrading {assignment.id}")
    print_batch(batch, result, out_dir, [*_counted(batch.regraded), *batch.changed_under])


def _kept(path: Path) -> Path | None:
    return path if path.exists() else None


def _sources(earlier: EarlierRun) -> list[Path]:
    """What the earlier run graded.

    Raises:
        InputError: When that is not known, or not there any more.
    """
    where = f"name the submissions: gradkit regrade {earlier.folder} SUBMISSIONS… --out NEW"
    paths = [Path(path) for path in earlier.record.sources]
    if not paths:
        raise InputError(f"{earlier.folder} does not say where its submissions were; {where}")
    for path in paths:
        if not path.exists():
            raise InputError(f"{path}, which {earlier.folder} graded, is not there any more; {where}")
    return paths


def _print_change(reached: Sequence[str], run: Path) -> None:
    """Which checks and mistakes have changed since the run."""
    listed = f"{', '.join(reached[:MOST])}{', …' if len(reached) > MOST else ''}"
    err.print(f"changed since {run}: {listed or 'nothing that decides a result'}", markup=False)


def _counted(regraded: dict[str, str]) -> list[str]:
    """What was done with how many submissions, and why some were graded anew in full."""
    from gradkit.splice import FULL, KEPT, PART

    kinds = Counter(how.partition(":")[0] for how in regraded.values())
    parts = [
        f"{kinds[KEPT]} kept as they were",
        f"{kinds[PART]} with the changed checks run again",
        f"{kinds[FULL]} graded anew in full",
    ]
    whys: dict[str, list[str]] = {}
    for name, how in sorted(regraded.items()):
        kind, _, why = how.partition(": ")
        if kind == FULL:
            whys.setdefault(why, []).append(name)
    lines = [
        f"  {len(names)}: {why} ({', '.join(names[:MOST])}{', …' if len(names) > MOST else ''})"
        for why, names in sorted(whys.items(), key=lambda pair: -len(pair[1]))
    ]
    return [", ".join(parts), *lines]


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A run: what gradkit grade or regrade wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another run of the same assignment.")],
    csv_file: Annotated[Path | None, typer.Option("--out", metavar="CSV", help="Write a table of everybody.")] = None,
    page: Annotated[Path | None, typer.Option("--page", metavar="HTML", help="Write a page.")] = None,
    root: Root = None,
) -> None:
    """Say whose score changed between two runs, on which check and by how much."""
    from gradkit.report.changes import compare_runs, table
    from gradkit.report.pages import render_changes
    from gradkit.results import write_whole

    for path in (csv_file, page):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
    changes = compare_runs(old, new)
    manifest = manifest_if_here(root, changes.assignment)
    _print_changes(changes)
    if csv_file is not None:
        write_whole(csv_file, table(changes).encode("utf-8"))
        out.print(f"{csv_file}: a row for each submission, and for each check of it that changed", markup=False)
    if page is not None:
        text = render_changes(changes, manifest.title if manifest else changes.assignment)
        write_whole(page, text.encode("utf-8"))
        out.print(f"{page}: the same, to look at", markup=False)


def _print_changes(changes: Changes) -> None:
    """Who changed, as a table, and how many did not."""
    from gradkit.report.changes import KINDS, signed

    for reason in changes.reasons:
        out.print(f"reason: {reason}", markup=False)
    rows = [row for row in changes.rows if row.kind != "same"]
    if rows:
        table = Table(box=None, pad_edge=False)
        table.add_column("submission", no_wrap=True)
        for name in ("before", "after", "change"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("what", overflow="fold")
        for row in rows:
            told = row.what if row.kind == "score" else "; ".join(part for part in (KINDS[row.kind], row.what) if part)
            delta = signed(row.delta) if row.delta else ""
            table.add_row(Text(row.name), Text(row.before.text), Text(row.after.text), delta, Text(told))
        out.print(table)
    for total in changes.totals:
        out.print(
            f"check {total.check.number}, {total.check.title}: {total.gained} gained points, {total.lost} lost points",
            markup=False,
        )
    out.print("; ".join(f"{words}: {count}" for words, count in changes.counts), markup=False)
