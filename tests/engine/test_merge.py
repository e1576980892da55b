"""Two runs become one grade, and grades become files that gradebooks take."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gradkit import results, uploads
from gradkit.model import CaseResult, Outcome, Submitter

STUDENTS = {
    "submission_1": ["student01"],
    "submission_2": ["student02", "student03"],
    "submission_3": ["student04"],
}


def table(path: Path, key: str) -> dict[str, dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def export(submissions: dict[str, dict[str, str]]) -> bytes:
    """A Gradescope export."""
    metadata = ["---"]
    for id, names in STUDENTS.items():
        metadata += [f"{id}:", "  :submitters:"]
        for name in names:
            metadata += [f"  - :name: {name}", f"    :sid: 's-{name}'", f"    :email: {name}@example.edu"]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x/submission_metadata.yml", "\n".join([*metadata, ""]))
        for id, files in submissions.items():
            for name, text in files.items():
                archive.writestr(f"x/{id}/{name}", text)
    return out.getvalue()


@pytest.fixture(scope="module")
def kit(small_kit, tmp_path_factory):
    """The small kit with a check that needs a device."""
    root = tmp_path_factory.mktemp("gpu") / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    tests = root / "solutions" / "scaling" / "test_hidden.py"
    text = tests.read_text(encoding="utf-8").replace('@number("2.2")', '@pytest.mark.gpu\n@number("2.2")')
    tests.write_text(text.replace("inside_the_root(agree, rng)", "inside_the_root(agree, rng, device)"))
    return root


@pytest.fixture(scope="module")
def graded_here(sandboxed, gradkit, kit, reference_source, tmp_path_factory):
    """A class graded without a device: right, wrong in one function, and without a file."""
    folder = tmp_path_factory.mktemp("cpu")
    wrong = reference_source + "\n\ndef centre(x):\n    return x\n"
    classes = {"submission_1": {"scaling.py": reference_source}, "submission_2": {"scaling.py": wrong}}
    (folder / "export.zip").write_bytes(export({**classes, "submission_3": {"notes.txt": "later"}}))
    done = gradkit("grade", "scaling", folder / "export.zip", "--out", folder / "out", "--root", kit, "--seed", 3)
    assert done.returncode == 1 and "canvas.csv" in done.stdout, done.stderr
    return folder / "out"


@pytest.fixture
def runs(graded_here, tmp_path):
    """That run, and one as it comes from a device: what was not run passes there, and all else fails."""
    here, there = tmp_path / "cpu", tmp_path / "gpu"
    for copy in (here, there):
        shutil.copytree(graded_here, copy)
    for name in STUDENTS:
        change(there / name, lambda case: replace(case, outcome=ELSEWHERE[case.outcome], summary=""))
    record = json.loads((there / "run.json").read_text())
    (there / "run.json").write_text(json.dumps({**record, "device": "cuda"}))
    return here, there


ELSEWHERE = {outcome: Outcome.FAILED for outcome in Outcome} | {Outcome.NOT_RUN: Outcome.PASSED}


def change(folder: Path, case, **more: object) -> None:
    """Rewrite each case of a grade, and fields of the grade."""
    graded = results.read(folder)

    def changed(entry: CaseResult) -> CaseResult:
        return case(entry)

    checks = tuple(replace(result, cases=tuple(map(changed, result.cases))) for result in graded.results)
    results.write(replace(graded, results=checks, **more), folder)


def test_without_a_device_nobody_has_a_final_score(graded_here):
    """The table says out of how many points; what goes to a gradebook is empty until all checks have run."""
    rows = table(graded_here / "grades.csv", "submission")
    assert (rows["submission_1"]["score"], rows["submission_1"]["max_score"]) == ("80", "80")

    assert {row["Total Score"] for row in table(graded_here / "gradescope.csv", "Email").values()} == {""}


def test_two_runs_make_one_grade(gradkit, kit, runs, tmp_path):
    """A check counts as it went where it ran; where it ran in both, as it went without the device."""
    here, there = runs

    done = gradkit("merge", here, there, "--out", tmp_path / "out", "--root", kit)

    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "out" / "grades.csv", "submission")
    assert {id: (row["status"], row["score"], row["max_score"]) for id, row in rows.items()} == {
        "submission_1": ("graded", "100", "100"),
        "submission_2": ("graded", "60", "100"),
        "submission_3": ("refused", "", "100"),
    }
    told = json.loads((tmp_path / "out" / "submission_2" / "results.json").read_text())
    assert told["score"] == 60 and {test["extra_data"]["outcome"] for test in told["tests"]} == {
        "passed",
        "failed",
    }
    assert results.read(tmp_path / "out" / "submission_1").complete


def test_a_gradebook_gets_a_row_per_student(gradkit, kit, runs, tmp_path):
    """Under the columns that it documents; what nobody has graded is empty, not 0."""
    gradkit("merge", *runs, "--out", tmp_path / "out", "--root", kit)

    canvas = (tmp_path / "out" / "canvas.csv").read_text().splitlines()
    assert canvas[0] == "Student,ID,SIS User ID,SIS Login ID,Section,Centre and scale features"
    assert canvas[1] == "    Points Possible,,,,,100"
    assert canvas[2:] == [
        "student01,,s-student01,student01@example.edu,,100",
        "student02,,s-student02,student02@example.edu,,60",
        "student03,,s-student03,student03@example.edu,,60",
        "student04,,s-student04,student04@example.edu,,",
    ]
    gradescope = table(tmp_path / "out" / "gradescope.csv", "Email")
    assert gradescope["student03@example.edu"]["Total Score"] == "60"
    assert gradescope["student03@example.edu"]["Submission ID"] == "2"
    assert gradescope["student04@example.edu"]["Status"] == "Ungraded"


def other_files(here: Path, there: Path) -> None:
    change(there / "submission_1", lambda case: case, digest="another")


def only_here(here: Path, there: Path) -> None:
    shutil.rmtree(there / "submission_1")


def unfinished(here: Path, there: Path) -> None:
    change(here / "submission_1", lambda case: case, complete=False)


def damaged(here: Path, there: Path) -> None:
    (there / "submission_1" / "graded.json").write_text("{")


def not_graded(here: Path, there: Path) -> None:
    change(there / "submission_1", lambda case: case, status="not_graded", reason="the driver failed")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (other_files, "the two runs graded different files"),
        (only_here, "it is not in"),
        (unfinished, "it is not finished in"),
        (damaged, "graded.json is missing or damaged"),
        (not_graded, "the driver failed"),
    ],
)
def test_what_can_not_be_merged_is_not_graded_and_the_rest_is(gradkit, kit, runs, tmp_path, damage, said):
    """One line each; a row without a score; the others are merged; exit code 1."""
    damage(*runs)

    done = gradkit("merge", *runs, "--out", tmp_path / "out", "--root", kit)

    rows = table(tmp_path / "out" / "grades.csv", "submission")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (rows["submission_1"]["status"], rows["submission_1"]["score"]) == ("not_graded", "")
    assert said in rows["submission_1"]["reason"]
    assert rows["submission_2"]["score"] == "60"


def test_folders_that_are_no_runs_or_of_other_checks_are_refused(gradkit, kit, runs, tmp_path):
    """One line each, and nothing is written."""
    here, there = runs
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    shutil.copytree(there, other)
    record = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**record, "checks": "another"}))
    for arguments, said in (
        ((here, empty), "holds no run: run.json is missing"),
        ((here, other), "were graded with different checks of scaling"),
        ((there, here), "was graded on cuda, where a run on cpu is due"),
    ):
        done = gradkit("merge", *arguments, "--out", tmp_path / "out", "--root", kit)
        assert done.returncode == 2 and said in done.stderr.strip().splitlines()[-1]
    done = gradkit("merge", here, there, "--out", here, "--root", kit)
    assert done.returncode == 2 and "is not empty; choose another --out" in done.stderr
    assert not (tmp_path / "out").exists()


def test_uploads_defuse_formulas_and_give_a_double_submitter_no_score(scaling):
    """Names are the students' own text; of two submissions nobody knows which counts."""
    evil = Submitter("=HYPERLINK(1)", "evil@example.edu", "@1")
    twice = Submitter("student05", "Student05@example.edu", "")
    entries = [
        uploads.Entry("submission_1", (evil,), 50.0),
        uploads.Entry("submission_2", (twice,), 60.0),
        uploads.Entry("submission_3", (replace_email(twice),), 70.0),
        uploads.Entry("loose", (), 80.0),
    ]

    rows = list(csv.reader(io.StringIO(uploads.files(entries, scaling.manifest.title, 100.0)["canvas.csv"])))[2:]

    assert rows == [
        ["'=HYPERLINK(1)", "", "'@1", "evil@example.edu", "", "50"],
        ["student05", "", "", "Student05@example.edu", "", ""],
    ]
    assert uploads.files(entries[3:], scaling.manifest.title, 100.0) == {}


def replace_email(student: Submitter) -> Submitter:
    return student._replace(email=student.email.lower())
