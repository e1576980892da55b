"""The command line: the only module that prints, and the only one that knows exit codes.

0: all done. 1: something was not graded, or a promise does not hold. 2: bad usage or bad input.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
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

from gradkit import __version__
from gradkit.errors import GradkitError, InputError
from gradkit.judge.messages import REPAIR_S
from gradkit.manifest import Assignment, Manifest, find_root, load_all, load_assignment
from gradkit.uploads import CANVAS, GRADESCOPE

if TYPE_CHECKING:
    from gradkit.batch import Row
    from gradkit.judges import Judges

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

INTERRUPTED = 130  # what typer makes of Ctrl-C

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Assignments; all of them when none is named.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Grade the reference, the stub and every known mistake here instead, and say whether all is ready.",
    ),
]
Root = Annotated[
    Path | None,
    typer.Option("--root", help="The kit's folder; by default the nearest one above the current folder."),
]


def _tell_version(asked: bool) -> None:
    if asked:
        out.print(f"gradkit {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version, and end.")
    ] = False,
) -> None:
    """Grade submissions in a process that never runs them."""


def main() -> None:
    """Entry point: every error that has a message for people ends here, as one line."""
    try:
        status = app(standalone_mode=False) or 0
        if status == INTERRUPTED:
            err.print("stopped; what was graded is kept, and --resume goes on from there")
        sys.exit(status)
    except InputError as error:
        err.print(f"gradkit: {error}", markup=False)
        sys.exit(2)
    except GradkitError as error:
        err.print(f"gradkit: {error}", markup=False)
        sys.exit(1)
    except Exception as error:
        if hasattr(error, "show"):  # a usage error of typer's
            error.show()
            sys.exit(2)
        raise


def _chosen(root: Path | None, ids: list[str] | None) -> tuple[Path, list[Assignment]]:
    base = root or find_root(Path.cwd())
    return base, [load_assignment(base, id) for id in ids] if ids else load_all(base)


@app.command(name="list")
def list_(root: Root = None) -> None:
    """Assignments, their points and devices."""
    from gradkit.examine.faults import first_of, grading_faults

    _, assignments = _chosen(root, None)
    table = Table(box=None, pad_edge=False)
    for heading, side in (
        ("id", "left"),
        ("title", "left"),
        ("tasks", "right"),
        ("points", "right"),
        ("minutes", "right"),
        ("devices", "left"),
    ):
        table.add_column(heading, justify=side, no_wrap=heading != "title")  # the title gives way on a narrow screen
    for assignment in assignments:
        manifest = assignment.manifest
        minutes = sum(task.minutes for task in manifest.tasks)
        table.add_row(
            manifest.id,
            f"{manifest.title} (draft)" if manifest.draft else manifest.title,
            str(len(manifest.tasks)),
            str(manifest.points),
            str(minutes),
            " ".join(manifest.devices),
        )
    out.print(table)
    for assignment in assignments:
        if faults := grading_faults(assignment):
            err.print(f"warning: {first_of(faults, assignment)}", markup=False)


@app.command()
def build(
    ids: Ids = None,
    root: Root = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail when a generated file is stale.")
    ] = False,
) -> None:
    """Cut the stubs from the references, and the notebooks from stubs and handouts."""
    from gradkit.examine.faults import static_faults
    from gradkit.notebooks.write import build_notebook
    from gradkit.stubs import build_stub, write_if_changed

    _, assignments = _chosen(root, ids)
    stale = False
    for assignment in assignments:
        for path, text in (
            (assignment.stub, build_stub(assignment)),
            (assignment.notebook, build_notebook(assignment)),
        ):
            if check:
                fresh = path.is_file() and path.read_text(encoding="utf-8") == text
                stale = stale or not fresh
                said = "fresh" if fresh else f"stale; run gradkit build {assignment.id}"
            else:
                said = "written" if write_if_changed(path, text) else "unchanged"
            out.print(f"{path}: {said}", markup=False)
        for fault in [] if check else static_faults(assignment):
            err.print(f"warning: {fault}", markup=False)
    if stale:
        raise typer.Exit(1)


@app.command()
def verify(
    ids: Ids = None,
    root: Root = None,
    seeds: Annotated[int, typer.Option(min=1, help="On how many seeds the reference must get full marks.")] = 20,
    checks: Annotated[
        str, typer.Option("-k", metavar="NAME", help="Only checks with this in their name, or of this number.")
    ] = "",
    mistake: Annotated[str, typer.Option("--mistake", metavar="NAME", help="Only this mistake.")] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Store the kill matrix as solutions/ID/kill_matrix.txt.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for each variant as it is graded.")] = False,
) -> None:
    """Hold assignments to their promises, and print which check fails on which mistake."""
    from gradkit.examine.faults import release_gaps
    from gradkit.examine.rehearsal import rehearse
    from gradkit.stubs import write_if_changed
    from gradkit.verify import Only, matrix, price_list, told
    from gradkit.verify import verify as run

    base, assignments = _chosen(root, ids)
    only = Only(checks, mistake)
    if only and len(assignments) != 1:
        raise InputError("-k and --mistake are for one assignment: name it")
    if only and write:
        raise InputError("--write stores the whole matrix: leave -k and --mistake out")
    failed = False
    for assignment in assignments:
        report = run(
            base,
            assignment,
            seeds=seeds,
            only=only,
            tell=lambda line: err.print(line, markup=False) if verbose else None,
        )
        if report.rows:
            out.print(matrix(report), markup=False)
            if write:
                write_if_changed(assignment.hidden / "kill_matrix.txt", matrix(report))
        if report.rows and not checks:
            out.print(price_list(report), markup=False)
        for line in told(report) if mistake else ():
            out.print(line, markup=False)
        if report.holds and not only:
            report.problems += rehearse(assignment)
        for problem in report.problems:
            out.print(f"problem: {problem}", markup=False)
        for gap in release_gaps(assignment) if assignment.manifest.draft and report.holds and not only else ():
            out.print(f"draft: {gap}", markup=False)
        failed = failed or not report.holds
        out.print(f"{assignment.id}: {report.summary()}", markup=False)
    if failed:
        raise typer.Exit(1)


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
    jobs: Annotated[int, typer.Option(min=1, help="Judge processes at a time.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int | None, typer.Option(help="For the checks' inputs; drawn in secret when not given.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Grade on the workers of a Dask cluster: tcp://host:8786."),
    ] = None,
    at_least: Annotated[
        str,
        typer.Option(
            "--require-isolation",
            metavar="LEVEL",
            help="Refuse to grade with less: separate-user, bubblewrap or same-user.",
        ),
    ] = "",
    line_seconds: Annotated[
        float,
        typer.Option(
            min=0, help="Processor time per submission to look for the wrong line where no hint fits; 0: never."
        ),
    ] = REPAIR_S,
    roster: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Who takes the course, as Canvas or Gradescope exports it: each student gets a row.",
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Grade submissions."""
    from gradkit.batch import Batch
    from gradkit.examine.faults import grading_faults, refuse_faults
    from gradkit.judge.isolation import LEVELS

    if at_least and at_least not in LEVELS[:-1]:
        raise InputError(f"--require-isolation is {', '.join(LEVELS[:-1])}, got {at_least!r}")
    base, (assignment,) = _chosen(root, [id])
    if dry_run:
        _rehearse(base, assignment)
        return
    if out_dir is None:
        raise InputError("--out is missing: name a folder for the results")
    refuse_faults(assignment, grading_faults(assignment))
    with _judges(base, assignment, scheduler, device, jobs, at_least, line_seconds) as judges:
        batch = Batch(assignment, submissions or [], out_dir, judges, seed=seed, resume=resume, roster=roster)
        for note in batch.found.notes:
            err.print(f"note: {note}", markup=False)
        total = len(batch.found.submissions) + len(batch.found.refused)
        try:
            with _progress(total, f"grading {id}") as tick:
                result = batch.run(tick)
        finally:
            for note in judges.notes:
                err.print(f"note: {note}", markup=False)
    _print_rows(result.rows)
    _print_counts(result.rows, f"; isolation: {_isolation_line(result.isolation)}", out_dir, batch.notes)
    if not result.all_graded:
        raise typer.Exit(1)


