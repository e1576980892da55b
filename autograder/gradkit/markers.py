"""Reads what gradescope-utils' decorators and pytest's parameters say about the checks of an assignment."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from gradkit.errors import AuthoringError
from gradkit.manifest import Assignment
from gradkit.model import Check


def read_checks(assignment: Assignment, items: Sequence) -> dict[Check, list]:
    """Each check with its collected pytest items, in the order of their numbers.

    Raises:
        AuthoringError: Naming file, line and decorator, for a check without a number, weight, task or claim, or with a
            number that stands twice.
    """
    grouped: dict[tuple[Path, str], list] = {}
    for item in items:
        grouped.setdefault((item.path, item.originalname), []).append(item)
    found = {_read(assignment, cases): cases for cases in grouped.values()}
    numbers: dict[str, Check] = {}
    for check in found:
        if check.number in numbers:
            raise AuthoringError(
                f"{assignment.id}: number {check.number} stands at both {numbers[check.number].id} and {check.id}"
            )
        numbers[check.number] = check
    return dict(sorted(found.items(), key=lambda pair: _sort_key(pair[0])))


def _read(assignment: Assignment, items: list) -> Check:
    function = items[0].function
    hidden = items[0].path.samefile(assignment.hidden_tests)
    where = f"{items[0].path}:{function.__code__.co_firstlineno}"

    def need(attribute: str, decorator: str) -> object:
        value = getattr(function, attribute, None)
        if value is None:
            raise AuthoringError(f"{where}: {function.__name__} needs @{decorator}")
        return value

    task = need("__tags__", 'tags("task")')[0]
    known = [known.id for known in assignment.manifest.tasks]
    if task not in known:
        raise AuthoringError(
            f"{where}: the first tag of {function.__name__} must be a task, got {task!r}; tasks: {', '.join(known)}"
        )
    doc = inspect.getdoc(function)
    if not doc:
        raise AuthoringError(f"{where}: {function.__name__} needs a docstring that states its claim")
    return Check(
        id=f"{'hidden' if hidden else 'public'}:{function.__name__}",
        number=str(need("__number__", 'number("1.1")')),
        title=function.__name__.removeprefix("test_").replace("_", " "),
        task=task,
        points=float(need("__weight__", "weight(1)")),
        hidden=hidden,
        claim=" ".join(doc.split("\n\n")[0].split()),
        cases=tuple(case_id(item) for item in items),
    )


def case_id(item: object) -> str:
    """The part of a pytest item's name that tells its parameters, or empty."""
    return item.callspec.id if hasattr(item, "callspec") else ""


def _sort_key(check: Check) -> tuple:
    """Numbers part by part: 2.p1 before 2.1 before 2.10 before 10.1."""
    parts = check.number.split(".")
    return tuple(
        (0, int(part[1:] or 0))
        if part[:1] == "p" and part[1:].isdigit()
        else (1, int(part))
        if part.isdigit()
        else (2, part)
        for part in parts
    )
