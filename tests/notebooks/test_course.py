"""A course folder with nbgrader's own commands: the same scores as `gradkit grade`, and nothing of a submission run.

Everything here grades the small kit with the real judge; `transcript.py` does the same for a class of ten.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import sqlite3
import threading
from pathlib import Path

import nbformat
import pytest
from handed_in import filled, hand_in
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sample_class import students

from gradkit import gradebook, judges
from gradkit.gradescope import grade_container
from gradkit.manifest import load_assignment

SEED = 7
RAN = "ran-by-mistake"  # a file that appears where a submission's loose statements are executed


def modules(assignment) -> dict[str, str]:
    """The sample class's modules, by the student's name: those that are text, and Python."""
    found = {}
    for number, (_, files) in enumerate(students(assignment), start=1):
        if data := files.get(assignment.manifest.module):
            try:
                source = data.decode("utf-8-sig").replace("\r\n", "\n")
                compile(source, "module", "exec")
            except (UnicodeDecodeError, SyntaxError):
                continue
            found[f"student{number:02d}"] = source
    return found


def as_notebook(assignment, source: str) -> bytes:
    notebook = filled(assignment, source)
    notebook.cells.append(nbformat.v4.new_code_cell(f"open({RAN!r}, 'w').close()\n%matplotlib inline"))
    return nbformat.writes(notebook).encode()


BROKEN = {  # what is done to the cells of a right notebook, and the line that says so (empty: full marks)
    "reordered": (lambda cells: cells[::-1], ""),
    "cell given twice, the last one right": (lambda cells: [changed(cell) for cell in cells] + cells, ""),
    "given id changed": (lambda cells: [renamed(cell) for cell in cells], ""),
    "check cells deleted": (lambda cells: [cell for cell in cells if not cell.metadata.get("nbgrader", {}).get("grade")], ""),
    "locked check changed": (lambda cells: [forged(cell) for cell in cells], ""),
    "with magics": (lambda cells: [nbformat.v4.new_code_cell("%%time\n" + cell.source) if cell.id.endswith("-centre") else cell for cell in cells], ""),
    "cell split": (lambda cells: [part for cell in cells for part in split(cell)], ""),
    "bad metadata": (lambda cells: [spoiled(cell) for cell in cells], ""),
    "cell deleted": (
        lambda cells: [cell for cell in cells if cell.id != "centre-centre"],
        "scaling.ipynb: no cell that is graded defines centre (task centre)",
    ),
}  # fmt: skip


def changed(cell):
    if cell.id != "centre-centre":
        return nbformat.v4.new_markdown_cell("-")
    return nbformat.v4.new_code_cell("def centre(x):\n    return x", metadata=cell.metadata)


def renamed(cell):
    cell = nbformat.from_dict(cell)
    if "nbgrader" in cell.metadata:
        cell.metadata.nbgrader["grade_id"] = "x" + cell.metadata.nbgrader["grade_id"]
    return cell


def forged(cell):
    cell = nbformat.from_dict(cell)
    if cell.metadata.get("nbgrader", {}).get("grade") and cell.cell_type == "code":
        cell.source = "100.0"
        cell.metadata.nbgrader["points"] = 1000
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "100.0"})]
    return cell


def spoiled(cell):
    cell = nbformat.from_dict(cell)
    if "nbgrader" in cell.metadata:
        cell.metadata["nbgrader"] = {"schema_version": 1, "grade_id": [1], "grade": "yes", "more": {}}
    return cell


def split(cell):
    if cell.id != "centre-centre":
        return [cell]
    head = "MEAN = {'axis': 0}"
    return [
        nbformat.v4.new_code_cell(head),
        nbformat.v4.new_code_cell(cell.source.replace("axis=0", "**MEAN")),
    ]


@pytest.fixture(scope="module")
def kit(small_kit, tmp_path_factory) -> Path:
    """A copy of the small kit, to break."""
    root = tmp_path_factory.mktemp("kit") / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    return root


@pytest.fixture(scope="module")
def course(sandboxed, gradkit, nbgrader, kit, scaling, reference_source, tmp_path_factory) -> Path:
    """A course with the sample class's notebooks, with broken ones, and with modules beside an untouched notebook."""
    folder = tmp_path_factory.mktemp("nbgrader") / "course"
    done = gradkit("bundle", "nbgrader", "scaling", "--out", folder, "--root", kit)
    assert done.returncode == 0, done.stderr
    config = folder / "nbgrader_config.py"
    text = re.sub(r"JudgeGrades\.seed = \d+", f"JudgeGrades.seed = {SEED}", config.read_text(encoding="utf-8"))
    config.write_text(text, encoding="utf-8")
    done = nbgrader(folder, "generate_assignment", "scaling")
    assert done.returncode == 0, done.stderr
    for student, source in modules(scaling).items():
        hand_in(folder, student, "scaling", {"scaling.ipynb": as_notebook(scaling, source)})
    untouched = (folder / "release" / "scaling" / "scaling.ipynb").read_bytes()
    hand_in(folder, "module", "scaling", {"scaling.ipynb": untouched, "scaling.py": reference_source.encode()})
    answered = filled(scaling, reference_source)
    next(cell for cell in answered.cells if cell.id == "question-new_data").source = "That of the training data."
    for number, (change, _) in enumerate(BROKEN.values()):
        notebook = nbformat.from_dict(answered)
        notebook.cells = change(notebook.cells)
        raw = json.dumps({**notebook, "cells": [dict(cell) for cell in notebook.cells]}).encode()
        hand_in(folder, f"broken{number}", "scaling", {"scaling.ipynb": raw})
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [
        {"cell_type": "code", "language": "python", "input": cell.source, "outputs": [], "metadata": {}}
        for cell in answered.cells if cell.cell_type == "code"]}]}  # fmt: skip
    hand_in(folder, "old", "scaling", {"scaling.ipynb": json.dumps(old).encode()})
    flood = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [{"output_type": "stream", "name": "stdout", "text": "y" * (50 << 20)}]}  # fmt: skip
    hand_in(
        folder,
        "flood",
        "scaling",
        {"scaling.ipynb": json.dumps({**answered, "cells": [*answered.cells, flood]}).encode()},
    )
    leak = (
        reference_source
        + "\n\ndef standardise(x, *, eps=1e-5):\n    text = 'LE' + 'AK' + repr(x.tolist())\n    print(text)\n    raise ValueError(text)\n"
    )
    hand_in(folder, "leak", "scaling", {"scaling.ipynb": as_notebook(scaling, leak)})
    hand_in(folder, "notjson", "scaling", {"scaling.ipynb": b'{"cells": ['})
    hand_in(folder, "stranger", "scaling", {"scaling.ipynb": json.dumps({"cells": [{"cell_type": "code", "metadata": {}, "source": "def f(): pass"}], "nbformat": 4}).encode()})  # fmt: skip
    done = nbgrader(folder, "autograde", "scaling")
    (folder / "autograde.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    assert done.returncode == 1, "two submissions can't be graded, so it must not end as if all were"
    done = nbgrader(folder, "generate_feedback", "scaling", "--student", "[bl]*")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def rows(course, exported):
    return exported(course)


def gradescope_scores(kit, module: Path, name: str) -> list[float]:
    """Points by task, as Gradescope's container gives them for one student's file."""
    base = module.parent / f"autograder-{name}"
    (base / "submission").mkdir(parents=True)
    (base / "submission" / "scaling.py").write_bytes(module.read_bytes())
    grade_container(kit, base, load_assignment(kit, "scaling"))
    results = json.loads((base / "results" / "results.json").read_text(encoding="utf-8"))
    return [
        sum(test["score"] for test in results["tests"] if test["tags"] == [task]) for task in ("centre", "standardise")
    ]


def test_every_route_gives_the_same_scores(course, rows, gradkit, kit, scaling, tmp_path):
    """For each of the sample class: module, notebook, Gradescope and nbgrader's gradebook agree on every task."""
    sources = modules(scaling)
    scores = {}
    for suffix, content in (("py", str.encode), ("ipynb", lambda source: as_notebook(scaling, source))):
        folder = tmp_path / suffix
        folder.mkdir()
        for student, source in sources.items():
            (folder / f"{student}.{suffix}").write_bytes(content(source))
        done = gradkit(
            "grade",
            "scaling",
            folder,
            "--out",
            tmp_path / f"out-{suffix}",
            "--seed",
            str(SEED),
            "--root",
            kit,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with (tmp_path / f"out-{suffix}" / "grades.csv").open(encoding="utf-8", newline="") as file:
            scores[suffix] = {
                row["submission"]: [float(row["centre"]), float(row["standardise"])] for row in csv.DictReader(file)
            }
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        scores["nbgrader"] = {
            student: [
                book.find_grade(task, "scaling", "scaling", student).auto_score for task in ("centre", "standardise")
            ]
            for student in sources
        }

    scores["gradescope"] = {
        student: gradescope_scores(kit, tmp_path / "py" / f"{student}.py", student) for student in sources
    }

    assert len(sources) >= 10 and len({tuple(pair) for pair in scores["py"].values()}) >= 4
    for student in sources:
        assert scores["py"][student] == pytest.approx(scores["ipynb"][student], abs=1e-4)
        assert scores["py"][student] == pytest.approx(scores["nbgrader"][student], abs=1e-4)
        assert scores["py"][student] == pytest.approx(scores["gradescope"][student], abs=1e-4)
        assert float(rows[student]["code_score"]) == pytest.approx(sum(scores["py"][student]), abs=1e-4)
        assert rows[student]["max_code_score"] == "100.0"


def test_a_module_beside_the_untouched_notebook_counts(rows):
    """A student may write the module: of the two the one worked in is graded."""
    assert float(rows["module"]["code_score"]) == 100


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=BROKEN)
def test_a_notebook_that_was_meddled_with_is_graded_by_what_is_there(course, rows, number):
    """Deleted, repeated, reordered, split and renamed cells: full marks where the code is, else a line that names the task."""
    line = list(BROKEN.values())[number][1]

    assert float(rows[f"broken{number}"]["code_score"]) == (60 if line else 100)
    page = (course / "feedback" / f"broken{number}" / "scaling" / "scaling.html").read_text(encoding="utf-8")
    assert line in page
    assert len(re.findall(r"Grade cell: <code>", page)) == 2, "a check's cell that was deleted is put back"


@pytest.mark.parametrize("student", ["old", "flood"])
def test_old_and_overfull_notebooks_are_graded(rows, student):
    """Format 3, and 50 MB of output."""
    assert float(rows[student]["code_score"]) == 100


@pytest.mark.parametrize(
    ("student", "why"),
    [
        ("notjson", "scaling.ipynb: is not a notebook (Input data was truncated); save it again and hand that in"),
        ("stranger", "scaling.ipynb: no cell defines any function of this assignment (centre, standardise); is it another one's?"),
    ],
)  # fmt: skip
def test_what_cant_be_graded_has_no_score_and_a_reason(course, rows, student, why):
    """nbgrader reports it as failed; its own export would say 0.0."""
    assert rows[student]["status"] == "not autograded" and rows[student]["score"] == ""
    assert f"scaling of {student} is NOT GRADED, and has no score: {why}" in (course / "autograde.log").read_text(
        encoding="utf-8"
    )
    assert not (course / "autograded" / student / "scaling").exists()


def test_nothing_of_a_submission_is_executed(course):
    """The loose statement at the end of every notebook has left its file nowhere."""
    assert RAN in next(course.glob("submitted/student01/scaling/*.ipynb")).read_text(encoding="utf-8")
    assert not list(course.rglob(RAN))


def test_feedback_and_gradebook_tell_nothing_of_hidden_checks(course, scaling):
    """No line of a hidden check's body, and none of its inputs by way of a print or an exception."""
    source = scaling.hidden_tests.read_text(encoding="utf-8")
    secret = [
        line.strip()
        for line in source.splitlines()
        if line.startswith("    ") and '"""' not in line and len(line.strip()) > 15
    ]
    assert len(secret) >= 3
    database = sqlite3.connect(course / "gradebook.db")
    told = "\n".join(database.iterdump())
    told += "".join(
        path.read_text(encoding="utf-8")
        for place in ("feedback", "autograded")
        for path in course.glob(f"{place}/*/scaling/scaling.*")
    )

    for line in secret:
        assert line not in told and line.replace('"', "&quot;") not in told
    page = json.loads((course / "autograded" / "leak" / "scaling" / "scaling.ipynb").read_text(encoding="utf-8"))
    (check,) = [cell for cell in page["cells"] if cell["id"] == "standardise"]
    said = "".join(check["outputs"][0]["data"]["text/plain"])
    hidden = [part for part in said.split(" of ") if "(hidden)" in part]
    assert hidden and "LEAK" not in "".join(part.partition("(public)")[0] for part in hidden)
    assert said.count("LEAK") >= 1, "the public check shows everything"


def test_hints_stand_in_the_comment_on_the_code(course, scaling):
    """Where nbgrader's graders and students look for comments, there is the hint of the known mistake."""
    names = [
        name for name, source in modules(scaling).items() if "ddof=1" in source and "axis=1, keepdims" not in source
    ]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        comment = book.find_comment("standardise-standardise", "scaling", "scaling", names[0]).comment

    assert "Which of the two definitions of variance" in comment and " of 60." in comment


def test_answers_are_graded_by_hand_and_stay_apart(course, rows, exported):
    """An answer waits for a person, no answer is 0; points by hand change no point of the code."""
    assert rows["broken0"]["status"] == "needs manual grading" and rows["student01"]["status"] == "graded"
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grade = book.find_grade("question-new_data", "scaling", "scaling", "broken0")
        grade.manual_score, grade.needs_manual_grade = 4, False
        book.db.commit()

    row = exported(course)["broken0"]

    assert (row["code_score"], row["written_score"], row["score"], row["status"]) == (
        "100.0",
        "4.0",
        "104.0",
        "graded",
    )


def autograde(configured, course: Path, student: str) -> Autograde:
    """`nbgrader autograde scaling --student STUDENT --force`, without the start of its command."""
    config = configured(course, assignment_id="scaling", student_id=student)
    run = Autograde(coursedir=CourseDirectory(config=config), config=config, force=True)
    try:
        run.start()
    finally:
        gradebook._GRADERS[run].close()
    return run


def test_the_judge_starts_once_for_all_notebooks(course, configured, monkeypatch):
    """A class is graded by one judge process, which ends with nbgrader's run."""
    begun, ended = [], []
    enter, leave = judges.JudgeClient.__enter__, judges.JudgeClient.__exit__
    monkeypatch.setattr(judges.JudgeClient, "__enter__", lambda self: begun.append(1) or enter(self))
    monkeypatch.setattr(judges.JudgeClient, "__exit__", lambda self, *error: ended.append(1) or leave(self, *error))

    autograde(configured, course, "broken[123]")

    assert len(begun) == len(ended) == 1


def test_a_judge_without_work_ends(course, configured, monkeypatch):
    """The formgrader autogrades inside a server that runs for days."""
    ended = threading.Event()
    leave = judges.JudgeClient.__exit__
    monkeypatch.setattr(gradebook, "IDLE_S", 0.2)
    monkeypatch.setattr(
        judges.JudgeClient, "__exit__", lambda self, *error: (leave(self, *error), ended.set()) and None
    )
    config = configured(course, assignment_id="scaling", student_id="broken1")
    run = Autograde(coursedir=CourseDirectory(config=config), config=config, force=True)

    run.start()

    assert ended.wait(60), "nothing else ends it while the run's object lives"


def test_a_fault_of_the_graders_is_never_a_zero(course, kit, configured, exported):
    """When a check fails on the reference too, the submission is failed in nbgrader and loses the score it had."""
    tests = kit / "solutions" / "scaling" / "test_hidden.py"
    text = tests.read_text(encoding="utf-8")
    tests.write_text(
        text.replace('    agree("centre"', '    raise OSError("disk")\n    agree("centre"'), encoding="utf-8"
    )
    before = exported(course)["student01"]
    try:
        with pytest.raises(NbGraderException):  # its command ends with 1
            autograde(configured, course, "student01")
    finally:
        tests.write_text(text, encoding="utf-8")
    failed = exported(course)["student01"]
    autograde(configured, course, "student01")

    assert float(before["score"]) == 100 and failed["status"] == "not autograded" and failed["score"] == ""
    assert exported(course)["student01"] == before


def test_a_course_is_not_written_over(gradkit, kit, course):
    """One line, and nothing changed: it holds grades."""
    done = gradkit("bundle", "nbgrader", "scaling", "--out", course, "--root", kit)

    assert done.returncode == 2 and "is there already" in done.stderr and (course / "gradebook.db").is_file()
