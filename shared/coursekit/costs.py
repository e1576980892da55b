"""What costs points when a file is graded and can be seen in its text, in the words that the grader has for it.

The grader reads the same text for more than this; here is what a student is told by both. Nothing is run.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from coursekit.functions import functions_of, written_in_text

OLDEST_PYTHON = (3, 11)  # that may grade
LONGEST_NAME = 200  # characters of one name; none that is banned is half as long, and a file may hold one of a megabyte
DEEPEST = 12  # attributes in a row that are looked at, the last ones
MOST = 5  # lines that a student reads at once

ALWAYS_THERE = frozenset({"regex", "coursekit"})  # beside the standard library and those of the manifest


# ---- the grader's words


def uses_banned(where: str, name: str) -> str:
    """`attention.py:7 uses torch.softmax, which this assignment asks you to write yourself`."""
    return f"{where} uses {name}, which this assignment asks you to write yourself"


def defines_no(module: str, name: str) -> str:
    """A function that a task asks for is not there."""
    return f"{module} defines no {name}: is it deleted, renamed or inside another function?"


def not_python(place: str, message: str, *, version: tuple[int, int] = sys.version_info[:2], note: str = "") -> str:
    """The file can't be parsed: `attention.py, line 3: not valid Python 3.11, which grades here: invalid syntax`."""
    return f"{place}: not valid Python {version[0]}.{version[1]}{note}: {message}"


# ---- what is found


def costs_of(path: Path, text: str, manifest: Mapping) -> list[str]:
    """What will cost points, a line each; text that is no Python here is told where it is imported."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = [*_strange_imports(tree, path, manifest), *_newer_python(text, path, oldest=graded_with(manifest))]
    written = written_in_text(text)
    lacking = [function.name for function in functions_of(manifest) if written.lacks(function)]
    found += [defines_no(path.name, name) for name in dict.fromkeys(lacking)]
    banned = banned_names(manifest)
    found += [
        uses_banned(f"{path.name}:{line}", name)
        for line, name in sorted(
            {(line, name) for line, name, bare in names_used(tree) if is_banned(name, bare, banned)}
        )
    ]
    return found if len(found) <= MOST else [*found[: MOST - 1], f"... and {len(found) - MOST + 1} more"]


def costs_of_cell(cell: str, text: str, imported: Mapping[str, str], manifest: Mapping) -> list[str]:
    """The banned calls of a notebook's cell, a line each.

    Args:
        cell: What it is called, such as `cell In[7]`.
        text: Its code.
        imported: The modules that the notebook's names stand for.
        manifest: The assignment's, as read.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    banned = banned_names(manifest)
    found = {(line, name) for line, name, bare in names_used(tree, imported) if is_banned(name, bare, banned)}
    return [uses_banned(f"{cell}, line {line}", name) for line, name in sorted(found)][:MOST]


def banned_names(manifest: Mapping) -> frozenset[str]:
    """All that an `assignment.toml` bans, for one task or for all: dotted names, and methods such as `.softmax`."""
    return frozenset(
        [*manifest.get("banned", ()), *(name for task in manifest["tasks"] for name in task.get("banned", ()))]
    )


def is_banned(name: str, bare: bool, banned: Collection[str]) -> bool:
    """Whether a used name is. `bare`: it is a name by itself, which is no method."""
    return name in banned or (not bare and f".{name.rpartition('.')[2]}" in banned)


def names_used(tree: ast.Module, imported: Mapping[str, str] | None = None) -> Iterator[tuple[int, str, bool]]:
    """The dotted names that a module uses, under whatever alias, with their lines; and whether each is one by itself.

    `F.softmax` is `torch.nn.functional.softmax`, and `f(x).softmax` is `?.softmax`. Names that the module defines are its own.

    Args:
        tree: The module, or a notebook's cell.
        imported: What names stand for that were imported elsewhere.
    """
    aliases = {**(imported or {}), **dict(_aliases(tree))}
    defined = {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, f"{_told(node.module)}.{_told(alias.name)}", False
        elif isinstance(node, (ast.Attribute, ast.Name)):
            name = _dotted(node, aliases)
            if name not in defined:
                yield node.lineno, name, isinstance(node, ast.Name)


def _strange_imports(tree: ast.Module, path: Path, manifest: Mapping) -> list[str]:
    """Libraries that are not there when the file is graded."""
    there = {*sys.stdlib_module_names, *ALWAYS_THERE, *(file.stem for file in path.parent.glob("*.py"))}
    there |= {name.partition(".")[0] for name in manifest.get("libraries", ("numpy", "torch"))}
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module)
    strange = sorted({name.partition(".")[0] for name in imported} - there)
    return [f"{path.name} imports {' and '.join(strange)}: not there when it is graded."] if strange else []


def graded_with(manifest: Mapping) -> tuple[int, int]:
    """The Python that grades, as the manifest of a student's bundle says; the oldest that may, if it says nothing."""
    major, _, minor = manifest.get("python", "").partition(".")
    return (int(major), int(minor)) if major else OLDEST_PYTHON


def another_python(manifest: Mapping) -> str:
    """A line for a student whose Python is not the one that grades; empty where it is, or nobody said which one is."""
    graded, here = graded_with(manifest), sys.version_info[:2]
    if "python" not in manifest or graded == here:
        return ""
    return f"You run Python {here[0]}.{here[1]}; your file is graded with Python {graded[0]}.{graded[1]}."


def _newer_python(text: str, path: Path, *, oldest: tuple[int, int]) -> list[str]:
    """Where a text uses what is newer than the Python that grades."""
    try:
        ast.parse(text, feature_version=oldest)
        line, message = _newer_f_string(text) if oldest < (3, 12) <= sys.version_info else (0, "")
    except SyntaxError as error:
        line, message = error.lineno or 1, error.msg
    return [not_python(f"{path.name}, line {line}", message, version=oldest, note=", which grades")] if message else []


def _newer_f_string(text: str) -> tuple[int, str]:
    """The line of an f-string that only Python 3.12 can read, and why; (0, "") where there is none.

    From then on an f-string may hold its own quotes in its braces. Each of its parts is a token of its own.
    """
    quotes: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            quote = token.string.lstrip("fFrR")
            if quotes and quotes[-1] in token.string:
                return token.start[0], "an f-string holds its own quotes in its braces"
            quotes.append(quote)
        elif kind == "FSTRING_END":
            quotes.pop()
        elif kind == "STRING" and quotes and quotes[-1] in token.string:
            return token.start[0], "an f-string holds its own quotes in its braces"
    return 0, ""


def _aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What each imported name stands for: `F` for `torch.nn.functional`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                yield (alias.asname, _told(alias.name)) if alias.asname else (first, first)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{_told(node.module)}.{_told(alias.name)}"


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> str:
    """`F.softmax` as `torch.nn.functional.softmax`; `x.softmax` as `x.softmax`; `f(x).softmax` as `?.softmax`."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < DEEPEST:
        parts.append(_told(node.attr))
        node = node.value
    parts.append(aliases.get(node.id, _told(node.id)) if isinstance(node, ast.Name) else "?")
    return ".".join(reversed(parts))


def _told(name: str | None) -> str:
    """A name, or `?` for one that is too long to be kept for each of its uses."""
    return "?" if name and len(name) > LONGEST_NAME else str(name)
