"""For whoever writes assignments: list, build, verify, new, mistake; and doctor, for whoever sets up a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gradkit.cli.app import Ids, Root, app, chosen, err, out
from gradkit.errors import InputError
from gradkit.manifest import find_root


@app.command(name="list")
def list_(root: Root = None) -> None:
    """Assignments, their points and devices."""
    from gradkit.examine.faults import first_of, grading_faults

    _, assignments = chosen(root, None)
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

    _, assignments = chosen(root, ids)
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
    from gradkit.prices import matrix, price_list, told
    from gradkit.stubs import write_if_changed
    from gradkit.verify import Only
    from gradkit.verify import verify as run

    base, assignments = chosen(root, ids)
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
def mistake(
    id: Annotated[str, typer.Argument(metavar="ID", help="The assignment.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of its known mistakes.")],
    out_path: Annotated[Path, typer.Option("--out", help="A .py file.")],
    root: Root = None,
) -> None:
    """Write what a student with a known mistake would hand in: the reference with the mistake in it."""
    from gradkit.mistakes import find_mistake, read_mistakes
    from gradkit.stubs import read_authored, write_if_changed

    _, (assignment,) = chosen(root, [id])
    found = find_mistake(read_mistakes(assignment), name, assignment.hidden / "mistakes")
    write_if_changed(out_path, found.submission(read_authored(assignment.reference)))
    out.print(f"{out_path}: {assignment.id} with {name}: {found.why}", markup=False)


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
