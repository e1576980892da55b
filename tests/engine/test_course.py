"""What course.toml says is applied: due dates, extensions, late policy, points, weights."""

from __future__ import annotations

import csv
import datetime
import re
import zipfile
from pathlib import Path

import msgspec
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradkit import results
from gradkit.course import Attempts, Course, DueDates, read_course, read_moment, read_times
from gradkit.discovery import Submission
from gradkit.errors import InputError
from gradkit.gradescope import Settings
from gradkit.manifest import assignment_ids
from gradkit.model import Graded, Submitter
from gradkit.policy import DAY_S, Lateness, lateness
from gradkit.totals import course_totals

ROOT = Path(__file__).resolve().parents[2]
ONE = Submitter("Student One", "student01@example.edu", "s1", "one01", "101")
TWO = Submitter("Student Two", "student02@example.edu", "s2")
DUE = datetime.datetime(2026, 10, 12, 23, 59, tzinfo=datetime.UTC)
PLAIN = """
[late]
share_per_day = 0.1
grace_minutes = 15
cut_off_days = 5
[[assignments]]
id = "scaling"
due = 2026-10-12T23:59:00
points = 20
"""


@pytest.fixture
def course(tmp_path):
    def read(text: str, known=("scaling", "other")) -> Course:
        path = tmp_path / "course.toml"
        path.write_text(text, encoding="utf-8")
        return read_course(path, known)

    return read


def share(late_s: float, **policy: float) -> float:
    return lateness(DUE + datetime.timedelta(seconds=late_s), DUE, **policy).share


@pytest.mark.parametrize(
    ("late_s", "days", "off"),
    [
        (-1, 0, 0), (0, 0, 0), (900, 0, 0), (901, 1, 0.1), (DAY_S, 1, 0.1), (DAY_S + 1, 2, 0.2),
        (3 * DAY_S, 3, 0.3), (5 * DAY_S, 5, 0.5), (5 * DAY_S + 1, 6, 1),
    ],
)  # fmt: skip
def test_days_count_from_the_due_date_once_the_grace_is_over(late_s, days, off):
    """A day counts when it has begun; past the cut-off nothing is left."""
    late = lateness(DUE + datetime.timedelta(seconds=late_s), DUE, grace_s=900, share_per_day=0.1, cut_off_s=5 * DAY_S)

    assert (late.days, late.share) == (days, off) and late.late_s == max(0, late_s)


SECONDS = st.integers(-30 * DAY_S, 30 * DAY_S)
POLICY = st.fixed_dictionaries(
    {
        "grace_s": st.integers(0, 3 * DAY_S),
        "share_per_day": st.floats(0, 1),
        "cut_off_s": st.one_of(st.just(float("inf")), st.integers(0, 20 * DAY_S)),
    }
)


def test_moments_count_in_whole_seconds():
    """What is written as 23:59:00 is in time when that is the due date, so that the table never contradicts itself."""
    late = lateness(DUE + datetime.timedelta(seconds=0.9), DUE, share_per_day=0.1)

    assert (late.submitted_at, late.late_s, late.days) == (late.due, 0, 0)


def test_students_read_that_a_day_has_begun_and_the_share_as_it_is():
    """Not "1 d 0 h" where two days count, and not 12% where 12.5% is taken off."""
    late = lateness(DUE + datetime.timedelta(days=1, minutes=5), DUE, share_per_day=0.0625)

    assert results.lateness(Graded("x", "scaling", "graded", late=late)) == [
        "Handed in 1 d 5 min after the due date: 12.5% is taken off. 0 points become 0."
    ]


@given(SECONDS, SECONDS, POLICY)
def test_later_is_never_better(one, other, policy):
    """The share is a share, and grows with time."""
    first, second = share(min(one, other), **policy), share(max(one, other), **policy)

    assert 0 <= first <= second <= 1


@given(SECONDS, POLICY, st.floats(0, 100))
def test_what_is_left_is_between_nothing_and_the_score(late_s, policy, score):
    """Never negative, never more than was earned, and all of it in time or within the grace period."""
    late = lateness(DUE + datetime.timedelta(seconds=late_s), DUE, **policy)

    assert 0 <= late.kept(score) <= round(score, 6)
    if late_s <= policy["grace_s"]:
        assert late.kept(score) == round(score, 6)


