"""Writes a working two-task assignment to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

from gradkit.errors import InputError
from gradkit.manifest import load_assignment
from gradkit.notebooks.write import build_notebook
from gradkit.stubs import build_stub, write_if_changed

_TEMPLATE = Path(__file__).parent / "templates" / "new"


def new_assignment(root: Path, id: str) -> list[Path]:
    """Create `assignments/ID` and `solutions/ID`, and cut the stub and the notebook.

    Returns:
        The files written.

    Raises:
        InputError: When the id is not a Python name in lower case, or is taken.
    """
    if not id.isidentifier() or id != id.lower():
        raise InputError(f"an assignment's id is a Python name in lower case such as layer_norm, got {id!r}")
    public, hidden = root / "assignments" / id, root / "solutions" / id
    for folder in (public, hidden):
        if folder.exists():
            raise InputError(f"{folder} is there already: choose another id, or remove it")
    places = {"test_public.py": f"test_{id}.py", "reference.py": f"{id}.py"}
    for source, target in ((_TEMPLATE / "assignment", public), (_TEMPLATE / "solution", hidden)):
        beside = target.with_name(f".{id}.new")
        shutil.rmtree(beside, ignore_errors=True)
        for path in sorted(source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                copy = beside / path.relative_to(source).with_name(places.get(path.name, path.name))
                copy.parent.mkdir(parents=True, exist_ok=True)
                text = path.read_text(encoding="utf-8")
                copy.write_text(text.replace("{module}", f"{id}.py").replace("{id}", id), encoding="utf-8")
        target.parent.mkdir(exist_ok=True)
        beside.rename(target)
    assignment = load_assignment(root, id)
    write_if_changed(assignment.stub, build_stub(assignment))
    write_if_changed(assignment.notebook, build_notebook(assignment))
    return sorted(path for folder in (public, hidden) for path in folder.rglob("*") if path.is_file())
