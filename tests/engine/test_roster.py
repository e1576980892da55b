"""Every student of the roster has a row, and whoever is left blank is named with the reason."""

from __future__ import annotations

import csv
import io

import pandas
import pytest

from gradkit import uploads
from gradkit.errors import InputError
from gradkit.model import Submitter
from gradkit.roster import Roster, read_roster, write_roster
from gradkit.tables import Row, write_tables

CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Homework (1)
    Points Possible,,,,,100
"One, Student",101,s1,student01@example.edu,A,
"Two, Student",102,s2,student02@example.edu,A,
"Student, Test",999,,,A,
"""
GRADESCOPE = """First Name,Last Name,SID,Email,Role
Student,One,s1,student01@example.edu,Student
Student,Two,s2,student02@example.edu,Student
A,Reader,,reader@example.edu,TA
"""


@pytest.fixture
def roster(tmp_path):
    def read(text: str | bytes):
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_roster(path)

    return read


def test_a_canvas_export_is_read_as_it_is(roster):
    """Names in their order, both numbers; no points possible, no test student; also with a mark in front and CRLF."""
    one = Submitter("Student One", "", "s1", "student01@example.edu", "101", "A")

    assert roster(CANVAS)[0] == one and len(roster(CANVAS)) == 2
    assert roster("\ufeff" + CANVAS.replace("\n", "\r\n")) == roster(CANVAS)


def test_a_gradescope_export_is_read_as_it_is(roster):
    """Two columns of names; staff take no part."""
    assert roster(GRADESCOPE) == (
        Submitter("Student One", "student01@example.edu", "s1"),
        Submitter("Student Two", "student02@example.edu", "s2"),
    )


def test_a_comma_turns_a_name_around_only_where_one_column_holds_it(roster):
    """Canvas writes "Two, Student"; in a column of family names a comma is a part of one."""
    assert [student.name for student in roster('Name,SID\n"Two, Student",s2\n')] == ["Student Two"]
    assert [student.name for student in roster('First Name,Last Name,SID\nStudent,"Two, Jr",s2\n')] == [
        "Student Two, Jr"
    ]


def test_what_is_kept_is_read_again(roster):
    """Commas, quotes and line breaks in names included."""
    students = (
        *roster(CANVAS),
        Submitter("Student Nine, Jr", "", "s9"),
        Submitter('O"Neil Student', "student03@example.edu", "=1+1"),
    )

    assert roster(write_roster(students)) == students


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column is called Name, Student, Email or SID; its columns: none"),
        ("Login,Grade\na,1\n", "no column is called Name, Student, Email or SID; its columns: Login, Grade"),
        ("Name,SID\n", "names no student"),
        ("Name,SID\nOne,1\nTwo,2\nOne,1\n", "roster.csv:4: One stands in line 2 too; delete one"),
        (b"Name\n\xff\xfe\n", "is not UTF-8 text"),
        ('Name\n"One\n', "is not CSV"),
    ],
)
def test_a_file_that_is_no_roster_is_a_line(roster, text, said):
    """It names the file, and what to do."""
    with pytest.raises(InputError) as raised:
        roster(text)

    assert said in str(raised.value) and "roster.csv" in str(raised.value)


@pytest.mark.parametrize(
    ("submission", "submitters", "found"),
    [
        ("submission_7", (Submitter("S. One", "Student01@Example.edu", ""),), "One"),
        ("submission_7", (Submitter("", "other@example.edu", "s2"),), "Two"),
        ("onestudent_101", (), "One"),
        ("onestudent_102", (), "Two"),
        ("s2", (), "Two"),
        ("student01@example.edu", (), "One"),
        ("Student Two", (), "Two"),
        ("twostudent", (), "Two"),
        ("Two_Student", (), "Two"),
        ("student", (), ""),
        ("onestudent_999", (), ""),
    ],
)
def test_a_submission_finds_its_student(roster, submission, submitters, found):
    """By an export's address or number, by Canvas's number, by a login, by a name in either order; never by a part of one."""
    behind = Roster(roster(CANVAS)).behind(submission, submitters)

    assert [student.name for student in behind] == ([f"Student {found}"] if found else [])


def test_namesakes_are_not_told_apart_by_their_name(roster):
    """Nobody is given another one's score."""
    students = roster("Name,SID\nStudent One,1\nStudent One,2\n")

    assert Roster(students).behind("Student One", ()) == ()
    assert Roster(students).behind("2", ()) == (students[1],)