@given(st.integers(-10 * DAY_S, 20 * DAY_S), st.integers(0, 10), POLICY)
def test_an_extension_is_worth_as_many_days_earlier(late_s, days, policy):
    """Where clocks don't change, n days more are n days less late."""
    at = DUE + datetime.timedelta(seconds=late_s)

    extended = lateness(at, DUE + datetime.timedelta(days=days), **policy)
    earlier = lateness(at - datetime.timedelta(days=days), DUE, **policy)

    assert (extended.share, extended.late_s) == (earlier.share, earlier.late_s)


def test_clocks_that_change_shift_no_deadline_and_make_no_day_longer(course):
    """An extension keeps midnight; a day late is 24 hours, also in the night of 25 hours."""
    berlin = course(
        'timezone = "Europe/Berlin"\n'
        + PLAIN.replace("2026-10-12T23:59:00", "2026-10-24T23:59:00")
        + '[[extensions]]\nstudent = "s1"\ndays = 1\n'
    )

    assert berlin.due("scaling", [TWO]).isoformat() == "2026-10-24T23:59:00+02:00"
    assert berlin.due("scaling", [ONE]).isoformat() == "2026-10-25T23:59:00+01:00"
    at = datetime.datetime.fromisoformat("2026-10-25T23:59:00+01:00")  # the next midnight, 25 hours later
    assert berlin.lateness("scaling", at, [TWO]).days == 2 and berlin.lateness("scaling", at, [ONE]).days == 0


@pytest.mark.parametrize("name", ["STUDENT01@example.edu", "s1", "one01", "101", "student  one"])
def test_an_extension_names_a_student_as_the_roster_does(course, name):
    """By address, number, login, Canvas's number or name, whatever the case."""
    longer = course(PLAIN + f'[[extensions]]\nstudent = "{name}"\nassignment = "scaling"\ndays = 2\n')

    assert longer.due("scaling", [ONE]) - longer.due("scaling", [TWO]) == datetime.timedelta(days=2)
    assert longer.misnamed([ONE, TWO], longer.extensions) == []
    assert longer.misnamed([TWO], longer.extensions) == [f"{name} has an extension and is not on the roster"]


def test_a_group_has_the_latest_date_of_its_members(course):
    """And of several extensions of one student the latest holds, a new date too."""
    several = course(
        PLAIN
        + '[[extensions]]\nstudent = "s1"\ndays = 2\n'
        + '[[extensions]]\nstudent = "s1"\nassignment = "scaling"\ndue = 2026-10-20T12:00:00\n'
    )

    assert several.due("scaling", [TWO, ONE]).isoformat() == "2026-10-20T12:00:00+00:00"
    assert several.due("scaling", [TWO]) == several.due("scaling") and several.due("other") is None


def test_a_policy_of_the_platform_takes_nothing_off_here(course):
    """How late it is is told all the same."""
    late = course(PLAIN.replace("[late]", '[late]\napplied_by = "platform"')).lateness(
        "scaling", DUE + datetime.timedelta(days=20), [ONE]
    )

    assert late.share == 0 and late.days == 20


