"""Makes what leaves the kit: the students' folder, and a course for nbgrader. Nothing of `solutions/` is in either."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import coursekit
from gradkit.errors import InputError
from gradkit.manifest import Assignment

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "figures", "*.egg-info")

_NBGRADER = Path(__file__).parent / "templates" / "nbgrader"

_CONFTEST = '''"""Makes the course's checks work in this folder: leave it where it is."""

pytest_plugins = ["coursekit.plugin"]
'''

_PYTEST_INI = """[pytest]
addopts = -q --tb=short -rN
"""

_REQUIREMENTS = """numpy>=1.26
torch>=2.6
matplotlib>=3.8
pytest>=8
gradescope-utils>=0.5
regex>=2023.12
"""

_START = """Start here
==========

1. Make an environment, once:   python -m venv .venv
   Enter it:                    source .venv/bin/activate      (Windows: .venv\\Scripts\\activate)
   Install what is needed:      pip install -r requirements.txt
2. Go into your assignment's folder ({folders}) and read its README.md.
3. Check yourself there, as often as you like:   pytest
   One task only:                                pytest --task NAME
   Draw from your own code:                      python figures.py
4. Hand in the file that you wrote ({modules}).

Or work in the notebook of the same name: pip install notebook, then jupyter notebook in the assignment's folder.
It holds the handout, the same functions, and cells that run the checks. Hand in one of the two.

Public checks run here. Hidden checks run when you submit.
Where a handout says "the notes", it means the course's lecture notes; it says so where it departs from them.
"""


def student_bundle(assignments: Sequence[Assignment], out: Path) -> list[str]:
    """Write the students' folder or zip.

    Returns:
        Lines saying what was written.

    Raises:
        InputError: When `out` is there already or can't be written, or a generated file is missing.
    """
    with _beside(out) as folder:
        for assignment in assignments:
            _copy_assignment(assignment, folder)
        _copy_coursekit(folder)
        start = _START.format(
            folders=", ".join(entry.id for entry in assignments),
            modules=", ".join(entry.manifest.module for entry in assignments),
        )
        for name, text in (
            ("conftest.py", _CONFTEST),
            ("pytest.ini", _PYTEST_INI),
            ("requirements.txt", _REQUIREMENTS),
            ("START.txt", start),
        ):
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if out.suffix == ".zip":
            packed = folder.parent / out.name
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in files:
                    archive.write(path, path.relative_to(folder.parent))
            packed.replace(out)
        else:
            folder.chmod(0o755)
            folder.replace(out)
    return [f"{out}: {len(files)} files for {', '.join(assignment.id for assignment in assignments)}"]


def nbgrader_course(root: Path, assignments: Sequence[Assignment], out: Path) -> list[str]:
    """Write a course folder in which nbgrader's commands work, grading with the kit at `root`.

    `source/ID/` holds what is released: the notebook, what it needs, and coursekit.

    Returns:
        Lines saying what was written.

    Raises:
        InputError: When `out` is there already or can't be written, or a generated file is missing.
    """
    with _beside(out) as folder:
        for assignment in assignments:
            if not assignment.notebook.is_file():
                raise InputError(f"{assignment.notebook} is missing: run gradkit build {assignment.id}")
            source = folder / "source" / assignment.id
            _copy_assignment(assignment, source.parent)
            for path in (source / assignment.manifest.module, source / "README.md"):
                path.unlink()  # both are in the notebook
            _copy_coursekit(source)
        settings = (_NBGRADER / "nbgrader_config.py").read_text(encoding="utf-8")
        for name, value in (
            ("{course}", out.name),
            ('"{kit}"', repr(str(root.resolve()))),
            ("{seed}", str(secrets.randbits(62))),
            ("{ids}", "|".join(assignment.module_name for assignment in assignments)),
        ):
            settings = settings.replace(name, value)
        config = folder / "nbgrader_config.py"
        config.write_text(settings, encoding="utf-8", newline="\n")
        config.chmod(0o600)
        folder.chmod(0o700)  # grades, and the seed of the hidden checks
        folder.replace(out)
    return [
        f"{out}: a course for nbgrader with {', '.join(assignment.id for assignment in assignments)}; only you can enter it",
        f"Next: cd {out}; nbgrader generate_assignment {assignments[0].id}",
    ]


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A fresh folder beside `out`, gone in the end unless it was moved to its place.

    Raises:
        InputError: When `out` is there already, or something can't be written.
    """
    if out.exists():
        raise InputError(f"{out} is there already: remove it, or choose another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            folder = beside / out.stem
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}") from None


def _copy_coursekit(folder: Path) -> None:
    shutil.copytree(Path(coursekit.__file__).parent, folder / "coursekit", ignore=_LEFT_OUT)


def _copy_assignment(assignment: Assignment, folder: Path) -> None:
    if not assignment.stub.is_file():
        raise InputError(f"{assignment.stub} is missing: run gradkit build {assignment.id}")
    shutil.copytree(assignment.public, folder / assignment.id, ignore=_LEFT_OUT)
