"""Notebooks as students hand them in: the assignment's own, with a module's functions written into its cells."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat

from gradkit.manifest import Assignment


def filled(assignment: Assignment, source: str) -> nbformat.NotebookNode:
    """The assignment's notebook with its functions written as in the module `source`.

    Of two definitions of a name the last stands in the name's cell. What `source` holds besides (helpers, constants)
    is put into cells of its own before the first task, as a student would add them; but where such a statement uses a
    function of the notebook's, to keep its first definition under another name, it and the later definition follow
    at the end.
    """
    notebook = nbformat.reads(assignment.notebook.read_text(encoding="utf-8"), as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.id != "setup"]
    theirs = {name for cell in cells for name in _names(cell.source)}
    definitions: dict[str, list[str]] = {}
    others: list[tuple[str, set[str]]] = []  # text, and the notebook's names it uses
    for name, text, used in _statements(source):
        if name in theirs:
            definitions.setdefault(name, []).append(text)
        elif text not in theirs:
            others.append((text, used & theirs))
    kept = {name for _, used in others for name in used if len(definitions.get(name, ())) > 1}
    for cell in cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            (name,) = _names(cell.source)
            cell.source = definitions.get(name, [cell.source])[0 if name in kept else -1]
    first = [text for text, used in others if not used & kept]
    last = [text for text, used in others if used & kept] + [definitions[name][-1] for name in sorted(kept)]
    place = next(i for i, cell in enumerate(notebook.cells) if cell.get("id") == "given") + 1
    notebook.cells[place:place] = [
        nbformat.v4.new_code_cell(text, id=f"own-{i}") for i, text in enumerate(first)
    ]
    notebook.cells += [nbformat.v4.new_code_cell(text, id=f"last-{i}") for i, text in enumerate(last)]
    return notebook


def _names(code: str) -> list[str]:
    """What a cell defines; a statement that is no definition goes by its text."""
    return [getattr(node, "name", "") or ast.get_source_segment(code, node) for node in ast.parse(code).body]


def _statements(source: str) -> Iterator[tuple[str, str, set[str]]]:
    """Each statement's name or text, its text, and the names in it; docstrings are left out."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        begin = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        text = "\n".join(lines[begin - 1 : node.end_lineno])
        used = set() if hasattr(node, "name") else {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        yield getattr(node, "name", "") or ast.get_source_segment(source, node), text, used


def hand_in(course: Path, student: str, assignment: str, files: dict[str, bytes]) -> None:
    """Put a student's files where nbgrader's collecting commands put them."""
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
