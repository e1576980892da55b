"""Small edits of a submission's own functions, tried in the worker that has them.

When no known mistake explains an answer, the judge looks for the line that is wrong: it has a worker put one edit after
another in place and runs the checks again. An edit changes one node of the syntax tree: an operator, a comparison, a
constant, a sign, a bound, two arguments, one variable for another. The function's code is exchanged where it stands, so
whoever holds the function calls the edited one.

The kinds follow Singh, Gulwani and Solar-Lezama, *Automated feedback generation for introductory programming assignments*,
2013; unlike there, an edit is never shown to the student, only its line.
"""

from __future__ import annotations

import ast
import gc
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from gradkit.calls.changes import edits_of

MOST = 4000  # edits of one submission
LONGEST = 50_000  # lines run that are noted; then the case is broken off
LAST = 1_000  # of these, the ones that are then told


class Edits:
    """The edits of some lines of a submission's functions.

    Args:
        path: The submission's file.
        module: What was imported from it.
        lines: Those to edit.
    """

    def __init__(self, path: Path, module: types.ModuleType, lines: frozenset[int]) -> None:
        self._module = module
        live = _live_functions(str(path))
        self._original = {function: function.__code__ for some in live.values() for function in some}
        torch = "torch" in vars(module)
        edits = [
            (edit, owner)
            for owner in _units(ast.parse(path.read_bytes()))
            if lines & set(range(owner.lineno, owner.end_lineno + 1))
            for edit in edits_of(owner, torch=torch)
            if edit.line in lines or edit.statement in lines
        ]
        self._edits = sorted(edits, key=lambda pair: pair[0].rank)[:MOST]  # stable: in a rank they stand as in the file
        self._live = live
        self._path = str(path)

    def put(self, number: int) -> tuple[int, int, int, str]:
        """Put the edit with this number in place of any other; the number below 0 stands for none.

        Returns:
            How many there are, this one's line, its statement's first line, and what it is. Both lines are 0 where the
            edit can't be made.
        """
        for function, code in self._original.items():
            if function.__code__ is not code:
                function.__code__ = code
        for value in list(vars(self._module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()  # of answers that another edit gave
        if not 0 <= number < len(self._edits):
            return len(self._edits), 0, 0, ""
        edit, owner = self._edits[number]
        text = edit.text()
        edit.apply()
        try:
            with warnings.catch_warnings(action="ignore"):
                codes = dict(_codes(compile(ast.Module([owner], []), self._path, "exec", dont_inherit=True)))
            for name, functions in self._live.items():
                if name in codes:
                    for function in functions:
                        function.__code__ = codes[name]
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return len(self._edits), 0, 0, ""
        finally:
            edit.undo()
        return len(self._edits), edit.line, edit.statement, text


def _units(tree: ast.Module) -> Iterator[ast.stmt]:
    """What is compiled at a time: a function, or a method alone in its class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.copy_location(ast.ClassDef(node.name, [], [], [part], []), part)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


class LinesRun:
    """Notes which lines of a file's functions are run, from now until the end is asked for.

    A loop that never ends is broken off. Then the lines noted are its own: those that were run last.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: set[int] = set()
        self._left = LONGEST
        sys.settrace(self._call)

    def _call(self, frame: types.FrameType, event: str, argument: object) -> Callable | None:
        return self._line if frame.f_code.co_filename == self._file else None

    def _line(self, frame: types.FrameType, event: str, argument: object) -> Callable:
        self._lines.add(frame.f_lineno)
        self._left -= 1
        if self._left == LAST:
            self._lines.clear()
        if self._left < 0:
            raise TimeoutError("enough lines were run")
        return self._line

    def end(self) -> tuple[int, ...]:
        sys.settrace(None)
        return tuple(sorted(self._lines))


def _live_functions(file: str) -> dict[str, list[types.FunctionType]]:
    """The file's functions and methods that there are, wrapped or not, by qualified name."""
    found: dict[str, list[types.FunctionType]] = {}
    for value in gc.get_objects():
        if type(value) is types.FunctionType and value.__code__.co_filename == file:
            name = value.__code__.co_qualname
            if "<" not in name:  # what stands in a function comes with it
                found.setdefault(name, []).append(value)
    return found


def _codes(code: types.CodeType) -> Iterator[tuple[str, types.CodeType]]:
    """The functions' and methods' code in a compiled module."""
    for part in code.co_consts:
        if isinstance(part, types.CodeType) and "<" not in part.co_qualname:
            yield part.co_qualname, part
            yield from _codes(part)
