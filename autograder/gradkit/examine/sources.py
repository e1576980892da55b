"""An assignment's files as text and syntax trees, each read once; what can't be read is a fault, told once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradkit.errors import AuthoringError
from gradkit.stubs import parse_python, read_authored


class Fault(NamedTuple):
    """One line for the author, `file:line: what is wrong; what to do`.

    `blocks`: grades, or what students get, are wrong while it stands.
    """

    text: str
    blocks: bool = True


class Sources:
    """Reads files; `faults` holds what was wrong with those read so far."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._texts: dict[Path, str] = {}
        self._trees: dict[Path, ast.Module | None] = {}

    def text(self, path: Path) -> str:
        """A file's text; empty for one that is missing or unreadable."""
        if path not in self._texts:
            try:
                self._texts[path] = read_authored(path)
            except AuthoringError as error:
                self._texts[path], self._trees[path] = "", None
                self.faults.append(Fault(str(error)))
        return self._texts[path]

    def tree(self, path: Path) -> ast.Module | None:
        """A Python file's syntax tree; None for one that has none."""
        text = self.text(path)
        if path not in self._trees:
            try:
                self._trees[path] = parse_python(text, path)
            except AuthoringError as error:
                self._trees[path] = None
                self.faults.append(Fault(str(error)))
        return self._trees[path]


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and the dotted name of each module that a file imports, inside its functions too."""
    left: list[ast.AST] = list(reversed(tree.body))
    while left:
        node = left.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        else:  # only statements hold imports, and most of a tree are expressions
            for block in ("body", "handlers", "orelse", "finalbody", "cases"):
                left += reversed(getattr(node, block, None) or [])


def defined(tree: ast.Module) -> set[str]:
    """What a module defines at its top level, with the methods of its classes as `Class.method`."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
            if isinstance(node, ast.ClassDef):
                names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            parts = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            names |= {part.id for part in parts if isinstance(part.ctx, ast.Store)}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def line_of(text: str, part: str) -> int:
    """The number of the first line that holds `part`, or 1."""
    return next((number for number, line in enumerate(text.splitlines(), 1) if part in line), 1)
