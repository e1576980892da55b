"""Looks for what students are asked to find, in all that they are given: `solutions/ID/asked.toml` lists its forms.

Held against the handout, the stub, the public checks, the figures and the scripts of its pictures, the notebook and the manifest,
with blanks squeezed out of both. Every minus sign is alike.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from gradkit.errors import AuthoringError
from gradkit.examine.sources import Fault, Sources
from gradkit.manifest import Assignment
from gradkit.staffiles import not_toml
from gradkit.stubs import read_authored

FILE = "asked.toml"
SHORTEST = 2  # characters of a form, blanks apart: a single one stands everywhere
_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{HYPHEN}": "-", "\N{NON-BREAKING HYPHEN}": "-"})
_MARGIN = re.compile(r"^\s*(#+|>)\s")  # of a comment or a quotation, where a form goes on from the line above


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that students are to find themselves.

    Attributes:
        what: In words, such as "the gradient of the DPO loss in the margin".
        functions: Where they write it.
        forms: How a handout, a docstring or code would write it.
    """

    what: str
    functions: list[str]
    forms: list[str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asked: list[Asked]


class _Text(NamedTuple):
    """A text without its blanks, and the place of each character that is left."""

    squeezed: str
    places: list[str]


def read_asked(assignment: Assignment) -> list[Asked]:
    """What students are to find.

    Raises:
        AuthoringError: When the file is missing, is no TOML of this form, or names a function that no task asks for.
    """
    path = assignment.hidden / FILE
    try:
        entries = msgspec.toml.decode(read_authored(path), type=_File).asked
    except msgspec.ValidationError as error:
        raise AuthoringError(f"{path}: {error}; an entry has what, functions and forms") from None
    except msgspec.DecodeError as error:
        raise AuthoringError(not_toml(path, error)) from None
    known = [name for task in assignment.manifest.tasks for name in task.functions]
    for entry in entries:
        for name in entry.functions:
            if name not in known:
                raise AuthoringError(
                    f"{path}: {entry.what}: no task asks for a function {name}; there are {', '.join(known)}"
                )
        if not (entry.what.strip() and entry.functions and entry.forms):
            raise AuthoringError(f"{path}: {entry.what or 'an entry'}: what, functions and forms must not be empty")
        for form in entry.forms:
            if len(squeezed(form)) < SHORTEST:
                raise AuthoringError(f"{path}: {entry.what}: the form {form!r} is too short to be told from other text")
    return entries


def squeezed(text: str) -> str:
    """Without blanks, and with one kind of minus sign."""
    return "".join(text.translate(_MINUS).split())


def asked_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """Places in the students' bundle that hold what students are to find; one line for each line of a file and entry."""
    if not (assignment.hidden / FILE).is_file():  # which a released assignment has
        return
    try:
        entries = read_asked(assignment)
    except AuthoringError as error:
        yield Fault(str(error), blocks=False)
        return
    told: set[str] = set()  # forms that stand in a source of the notebook's
    for path in _sources_of(assignment):
        if path.is_file():
            generated = path == assignment.stub  # one that can't be read is stale, and told so
            text = path.read_text(encoding="utf-8", errors="replace") if generated else sources.text(path)
            for fault, form in _found(_lines(path, text), entries):
                told.add(form)
                yield fault
    if assignment.notebook.is_file():
        for fault, form in _found(_cells(assignment.notebook), entries):
            if form not in told:
                yield fault


def _sources_of(assignment: Assignment) -> Iterator[Path]:
    yield assignment.public / "README.md"
    yield assignment.stub
    yield assignment.public_tests
    yield assignment.public / "figures.py"
    yield assignment.public / "assignment.toml"
    yield from sorted((assignment.public / "img").glob("*.py"))


def _found(text: _Text, entries: list[Asked]) -> Iterator[tuple[Fault, str]]:
    for entry in entries:
        places: set[str] = set()
        for form in entry.forms:
            wanted, start = squeezed(form), 0
            while (start := text.squeezed.find(wanted, start)) >= 0:
                place = text.places[start]
                start += len(wanted)
                if place not in places:
                    places.add(place)
                    yield Fault(f"{place}: holds `{form}`: students are to find {entry.what} themselves", False), wanted


def _lines(path: Path, text: str) -> _Text:
    parts, places = [], []
    for number, line in enumerate(text.splitlines(), 1):
        part = squeezed(_MARGIN.sub("", line))
        parts.append(part)
        places += [f"{path}:{number}"] * len(part)
    return _Text("".join(parts), places)


def _cells(path: Path) -> _Text:
    """A notebook's cells, each by its id; nothing of one that can't be read, which is told as stale."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = [(cell["id"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError):
        return _Text("", [])
    parts = [(id, squeezed(text) + "\n") for id, text in texts]  # no form goes on in another cell
    return _Text("".join(part for _, part in parts), [f"{path}: cell {id}" for id, part in parts for _ in part])
