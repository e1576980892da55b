"""Notebooks as students hand them in: the assignment's own, with a module's functions written into its cells."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat

from gradkit.manifest import Assignment


def filled(assignment: Assignment, source: str) -> nbformat.NotebookNode:
    """The assignment's notebook with its functions written as in the module `source`.

    What `source` defines in no cell of the notebook (helpers, changed constants, a second definition of a name)
    is put into cells of its own before the first check, as a student would add them.
    """
    notebook = nbformat.reads(assignment.notebook.read_text(encoding="utf-8"), as_version=4)
    lines = source.splitlines()
    texts: dict[str, str] = {}
    order: list[str] = []
    tree = ast.parse(source)
    for node in tree.body:
        if node is tree.body[0] and ast.get_docstring(tree) is not None:
            continue
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
        text = "\n".join(lines[first - 1 : node.end_lineno])
        name = getattr(node, "name", "") or text
        texts[name] = text  # the last definition is the one that counts
        order.append(name)
    used: set[str] = set()
    for cell in notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and (
            marks.get("solution") or marks.get("locked") and not marks.get("grade")
        ):
            for node in ast.parse(cell.source).body:
                name = getattr(node, "name", "") or ast.get_source_segment(cell.source, node)
                used.add(name)
                if marks.get("solution") and name in texts:
                    cell.source = texts[name]
    extra = [texts[name] for name in dict.fromkeys(order) if name not in used]
    place = next(i for i, cell in enumerate(notebook.cells) if cell.get("id") == "given") + 1
    for number, text in enumerate(extra):
        notebook.cells.insert(place + number, nbformat.v4.new_code_cell(text, id=f"added-{number}"))
    return notebook


def hand_in(course: Path, student: str, assignment: str, files: dict[str, bytes]) -> None:
    """Put a student's files where nbgrader's collecting commands put them."""
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
