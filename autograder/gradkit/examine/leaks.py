"""Looks for lines of the solution where a student reads: in hints, the handout, the public checks and the figures."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradkit.errors import AuthoringError
from gradkit.examine.sources import Fault, Sources, line_of
from gradkit.manifest import Assignment
from gradkit.mistakes import EditedMistake, read_mistakes

SHORTEST = 15  # characters of a line, blanks apart, that says something about a solution
SHORTEST_EDIT = 10  # the same for what a mistake spoils, against its own hint
SHORTEST_IN_PUBLIC = 20  # the same for the handout and the checks, which use the functions too
_STAFFS = re.compile(
    r"\bsolutions/|\bHINT\b|\btest_hidden\.py|[\"'](?:solutions|test_hidden)[\"']"
)  # places of staff's
_BLOCK = re.compile(r"^[ \t]*# BEGIN SOLUTION\b[^\n]*\n(.*?)^[ \t]*# END SOLUTION", re.M | re.S)
_BEFORE_VALUE = re.compile(r"^(?:return|yield|[\w., \[\]:*]+?(?:[-+*/@%&|]|//|\*\*|<<|>>)?=)(?!=)\s*(?=\S)")
_PLAIN_CALL = re.compile(r"[\w.]+\([\w\s,.=-]*\)")  # how a function is used, which students are told
_OPERATOR_OR_CALL = re.compile(r"[-+*/@%<>]|\w\(|\w\[")


class Hint(NamedTuple):
    """What a known mistake tells the student. `right`: the reference's code that it spoils, where that is known."""

    place: str
    mistake: str
    text: str
    right: tuple[str, ...] = ()


def leak_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Hints that hold what the student should find, and public files that hold it or name where it lies."""
    lines = solution_lines(sources.text(assignment.reference))
    for hint in hints(assignment, sources):
        told = _squeezed(hint.text)
        parts = [part for text in hint.right for part in _values(text) if _tells(part, SHORTEST_EDIT)]
        if line := next((line for line in (*lines, *parts) if _squeezed(line) in told), None):
            yield Fault(
                f"{hint.place}: the hint of {hint.mistake} holds the solution's `{line}`; ask about the concept instead",
                blocks=False,
            )
    for path in (assignment.public / "README.md", assignment.public_tests, assignment.public / "figures.py"):
        if path.is_file():
            yield from _public_faults(path, sources.text(path), lines)


def _public_faults(path: Path, text: str, lines: tuple[str, ...]) -> Iterator[Fault]:
    for number, line in enumerate(text.splitlines(), 1):
        if word := _STAFFS.search(line):
            yield Fault(f"{path}:{number}: names {word[0]}, which students don't have", False)
    squeezed = _squeezed(text)
    for solution in lines:
        if solution.endswith(":") or len(_squeezed(solution)) < SHORTEST_IN_PUBLIC or _PLAIN_CALL.fullmatch(solution):
            continue
        if _squeezed(solution) in squeezed:
            yield Fault(f"{path}: holds the solution's line `{solution}`", blocks=False)


def solution_lines(reference: str) -> tuple[str, ...]:
    """The lines of a reference that a student must find, without what they assign to, each once."""
    found: dict[str, None] = {}
    for block in _BLOCK.findall(reference):
        found |= dict.fromkeys(part for part in _values(block) if _tells(part))
    return tuple(found)


def _values(code: str) -> Iterator[str]:
    """Each line of code without its comment, its layout, and what it assigns to."""
    for line in code.splitlines():
        line = re.sub(r"\s+#.*$|^\s*#.*$", "", line).strip()
        yield _BEFORE_VALUE.sub("", line, count=1)


def _tells(line: str, shortest: int = SHORTEST) -> bool:
    return len(_squeezed(line)) >= shortest and bool(_OPERATOR_OR_CALL.search(line))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def hints(assignment: Assignment, sources: Sources) -> Iterator[Hint]:
    """The hints of all known mistakes; of none where one of their files can't be read, which is told elsewhere."""
    with contextlib.suppress(AuthoringError):
        for mistake in read_mistakes(assignment):
            quoted = f'"{mistake.name}"' if isinstance(mistake, EditedMistake) else "HINT"
            right = tuple(old for old, _ in mistake.edits) if isinstance(mistake, EditedMistake) else ()
            line = line_of(sources.text(mistake.path), quoted)
            yield Hint(f"{mistake.path}:{line}", mistake.name, mistake.hint, right)
