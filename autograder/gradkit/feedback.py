"""Feedback as files to send: a page per student, tables of names for a mail merge, and a zip that Canvas takes back.

Canvas attaches the files of a zip to submissions as comments ("Upload Submissions" beside "Download Submissions"): it finds
the student and the submission by the two numbers that it put into each file's name, so the names must be those of the download.
Its gradebook's CSV import takes scores and no comments.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gradkit import results
from gradkit.exports import canvas_files
from gradkit.files import fresh, pack
from gradkit.manifest import Manifest
from gradkit.model import Graded, Submitter
from gradkit.report.data import read_run
from gradkit.report.pages import render_student
from gradkit.report.summary import Summary, summarize
from gradkit.roster import Roster, label
from gradkit.runs import kept_roster
from gradkit.safetext import cell_lines, file_name, page_text

INDEX, COMMENTS, CANVAS = "index.csv", "comments.csv", "canvas-upload.zip"
PAGES = "pages"


@dataclass(frozen=True)
class _Letter:
    """What one student gets. `graded` is None for somebody who handed in nothing."""

    student: Submitter
    submission: str = ""
    graded: Graded | None = None
    file: str = ""


def write_feedback(run_folder: Path, out: Path, manifest_of: Callable[[str], Manifest | None]) -> list[str]:
    """Write the feedback of a run into a new folder or zip.

    Args:
        run_folder: What `gradkit grade --out` wrote.
        out: Gets a page for each student, `index.csv`, `comments.csv`, and for a download from Canvas `canvas-upload.zip`.
        manifest_of: Gives the manifest of the assignment with this id, for titles; None where it is not known.

    Returns:
        Lines saying what was written, and whom there is nothing for, with the reason.

    Raises:
        InputError: When `run_folder` holds no run, or `out` is there already or can't be written.
    """
    run = read_run(run_folder)
    summary = summarize(run, manifest_of(run.assignment))
    graded = [entry.graded for entry in run.entries if entry.graded and entry.listed]
    letters = _named(_letters(graded, kept_roster(run_folder)))
    with fresh(out) as folder:
        (folder / PAGES).mkdir()
        for letter in letters:
            if letter.graded:
                name = label(letter.student) or letter.submission
                page = render_student(letter.graded, name, summary)
                (folder / PAGES / letter.file).write_text(page, encoding="utf-8", newline="\n")
        _write_table(folder / INDEX, _index(letters))
        _write_table(folder / COMMENTS, _comments(letters))
        for_canvas = _write_canvas(folder / CANVAS, graded, summary)
        pack(folder, out)
    pages = sum(letter.graded is not None for letter in letters)
    told = [f"{out}: {pages} pages in {PAGES}; {INDEX} says whose each is, {COMMENTS} has their texts"]
    if for_canvas:
        told.append(f"{CANVAS} has {for_canvas} pages with the names that Canvas gave: upload it as it is")
    told += [f"nothing for {label(letter.student)}: nothing was handed in" for letter in letters if not letter.graded]
    told += [f"nothing for {entry.name}: no whole record of its grade" for entry in run.entries if not entry.graded]
    return told


def comment(graded: Graded) -> str:
    """What a student reads, as plain text: the score, and each check that failed."""
    told = results.advice(graded.results)
    failed = [result for result in graded.results if result.cases and not results.looks_passed(result)]
    parts = [f"{results.heading(result.check)}\n{results.explain(result, told)}" for result in failed]
    return page_text("\n\n".join([results.headline(graded), *parts]))


def _letters(graded: Iterable[Graded], students: Sequence[Submitter]) -> list[_Letter]:
    """One for each student of each submission, then one for each student of the roster without any."""
    roster = Roster(students)
    letters = []
    for one in graded:
        known = roster.behind(one.submission, one.submitters)
        letters += [_Letter(student, one.submission, one) for student in known or (Submitter("", "", ""),)]
    there = {letter.student for letter in letters}
    return letters + [_Letter(student) for student in students if student not in there]


def _named(letters: Iterable[_Letter]) -> list[_Letter]:
    """The same with a file's name for each page: the student's name and address, or number; no two alike in any case."""
    taken: set[str] = set()
    named = []
    for letter in letters:
        student = letter.student
        if letter.graded is None:
            named.append(letter)
            continue
        words = [student.name, student.email or student.sid or student.canvas_id]
        stem = file_name(" ".join(word for word in words if word) or letter.submission)
        name, number = f"{stem}.html", 2
        while name.casefold() in taken:
            name, number = f"{stem} {number}.html", number + 1
        taken.add(name.casefold())
        named.append(_Letter(student, letter.submission, letter.graded, name))
    return named


def _index(letters: Iterable[_Letter]) -> Iterable[Sequence[str]]:
    yield "name", "email", "sid", "submission", "file", "status", "score", "max_score"
    for letter in letters:
        student, graded = letter.student, letter.graded
        who = student.name, student.email or student.login, student.sid
        if graded is None:
            yield *who, "", "", "missing", "", ""
            continue
        score = (results.points(graded.final), results.points(graded.max_score)) if _settled(graded) else ("", "")
        yield *who, letter.submission, f"{PAGES}/{letter.file}", graded.status, *score


def _comments(letters: Iterable[_Letter]) -> Iterable[Sequence[str]]:
    yield "name", "email", "sid", "canvas_id", "score", "comment"
    for letter in letters:
        student, graded = letter.student, letter.graded
        if graded is not None:
            who = student.name, student.email or student.login, student.sid, student.canvas_id
            yield *who, results.points(graded.final) if _settled(graded) else "", comment(graded)


def _settled(graded: Graded) -> bool:
    """Whether there is a score to tell: whatever being late takes off is known too."""
    return graded.scored and graded.complete and not graded.late.unknown


def _write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([cell_lines(text) for text in row])
    path.write_text(out.getvalue(), encoding="utf-8", newline="\n")


def _write_canvas(path: Path, graded: Iterable[Graded], summary: Summary) -> int:
    """How many pages went into the zip; none is written where nothing came from Canvas."""
    pages = []
    for one in graded:
        if files := canvas_files(one.listed):
            name = files[0].listed
            pages.append((f"{Path(name).stem}.html", render_student(one, one.submission, summary)))
    if pages:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, page in pages:
                archive.writestr(name, page)
    return len(pages)