def test_the_file_in_the_docs_is_one(tmp_path):
    """It is read as it stands there, with the assignments of the kit."""
    text = re.search(r"```toml\n(.*?)```", (ROOT / "docs" / "course.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    (tmp_path / "course.toml").write_text(text, encoding="utf-8")

    course = read_course(tmp_path / "course.toml", assignment_ids(ROOT))

    assert course.ids == ["backprop", "attention"] and len(course.extensions) == 2
    late = course.lateness("backprop", course.due("backprop") + datetime.timedelta(hours=27), [TWO])
    assert late.kept(90) == 72  # as the page says


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAIN.replace("scaling", "scalin"), "assignments.id: no assignment is called 'scalin'; did you mean 'scaling'?"),
        (PLAIN.replace("points", "point"), "assignments[0]: Object contains unknown field `point`; allowed: id, due"),
        (PLAIN.replace("share_per_day = 0.1", "share_per_day = 10"), "late.share_per_day: a share from 0 to 1 such as 0.1"),
        (PLAIN.replace("2026-10-12T23:59:00", '"Monday"'), "assignments[0].due: Expected `datetime | null`, got `str`; write"),
        (PLAIN.replace("2026-10-12T23:59:00", "2026-10-12"), "assignments[0].due: Expected"),
        (PLAIN.replace("points = 20", "points = 0"), "assignments.scaling.points: a number above 0, got 0"),
        ('timezone = "Mars"\n' + PLAIN, "timezone: a name such as Europe/Berlin or America/New_York, got 'Mars'"),
        ('timezone = "../etc"\n' + PLAIN, "timezone: a name such as"),
        ("title = 3\n" + PLAIN, "title: Expected `str`, got `int`"),
        ("title = \n" + PLAIN, "course.toml:1: not TOML"),
        ("assignments = []\n", "assignments: at least one [[assignments]] is needed"),
        (PLAIN + '[[assignments]]\nid = "scaling"\n', "assignments.id: 'scaling' is there twice"),
        (PLAIN + '[[assignments]]\nid = "other"\nweight = 1\n', "give every assignment a weight, or none"),
        (PLAIN + '[[extensions]]\nstudent = "s1"\n', "extensions.s1: give either due, a new date, or days"),
        (PLAIN + '[[extensions]]\nstudent = "s1"\nassignment = "x"\ndays = 1\n', "extensions.s1.assignment: no assignment is"),
        (PLAIN + 2 * '[[extensions]]\nstudent = "s1"\ndays = 1\n', "extensions.s1: is there twice for all assignments"),
        (PLAIN + "attempts = { limit = 0 }\n", "assignments.scaling.attempts.limit: at least 1, got 0"),
        (PLAIN + "attempts = { limit = 1, window_hours = inf }\n", "attempts.window_hours: a number above 0, got inf"),
        (PLAIN.replace("points = 20", "points = inf"), "assignments.scaling.points: a number above 0, got inf"),
        (PLAIN + "weight = inf\n", "assignments.scaling.weight: a number from 0 on, got inf"),
        (PLAIN + "weight = nan\n", "assignments.scaling.weight: a number from 0 on, got nan"),
        (PLAIN + "seed = -1\n", "assignments.scaling.seed: a whole number from 0 to 2^63 - 1, got -1"),
        (PLAIN + '[[extensions]]\nstudent = "s1"\ndays = 1000000000\n', "extensions.s1.days: days from 0 to 3650"),
        (PLAIN.replace("2026-", "0001-"), "assignments.scaling.due: a year from 1970 to 2999, got 1"),
        (PLAIN + '[[extensions]]\nstudent = "s1"\ndue = 9999-12-31T23:59:00\n', "extensions.s1.due: a year from 1970"),
        (
            'timezone = "Europe/Berlin"\n' + PLAIN.replace("2026-10-12T23:59:00", "2026-03-29T02:30:00"),
            "assignments.scaling.due: 2026-03-29 02:30 does not exist in Europe/Berlin",
        ),
    ],
)  # fmt: skip
def test_a_slip_in_the_file_is_one_line(course, text, said):
    """It names the file, the key and what is allowed."""
    with pytest.raises(InputError) as raised:
        course(text)

    assert said in str(raised.value) and "course.toml" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["2026-10-12 21:59:00.123456789 Z", "2026-10-12T23:59:00+02:00", "2026-10-12 14:59:00 -0700"]
)
def test_moments_are_read_as_exports_write_them(text):
    """Nine digits of a second, and zones with or without a colon."""
    assert read_moment(text).astimezone(datetime.UTC).replace(microsecond=0) == DUE.replace(hour=21)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,when\na,b\n", "times.csv:2: two columns are needed, submission and time"),
        ("submission,time\na,soon\n", "times.csv:2: soon is no date with a time"),
        ("submission,time\na,2026-10-12\n", "times.csv:2: 2026-10-12 is no date with a time; write 2026-10-12 21:59"),
        ("submission,time\na,0001-01-01 00:00 +14:00\n", "times.csv:2: 0001-01-01 00:00 +14:00 is no date"),
        ("submission,time\na,2026-10-12 10:00\na,2026-10-13 10:00\n", "times.csv:3: a is there twice"),
        ("submission,time\n", "names no submission"),
    ],
)
def test_a_file_of_times_that_is_none_is_a_line(tmp_path, text, said):
    """It names the line, and what to write."""
    (tmp_path / "times.csv").write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=re.escape(said)):
        read_times(tmp_path / "times.csv")


def test_what_canvas_marks_as_late_waits_for_a_time(course):
    """By how much is not guessed; a time that is given settles it, in the course's zone if it names none."""
    marked = Submission("onestudent_101", Path("x.py"), late=True)
    berlin = course('timezone = "Europe/Berlin"\n' + PLAIN)

    waiting = DueDates(berlin, "scaling", [ONE]).lateness(marked)
    settled = DueDates(berlin, "scaling", [ONE], {"onestudent_101": datetime.datetime(2026, 10, 13, 8)}).lateness(
        marked
    )

    assert waiting.unknown and waiting.share == 0
    assert not settled.unknown and settled.share == 0.1 and settled.submitted_at == "2026-10-13T06:00:00Z"
    assert DueDates(None, "scaling").lateness(marked) == Lateness()


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("due = ", "# due = "),
        PLAIN.replace("[late]", '[late]\napplied_by = "platform"'),
        PLAIN[PLAIN.index("[[") :],
    ],
    ids=["no due date", "the platform", "no penalty"],
)
def test_a_mark_of_canvas_blanks_nothing_where_being_late_costs_nothing(course, text):
    """There is nothing to wait for."""
    assert not DueDates(course(text), "scaling").lateness(Submission("x_101", Path("x.py"), late=True)).unknown


