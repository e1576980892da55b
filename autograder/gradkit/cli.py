"""The command line: the only module that prints, and the only one that knows exit codes.

0: all done. 1: something was not graded, or a promise does not hold. 2: bad usage or bad input.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gradkit.errors import GradkitError, InputError
from gradkit.manifest import Assignment, find_root, load_all, load_assignment

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Grade submissions in a process that never runs them.", pretty_exceptions_enable=False)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Assignments; all of them when none is named.")]
Root = Annotated[Path | None, typer.Option("--root", help="The kit's folder; by default the nearest one above the current folder.")]


def main() -> None:
    """Entry point: every error that has a message for people ends here, as one line."""
    try:
        app(standalone_mode=False)
    except typer.Exit as stop:
        sys.exit(stop.exit_code)
    except typer.Abort:
        err.print("stopped")
        sys.exit(130)
    except KeyboardInterrupt:
        err.print("stopped; what was graded is kept, and --resume goes on from there")
        sys.exit(130)
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
    _, assignments = _chosen(root, None)
    table = Table(box=None, pad_edge=False)
    for heading, side in (("id", "left"), ("title", "left"), ("tasks", "right"), ("points", "right"), ("minutes", "right"), ("devices", "left")):
        table.add_column(heading, justify=side, no_wrap=True)
    for assignment in assignments:
        manifest = assignment.manifest
        minutes = sum(task.minutes for task in manifest.tasks)
        table.add_row(manifest.id, manifest.title, str(len(manifest.tasks)), str(manifest.points), str(minutes), " ".join(manifest.devices))
    out.print(table)


@app.command()
def build(
    ids: Ids = None,
    root: Root = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; fail when a generated file is stale.")] = False,
) -> None:
    """Cut the stubs from the references."""
    from gradkit.stubs import build_stub, write_if_changed

    _, assignments = _chosen(root, ids)
    stale = False
    for assignment in assignments:
        text = build_stub(assignment)
        if check:
            fresh = assignment.stub.is_file() and assignment.stub.read_text(encoding="utf-8") == text
            stale = stale or not fresh
            out.print(f"{assignment.stub}: {'fresh' if fresh else f'stale; run gradkit build {assignment.id}'}")
        else:
            out.print(f"{assignment.stub}: {'written' if write_if_changed(assignment.stub, text) else 'unchanged'}")
    if stale:
        raise typer.Exit(1)


@app.command()
def verify(
    ids: Ids = None,
    root: Root = None,
    seeds: Annotated[int, typer.Option(min=1, help="On how many seeds the reference must get full marks.")] = 20,
    write: Annotated[bool, typer.Option("--write", help="Store the kill matrix as solutions/ID/kill_matrix.txt.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for each variant as it is graded.")] = False,
) -> None:
    """Hold assignments to their promises, and print which check fails on which mistake."""
    from gradkit.stubs import write_if_changed
    from gradkit.verify import matrix
    from gradkit.verify import verify as run

    base, assignments = _chosen(root, ids)
    failed = False
    for assignment in assignments:
        report = run(base, assignment, seeds=seeds, tell=lambda line: err.print(line, markup=False) if verbose else None)
        if report.rows:
            out.print(matrix(report), markup=False)
            if write:
                write_if_changed(assignment.hidden / "kill_matrix.txt", matrix(report))
        for problem in report.problems:
            out.print(f"problem: {problem}", markup=False)
        failed = failed or not report.holds
        out.print(f"{assignment.id}: {report.summary()}", markup=False)
    if failed:
        raise typer.Exit(1)
