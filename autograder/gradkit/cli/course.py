"""For whoever runs a course: what `course.toml` says, and the course's totals."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from gradkit.cli.app import Root, app, err, out
from gradkit.course import FILE, Course, Extension, LatePolicy, find_course
from gradkit.errors import InputError
from gradkit.manifest import find_root
from gradkit.model import Submitter
from gradkit.policy import DAY_S, percent
from gradkit.roster import read_roster

CourseFile = Annotated[
    Path | None,
    typer.Option("--course", metavar="FILE", help=f"The course's dates; by default {FILE} in the kit's folder."),
]
course = typer.Typer(no_args_is_help=True, help=f"Due dates, late policy, extensions and weights, from {FILE}.")
app.add_typer(course, name="course")


@course.command()
def check(
    root: Root = None,
    file: CourseFile = None,
    roster: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Who takes the course: says whose extensions name nobody.")
    ] = None,
) -> None:
    """Explain the course: its calendar, what being late costs, who has more time, and what looks wrong."""
    found = _found(root, file)
    students = read_roster(roster) if roster else ()
    out.print(found.title or "The course", markup=False, style="bold")
    out.print(_calendar(found))
    out.print(f"late: {_in_words(found.late)}", markup=False)
    for planned in found.assignments:
        if planned.late:
            out.print(f"late, {planned.id}: {_in_words(planned.late)}", markup=False)
        if tries := planned.attempts:
            told = f"{tries.limit} graded attempts in {tries.window_hours:g} h on Gradescope"
            out.print(f"{planned.id}: {told}", markup=False)
    for extension in found.extensions:
        more = f"until {_moment(found, extension.due)}" if extension.due else _count(extension.days or 0, "more day")
        out.print(f"{extension.student}: {more} for {extension.assignment or 'all assignments'}", markup=False)
    wrong = found.misnamed(students, found.extensions) if students else []
    for note in [*_notes(found), *wrong]:
        err.print(f"note: {note}", markup=False)
    if wrong:
        raise typer.Exit(1)


@course.command()
def totals(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="What gradkit grade --out wrote, per assignment.")
    ],
    out_path: Annotated[Path, typer.Option("--out", metavar="CSV", help="Gets a row per student.")],
    root: Root = None,
    file: CourseFile = None,
) -> None:
    """Write each student's final scores and the weighted course total."""
    from gradkit.totals import course_totals

    base = root or find_root(Path.cwd())
    made = course_totals(base, _found(base, file), runs, datetime.datetime.now(datetime.UTC))
    made.write(out_path)
    out.print(f"{out_path}: {_count(len(made.rows), 'student')}, {_count(len(made.ids), 'assignment')}", markup=False)
    for note in made.notes:
        out.print(f"  {note}", markup=False)


def _found(root: Path | None, file: Path | None) -> Course:
    base = root or find_root(Path.cwd())
    found = find_course(base, file)
    if found is None:
        raise InputError(f"{base / FILE} is missing; docs/course.md has one to start from")
    return found


def _calendar(found: Course) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading, side in (
        ("assignment", "left"),
        (f"due ({found.timezone})", "left"),
        ("points", "right"),
        ("of the total", "right"),
        ("1 h late", "right"),
        ("1 day", "right"),
        ("3 days", "right"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)
    whole = sum(planned.part for planned in found.assignments)
    for planned in found.assignments:
        due = found.due(planned.id)
        kept = [
            percent(1 - found.lateness(planned.id, due + datetime.timedelta(seconds=late_s), ()).share) if due else ""
            for late_s in (3600, DAY_S, 3 * DAY_S)
        ]
        part = f"{planned.part / whole:.1%}" if whole else ""
        when = _moment(found, due) if due else "no due date"
        table.add_row(*map(Text, (planned.id, when, f"{planned.points:g}", part, *kept)))
    return table


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _moment(found: Course, moment: datetime.datetime | None) -> str:
    if moment is None:
        return ""
    there = moment.astimezone(found.zone) if moment.tzinfo else moment.replace(tzinfo=found.zone)
    return f"{there:%a %Y-%m-%d %H:%M}"


def _in_words(policy: LatePolicy) -> str:
    """What being late costs, in a sentence."""
    if policy.applied_by == "platform":
        return "the platform takes points off; grade only says how late a submission is"
    if not policy.costs:
        return "nothing is taken off"
    parts = [
        f"{percent(policy.share_per_day)} of the score off for each day begun"
        if policy.share_per_day
        else "nothing off"
    ]
    if policy.grace_minutes:
        parts.append(f"none within {policy.grace_minutes:g} minutes")
    if policy.cut_off_days != float("inf"):
        parts.append(f"all of it after {policy.cut_off_days:g} days")
    return ", ".join(parts)


def _notes(found: Course) -> list[str]:
    """What is allowed and may be a slip."""
    notes = []
    dated = [(planned.id, due) for planned in found.assignments if (due := found.due(planned.id))]
    for (one, first), (other, second) in zip(dated, dated[1:], strict=False):
        if second < first:
            notes.append(f"{other} comes after {one} and is due before it")
    undated = [planned.id for planned in found.assignments if planned.due is None]
    if dated and undated:
        notes.append(f"no due date: {', '.join(undated)}")
    whole = sum(planned.part for planned in found.assignments)
    if not whole:
        notes.append("all weights are 0: there is no course total")
    weighted = any(planned.weight is not None for planned in found.assignments)
    for goal in (1, 100):  # a slip is near what was meant; other sums are shares of their own
        if weighted and 0.8 * goal < whole < 1.2 * goal and abs(whole - goal) > 1e-6 * goal:
            notes.append(f"the weights add up to {whole:g}, not {goal}; they count relative to each other")
    for extension in found.extensions:
        if extension.due and not any(_moves(found, extension, id) for id in found.ids):
            notes.append(f"the new date of {extension.student} is not after the due date, and changes nothing")
    return notes


def _moves(found: Course, extension: Extension, id: str) -> bool:
    """Whether an extension gives more time for an assignment."""
    due = found.due(id)
    alone = msgspec.structs.replace(found, extensions=[extension])
    student = Submitter("", extension.student, "")
    return due is not None and alone.due(id, [student]) != due