def test_staff_read_what_the_penalties_leave_open(course):
    """A time of nobody, work without a time, an extension that can't be looked for, or that names nobody or two."""
    extended = course(PLAIN + '[[extensions]]\nstudent = "Student One"\ndays = 1\n')
    late, other = Submission("student01", Path("x.py")), Submission("=odd", Path("y.py"))
    times = {"student01": DUE + datetime.timedelta(days=1), "'=odd": DUE, "typo": DUE}

    def doubts(students, given, found=extended):
        return DueDates(found, "scaling", students, given).doubts([late, other], ["student01", "=odd"])

    assert doubts([ONE], times) == ["typo has a time and is no submission here"]
    assert doubts([ONE], {"student01": DUE}) == ["nobody says when these were handed in, so nothing is taken off: =odd"]
    assert doubts([], {"student01": times["student01"], "=odd": DUE}) == [
        "without --roster nobody knows whether these have an extension: student01"
    ]
    assert doubts([TWO], {"student01": DUE, "=odd": DUE}) == ["Student One has an extension and is not on the roster"]
    assert doubts([ONE, ONE._replace(email="x@example.edu", sid="s3")], {"student01": DUE, "=odd": DUE}) == [
        "the extension of Student One holds for 2 students: give an address or a number"
    ]
    assert doubts([], {}, None) == doubts([], {}, course(PLAIN[PLAIN.index("[[") :])) == []


def export(folder: Path, source: str) -> None:
    """Three students: one in time, one a day late with an extension of a day, one two days late."""
    days = {"submission_1": 12, "submission_2": 13, "submission_3": 14}
    lines = []
    for number, (name, day) in enumerate(days.items(), start=1):
        (folder / name).mkdir(parents=True)
        (folder / name / "scaling.py").write_text(source, encoding="utf-8")
        lines += [
            f"{name}:", "  :submitters:", f"  - :name: Student {number}", f"    :email: student{number:02}@example.edu",
            f"    :sid: s{number}", f"  :created_at: 2026-10-{day} 23:00:00.000000000 Z",
        ]  # fmt: skip
    (folder / "submission_metadata.yml").write_text("---\n" + "\n".join(lines) + "\n", encoding="utf-8")


def table(path: Path) -> dict[str, dict]:
    frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
    return {row[frame.columns[0]]: row for _, row in frame.iterrows()}