def _judges(
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
    from gradkit.cluster import ClusterJudges

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
    present = Path("/dev/nvidiactl").exists()
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


def _isolation_line(isolation: dict) -> str:
    from gradkit.judge.isolation import Isolation

    return Isolation(**isolation).line() if isolation else "none was needed"


@app.command()
def new(
    id: Annotated[str, typer.Argument(metavar="ID")],
    root: Root = None,
    tasks: Annotated[
        str, typer.Option(metavar="A,B,C", help="Tasks of your own, a function each, in place of the two that come.")
    ] = "",
) -> None:
    """Write a working assignment to start from: a draft of two tasks, or of those that you name."""
    from gradkit.scaffold import new_assignment

    base = root or find_root(Path.cwd())
    for path in new_assignment(base, id, tasks=[task.strip() for task in tasks.split(",")] if tasks else []):
        out.print(str(path.relative_to(base)), markup=False)
    out.print(f"Next: gradkit verify {id}; then change it to what you teach, a file at a time.", markup=False)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What gradkit grade --out wrote.")],
    out_dir: Annotated[Path | None, typer.Option("--out", help="Where the report goes; DIR/report by default.")] = None,
    root: Root = None,
) -> None:
    """Make the class's report, pages to look at in a browser, from the results of a run."""
    from gradkit.report.pages import INDEX, STUDENTS, write_report

    target = out_dir or folder / "report"
    summary = write_report(folder, target, lambda id: _manifest_if_here(root, id))
    counted, rest = summary.n, len(summary.troubles)
    out.print(
        f"{target / INDEX}: {counted} in the figures, {rest} not; a page for each student in {target / STUDENTS}",
        markup=False,
    )


