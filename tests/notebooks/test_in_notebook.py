"""The notebook at work: run from top to bottom by nbclient, in the folder that students unpack."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nbformat
import pytest
from coursekit.notebook import Notebook, NotebookError
from handed_in import filled
from nbclient import NotebookClient


@pytest.fixture(scope="module")
def folder(gradkit, small_kit, tmp_path_factory) -> Path:
    """The students' zip of the small kit, unpacked."""
    place = tmp_path_factory.mktemp("student")
    done = gradkit("bundle", "student", "scaling", "--out", place / "course.zip", "--root", small_kit)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(place / "course.zip") as archive:
        archive.extractall(place)
    return place / "course" / "scaling"


def run(notebook: nbformat.NotebookNode, folder: Path) -> dict[str, list]:
    """Execute it; the outputs of each cell. An error in any cell fails the test."""
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def texts(outputs: list) -> list[str]:
    assert all(output.output_type == "display_data" for output in outputs), outputs
    return [output.data["text/plain"] for output in outputs]


def test_untouched_it_says_what_is_not_written(folder):
    """One calm line for each check and figure, no error and no traceback."""
    shown = run(nbformat.read(folder / "scaling.ipynb", 4), folder)

    assert texts(shown["centre"]) == ["Task 1: Centre each feature: not written yet."]
    assert texts(shown["standardise"]) == ["Task 2: Scale each feature to unit variance: not written yet."]
    assert texts(shown["figure-before_after"]) == ["Figure before_after: standardise is not written yet."]


def test_a_snippet_of_an_unwritten_function_is_a_line(folder, scaling, reference_source):
    """No traceback, and the cells below it run; when the function is written, it shows what it should."""
    untouched = run(nbformat.read(folder / "scaling.ipynb", 4), folder)["see-standardise-2"]
    solved = run(filled(scaling, reference_source), folder)["see-standardise-2"]

    said = [output.text for output in untouched if output.output_type == "stream"]
    assert said == ["standardise is not written yet\n"]
    assert [output.text for output in solved] == ["[[-0.5]\n [ 0.5]]\n"]


def test_a_syntax_error_is_told_at_the_check_too(folder, scaling, reference_source):
    """Not as a name that is missing; and that the function of before is checked, where there is one."""
    notebook = filled(scaling, reference_source)
    first = next(cell for cell in notebook.cells if cell.id == "centre-centre")
    broken = first.source.replace("return x - x.mean(axis=0)", "return x - x.mean(axis=0")
    position = notebook.cells.index(first)
    tags = {"tags": ["raises-exception"]}
    check = nbformat.v4.new_code_cell('course.check("centre")', id="check-of-the-broken")
    again = nbformat.v4.new_code_cell(broken, id="broken-again", metadata=tags)
    late = nbformat.v4.new_code_cell('course.check("centre")', id="check-of-the-older")
    notebook.cells[position:position] = [nbformat.v4.new_code_cell(broken, id="broken", metadata=tags), check]
    notebook.cells += [again, late]

    shown = run(notebook, folder)

    (missing,) = texts(shown["check-of-the-broken"])
    assert missing.startswith("Task 1: Centre each feature: the cell of centre is not valid Python: cell In[")
    assert "'(' was never closed" in missing and "not defined" not in missing
    (mended,) = texts(shown["centre"])
    assert "1 of 1 public checks pass" in mended and "passes: centre" in mended
    older, result = texts(shown["check-of-the-older"])
    assert older.endswith("What is checked is the centre of before.") and "1 of 1 public checks pass" in result


def test_a_banned_call_is_told_with_its_cell(folder, scaling, reference_source):
    """In the grader's words, under any name that another cell imported it by."""
    manifest = folder / "assignment.toml"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(
        text.replace('functions = ["centre"]', 'functions = ["centre"]\nbanned = ["numpy.mean"]'), encoding="utf-8"
    )
    notebook = filled(scaling, reference_source.replace("return x - x.mean(axis=0)", "return x - np.mean(x, axis=0)"))

    shown = run(notebook, folder)

    manifest.write_text(text, encoding="utf-8")
    result, cost = texts(shown["centre"])
    assert "1 of 1 public checks pass" in result
    assert cost.startswith("cell In[") and cost.endswith(
        " uses numpy.mean, which this assignment asks you to write yourself"
    )
    assert len(texts(shown["standardise"])) == 1


