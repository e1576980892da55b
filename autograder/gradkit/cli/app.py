"""What every command shares: the app itself, the two consoles, options that several take, and lines that several print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from gradkit import __version__
from gradkit.manifest import Assignment, find_root, load_all, load_assignment

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

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


def chosen(root: Path | None, ids: list[str] | None) -> tuple[Path, list[Assignment]]:
    """The kit's folder, and the assignments that were named; all of them when none was."""
    base = root or find_root(Path.cwd())
    return base, [load_assignment(base, id) for id in ids] if ids else load_all(base)


def isolation_line(isolation: dict) -> str:
    """How workers were kept apart, as a run recorded it."""
    from gradkit.judge.isolation import Isolation

    return Isolation(**isolation).line() if isolation else "none was needed"


def rehearse(root: Path, assignment: Assignment) -> None:
    """`--dry-run`: what a release would give, in this very place."""
    from gradkit.verify import verify as run

    report = run(root, assignment, seeds=1, tell=lambda line: err.print(line, markup=False))
    for problem in report.problems:
        out.print(f"problem: {problem}", markup=False)
    if report.rows:
        graded = report.rows["reference"][1]
        out.print(
            f"{assignment.id}: the reference takes {graded.elapsed_s:.1f} s, its workers {graded.peak_mib:.0f} MiB at most; "
            f"isolation: {isolation_line(graded.isolation)}",
            markup=False,
        )
    out.print(f"{assignment.id}: {report.summary()}", markup=False)
    out.print(f"{'ready' if report.holds else 'not ready'} for release here", markup=False)
    if not report.holds:
        raise typer.Exit(1)
