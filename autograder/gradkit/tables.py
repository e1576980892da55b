"""What a run is written down as: a row for each submission, grades.csv, and the files that gradebooks take."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradkit import results, uploads
from gradkit.intake import Refused, Submission
from gradkit.manifest import Assignment
from gradkit.model import CheckResult, Graded, Outcome, Submitter
from gradkit.policy import Lateness, duration, percent
from gradkit.roster import Roster, label
from gradkit.safetext import cell_text


@dataclass(frozen=True)
class Row:
    """One line of the table: a submission and what came of it, without the details."""

    submission: str
    assignment: str
    status: str
    score: float
    max_score: float
    tasks: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    submitters: tuple[Submitter, ...] = ()
    mistakes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    late: Lateness = Lateness()
    kept: bool = False  # graded by an earlier run that was resumed
    overrides: str = ""  # what staff set, with the points that the checks give, the reason and who


def write_tables(
    rows: Sequence[Row],
    assignment: Assignment,
    out: Path,
    students: Sequence[Submitter] = (),
    *,
    points: float | None = None,
) -> tuple[str, ...]:
    """Write grades.csv into `out`, and where students are known the files that gradebooks take.

    Args:
        students: The roster, where there is one: each of them has a row, whoever handed in nothing too.
        points: What the assignment counts for in the gradebook; the assignment's own points when None.

    Returns:
        A line for each submission that came late, for each student who is left blank in a gradebook's file, and for each
        submission that is nobody's.
    """
    points = points or float(assignment.manifest.points)
    rows, notes = _with_roster(sorted(rows, key=lambda row: row.submission), assignment, students)
    results.write_whole(out / "grades.csv", table(rows, assignment, points).encode("utf-8"))
    entries = []
    for row in rows:
        reason = why_blank(row, assignment)
        score = None if reason else final(row, assignment, points)
        entries.append(uploads.Entry(row.submission, row.submitters, score, reason))
    for name, text in uploads.files(entries, assignment.manifest.title, points).items():
        results.write_whole(out / name, text.encode("utf-8"))
    late = [told for row in rows if (told := how_late(row))]
    blank = [f"{label(student)} is left blank: {why}" for student, why in uploads.blank(entries)]
    return (*late, *blank, *notes)


def final(row: Row, assignment: Assignment, points: float) -> float:
    """A score as it goes into the gradebook: after what being late takes off, out of `points`."""
    return round(row.late.kept(row.score) * points / assignment.manifest.points, 6)


def how_late(row: Row) -> str:
    """What staff read of a submission that came late, empty if it did not."""
    late = row.late
    if late.unknown:
        return f"{row.submission} is late, and nobody says by how much"
    if not late.late_s:
        return ""
    off = f"{percent(late.share)} is taken off" if late.share else "nothing is taken off"
    left = f", {row.score:g} becomes {late.kept(row.score):g}" if late.share and row.status == "graded" else ""
    return f"{row.submission} is {duration(late.late_s)} late: {off}{left}"


def _with_roster(
    rows: Sequence[Row], assignment: Assignment, students: Sequence[Submitter]
) -> tuple[list[Row], list[str]]:
    """The rows with the students of a roster, and a row for each of them who handed in nothing."""
    if not students:
        return list(rows), []
    roster = Roster(students)
    rows = [replace(row, submitters=roster.behind(row.submission, row.submitters)) for row in rows]
    there = {student for row in rows for student in row.submitters}
    notes = [
        f"{row.submission} belongs to nobody on the roster"
        for row in rows
        if not any(student in roster.students for student in row.submitters)
    ]
    missing = Row("", assignment.id, "missing", 0.0, float(assignment.manifest.points), reason="nothing was handed in")
    rows += [replace(missing, submitters=(student,)) for student in students if student not in there]
    return rows, notes


def why_blank(row: Row, assignment: Assignment) -> str:
    """Why a row has no score that a student can be given: one that was graded, and out of all points. Empty if it has."""
    if row.status in ("refused", "not_graded"):
        return f"{row.status.replace('_', ' ')}: {row.reason}"
    if row.status != "graded":
        return row.reason
    lacking = assignment.manifest.points - row.max_score
    if abs(lacking) >= 1e-6:
        return f"checks of {lacking:g} points need a device that was not there"
    if row.late.unknown:
        return "handed in late, and nobody says by how much: give the time with --submitted-at"
    return ""


def make_row(
    graded: Graded, assignment: Assignment, entry: Submission | Refused | None = None, *, kept: bool = False
) -> Row:
    """The line of the table for a grade."""
    tasks = {task.id: graded.earned(task.id) for task in assignment.manifest.tasks}
    return Row(
        submission=graded.submission,
        assignment=graded.assignment,
        status="graded" if graded.scored else graded.status,
        score=round(graded.score, 6),
        max_score=round(graded.max_score, 6) if graded.results or graded.scored else float(assignment.manifest.points),
        tasks=tuple((task, round(score, 6)) for task, score in tasks.items()),
        reason=graded.reason,
        submitters=entry.submitters if entry else graded.submitters,
        mistakes=tuple(sorted({case.mistake for result in graded.results for case in result.cases if case.mistake})),
        outcomes=tuple(sorted({result.outcome.value for result in graded.results if _is_worth_a_word(result)})),
        elapsed_s=graded.elapsed_s,
        late=graded.late,
        kept=kept,
        overrides="; ".join(results.set_by_staff(graded)),
    )


def _is_worth_a_word(result: CheckResult) -> bool:
    """Whether a check's outcome is told beside the score: that one without points could not run here is not."""
    if not result.cases or result.outcome is Outcome.PASSED:
        return False
    return result.check.points > 0 or result.outcome is not Outcome.NOT_RUN


def table(rows: Sequence[Row], assignment: Assignment, points: float) -> str:
    """grades.csv: a row per submission, and per student of a roster without one. What nobody has judged is empty, never 0.

    `score` is out of `max_score` and as the checks gave it; `final` is out of `points`, after what being late takes off.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    tasks = [task.id for task in assignment.manifest.tasks]
    writer.writerow(
        [
            "submission",
            "assignment",
            "status",
            "score",
            "max_score",
            *tasks,
            "submitted_at",
            "days_late",
            "taken_off",
            "final",
            "points",
            "mistakes",
            "reason",
            "submitters",
            "overrides",
        ]
    )
    for row in rows:
        known = row.status == "graded"
        scores = dict(row.tasks)
        cells = [
            row.submission,
            row.assignment,
            row.status,
            f"{row.score:g}" if known else "",
            f"{row.max_score:g}",
        ]
        cells += [f"{scores.get(task, 0):g}" if known else "" for task in tasks]
        late = row.late
        dated = late.submitted_at and late.due
        cells += [late.submitted_at, f"{late.days}" if dated else "", f"{late.share:g}" if dated else ""]
        cells += ["" if why_blank(row, assignment) else f"{final(row, assignment, points):g}", f"{points:g}"]
        who = ", ".join(submitter.email or submitter.name for submitter in row.submitters)
        writer.writerow([cell_text(text) for text in [*cells, " ".join(row.mistakes), row.reason, who, row.overrides]])
    return out.getvalue()