def test_solved_and_wrong_tasks_are_told_with_the_diagnosis(folder, scaling, reference_source):
    """Passed checks by their claims; a wrong one with what was observed, its line in the notebook, and its prints."""
    wrong = reference_source.replace(
        "return x - x.mean(axis=0)", "print('<i>here</i>')\n    return (x - x.mean(axis=0)).undo()"
    )
    notebook = filled(scaling, wrong)
    again = [cell for cell in notebook.cells if cell.id in ("centre-centre", "centre")]
    for cell, id in zip(again, ("second-try", "second-check"), strict=True):
        copy = nbformat.v4.new_code_cell(cell.source, id=id)
        notebook.cells.append(copy)
    notebook.cells[-2].source = "def centre(x):\n    return x.mean(axis=0) - x"

    shown = run(notebook, folder)

    (passed,) = texts(shown["standardise"])
    assert "1 of 1 public checks pass" in passed and "✓ 2.p1 With eps = 0" in passed
    (failed,) = texts(shown["centre"])
    assert "0 of 1 public checks pass" in failed and "✗ 1.p1 Features 1, 3" in failed
    assert "AttributeError" in failed and "in your notebook: cell In[" in failed and ".undo()" in failed
    assert "your code printed: <i>here</i>" in failed and "Traceback" not in failed
    page = shown["centre"][0].data["text/html"]
    assert "&lt;i&gt;here" in page and "<i>here" not in page
    (second,) = texts(shown["second-check"])
    assert "opposite sign" in second, "the functions of this moment are checked, not those of the first run"
    assert "image/png" in shown["figure-before_after"][0].data


# --- without a kernel ---------------------------------------------------------------------------------------


def test_a_check_of_what_is_not_defined_says_which_cell_to_run(small_kit, capsys):
    """Somebody who opens the notebook again and runs one check reads one line."""
    Notebook("scaling.py", {}, folder=small_kit / "assignments" / "scaling").check("centre")

    said = capsys.readouterr().out
    assert said == "Task 1: Centre each feature: centre is not defined here. Run the cell of each first.\n"


def test_without_a_name_all_are_meant(small_kit, capsys):
    """Every task's checks and every figure, in their order."""
    course = Notebook("scaling.py", {}, folder=small_kit / "assignments" / "scaling")
    course.check()
    course.figure()

    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["Task 1", "Task 2", "Figure before_after"]


@pytest.mark.parametrize(
    ("do", "says"),
    [
        (lambda course: course.check("center"), "no task is called center; tasks here: centre, standardise"),
        (lambda course: course.figure("after"), "no figure is called after; there are before_after"),
    ],
)
def test_a_wrong_name_is_answered_with_those_there_are(small_kit, do, says):
    """One line, in Jupyter without a traceback."""
    with pytest.raises(NotebookError, match=says) as error:
        do(Notebook("scaling.py", {}, folder=small_kit / "assignments" / "scaling"))

    assert error.value._render_traceback_() == [str(error.value)]


def test_away_from_its_folder_it_says_what_is_missing(tmp_path):
    """A notebook opened alone has no checks to run."""
    with pytest.raises(NotebookError, match=r"test_scaling\.py is not in .*: keep the notebook in"):
        Notebook("scaling.py", {}, folder=tmp_path)


def test_nbgrader_validate_sees_a_failed_check(small_kit, monkeypatch):
    """Its Validate button knows failures by errors; elsewhere a check raises none, so that the next cells run."""
    course = Notebook("scaling.py", {"centre": lambda x: x}, folder=small_kit / "assignments" / "scaling")

    course.check("centre")
    monkeypatch.setenv("NBGRADER_VALIDATING", "1")
    with pytest.raises(NotebookError, match="0 of 1 public checks pass"):
        course.check("centre")
