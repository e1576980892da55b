"""Notebooks as students hand them in: the assignment's own, with a module's functions written into its cells."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbformat

from gradkit.manifest import Assignment


def filled(assignment: Assignment, source: str) -> nbformat.NotebookNode:
    """The assignment's notebook with its functions written as in the module `source`.

    What `source` holds besides (helpers, constants) is put into cells of its own before the first task, as a student
    would add them. From the second definition of a name on, everything follows in cells at the end: a default argument
    in between holds the first one, in the module as in the notebook.
    """
    notebook = nbformat.reads(assignment.notebook.read_text(encoding="utf-8"), as_version=4)
    cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.id != "setup" and not cell.id.startswith("see-")
    ]
    theirs = {name for cell in cells for name in _names(cell.source)}
    written: dict[str, str] = {}
    first: list[str] = []
    last: list[str] = []
    statements = list(_statements(source))
    named = [name for name, _ in statements]
    whole = max(named.index(name) for name in theirs if name in named)  # here every name has its first definition
    for number, (name, text) in enumerate(statements):
        if number > whole or name in written:
            last.append(text)
        elif name in theirs:
            written[name] = text
        else:
            first.append(text)
    for cell in cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            (name,) = _names(cell.source)
            cell.source = written.get(name, cell.source)
    place = next(i for i, cell in enumerate(notebook.cells) if cell.get("id") == "given") + 1
    notebook.cells[place:place] = [nbformat.v4.new_code_cell(text, id=f"own-{i}") for i, text in enumerate(first)]
    notebook.cells += [nbformat.v4.new_code_cell(text, id=f"last-{i}") for i, text in enumerate(last)]
    return notebook


def _names(code: str) -> list[str]:
    """What a cell defines; a statement that is no definition goes by its text."""
    return [getattr(node, "name", "") or ast.get_source_segment(code, node) for node in ast.parse(code).body]


def _statements(source: str) -> Iterator[tuple[str, str]]:
    """Each statement's name, or text where it has none, and its text; docstrings are left out."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        begin = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        name = getattr(node, "name", "") or ast.get_source_segment(source, node)
        yield name, "\n".join(lines[begin - 1 : node.end_lineno])


def hand_in(course: Path, student: str, assignment: str, files: dict[str, bytes]) -> None:
    """Put a student's files where nbgrader's collecting commands put them."""
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
