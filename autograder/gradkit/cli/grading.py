"""For whoever grades: grade, merge, report, and what runs in Gradescope's container."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from gradkit import devices
from gradkit.cli.app import DryRun, Root, app, chosen, err, isolation_line, out, rehearse
from gradkit.cli.course import CourseFile
from gradkit.errors import InputError
from gradkit.judge.messages import REPAIR_S
from gradkit.manifest import Assignment, Manifest, find_root, load_assignment
from gradkit.uploads import CANVAS, GRADESCOPE

if TYPE_CHECKING:
    from gradkit.batch import Batch, BatchResult
    from gradkit.judges import Judges
    from gradkit.similarity import Pair
    from gradkit.tables import Row


Jobs = Annotated[int, typer.Option(min=1, help="Judge processes at a time.")]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Grade on the workers of a Dask cluster: tcp://host:8786."),
]
AtLeast = Annotated[
    str,
    typer.Option(
        "--require-isolation",
        metavar="LEVEL",
        help="Refuse to grade with less: separate-user, bubblewrap or same-user.",
    ),
]
LineSeconds = Annotated[
    float,
    typer.Option(min=0, help="Processor time per submission to look for the wrong line where no hint fits; 0: never."),
]
OverridesFile = Annotated[
    Path | None,
    typer.Option(
        "--overrides",
        metavar="CSV",
        help="Points that staff set: columns submission, check, points, reason and who.",
    ),
]


@app.command()
def grade(
    id: Annotated[str, typer.Argument(metavar="ID", help="The assignment.")],
    submissions: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A .py, .ipynb, folder, .zip or .tar.gz, a Gradescope export or a download from Canvas; any number."
        ),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Where results go: a folder per submission, and grades.csv.")
    ] = None,
    root: Root = None,
    jobs: Jobs = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="For the checks' inputs; drawn in secret when not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    scheduler: Scheduler = None,
    at_least: AtLeast = "",
    line_seconds: LineSeconds = REPAIR_S,
    roster: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Who takes the course, as Canvas or Gradescope exports it: each student gets a row.",
        ),
    ] = None,
    course: CourseFile = None,
    times: Annotated[
        Path | None,
        typer.Option(
            "--submitted-at",
            metavar="CSV",
            help="When submissions were handed in, if not as the export says: columns submission and time.",
        ),
    ] = None,
    overrides: OverridesFile = None,
    dry_run: DryRun = False,
) -> None:
    """Grade submissions."""
    from gradkit.batch import Batch
    from gradkit.course import find_course
    from gradkit.examine.faults import grading_faults, refuse_faults

    check_level(at_least)
    base, (assignment,) = chosen(root, [id])
    if dry_run:
        rehearse(base, assignment)
        return
    if out_dir is None:
        raise InputError("--out is missing: name a folder for the results")
    refuse_faults(assignment, grading_faults(assignment))
    dates = find_course(base, course)
    with judges_for(base, assignment, scheduler, device, jobs, at_least, line_seconds) as judges:
        planned = dates.planned(id) if dates else None
        batch = Batch(
            assignment,
            submissions or [],
            out_dir,
            judges,
            seed=planned.seed if planned and seed is None else seed,
            resume=resume,
            roster=roster,
            course=dates,
            times=times,
            overrides=overrides,
        )
        result = run_batch(batch, judges, f"grading {id}")
    print_batch(batch, result, out_dir)


def check_level(at_least: str) -> None:
    """Refuse a level of isolation that there is not."""
    from gradkit.judge.isolation import LEVELS

    if at_least and at_least not in LEVELS[:-1]:
        raise InputError(f"--require-isolation is {', '.join(LEVELS[:-1])}, got {at_least!r}")


def run_batch(batch: Batch, judges: Judges, title: str) -> BatchResult:
    """Grade, with a sign of life for each submission, and say on what terms."""
    for note in batch.found.notes:
        err.print(f"note: {note}", markup=False)
    try:
        with _progress(batch.expected, title) as tick:
            return batch.run(tick)
    finally:
        for note in judges.notes:
            err.print(f"note: {note}", markup=False)


def print_batch(batch: Batch, result: BatchResult, out_dir: Path, more: Sequence[str] = ()) -> None:
    """Print a finished run, with lines of `more` below; exit with 1 unless all of it was done."""
    _print_rows(result.rows)
    _print_counts(result.rows, f"; isolation: {isolation_line(result.isolation)}", out_dir, batch.notes)
    for line in more:
        out.print(line, markup=False)
    for problem in batch.problems:
        err.print(f"gradkit: {problem}", markup=False)
    if not result.all_graded or batch.problems:
        raise typer.Exit(1)


def judges_for(
    base: Path,
    assignment: Assignment,
    scheduler: str | None,
    device: str,
    jobs: int,
    at_least: str,
    line_seconds: float,
) -> Judges:
    """Judges on this machine, or on a cluster."""
    from gradkit.judges import LocalJudges

    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"--device is auto, cpu or cuda, got {device!r}")
    if scheduler is None:
        return LocalJudges(
            base,
            assignment.id,
            device=_device(device, assignment),
            jobs=jobs,
            at_least=at_least,
            repair_s=line_seconds,
        )
    if jobs > 1:
        raise InputError("--jobs is for this machine; with --scheduler every worker of the cluster grades")
    from gradkit.cluster.judges import ClusterJudges

    return ClusterJudges(scheduler, base, assignment.id, device=device, at_least=at_least, repair_s=line_seconds)


def _print_counts(rows: Sequence[Row], more: str, out_dir: Path, notes: Sequence[str]) -> None:
    graded, refused, not_graded = (
        sum(row.status == status for row in rows) for status in ("graded", "refused", "not_graded")
    )
    out.print(f"{graded} graded, {refused} refused, {not_graded} not graded{more}", markup=False)
    whose = rows[0].submission if len(rows) == 1 else "SUBMISSION"
    out.print(
        f"{out_dir}/grades.csv has a row for each; {out_dir}/{whose}/results.json is what its student sees",
        markup=False,
    )
    if (out_dir / CANVAS).exists():
        out.print(f"for gradebooks: {out_dir}/{CANVAS} and {out_dir}/{GRADESCOPE}", markup=False)
    for note in notes:
        out.print(f"  {note}", markup=False)


def _device(wanted: str, assignment: Assignment) -> str:
    """`auto` is `cuda` where the driver's devices are there and a check needs one.

    Not asked of torch: this process makes no CUDA call.
    """
    present = devices.present()
    if wanted == "auto" and "cuda" not in assignment.manifest.devices:
        return "cpu"
    if wanted == "cuda" and not present:
        raise InputError(
            "--device cuda: no NVIDIA device is here; grade with --device cpu, and the GPU checks count as not run"
        )
    return "cuda" if wanted != "cpu" and present else "cpu"


@contextlib.contextmanager
def _progress(total: int, title: str) -> Iterator[Callable[[Row], None]]:
    """A bar on a terminal, a line per submission elsewhere."""
    if not err.is_terminal:
        done = itertools.count(1)
        yield lambda row: err.print(f"[{next(done)}/{total}] {row.submission}: {_score(row)}", markup=False)
        return
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task(title, total=total)
        yield lambda row: bar.advance(task)


def _score(row: Row) -> str:
    if row.status == "graded":
        return f"{row.score:g} of {row.max_score:g}"
    return f"{row.status.replace('_', ' ')}: {row.reason}"


def _print_rows(rows: Sequence[Row]) -> None:
    from gradkit.model import Outcome
    from gradkit.results import WORDS

    table = Table(box=None, pad_edge=False)
    table.add_column("submission", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("what was found", overflow="fold")
    for row in sorted(rows, key=lambda row: row.submission):
        score = f"{row.score:g}/{row.max_score:g}" if row.status == "graded" else row.status.replace("_", " ")
        found = row.reason or ", ".join(
            [
                *row.mistakes,
                *(
                    "some checks can't run here" if outcome == "not_run" else WORDS[Outcome(outcome)]
                    for outcome in row.outcomes
                    if outcome not in ("failed", "partial")
                ),
            ]
        )
        table.add_row(Text(row.submission), score, Text(found))
    out.print(table)


@app.command()
def merge(
    cpu: Annotated[Path, typer.Argument(metavar="CPU_DIR", help="What grade --device cpu wrote.")],
    gpu: Annotated[Path, typer.Argument(metavar="GPU_DIR", help="What grade --device cuda wrote.")],
    out_dir: Annotated[Path, typer.Option("--out", help="A new folder; gets what grade writes.")],
    root: Root = None,
) -> None:
    """Make one grade of a run without a device and one with it."""
    from gradkit.merge import merge as run

    merged = run(root or find_root(Path.cwd()), cpu, gpu, out_dir)
    _print_rows(merged.rows)
    for problem in merged.problems:
        err.print(f"gradkit: {problem}", markup=False)
    _print_counts(merged.rows, "", out_dir, merged.notes)
    if any(row.status == "not_graded" for row in merged.rows):
        raise typer.Exit(1)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What gradkit grade --out wrote.")],
    out_dir: Annotated[Path | None, typer.Option("--out", help="Where the report goes; DIR/report by default.")] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SUBMISSIONS",
            help="What was graded: lists pairs of submissions that are alike, for a person to look at.",
        ),
    ] = None,
    root: Root = None,
) -> None:
    """Turn the results of a run into an HTML report: the class's page, and a page for each student."""
    from gradkit.report.pages import INDEX, STUDENTS, write_report

    target = out_dir or folder / "report"
    alike = _alike(root, folder, compare) if compare else None
    summary = write_report(folder, target, lambda id: manifest_if_here(root, id), alike=alike)
    counted, rest = summary.n, len(summary.troubles)
    out.print(
        f"{target / INDEX}: {counted} in the figures, {rest} not; a page for each student in {target / STUDENTS}",
        markup=False,
    )