def _manifest_if_here(root: Path | None, id: str) -> Manifest | None:
    """The assignment's manifest: a report can be made away from the kit too, and has ids for titles there."""
    try:
        return load_assignment(root or find_root(Path.cwd()), id).manifest
    except InputError:
        if root is not None:
            raise
        return None


@app.command()
def doctor(root: Root = None) -> None:
    """What isolation and devices this machine gives, and what to do about what is missing."""
    from gradkit.doctor import examine

    base = root or find_root(Path.cwd())
    findings = examine(base)
    for finding in findings:
        out.print(f"{'ok  ' if finding.good else 'MISS'} {finding.what}", markup=False)
        if finding.advice:
            out.print(f"     {finding.advice}", markup=False)
    if any(finding.blocking for finding in findings):
        raise typer.Exit(1)


def _rehearse(root: Path, assignment: Assignment) -> None:
    """`--dry-run`: what a release would give, in this very place."""
    from gradkit.verify import verify as run

    report = run(root, assignment, seeds=1, tell=lambda line: err.print(line, markup=False))
    for problem in report.problems:
        out.print(f"problem: {problem}", markup=False)
    if report.rows:
        graded = report.rows["reference"][1]
        out.print(
            f"{assignment.id}: the reference takes {graded.elapsed_s:.1f} s, its workers {graded.peak_mib:.0f} MiB at most; "
            f"isolation: {_isolation_line(graded.isolation)}",
            markup=False,
        )
    out.print(f"{assignment.id}: {report.summary()}", markup=False)
    out.print(f"{'ready' if report.holds else 'not ready'} for release here", markup=False)
    if not report.holds:
        raise typer.Exit(1)


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
        _rehearse(kit, assignment)
        return
    graded = grade_container(kit, base, assignment)
    out.print(
        f"{graded.status.replace('_', ' ')}: {graded.score:g} of {graded.max_score:g} in {graded.elapsed_s:.1f} s; "
        f"isolation: {_isolation_line(graded.isolation)}",
        markup=False,
    )


