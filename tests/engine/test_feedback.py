"""Feedback goes to whom it belongs: a page each, named so that any mail program and Canvas take it, and nobody missing."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pandas
import pytest

from gradkit import results
from gradkit.errors import InputError
from gradkit.exports import canvas_files
from gradkit.feedback import comment, write_feedback
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome, Submitter
from gradkit.policy import Lateness
from gradkit.roster import ROSTER, write_roster

CHECK = Check("hidden:test_a", "1.1", "it works", "centre", 100.0, True, "It works.")
FAILED = CheckResult(CHECK, (CaseResult("", Outcome.FAILED, summary="output is wrong", hint="Which axis?"),))
STUDENTS = (
    Submitter('=HYPERLINK("x")', "student01@example.edu", "s1"),
    Submitter("Student, Two", "", "s2"),
    Submitter("Student/../Three\u202e", "student03@example.edu", "s3"),
    Submitter("Namesake", "", "s4"),
    Submitter("Namesake", "", "s5"),
    Submitter("N" * 300, "student06@example.edu", "s6"),
    Submitter("CON", "", ""),
    Submitter("Student Eight", "student08@example.edu", "s8"),
)


@pytest.fixture
def run(tmp_path):
    """A run of seven submissions; two students share one, and the last student handed in nothing."""

    def write(graded: Graded) -> None:
        folder = tmp_path / "run" / graded.submission
        folder.mkdir(parents=True)
        results.write(graded, folder)

    behind = {f"submission_{number}": (student,) for number, student in enumerate(STUDENTS[:6], start=1)}
    behind["submission_2"] = STUDENTS[1], STUDENTS[6]
    for name, students in behind.items():
        write(Graded(name, "scaling", "graded", (FAILED,), submitters=students))
    write(Graded("stranger", "scaling", "refused", reason="is a PDF"))
    (tmp_path / "run" / ROSTER).write_text(write_roster(STUDENTS), encoding="utf-8")
    return tmp_path / "run"


def table(path: Path) -> pandas.DataFrame:
    return pandas.read_csv(path, dtype=str, keep_default_na=False)


def test_everybody_has_a_page_or_a_reason(run, tmp_path):
    """By pandas: a row for each student, whose file is there and says their name; the last is named as left out."""
    told = write_feedback(run, tmp_path / "out", lambda id: None)

    index = table(tmp_path / "out" / "index.csv")
    files = {path.name for path in (tmp_path / "out" / "pages").iterdir()}
    named = [Path(file).name for file in index["file"] if file]
    assert len(index) == 9 and sorted(named) == sorted(files) and len(files) == 8
    assert list(index["sid"]) == ["", "s1", "s2", "", "s3", "s4", "s5", "s6", "s8"]
    assert index.iloc[1]["name"] == '\'=HYPERLINK("x")' and index.iloc[-1]["status"] == "missing"
    assert told[-1] == "nothing for Student Eight: nothing was handed in"
    assert "Student, Two" in (tmp_path / "out" / index.iloc[2]["file"]).read_text(encoding="utf-8")


def test_names_are_fit_for_any_file_system(run, tmp_path):
    """No separators, no direction marks, not too long, nothing that Windows reserves, none twice in any case."""
    write_feedback(run, tmp_path / "out", lambda id: None)

    names = [path.name for path in (tmp_path / "out" / "pages").iterdir()]
    assert len({name.casefold() for name in names}) == len(names) == 8
    for name in names:
        assert not re.search(r'[/\\:*?"<>|\u202e]', name) and len(name) < 100 and not name.startswith((".", "-"))
    assert "_CON.html" in names and {"Namesake s4.html", "Namesake s5.html", "stranger.html"} <= set(names)


def test_comments_are_the_students_own_texts(run, tmp_path):
    """The headline, and each failed check with its hint; a formula in a cell is none."""
    write_feedback(run, tmp_path / "out", lambda id: None)

    comments = table(tmp_path / "out" / "comments.csv")
    assert len(comments) == 8 and list(comments["score"]) == [""] + ["0"] * 7
    assert comments.iloc[1]["comment"].startswith("0 of 100 points.\n\nit works (hidden)\nThe claim: It works.")
    assert "Hint: Which axis?" in comments.iloc[1]["comment"] and "is a PDF" in comments.iloc[0]["comment"]
    assert comment(Graded("x", "scaling", "graded", (CheckResult(CHECK, (CaseResult("", Outcome.PASSED),)),))) == (
        "100 of 100 points."
    )


def test_a_page_has_nothing_of_staffs(run, tmp_path):
    """Neither the name of the mistake nor the edit."""
    secret = CaseResult("", Outcome.FAILED, summary="output is wrong", hint="H", mistake="the_secret", edit="a -> b")
    graded = Graded("submission_9", "scaling", "graded", (CheckResult(CHECK, (secret,)),))
    (run / "submission_9").mkdir()
    results.write(graded, run / "submission_9")

    write_feedback(run, tmp_path / "out", lambda id: None)

    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert b"the_secret" not in path.read_bytes() and b"a -&gt; b" not in path.read_bytes()


def test_canvas_takes_the_zip_back(gradkit, small_kit, reference_source, tmp_path):
    """Each page is named with both of Canvas's numbers, as the download was, late marks and all; on the command line."""
    (tmp_path / "in").mkdir()
    for name in ("onestudent_101_7_scaling.py", "twostudent_LATE_102_8_scaling-1.py"):
        (tmp_path / "in" / name).write_text(reference_source, encoding="utf-8")
    grade = ("grade", "scaling", tmp_path / "in", "--out", tmp_path / "out", "--root", small_kit)
    assert gradkit(*grade).returncode == 0

    done = gradkit("feedback", tmp_path / "out", "--root", small_kit)

    assert done.returncode == 0, done.stderr
    assert "canvas-upload.zip has 2 pages" in done.stdout
    with zipfile.ZipFile(tmp_path / "out" / "feedback.zip") as archive:
        inner = next(name for name in archive.namelist() if name.endswith("canvas-upload.zip"))
        with zipfile.ZipFile(io.BytesIO(archive.read(inner))) as upload:
            names = upload.namelist()
    assert names == ["onestudent_101_7_scaling.html", "twostudent_LATE_102_8_scaling-1.html"]
    found = canvas_files(names)
    assert [(file.student, file.number) for file in found] == [("onestudent_101", 7), ("twostudent_102", 8)]
    again = gradkit("feedback", tmp_path / "out", "--root", small_kit)
    assert again.returncode == 2 and "feedback.zip is there already" in again.stderr


def test_a_folder_without_a_run_is_a_line(tmp_path):
    """And nothing is written."""
    (tmp_path / "run").mkdir()

    with pytest.raises(InputError, match="no graded submissions here"):
        write_feedback(tmp_path / "run", tmp_path / "out", lambda id: None)
    assert not (tmp_path / "out").exists()


def test_a_score_that_waits_for_a_time_is_told_to_nobody(tmp_path):
    """What being late takes off is not known yet, so neither table has a score."""
    late = Graded("student01", "scaling", "graded", (FAILED,), submitters=STUDENTS[:1], late=Lateness(unknown=True))
    (tmp_path / "run" / "student01").mkdir(parents=True)
    results.write(late, tmp_path / "run" / "student01")

    write_feedback(tmp_path / "run", tmp_path / "out", lambda id: None)

    for name in ("index.csv", "comments.csv"):
        assert table(tmp_path / "out" / name)["score"].tolist() == [""]
