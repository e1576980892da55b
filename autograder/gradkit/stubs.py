"""Cuts the student's stub from the reference.

`# BEGIN SOLUTION task` … `# END SOLUTION`, each a whole comment line, enclose what the student must write. An
indented block becomes a line that raises NotImplementedError; a block at the left margin (a helper of the
staff's) is removed whole. Everything else is kept as it stands.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from pathlib import Path

from gradkit.errors import AuthoringError
from gradkit.manifest import Assignment

NOT_WRITTEN = "task {task} is not written yet"

_BEGIN = re.compile(r"^(?P<indent>[ \t]*)# BEGIN SOLUTION(?:[ \t]+(?P<task>\S+))?[ \t]*$")
_END = re.compile(r"^[ \t]*# END SOLUTION(?:[ \t]+(?P<task>\S+))?[ \t]*$")


def cut_stub(source: str, *, path: Path, tasks: list[str], written: Collection[str] = ()) -> str:
    """The stub cut from a reference's text.

    Args:
        source: Text of the reference.
        path: Its file, named in errors.
        tasks: Ids of the manifest's tasks; each must have a block.
        written: Tasks whose blocks are kept, for the half-done work of a sample student.

    Raises:
        AuthoringError: For a marker without its partner, nested, or naming no task; for a task without a block;
            for a stub that does not parse.
    """
    kept: list[str] = []
    cut: set[str] = set()
    begin = None  # (line number, indent, task) of the open block
    for number, line in enumerate(source.splitlines(), start=1):
        if match := _BEGIN.match(line):
            if begin is not None:
                raise AuthoringError(f"{path}:{number}: BEGIN SOLUTION inside the block begun on line {begin[0]}")
            task = match["task"]
            if task not in tasks:
                raise AuthoringError(
                    f"{path}:{number}: BEGIN SOLUTION must name a task, got {task}; tasks: {', '.join(tasks)}"
                )
            begin = (number, match["indent"], task)
            cut.add(task)
            if match["indent"] and task not in written:
                kept.append(f"{match['indent']}# YOUR CODE HERE")
                kept.append(f'{match["indent"]}raise NotImplementedError("{NOT_WRITTEN.format(task=task)}")')
        elif match := _END.match(line):
            if begin is None:
                raise AuthoringError(f"{path}:{number}: END SOLUTION without a BEGIN SOLUTION")
            if match["task"] not in (None, begin[2]):
                raise AuthoringError(
                    f"{path}:{number}: END SOLUTION {match['task']} closes BEGIN SOLUTION {begin[2]} of line {begin[0]}"
                )
            begin = None
        elif begin is None or begin[2] in written:
            kept.append(line)
    if begin is not None:
        raise AuthoringError(f"{path}:{begin[0]}: BEGIN SOLUTION {begin[2]} has no END SOLUTION")
    for task in tasks:
        if task not in cut:
            raise AuthoringError(f"{path}: task {task} has no BEGIN SOLUTION {task} block")
    text = _squeeze("\n".join(kept)) + "\n"
    try:
        ast.parse(text)
    except SyntaxError as error:
        parse_python(source, path)  # where the reference itself is no Python, its own line is told
        raise AuthoringError(f"{path}: the stub cut from it does not parse: line {error.lineno}: {error.msg}") from None
    return text


def read_authored(path: Path) -> str:
    """The text of a file of staff's.

    Raises:
        AuthoringError: Naming a file that is missing, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AuthoringError(f"{path}: missing; CONTRIBUTING.md says what it holds") from None
    except UnicodeDecodeError as error:
        raise AuthoringError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None


def parse_python(text: str, path: Path) -> ast.Module:
    """The syntax tree of a file of staff's.

    Raises:
        AuthoringError: Naming file and line where it is not Python.
    """
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:  # ValueError: a null character
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise AuthoringError(f"{path}{line}: not valid Python: {what}") from None


def _squeeze(text: str) -> str:
    """At most two blank lines in a row: a removed block leaves its own behind."""
    return re.sub(r"\n{4,}", "\n\n\n", text).strip("\n")


def build_stub(assignment: Assignment) -> str:
    """The text that `assignments/ID/ID.py` should hold."""
    if not assignment.reference.is_file():
        raise AuthoringError(f"{assignment.reference}: the reference is missing")
    source = read_authored(assignment.reference)
    return cut_stub(source, path=assignment.reference, tasks=[task.id for task in assignment.manifest.tasks])


def write_if_changed(path: Path, text: str) -> bool:
    """Write `text` beside `path`, then rename; whether anything changed."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.write_text(text, encoding="utf-8", newline="\n")
    beside.replace(path)
    return True
