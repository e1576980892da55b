"""For whoever hands assignments out: bundles for students, Gradescope and nbgrader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gradkit.cli.app import Root, app, chosen, err, out
from gradkit.cli.course import CourseFile
from gradkit.errors import AuthoringError, InputError
from gradkit.manifest import Assignment, find_root, load_all, needs_faults

bundle = typer.Typer(no_args_is_help=True, help="Make what students or other systems receive.")
app.add_typer(bundle, name="bundle")


def _consistent(root: Path | None, ids: list[str]) -> tuple[Path, list[Assignment]]:
    """The assignments to bundle; one whose files contradict each other is refused, and a draft gets a note."""
    from gradkit.examine.faults import bundle_faults, refuse_faults

    base, assignments = chosen(root, ids)
    for assignment in assignments:
        refuse_faults(assignment, bundle_faults(assignment))
        if assignment.manifest.draft:
            id = assignment.id
            err.print(f"note: {id} is a draft; gradkit verify {id} says what it lacks", markup=False)
    return base, assignments


@bundle.command()
def student(
    out_path: Annotated[Path, typer.Option("--out", help="A folder, or a .zip.")],
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Assignments; those of course.toml when none is named."),
    ] = None,
    root: Root = None,
    course: CourseFile = None,
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
    from gradkit.course import find_course

    dates = find_course(root or find_root(Path.cwd()), course)
    if not ids and dates is None:
        raise InputError("name the assignments; there is no course.toml that says which")
    _, assignments = _consistent(root, ids or dates.ids)
    due = {id: when for id in dates.ids if (when := dates.due(id))} if dates else {}
    for line in student_bundle(assignments, out_path, agents_file=agents_file, due=due):
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
    window_hours: Annotated[float | None, typer.Option(help="Length of that window; 24 hours if not given.")] = None,
    course: CourseFile = None,
) -> None:
    """Write the zip to upload as Gradescope's autograder: the engine and one assignment, hidden side included."""
    from gradkit.bundle import gradescope_bundle
    from gradkit.course import Attempts, find_course
    from gradkit.gradescope import Settings, check_settings

    base, (assignment,) = _consistent(root, [id])
    dates = find_course(base, course)
    planned = dates.planned(id) if dates else None
    limit = planned.attempts if planned else None
    if attempts is not None:
        limit = Attempts(attempts, limit.window_hours) if limit else Attempts(attempts)
    if limit and window_hours is not None:
        limit = Attempts(limit.limit, window_hours)
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
def site(
    out_path: Annotated[Path, typer.Option("--out", help="A folder: a new one, or an earlier gallery.")],
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...", help="Assignments; when none is named, those of course.toml, or all but drafts."
        ),
    ] = None,
    root: Root = None,
    course: CourseFile = None,
    figures: Annotated[
        bool,
        typer.Option("--figures/--no-figures", help="Draw each assignment's figures from its reference, in a fold."),
    ] = True,
    staff: Annotated[
        bool, typer.Option("--staff", help="Add what only staff may see: misconceptions by name, and kill matrices.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Assignments whose figures are drawn at a time.")] = 2,
) -> None:
    """Write a gallery of the course to publish: handouts, what builds on what, and what the checks look at."""
    from gradkit.course import find_course
    from gradkit.site.pages import INDEX, TITLE, write_site

    base = root or find_root(Path.cwd())
    dates = find_course(base, course)
    every = load_all(base)
    for id, fault in needs_faults(assignment.manifest for assignment in every).items():
        raise AuthoringError(f"{base / 'assignments' / id / 'assignment.toml'}: {fault}")
    in_order = [assignment.id for assignment in every]
    if ids:
        named = sorted(set(ids), key=lambda id: in_order.index(id) if id in in_order else -1)
    elif dates:
        named = dates.ids
    else:
        named = [assignment.id for assignment in every if not assignment.manifest.draft]
        for id in sorted(set(in_order) - set(named)):
            err.print(f"note: {id} is a draft and left out; name it to have it in", markup=False)
    if not named:
        raise InputError(f"{base}: no assignment to show; gradkit new ID writes one to start from")
    _, assignments = _consistent(base, named)
    problems = write_site(
        assignments,
        out_path,
        title=dates.title if dates and dates.title else TITLE,
        figures=figures,
        staff=staff,
        jobs=jobs,
        tell=lambda id: err.print(f"figures of {id}", markup=False),
    )
    for problem in problems:
        err.print(f"problem: {problem}", markup=False)
    how_many = f"{len(assignments)} assignment{'s' if len(assignments) != 1 else ''}"
    out.print(f"{out_path / INDEX}: {how_many}", markup=False)
    if problems:
        raise typer.Exit(1)
