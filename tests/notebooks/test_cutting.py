"""The notebook that students get: what stands in it, in which order, under which ids."""

from __future__ import annotations

import ast
import codeop
import json
import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from gradkit.errors import AuthoringError
from gradkit.manifest import load_all, load_assignment
from gradkit.notebooks.cells import read_cells
from gradkit.notebooks.read import read_notebook
from gradkit.notebooks.write import build_notebook

ROOT = Path(__file__).resolve().parent.parent.parent
ASSIGNMENTS = load_all(ROOT)


@pytest.fixture(params=ASSIGNMENTS, ids=lambda assignment: assignment.id)
def assignment(request):
    return request.param


@pytest.fixture
def notebook(assignment):
    return nbformat.reads(assignment.notebook.read_text(encoding="utf-8"), as_version=4)


def marks(cell):
    return cell.metadata.get("nbgrader", {})


def is_snippet(cell):
    """Whether it is the handout's, to run when the task is written."""
    return cell.id.startswith("see-")


def test_it_is_what_the_sources_give(assignment):
    """The committed notebook is fresh."""
    assert assignment.notebook.read_text(encoding="utf-8") == build_notebook(assignment)


def test_nbgrader_takes_its_metadata(notebook):
    """The metadata fit nbgrader's own schema, and no id stands twice."""
    MetadataValidator().validate_nb(notebook)
    nbformat.validate(notebook)

    ids = [marks(cell)["grade_id"] for cell in notebook.cells if marks(cell)]
    assert len(ids) == len(set(ids))


def test_check_cells_hold_the_tasks_points(assignment, notebook):
    """One graded, locked cell for each task with its points, 100 in all; questions are apart and unlocked."""
    checks = {marks(cell)["grade_id"]: marks(cell)["points"] for cell in notebook.cells
              if marks(cell).get("grade") and marks(cell)["locked"]}  # fmt: skip
    questions = [cell for cell in notebook.cells if marks(cell).get("grade") and marks(cell)["solution"]]

    assert checks == {task.id: task.points for task in assignment.manifest.tasks}
    assert sum(checks.values()) == 100
    assert [marks(cell)["points"] for cell in questions] == [entry.points for entry in assignment.manifest.questions]
    assert all(cell.cell_type == "markdown" for cell in questions)


def test_its_code_is_the_stubs(assignment, notebook):
    """Every definition and constant of the stub stands in exactly one cell, word for word, and none is added."""

    def statements(text):
        return [ast.dump(node) for node in ast.parse(text).body if not (isinstance(node, ast.Expr))]

    cells = [
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.id != "setup" and not is_snippet(cell)
    ]
    written = [statement for cell in cells for statement in statements(cell.source)]

    assert sorted(written) == sorted(statements(assignment.stub.read_text(encoding="utf-8")))


def test_it_can_be_run_from_top_to_bottom(assignment, notebook):
    """No cell needs a name that only a later one defines, and each check finds its task's functions."""

    class Course:
        def check(self, task=None):
            functions = assignment.manifest.task(task).functions
            missing = [name for name in functions if name.partition(".")[0] not in names]
            assert not missing, f"{task} is checked before {missing} is defined"

        def figure(self, name):
            pass

    compiler = codeop.Compile()  # keeps `from __future__` from one cell to the next, as IPython does
    names = {"__name__": "__main__", "course": Course()}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id != "setup" and not is_snippet(cell):
            exec(compiler(cell.source, cell.id, "exec"), names)


def test_given_code_stands_before_what_may_use_it(assignment, notebook):
    """A helper of the stub's is there when the first task whose reference uses it is checked."""
    reference = {node.name: node for node in ast.parse(assignment.reference.read_text(encoding="utf-8")).body
                 if isinstance(node, (ast.FunctionDef, ast.ClassDef))}  # fmt: skip
    given, student = set(), set()
    for cell in notebook.cells:
        if cell.cell_type == "code" and not is_snippet(cell):
            for node in ast.parse(cell.source).body:
                if name := getattr(node, "name", ""):
                    (student if marks(cell).get("solution") else given).add(name)
    seen: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        seen |= {getattr(node, "name", "") for node in ast.parse(cell.source).body}
        if marks(cell).get("grade"):
            for name in seen & student:
                uses = {inner.id for inner in ast.walk(reference[name]) if isinstance(inner, ast.Name)} & given
                assert uses <= seen, f"{name} uses {uses - seen}, defined below the check of {cell.id}"