def _alike(root: Path | None, folder: Path, paths: Sequence[Path]) -> tuple[list[Pair], dict[str, str]]:
    """The pairs of a run's submissions that are alike, and the submissions' texts."""
    from gradkit.runs import kept_roster, run_record
    from gradkit.similarity import compare_submissions

    assignment = load_assignment(root or find_root(Path.cwd()), run_record(folder).assignment)
    return compare_submissions(assignment, paths, kept_roster(folder))


@app.command()
def feedback(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What gradkit grade --out wrote.")],
    out_path: Annotated[
        Path | None, typer.Option("--out", help="A new folder or .zip; DIR/feedback.zip by default.")
    ] = None,
    root: Root = None,
) -> None:
    """Write feedback to send: a page per student, tables for a mail merge, a zip that Canvas takes back."""
    from gradkit.feedback import write_feedback

    for line in write_feedback(folder, out_path or folder / "feedback.zip", lambda id: manifest_if_here(root, id)):
        out.print(line, markup=False)


def manifest_if_here(root: Path | None, id: str) -> Manifest | None:
    """The assignment's manifest: a report can be made away from the kit too, and has ids for titles there."""
    try:
        return load_assignment(root or find_root(Path.cwd()), id).manifest
    except InputError:
        if root is not None:
            raise
        return None


@app.command()
def gradescope(
    base: Annotated[Path, typer.Option("--base", help="Gradescope's folder in the container.")] = Path("/autograder"),
    root: Root = None,
    id: Annotated[
        str,
        typer.Option("--assignment", envvar="GRADKIT_ASSIGNMENT", help="Where the settings of the bundle name none."),
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Grade the submission in Gradescope's container; run_autograder calls this."""
    from gradkit.gradescope import assignment_here, grade_container

    kit = root or find_root(Path.cwd())
    assignment = assignment_here(kit, base, id)
    if dry_run:
        rehearse(kit, assignment)
        return
    graded = grade_container(kit, base, assignment)
    out.print(
        f"{graded.status.replace('_', ' ')}: {graded.score:g} of {graded.max_score:g} in {graded.elapsed_s:.1f} s; "
        f"isolation: {isolation_line(graded.isolation)}",
        markup=False,
    )