bundle = typer.Typer(no_args_is_help=True, help="Make what students or other systems receive.")
app.add_typer(bundle, name="bundle")


def _consistent(root: Path | None, ids: list[str]) -> tuple[Path, list[Assignment]]:
    """The assignments to bundle; one whose files contradict each other is refused, and a draft gets a note."""
    from gradkit.examine.faults import bundle_faults, refuse_faults

    base, assignments = _chosen(root, ids)
    for assignment in assignments:
        refuse_faults(assignment, bundle_faults(assignment))
        if assignment.manifest.draft:
            id = assignment.id
            err.print(f"note: {id} is a draft; gradkit verify {id} says what it lacks", markup=False)
    return base, assignments


@bundle.command()
def student(
    ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    out_path: Annotated[Path, typer.Option("--out", help="A folder, or a .zip.")],
    root: Root = None,
    agents_file: Annotated[
        bool,
        typer.Option(
            "--agents-file/--no-agents-file",
            help="Add AGENTS.md, which asks coding assistants to tutor and not to solve.",
        ),
    ] = True,
) -> None:
    """What students unpack and work in: handouts, stubs, public checks, coursekit. Nothing of solutions/."""
    from gradkit.bundle import student_bundle

    _, assignments = _consistent(root, ids)
    for line in student_bundle(assignments, out_path, agents_file=agents_file):
        out.print(line, markup=False)


@bundle.command(name="gradescope")
def bundle_gradescope(
    id: Annotated[str, typer.Argument(metavar="ID")],
    out_path: Annotated[Path, typer.Option("--out", help="A .zip.")],
    root: Root = None,
    torch_index: Annotated[
        str,
        typer.Option(help="Index, or folder of wheels in the image, that holds the CPU build of torch."),
    ] = "",
    deadline: Annotated[
        float, typer.Option(help="Seconds of grading; keep it below the time limit set on Gradescope.")
    ] = 540.0,
    attempts: Annotated[
        int | None,
        typer.Option(help="Graded attempts in a window; the best score counts. No limit if not given."),
    ] = None,
    window_hours: Annotated[float, typer.Option(help="Length of that window.")] = 24.0,
) -> None:
    """Write the zip to upload as Gradescope's autograder: the engine and one assignment, hidden side included."""
    from gradkit.bundle import gradescope_bundle
    from gradkit.gradescope import Attempts, Settings, check_settings

    base, (assignment,) = _consistent(root, [id])
    limit = None if attempts is None else Attempts(attempts, window_hours)
    settings = check_settings(Settings(id, deadline, limit), "the command line")
    for line in gradescope_bundle(base, assignment, out_path, settings, torch_index=torch_index):
        out.print(line, markup=False)


@bundle.command()
def nbgrader(
    ids: Annotated[list[str], typer.Argument(metavar="ID...")],
    out_path: Annotated[Path, typer.Option("--out", help="A folder that is not there yet.")],
    root: Root = None,
) -> None:
    """A course folder for nbgrader, whose autograde asks the judge."""
    from gradkit.bundle import nbgrader_course

    base, assignments = _consistent(root, ids)
    for line in nbgrader_course(base, assignments, out_path):
        out.print(line, markup=False)


@app.command()
def mistake(
    id: Annotated[str, typer.Argument(metavar="ID", help="The assignment.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of its known mistakes.")],
    out_path: Annotated[Path, typer.Option("--out", help="A .py file.")],
    root: Root = None,
) -> None:
    """Write what a student with a known mistake would hand in: the reference with the mistake in it."""
    from gradkit.mistakes import find_mistake, read_mistakes
    from gradkit.stubs import read_authored, write_if_changed

    _, (assignment,) = _chosen(root, [id])
    found = find_mistake(read_mistakes(assignment), name, assignment.hidden / "mistakes")
    write_if_changed(out_path, found.submission(read_authored(assignment.reference)))
    out.print(f"{out_path}: {assignment.id} with {name}: {found.why}", markup=False)