def test_snippets_stand_below_the_check_and_are_the_students(small_kit):
    """Each a cell that may be changed, that is not graded, and whose error stops no other; the text speaks of the notebook."""
    notebook = nbformat.reads(build_notebook(load_assignment(small_kit, "scaling")), as_version=4)
    ids = [cell.id for cell in notebook.cells]
    (snippet,) = [cell for cell in notebook.cells if is_snippet(cell) and cell.cell_type == "code"]
    header = next(cell.source for cell in notebook.cells if cell.id == "centre-text")
    hint = next(cell.source for cell in notebook.cells if cell.id == "standardise-text")
    submit = next(cell.source for cell in notebook.cells if cell.id == "text-submit")

    assert snippet.source == "print(standardise(np.array([[1.0], [3.0]]), eps=3.0))"
    assert ids.index(snippet.id) > ids.index("standardise") and not marks(snippet)
    assert snippet.metadata == {"tags": ["raises-exception"]}
    assert '· warm-up · `course.check("centre")`' in header and "pytest" not in header
    assert "</summary>\n\nIn which unit" in hint and "**See.**" not in hint
    assert "Upload this notebook, `scaling.ipynb` (or `scaling.py`" in submit


def test_ids_come_from_names_not_places(tmp_path, small_kit):
    """A task more before the others, or another text, changes no id of theirs: nbgrader keeps grades under them."""
    root = tmp_path / "kit"
    shutil.copytree(small_kit, root)
    before = read_ids(load_assignment(root, "scaling"))
    readme = root / "assignments" / "scaling" / "README.md"
    text = readme.read_text(encoding="utf-8").replace(
        "## Task 1: Centre each feature", "## History\n\nLong.\n\n## Task 1: Centring"
    )
    readme.write_text(text, encoding="utf-8")

    after = read_ids(load_assignment(root, "scaling"))

    assert set(before) < set(after) and "text-history" in set(after) - set(before)


def read_ids(assignment):
    return [cell["id"] for cell in json.loads(build_notebook(assignment))["cells"]]


def test_a_handout_without_a_tasks_section_is_said(tmp_path, small_kit):
    """The file and the heading that is missing, in one line."""
    root = tmp_path / "kit"
    shutil.copytree(small_kit, root)
    readme = root / "assignments" / "scaling" / "README.md"
    readme.write_text(readme.read_text(encoding="utf-8").replace("## Task 2", "## Part 2"), encoding="utf-8")

    with pytest.raises(AuthoringError, match=r"README\.md: there is no section ## Task 2 for the task standardise"):
        build_notebook(load_assignment(root, "scaling"))


def test_it_is_read_back_as_the_stub(assignment):
    """Handed in untouched, it is the stub's functions in an order that can be imported."""
    functions = {name.partition(".")[0] for task in assignment.manifest.tasks for name in task.functions}

    source = read_notebook(assignment.notebook.read_bytes(), wanted=functions, module=assignment.manifest.module)

    assert source.syntax_error is None and not source.notes
    assert "course = " not in source.text and "coursekit.notebook" not in source.text
    defined = {getattr(node, "name", "") for node in ast.parse(source.text).body}
    assert functions <= defined


def test_reading_every_cell_keeps_texts_names_and_pictures_only():
    """Outputs, other metadata and attachments that are no pictures are not taken over."""
    picture = {
        "a.png": {"image/png": "iVBORw0="},
        "b.svg": {"image/svg+xml": "PHN2Zz4="},
        "c.png": {"image/png": '"><script>'},
    }
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {"nbgrader": {"grade_id": "question-a"}},
            "source": ["my ", "answer"],
            "attachments": picture,
        },
        {
            "cell_type": "code",
            "metadata": {"nbgrader": 3},
            "source": "x = 1",
            "outputs": [{"output_type": "stream", "text": "y" * 99}],
        },
    ]

    answer, code = read_cells(json.dumps({"cells": cells, "nbformat": 4}).encode())

    assert (answer.kind, answer.text, answer.grade_id) == ("markdown", "my answer", "question-a")
    assert answer.images == (("a.png", "image/png", "iVBORw0="),)
    assert (code.kind, code.text, code.grade_id, code.images) == ("code", "x = 1", "", ())
