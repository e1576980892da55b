"""A digest of everything that decides a check's outcome on a submission, so that a later run knows what a change can reach.

Part of it: the check, without its claim and its points; what it uses of its file; the functions of the reference that it
reaches; the limits in the manifest; the engine, and the versions of what is imported. No part of it: comments, docstrings,
figures, handouts, titles. Mistakes have digests of their own: they decide hints, and no outcome.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import coursekit
import msgspec

import gradkit
from gradkit.errors import AuthoringError
from gradkit.manifest import Assignment
from gradkit.mistakes import read_mistakes
from gradkit.reach import ModuleParts, Statement, Use, bared, use_of

_POINTS = frozenset({"weight"})  # the decorator that says what a check is worth, and nothing of its outcome
_LABELS = frozenset({"number", "tags"})
_NO_DATA = frozenset(".py .pyc .toml .md .ipynb .svg .png .jpg".split())  # code has digests of its own
_MATRIX = "kill_matrix.txt"  # what `verify --write` stores
_ENTRIES = ("judge.process", "grading")  # the modules from which on everything that grades is imported


class Digest(msgspec.Struct, frozen=True):
    """What decides an outcome or a hint.

    Attributes:
        digest: A hash of it.
        near: The functions, classes and values of the reference that are concerned.
    """

    digest: str
    near: frozenset[str] = frozenset()


class Digests(msgspec.Struct, frozen=True):
    """Of one state of an assignment: its checks and its known mistakes, by id and by name."""

    checks: dict[str, Digest] = {}
    mistakes: dict[str, Digest] = {}


def digests(assignment: Assignment) -> Digests:
    """The digests of an assignment as it is.

    Raises:
        AuthoringError: When the checks or the reference can't be read.
    """
    reference = ModuleParts(assignment.reference)
    files = {
        "public": ModuleParts(assignment.public_tests, drop=_POINTS, labels=_LABELS),
        "hidden": ModuleParts(assignment.hidden_tests, drop=_POINTS, labels=_LABELS),
    }
    imported = set().union(*(parts.imported() for parts in (reference, *files.values())))
    common = repr((engine(), _limits(assignment), _versions(imported), _data(assignment)))
    checks = {
        f"{side}:{name}": _of_check(common, parts, part, reference)
        for side, parts in files.items()
        for part in parts.statements
        for name in _checks_in(part.node)
    }
    return Digests(checks, _of_mistakes(assignment, reference))


def _checks_in(node: ast.stmt) -> Iterator[str]:
    """The checks that a statement defines: itself, or the methods of a class."""
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
        yield node.name
    elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
        for inner in node.body:
            yield from _checks_in(inner)


def _of_check(common: str, parts: ModuleParts, part: Statement, reference: ModuleParts) -> Digest:
    here, use = parts.reached(Use(part.binds))
    there, _ = reference.reached(use)
    texts = [parts.statements[number].text for number in sorted(here)]
    theirs = [reference.statements[number].text for number in sorted(there)]
    return Digest(_hash([common, *texts, "reference", *theirs]), reference.defined(there))


def _of_mistakes(assignment: Assignment, reference: ModuleParts) -> dict[str, Digest]:
    """By name; none where a mistake does not fit the reference, for then nothing is explained."""
    tasks = [(task.id, task.functions) for task in assignment.manifest.tasks]
    found = {}
    try:
        for mistake in read_mistakes(assignment):
            patch = ast.parse(mistake.patch())
            there, _ = reference.reached(use_of(patch))
            told = [mistake.name, mistake.task, mistake.hint, repr(tasks), *map(ast.dump, bared(patch))]
            texts = [reference.statements[number].text for number in sorted(there)]
            found[mistake.name] = Digest(_hash([*told, "reference", *texts]), frozenset(mistake.replaces))
    except AuthoringError:
        return {}
    return found


def _limits(assignment: Assignment) -> list[object]:
    """What of the manifest binds a submission or decides what is told of it."""
    manifest = assignment.manifest
    banned = [manifest.banned, *(task.banned for task in manifest.tasks)]
    return [manifest.module, manifest.timeout_s, manifest.memory_mib, manifest.libraries, banned]


def _versions(packages: Iterable[str]) -> list[str]:
    """Of Python, and of what checks and reference import; of what is installed without one, nothing."""
    found = [platform.python_version()]
    for name in sorted(set(packages) - set(sys.stdlib_module_names) - {"", "coursekit"}):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(name)
    return found


def _data(assignment: Assignment) -> list[tuple[str, str]]:
    """The files that a check could read: all that is neither code nor for people to read."""
    folders = (assignment.public, assignment.hidden)
    paths = [(folder, path) for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        (str(path.relative_to(folder)), hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest())
        for folder, path in paths
        if path.suffix not in _NO_DATA and path.name != _MATRIX and "__pycache__" not in path.parts
    ]


# ---- the engine


@functools.cache
def engine() -> str:
    """A hash of the code that decides outcomes: the modules that grade, as far as they import one another, and coursekit."""
    here, shared = Path(gradkit.__file__).parent, Path(coursekit.__file__).parent
    data = [path for path in sorted(shared.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    total = hashlib.blake2b(gradkit.__version__.encode(), digest_size=16)
    for folder, paths in ((here, _grading_modules(here)), (shared, data)):
        for path in paths:
            total.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def _grading_modules(here: Path) -> list[Path]:
    """The files of `gradkit` that grading imports, and those of its packages' own."""
    found: set[Path] = set()
    left = [here.joinpath(*name.split(".")).with_suffix(".py") for name in _ENTRIES]
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_bytes())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                package, *parts = name.split(".")
                place = here.joinpath(*parts)
                files = (place.with_suffix(".py"), place / "__init__.py") if package == "gradkit" and parts else ()
                left += [file for file in files if file.is_file()]
    return sorted(found)


def _hash(texts: Iterable[str]) -> str:
    total = hashlib.blake2b(digest_size=16)
    for text in texts:
        total.update(text.encode("utf-8", "surrogatepass") + b"\0")
    return total.hexdigest()
