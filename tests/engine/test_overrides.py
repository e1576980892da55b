"""Points that staff set: applied last, told to the student with the reason, and never without a word."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from gradkit import results
from gradkit.errors import InputError
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.overrides import COLUMNS, Overrides, read_overrides
from gradkit.policy import Lateness
from gradkit.report.student import student_page
from gradkit.tables import make_row

NAMES = {"student01", "student02", "=student03"}


@pytest.fixture
def read(tmp_path, scaling):
    """Read overrides from lines below the right header."""

    def read(*lines: str, header: str = ",".join(COLUMNS)) -> Overrides:
        path = tmp_path / "set.csv"
        path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
        return read_overrides(path, scaling, NAMES)

    return read


def graded(scaling, outcome: Outcome = Outcome.FAILED, **more: object) -> Graded:
    """A grade with the small kit's checks, all ending alike."""
    checks = [
        Check("public:test_centre_by_hand", "1.p1", "centre by hand", "centre", 10, False, "By hand."),
        Check("hidden:test_each_feature_is_centred_by_itself", "1.1", "each", "centre", 30, True, "Each."),
        Check("public:test_standardised_features_have_unit_variance", "2.p1", "unit", "standardise", 10, False, "Unit."),
        Check("hidden:test_population_variance", "2.1", "population variance", "standardise", 30, True, "By n."),
        Check("hidden:test_eps_is_inside_the_root", "2.2", "eps", "standardise", 20, True, "Inside."),
    ]  # fmt: skip
    found = tuple(CheckResult(check, (CaseResult("", outcome, summary="wrong"),)) for check in checks)
    return Graded("student01", "scaling", more.pop("status", "graded"), found, **more)