def test_a_course_is_applied_from_the_export_to_the_total(gradkit, small_kit, reference_source, tmp_path):
    """On the command line: raw and final scores apart, the gradebook in the course's points, every student's page, a change
    of mind by --resume, and the totals."""
    export(tmp_path / "export", reference_source)
    course = tmp_path / "course.toml"
    course.write_text(PLAIN + '[[extensions]]\nstudent = "s2"\ndays = 1\n', encoding="utf-8")
    (tmp_path / "roster.csv").write_text("Name,SID\n" + "".join(f"Student {n},s{n}\n" for n in range(1, 5)))
    out = tmp_path / "out"
    arguments = ["grade", "scaling", tmp_path / "export", "--out", out, "--root", small_kit, "--course", course]

    done = gradkit(*arguments, "--roster", tmp_path / "roster.csv")

    assert done.returncode == 0, done.stderr
    assert "  submission_3 is 1 d 23 h late: 20% is taken off, 100 becomes 80" in done.stdout
    assert "submission_1" not in done.stdout.split("grades.csv")[1] and "Student 4 is left blank" in done.stdout
    rows = table(out / "grades.csv")
    assert {
        name: (row["score"], row["days_late"], row["taken_off"], row["final"], row["points"])
        for name, row in rows.items()
    } == {
        "submission_1": ("100", "0", "0", "20", "20"),
        "submission_2": ("100", "0", "0", "20", "20"),
        "submission_3": ("100", "2", "0.2", "16", "20"),
        "": ("", "", "", "", "20"),
    }
    assert rows["submission_3"]["submitted_at"] == "2026-10-14T23:00:00Z"
    canvas = [row[-1] for row in csv.reader((out / "canvas.csv").read_text(encoding="utf-8").splitlines())]
    assert canvas[1:] == ["20", "20", "20", "16", ""]
    told = msgspec.json.decode((out / "submission_3" / "results.json").read_bytes())
    assert (
        told["score"] == 100
        and "1 d 23 h after the due date: 20% is taken off. 100 points become 80." in told["output"]
    )

    course.write_text(PLAIN + '[[extensions]]\nstudent = "s3"\nassignment = "scaling"\ndays = 7\n', encoding="utf-8")
    again = gradkit(*arguments, "--resume")

    assert again.returncode == 0 and "submission_2 is 23 h 1 min late: 10% is taken off, 100 becomes 90" in again.stdout
    rows = table(out / "grades.csv")
    assert [rows[f"submission_{number}"]["final"] for number in (1, 2, 3)] == ["20", "18", "20"]
    assert "after the due date" not in (out / "submission_3" / "results.json").read_text(encoding="utf-8")

    total = gradkit(
        "course", "totals", out, "--out", tmp_path / "totals.csv", "--root", small_kit, "--course", course
    )  # fmt: skip

    assert total.returncode == 0, total.stderr
    totals = table(tmp_path / "totals.csv")
    assert {name: (row["scaling"], row["total"]) for name, row in totals.items()} == {
        "Student 1": ("100", "100"), "Student 2": ("90", "90"), "Student 3": ("100", "100"),
        "Student 4": ("0", "0"),
    }  # fmt: skip
    before = course_totals(small_kit, read_course(course, ["scaling"]), [out], DUE - datetime.timedelta(days=1))
    assert before.rows[3][1:] == ((None,), None)  # nothing handed in, and not due yet
    assert "Student 4 has no total: scaling: nothing was handed in, and it is not due yet" in before.notes


def test_check_explains_the_course(gradkit, small_kit, tmp_path):
    """A calendar with weekdays and what being late leaves; an extension of nobody on the roster fails."""
    (tmp_path / "course.toml").write_text(
        PLAIN
        + 'weight = 0.9\n[[extensions]]\nstudent = "s9"\ndays = 2\n'
        + '[[extensions]]\nstudent = "Student One"\ndue = 2026-10-01T12:00:00\n',
        encoding="utf-8",
    )
    (tmp_path / "roster.csv").write_text("Name,SID\nStudent One,s1\n")

    done = gradkit(
        "course",
        "check",
        "--root",
        small_kit,
        "--course",
        tmp_path / "course.toml",
        "--roster",
        tmp_path / "roster.csv",
    )

    assert done.returncode == 1 and "s9 has an extension and is not on the roster" in done.stderr
    assert "the weights add up to 0.9, not 1; they count relative to each other" in done.stderr
    assert "the new date of Student One is not after the due date, and changes nothing" in done.stderr
    assert (
        "scaling     Mon 2026-10-12 23:59" in done.stdout and "10% of the score off for each day begun" in done.stdout
    )
    assert re.search(r"20 +100\.0% +90% +90% +70%", done.stdout)


def test_bundles_take_what_the_course_says(gradkit, small_kit, tmp_path):
    """Without ids the course's assignments, with their due dates; Gradescope's limit of attempts, unless one is given."""
    course = tmp_path / "course.toml"
    course.write_text(PLAIN + "attempts = { limit = 4, window_hours = 12 }\n", encoding="utf-8")

    students = gradkit("bundle", "student", "--root", small_kit, "--course", course, "--out", tmp_path / "course")
    none = gradkit("bundle", "student", "--root", small_kit, "--out", tmp_path / "other")

    assert students.returncode == 0 and (tmp_path / "course" / "scaling").is_dir()
    start = next((tmp_path / "course").glob("START*")).read_text(encoding="utf-8")
    assert "scaling is due on Monday, 2026-10-12 at 23:59 (UTC)." in start
    assert none.returncode == 2 and "name the assignments" in none.stderr
    for options, limit in {(): (4, 12), ("--window-hours", 6): (4, 6), ("--attempts", 2): (2, 12)}.items():
        made = tmp_path / f"autograder{len(list(tmp_path.iterdir()))}.zip"
        arguments = ["scaling", "--root", small_kit, "--course", course, "--out", made, *options]

        assert gradkit("bundle", "gradescope", *arguments).returncode == 0

        settings = msgspec.json.decode(zipfile.ZipFile(made).read("gradescope.json"), type=Settings)
        assert settings.attempts == Attempts(*limit)
