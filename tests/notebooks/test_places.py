"""A notebook's first cell finds the course wherever it is opened: beside it, packed, in Colab's drive, in Kaggle's input."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from gradkit.bundle import student_bundle
from gradkit.manifest import load_assignment

ROOT = Path(__file__).resolve().parents[2]
ID = "bpe"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The course as a folder and as a zip."""
    folder = tmp_path_factory.mktemp("bundle")
    for name in ("course", "course.zip"):
        student_bundle([load_assignment(ROOT, ID)], folder / name)
    return folder


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Run the first cell, and a check, of a notebook that is opened in a folder; what they print."""
    monkeypatch.setenv("PYTHONPATH", "")  # the kit's own coursekit is not to answer

    def run(folder: Path, *, content: Path = Path("/nowhere"), kaggle: Path = Path("/nowhere")) -> str:
        notebook = nbformat.read(ROOT / "assignments" / ID / f"{ID}.ipynb", as_version=4)
        setup = next(cell for cell in notebook.cells if cell.id == "setup")
        setup.source = setup.source.replace('"/content', f'"{content}').replace('"/kaggle', f'"{kaggle}')
        ask = nbformat.v4.new_code_cell(
            "print('coursekit' in sys.modules and sys.modules['coursekit'].__file__)\n"
            "'course' in globals() and course.check('merge')"
        )
        notebook.cells = [setup, ask]
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
        outputs = [output for cell in notebook.cells for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)

    return run


def unpacked(bundle: Path, to: Path) -> Path:
    import shutil

    return shutil.copytree(bundle / "course", to)


def test_in_the_assignments_folder(opened, bundle, tmp_path):
    """As in Jupyter."""
    said = opened(unpacked(bundle, tmp_path / "course") / ID)

    assert "Unpacked" not in said and "merge" in said


def test_beside_the_course_and_below_it(opened, bundle, tmp_path):
    """A notebook that was moved up finds the folder below."""
    unpacked(bundle, tmp_path / "work" / "course")

    assert "merge" in opened(tmp_path / "work")


def test_a_zip_beside_it_is_unpacked_once(opened, bundle, tmp_path):
    """As after an upload; broken and other zips are passed over."""
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04broken")
    (tmp_path / "course.zip").write_bytes((bundle / "course.zip").read_bytes())

    first, second = opened(tmp_path), opened(tmp_path)

    assert "Unpacked" in first and "course.zip" in first and "merge" in first
    assert "Unpacked" not in second and "merge" in second


def test_unpacking_keeps_what_a_student_has_written(opened, bundle, tmp_path):
    """As when the course is uploaded again, or holds an assignment that they have begun."""
    (tmp_path / "course.zip").write_bytes((bundle / "course.zip").read_bytes())
    with zipfile.ZipFile(tmp_path / "course.zip") as course:
        name = next(name for name in course.namelist() if name.endswith(f"{ID}/{ID}.py"))
    mine = tmp_path / name
    mine.parent.mkdir(parents=True)
    mine.write_text("# a night's work\n", encoding="utf-8")

    said = opened(tmp_path)

    assert "Unpacked" in said and "merge" in said
    assert mine.read_text(encoding="utf-8") == "# a night's work\n"


def test_in_a_mounted_drive(opened, bundle, tmp_path):
    """Colab: the working folder is another one; the course lies in a folder of the drive, unpacked or not."""
    (tmp_path / "content" / "sample_data").mkdir(parents=True)
    unpacked(bundle, tmp_path / "content" / "drive" / "MyDrive" / "course")

    assert "merge" in opened(tmp_path / "content", content=tmp_path / "content")


def test_in_a_data_set_that_is_read_only(opened, bundle, tmp_path):
    """Kaggle: the zip is unpacked by the platform, and nothing can be written there."""
    data = unpacked(bundle, tmp_path / "kaggle" / "input" / "course")
    (tmp_path / "kaggle" / "working").mkdir()
    for folder, _, files in os.walk(data):
        for name in files:
            Path(folder, name).chmod(0o444)
        Path(folder).chmod(0o555)

    said = opened(tmp_path / "kaggle" / "working", kaggle=tmp_path / "kaggle")

    assert "merge" in said
    for folder, _, _ in os.walk(data):
        Path(folder).chmod(0o755)


def test_nowhere(opened, tmp_path):
    """One line says what to do, without a traceback."""
    said = opened(tmp_path)

    assert said.startswith("The course's files are not here: upload course.zip beside this notebook")
    assert said.count("\n") == 2 and "Traceback" not in said