def test_a_check_is_named_by_its_number_or_its_id(read, scaling):
    """And a submission by its name, or as grades.csv guards it; blank lines, quotes and a mark in front are fine."""
    found = read(
        "student01,2.1,7.5,shown in person,staff01",
        "",
        "student02,hidden:test_population_variance,0,copied,staff01",
        '\'=student03,task:centre,40,"on paper, all of it",staff02',
        header="\ufeff" + ",".join(COLUMNS),
    )

    assert [(line.submission, line.override.of, line.override.points) for line in found.lines] == [
        ("student01", "hidden:test_population_variance", 7.5),
        ("student02", "hidden:test_population_variance", 0),
        ("=student03", "task:centre", 40),
    ]
    assert found.lines[2].place.endswith("set.csv:5")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["nobody,2.1,5,r,w"], "set.csv:2: no submission is called nobody; take the name in grades.csv"),
        (["student01,2.1,5,r,w", "student01,9.9,5,r,w"], "set.csv:3: no check 9.9; give a number such as 1.p1"),
        (["student01,task:centr,5,r,w"], "set.csv:2: no task is called centr; there are centre, standardise"),
        (["student01,2.1,31,r,w"], "set.csv:2: points must be a number from 0 to 30, those of check 2.1; got 31"),
        (["student01,2.1,-1,r,w"], "got -1"),
        (["student01,2.1,nan,r,w"], "got nan"),
        (["student01,2.1,inf,r,w"], "got inf"),
        (["student01,2.1,,r,w"], "set.csv:2: points must be a number"),
        (["student01,task:standardise,61,r,w"], "from 0 to 60, those of task standardise"),
        (["student01,,101,r,w"], "from 0 to 100, those of the total"),
        (["student01,2.1,5,,w"], "set.csv:2: reason is empty"),
        (["student01,2.1,5,r,"], "set.csv:2: who is empty"),
        (["student01,2.1,5,r"], "set.csv:2: 4 cells where the first line has 5"),
        (["student01,2.1,2,5,r,w"], "set.csv:2: 6 cells"),
        (["student01,2.1,5,r,w", "student01,hidden:test_population_variance,6,r,w"], "set.csv:3: line 2 sets the same"),
        (["student01,2.1,5,r,w", "student01,task:standardise,6,r,w"], "set.csv:3: line 2 sets a part of the task"),
        (["student01,task:standardise,6,r,w", "student01,2.1,5,r,w"], "set.csv:3: line 2 sets the whole task"),
        (["student01,,6,r,w", "student01,2.1,5,r,w"], "set.csv:3: line 2 sets the total"),
        (["student01,2.1,5,r,w", "student01,,6,r,w"], "set.csv:3: line 2 sets a part of it"),
        (['student01,2.1,5,"two', 'lines",w', "nobody,,1,r,w"], "set.csv:4: no submission"),
        (['student01,2.1,5,"r,w'], "set.csv:2: is not CSV"),
        (["\x1b[31m\u202ebad,2.1,5,r,w"], "set.csv:2: no submission is called \\x1b[31m"),
    ],
)
def test_a_line_that_is_wrong_is_named(read, lines, said):
    """With file and line, in one line, and with what to do."""
    with pytest.raises(InputError) as raised:
        read(*lines)

    assert said in str(raised.value) and "\n" not in str(raised.value) and "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "set.csv:1: no column is called submission"),
        (b"submission,check,points,reason\n", "set.csv:1: no column is called who; the columns are submission, check"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_none_is_a_line(tmp_path, scaling, content, said):
    """Empty, without a column, not text, not there."""
    path = tmp_path / "set.csv"
    path.write_bytes(content)

    with pytest.raises(InputError, match="set.csv") as raised:
        read_overrides(path, scaling, NAMES)
    assert said in str(raised.value)
    with pytest.raises(InputError, match="can't be read"):
        read_overrides(tmp_path / "no.csv", scaling, NAMES)


def test_two_different_things_may_be_set(read):
    """A task and a check of another one."""
    assert len(read("student01,task:centre,4,r,w", "student01,2.1,5,r,w", "student02,2.1,5,r,w").lines) == 3


def test_a_check_s_points_count_in_its_place(read, scaling):
    """In the score, the task and the table; the record keeps what the checks gave, and what a student reads says both."""
    found = read("student01,2.1,7.5,shown in person,staff01").on(graded(scaling))

    assert (found.score, found.raw_score, found.max_score, found.earned("standardise")) == (7.5, 0, 100, 7.5)
    text = json.dumps(results.gradescope(found))
    assert "Points set by the course staff: 7.5 instead of 0 (shown in person)." in text
    assert "staff01" not in text
    row = make_row(found, scaling)
    assert row.overrides == "check 2.1: 7.5 instead of 0 (shown in person; staff01)"
    assert dict(row.tasks) == {"centre": 0, "standardise": 7.5}


def test_a_task_and_a_total_count_in_their_place(read, scaling):
    """Each with a line at the top, since no check shows it."""
    task = read("student01,task:centre,25,seen,w").on(graded(scaling, Outcome.PASSED))
    total = read("student01,,60,seen,w").on(graded(scaling, Outcome.PASSED, late=Lateness(share=0.5)))

    assert (task.score, task.raw_score) == (85, 100)
    assert results.headline(task).splitlines() == [
        "85 of 100 points.",
        "Points set by the course staff for task centre: 25 instead of 40 (seen).",
    ]
    page = student_page(task, {"centre": "Centre", "standardise": "Scale"})
    assert [line.points for line in (*page.tasks, page.total)] == ["25 of 40", "60 of 60", "85 of 100"]
    assert (total.score, total.final) == (60, 30)  # what being late takes off comes after it
    assert "Points set by the course staff: 60 instead of 100 (seen)." in results.headline(total)
    assert student_page(total, {}).total is None


def test_points_taken_from_a_check_that_passed_are_told(read, scaling):
    """It stands in a section of its own, with the reason."""
    found = read("student01,1.p1,4,copied,w").on(graded(scaling, Outcome.PASSED))

    page = student_page(found, {"centre": "Centre", "standardise": "Scale"})

    (section,) = [section for section in page.sections if section.id == "set-by-staff"]
    (line,) = section.groups[0].lines
    assert (line.number, line.points) == ("1.p1", "4 of 10")
    assert line.said == "Points set by the course staff: 4 instead of 10 (copied)."


def test_a_check_that_could_not_run_counts_when_it_is_set(read, scaling):
    """Out of its points, then."""
    here = graded(scaling, Outcome.PASSED)
    last = replace(here.results[-1], cases=(CaseResult("", Outcome.NOT_RUN, summary="needs a GPU"),))
    here = replace(here, results=(*here.results[:-1], last))

    found = read("student01,2.2,15,run on my machine,w").on(here)

    assert (here.score, here.max_score) == (80, 80) and (found.score, found.max_score) == (95, 100)


@pytest.mark.parametrize("status", ["refused", "not_graded"])
def test_of_what_has_no_results_only_the_total_can_be_set(read, scaling, status):
    """Then it has a score; a line for anything else does nothing, and is told."""
    here = replace(graded(scaling), status=status, reason="no scaling.py", results=())

    total = read("student01,,55,on paper,w").on(here)
    part = read("student01,2.1,5,r,w")

    assert (total.score, total.max_score, make_row(total, scaling).status) == (55, 100, "graded")
    assert results.headline(total).splitlines()[:2] == [
        "55 of 100 points.",
        "Points set by the course staff: 55 (on paper).",
    ]
    assert part.on(here).scored is False and make_row(part.on(here), scaling).status == status
    (line,) = part.idle(here)
    assert line.endswith(f"student01 is {status.replace('_', ' ')}, so only its total can be set: leave check empty")
    assert read("student01,,55,on paper,w").idle(here) == [] and part.idle(graded(scaling)) == []


def test_what_was_set_before_is_gone_with_its_line(read, scaling):
    """The file says all that is set, and nothing else."""
    before = read("student01,2.1,5,r,w").on(graded(scaling))

    after = read("student01,task:centre,5,r,w").on(before)

    assert [one for one, _, _ in results.given(after)] == [read("student01,task:centre,5,r,w").lines[0].override]
    assert Overrides().on(after) == graded(scaling)


# ---- with real runs


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def run(sandboxed, gradkit, small_kit, mistaken, reference_source, tmp_path_factory):
    """A right submission, a wrong one and one that can't be graded, all graded."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "in").mkdir()
    (folder / "in" / "student01.py").write_text(mistaken("unbiased_variance"), encoding="utf-8")
    (folder / "in" / "student02.py").write_text(reference_source, encoding="utf-8")
    (folder / "in" / "student03.pdf").write_bytes(b"%PDF-1.7")
    done = gradkit("grade", "scaling", folder / "in", "--out", folder / "run", "--root", small_kit, "--seed", 3)
    assert done.returncode == 1, done.stderr
    return folder / "run"


@pytest.fixture
def resume(gradkit, small_kit, run, tmp_path):
    """Apply a file of overrides to a copy of that finished run."""
    out = tmp_path / "run"
    shutil.copytree(run, out)

    def resume(*lines: str, given: bool = True):
        path = tmp_path / "set.csv"
        path.write_text("\n".join([",".join(COLUMNS), *lines, ""]), encoding="utf-8")
        options = ["--overrides", path] if given else []
        done = gradkit("grade", "scaling", run.parent / "in", "--out", out, "--root", small_kit, "--resume", *options)
        return done, out

    return resume


def test_a_finished_run_gets_overrides_without_running_anything(resume):
    """Tables, pages and feedback have them; the record keeps what the checks gave; a later --resume knows them."""
    done, out = resume(
        'student01,2.1,20,"=HYPERLINK(1), shown",staff01', "student02,task:centre,10,copied,staff01", "student03.pdf,,70,on paper,staff02"
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    table = rows(out)
    assert {name: row["score"] for name, row in table.items()} == {
        "student01": "60", "student02": "70", "student03.pdf": "70"
    }  # fmt: skip
    assert table["student02"]["centre"] == "10"
    assert pandas.read_csv(out / "grades.csv")["overrides"].str.contains("copied; staff01").sum() == 1
    told = json.loads((out / "student01" / "results.json").read_text())
    assert told["score"] == 60 and "20 instead of 0" in json.dumps(told) and "staff01" not in json.dumps(told)
    record = results.read(out / "student01")
    assert (record.raw_score, record.score) == (40, 60)

    again, _ = resume(given=False)

    assert again.returncode == 0 and rows(out) == table


def test_a_file_without_lines_takes_them_all_back(resume, run):
    """As if they had never been."""
    resume("student01,2.1,20,r,w", "student03.pdf,,70,r,w")

    done, out = resume()

    assert done.returncode == 1 and rows(out) == rows(run)
    for name in rows(out):
        one, other = (json.loads((place / name / "results.json").read_text()) for place in (out, run))
        assert one == other


def test_a_wrong_line_changes_nothing(resume, run):
    """Exit code 2, one line, and the run is as it was."""
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}

    done, out = resume("student01,2.1,20,r,w", "student09,2.1,5,r,w")

    assert done.returncode == 2 and "set.csv:3: no submission is called student09" in done.stderr
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    assert not list(out.rglob(".*"))


def test_a_line_that_can_not_be_applied_is_told(resume):
    """Of a submission that was refused a check can't be set: exit code 1, and a line."""
    done, out = resume("student03.pdf,2.1,5,r,w")

    assert done.returncode == 1
    assert "overrides.csv:2" in done.stderr or "set.csv:2" in done.stderr
    assert "student03.pdf is refused, so only its total can be set" in done.stderr
    assert rows(out)["student03.pdf"]["score"] == ""


def test_the_pages_show_what_staff_set(gradkit, resume, small_kit):
    """The class's page for staff with who, the student's page without; the feedback has the score that counts."""
    _, out = resume("student01,2.1,20,shown in person,staff01", "student03.pdf,,70,on paper,staff02")

    assert gradkit("report", out, "--root", small_kit).returncode == 0
    assert gradkit("feedback", out, "--root", small_kit, "--out", out.parent / "feedback").returncode == 0

    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "Set by staff" in page and "shown in person" in page and "staff02" in page
    student = (out / "report" / "students" / "student01.html").read_text(encoding="utf-8")
    assert (
        "60 of 100 points" in student and "20 instead of 0 (shown in person)." in student and "staff01" not in student
    )
    comments = (out.parent / "feedback" / "comments.csv").read_text(encoding="utf-8")
    assert {row["score"] for row in csv.DictReader(io.StringIO(comments))} == {"60", "100", "70"}


def test_a_regrade_keeps_overrides_and_says_where_the_checks_have_changed_under_them(gradkit, resume, kit, tmp_path):
    """The points stay as set; a note says what the checks give now and gave before."""
    _, out = resume("student01,2.1,20,shown in person,staff01", "student02,1.1,10,copied,staff01")
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    text = tests.read_text(encoding="utf-8")
    tests.write_text(text.replace('agree("standardise", rng.normal(size=(3, 4)))', 'agree("standardise", rng.normal(size=(3, 4)), tol=(1, 1))'))  # fmt: skip

    done = gradkit("regrade", out, "--out", tmp_path / "new", "--root", kit, "--reason", "2.1 was too strict")

    assert done.returncode == 1  # one was refused, as before
    notes = [line for line in done.stdout.splitlines() if "as staff set them" in line]
    assert notes == [
        "student01, check 2.1: 20 points stay as staff set them; the checks now give 30 points instead of 0 points"
    ]
    assert rows(tmp_path / "new")["student01"]["score"] == "60"
    assert "20 instead of 30" in (tmp_path / "new" / "student01" / "results.json").read_text()
    assert (tmp_path / "new" / "overrides.csv").read_bytes() == (out / "overrides.csv").read_bytes()
