"""Places in a syntax tree where something else can be put, and the edit that puts it there."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SHOWN = 60  # characters of what was there, and of what comes there
STRUCTURE = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


@dataclass(frozen=True)
class Edit:
    """One small change.

    Attributes:
        line: Of the file, where it is made.
        statement: First line of the statement that it is in.
        text: Says the change in words, for staff.
        rank: Likelier ones are lower, and tried first.
        apply: Changes the tree.
        undo: Changes it back.
    """

    line: int
    text: Callable[[], str]
    rank: int
    apply: Callable[[], None]
    undo: Callable[[], None]
    statement: int = 0


@dataclass(frozen=True)
class Slot:
    """A place in a tree: a node's field, or an item of a list."""

    holder: ast.AST | list
    key: str | int
    value: ast.AST
    parent: ast.AST | None = None
    name: str = ""

    def put(self, value: object) -> None:
        if isinstance(self.holder, list):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)

    def edit(self, new: ast.AST, rank: int) -> Edit:
        old = self.value
        near = old if hasattr(old, "lineno") else self.parent

        def apply() -> None:
            self.put(_placed(new, near))

        return Edit(
            getattr(near, "lineno", 0), lambda: f"{_shown(old)} -> {_shown(new)}", rank, apply, lambda: self.put(old)
        )


def slots(node: ast.AST) -> Iterator[Slot]:
    """The places of a node that hold expressions."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for index, part in enumerate(value):
                if isinstance(part, ast.expr):
                    yield Slot(value, index, part, node, name)
        elif isinstance(value, ast.expr):
            yield Slot(node, name, value, node, name)


def set_to(node: ast.AST, name: str, new: object, rank: int) -> Edit:
    """Put something else into a node's field."""
    old = getattr(node, name)

    def apply() -> None:
        setattr(node, name, _placed(new, _located(node)))

    line = getattr(_located(node), "lineno", 0)
    return Edit(
        line, lambda: f"{_shown(old)} -> {_shown(new)} in {_shown(node)}", rank, apply, lambda: setattr(node, name, old)
    )


def exchanged(node: ast.AST, one: str, other: str, rank: int) -> Edit:
    """Two parts of a node, such as its operands, put in each other's place."""

    def exchange() -> None:
        first, second = getattr(node, one), getattr(node, other)
        setattr(node, one, second)
        setattr(node, other, first)

    return Edit(node.lineno, lambda: f"{_shown(node)}: operands exchanged", rank, exchange, exchange)


def swapped(some: list, one: int, other: int, node: ast.AST, rank: int) -> Edit:
    """Two items of a list of a node, such as its arguments, put in each other's place."""

    def swap() -> None:
        some[one], some[other] = some[other], some[one]

    return Edit(node.lineno, lambda: f"{_shown(node)}: {one + 1} and {other + 1} exchanged", rank, swap, swap)


def without_argument(node: ast.Call, name: str, index: int, rank: int) -> Edit:
    """A call that lacks one of its arguments; `name` is the list that it is in."""
    some = getattr(node, name)
    part = some[index]
    line = getattr(part, "lineno", node.lineno)
    return Edit(
        line,
        lambda: f"{_shown(node)} without {_shown(part)}",
        rank,
        lambda: some.pop(index) and None,
        lambda: some.insert(index, part),
    )


def with_keyword(node: ast.Call, word: ast.keyword, rank: int) -> Edit:
    """A call that has one more keyword."""

    def apply() -> None:
        node.keywords.append(_placed(word, node))

    return Edit(
        node.lineno, lambda: f"{_shown(node)} with {_shown(word)}", rank, apply, lambda: node.keywords.pop() and None
    )


def _placed(new: object, near: ast.AST) -> object:
    """New code, with lines for the compiler: those of what it stands for."""
    if isinstance(new, ast.AST) and hasattr(near, "lineno"):
        ast.copy_location(new, near)
        ast.fix_missing_locations(new)
    return new


def _located(node: ast.AST) -> ast.AST:
    """The node itself, or one of its parts that has a line."""
    if hasattr(node, "lineno"):
        return node
    return next((part for part in ast.walk(node) if hasattr(part, "lineno")), node)


def _shown(value: object) -> str:
    if isinstance(value, STRUCTURE):
        return type(value).__name__
    if not isinstance(value, ast.AST):
        return str(value)
    try:
        # a copy: it is given lines, which it needs to be written out
        text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(value))).split())
    except (ValueError, AttributeError, RecursionError, TypeError):
        return type(value).__name__
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