def test_someone_who_is_not_on_the_roster_is_kept(roster):
    """An export knows who it was; the row says so."""
    guest = Submitter("Guest", "guest@example.edu", "g")

    assert Roster(roster(CANVAS)).behind("submission_1", (guest,)) == (guest,)


def row(submission: str, status: str = "graded", score: float = 50.0, reason: str = "", most: float = 100.0) -> Row:
    return Row(submission, "scaling", status, score, most, reason=reason)


def test_every_student_has_a_row_and_every_blank_a_reason(roster, scaling, tmp_path):
    """In grades.csv and in the files for gradebooks, which pandas reads back."""
    students = roster(
        "Name,SID\n"
        + "".join(f"{name},s{number}\n" for number, name in enumerate(['"A, Jr"', "B", "C", "D", "=E()", "F"]))
    )
    rows = [
        row("s0", score=0.0),
        row("s1", "refused", 0, "is a PDF"),
        row("s2", "not_graded", 0, "a fault"),
        row("s3", most=90),
    ]
    rows += [row("s4"), row("stranger")]

    notes = write_tables(rows, scaling, tmp_path, students)

    table = pandas.read_csv(tmp_path / "grades.csv", dtype=str, keep_default_na=False)
    by_submission = {line["submission"]: line for _, line in table.iterrows()}
    assert len(table) == 7 and by_submission[""]["status"] == "missing" and by_submission[""]["submitters"] == "F"
    assert {name: line["score"] for name, line in by_submission.items()} == {
        "s0": "0", "s1": "", "s2": "", "s3": "50", "s4": "50", "stranger": "50", "": "",
    }  # fmt: skip
    assert notes == (
        "B is left blank: refused: is a PDF",
        "C is left blank: not graded: a fault",
        "D is left blank: checks of 10 points need a device that was not there",
        "F is left blank: nothing was handed in",
        "stranger belongs to nobody on the roster",
    )
    canvas = pandas.read_csv(tmp_path / "canvas.csv", dtype=str, keep_default_na=False)
    scores = dict(zip(canvas["Student"], canvas.iloc[:, -1], strict=True))
    assert scores["'=E()"] == "50" and scores["Jr A"] == "0" and scores["B"] == scores["F"] == ""
    gradescope = pandas.read_csv(tmp_path / "gradescope.csv", dtype=str, keep_default_na=False)
    assert list(gradescope["Status"]) == ["Graded", "Ungraded", "Ungraded", "Ungraded", "Graded", "Missing"]


def test_two_submissions_of_one_student_are_named(scaling):
    """Nobody knows which counts, so it is said which they are."""
    twice = Submitter("student05", "student05@example.edu", "")
    entries = [uploads.Entry("a", (twice,), 60.0), uploads.Entry("b", (twice,), 70.0)]

    assert uploads.blank(entries) == [(twice, "handed in as a and as b: grade one of them alone")]


def test_a_run_keeps_its_roster(gradkit, small_kit, reference_source, tmp_path):
    """On the command line: rows for all, lines at the end; resumed without the option it knows it still."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "onestudent_101_7_scaling.py").write_text(reference_source, encoding="utf-8")
    (tmp_path / "roster.csv").write_text(CANVAS, encoding="utf-8")
    arguments = ["grade", "scaling", tmp_path / "in", "--out", tmp_path / "out", "--root", small_kit]

    done = gradkit(*arguments, "--roster", tmp_path / "roster.csv")
    (tmp_path / "out" / "canvas.csv").unlink()
    again = gradkit(*arguments, "--resume")

    for said in (done, again):
        assert said.returncode == 0 and "  Student Two is left blank: nothing was handed in" in said.stdout
    lines = list(csv.reader(io.StringIO((tmp_path / "out" / "canvas.csv").read_text(encoding="utf-8"))))
    assert lines[2:] == [
        ["Student One", "101", "s1", "student01@example.edu", "A", "100"],
        ["Student Two", "102", "s2", "student02@example.edu", "A", ""],
    ]
