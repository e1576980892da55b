"""Totals bring runs together by student, whatever changed on the roster in between, and count no accident as 0."""

from __future__ import annotations

import datetime
import shutil

import pytest

from gradkit import results
from gradkit.course import read_course
from gradkit.errors import InputError
from gradkit.manifest import load_assignment
from gradkit.model import Graded, Override, Submitter
from gradkit.roster import write_roster
from gradkit.scaffold import new_assignment
from gradkit.tables import make_row, write_tables
from gradkit.totals import course_totals

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
COURSE = """
[[assignments]]
id = "scaling"
due = 2026-10-12T23:59:00
weight = 1
[[assignments]]
id = "other"
due = 2026-10-19T23:59:00
weight = 3
"""
ONE = Submitter("Student One", "student01@example.edu", "s1", section="A")
TWO = Submitter("Student Two", "student02@example.edu", "s2")


@pytest.fixture
def course(kit, tmp_path):
    """A course of two assignments."""
    new_assignment(kit, "other")
    (tmp_path / "course.toml").write_text(COURSE, encoding="utf-8")
    return read_course(tmp_path / "course.toml", ["scaling", "other"])


@pytest.fixture
def run_of(kit, tmp_path):
    """Write a run as `grade` does: totals set by staff stand for checks, and None for a submission that is refused."""

    def write(id, students, scores):
        out, assignment = tmp_path / f"run-{id}", load_assignment(kit, id)
        out.mkdir()
        rows = []
        for name, (who, score) in scores.items():
            given = () if score is None else (Override("", score, 100.0, "on paper", "staff01"),)
            graded = Graded(name, id, "refused", reason="is an image", submitters=who, overrides=given)
            (out / name).mkdir()
            results.write(graded, out / name)
            rows.append(make_row(graded, assignment))
        write_tables(rows, assignment, out, students)
        (out / "roster.csv").write_text(write_roster(students), encoding="utf-8")
        (out / "run.json").write_text(f'{{"assignment": "{id}", "checks": "", "seed": 1, "device": "cpu"}}')
        return out

    return write


def test_a_student_is_one_though_the_roster_changed(course, run_of, kit):
    """Another section and a name spelled otherwise: the number is the same, and so is the row."""
    first = run_of("scaling", [ONE, TWO], {"a": ((ONE,), 80.0), "b": ((TWO,), 60.0)})
    moved = ONE._replace(section="B", name="Student M. One")
    second = run_of("other", [moved, TWO], {"a": ((moved,), 100.0)})

    made = course_totals(kit, course, [second, first], NOW)

    assert [(row[0].sid, row[1], row[2]) for row in made.rows] == [("s1", (0.8, 1.0), 0.95), ("s2", (0.6, 0.0), 0.15)]


def test_namesakes_stay_two(course, run_of, kit):
    """Only one of two who have the same name can be the one of another roster."""
    first = run_of("scaling", [Submitter("Student One", "", "")], {})
    second = run_of("other", [ONE, ONE._replace(sid="s9", email="")], {})

    made = course_totals(kit, course, [first, second], NOW)

    assert len(made.rows) == 2


def test_whoever_has_no_total_is_named_with_the_reason(course, run_of, kit):
    """Refused, two submissions, work of nobody on the roster, and an assignment that nobody has graded yet."""
    three = Submitter("Student Three", "student03@example.edu", "s3")
    run = run_of(
        "scaling", [ONE, TWO], {"a": ((ONE,), None), "b": ((TWO,), 1.0), "c": ((TWO,), 2.0), "d": ((three,), 3.0)}
    )

    made = course_totals(kit, course, [run], NOW)

    assert [row[1:] for row in made.rows] == [((None,), None)] * 2
    assert list(made.notes) == [
        f"d in {run} belongs to nobody on the roster",
        "no run of other: the total leaves it out",
        "Student One has no total: scaling: refused: is an image",
        "Student Two has no total: scaling: two submissions",
    ]


@pytest.mark.parametrize("lost", ["a", "grades.csv"])
def test_a_run_that_is_not_finished_is_no_0(course, run_of, kit, lost):
    """What was interrupted or killed is gone on with first."""
    run = run_of("scaling", [ONE], {"a": ((ONE,), 80.0)})
    shutil.rmtree(run / lost) if (run / lost).is_dir() else (run / lost).unlink()

    with pytest.raises(InputError, match="is not finished: go on with gradkit grade --resume"):
        course_totals(kit, course, [run], NOW)
