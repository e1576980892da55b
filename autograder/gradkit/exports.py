"""What course platforms export: Gradescope's submission_metadata.yml, and the names that Canvas gives to files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import yaml

from gradkit.archives import CHUNK
from gradkit.errors import InputError
from gradkit.model import Submitter
from gradkit.safetext import datum, one_line, size_text

METADATA = "submission_metadata.yml"
_SUBMITTER = ("name", "email", "sid")
_DEEPEST = 100
_MOST_SUBMITTERS = 100


@dataclass(frozen=True)
class Who:
    """Who handed in a submission, and when, as the export writes it."""

    submitters: tuple[Submitter, ...] = ()
    created_at: str = ""


class Readable(Protocol):
    """Whatever gives bytes on request."""

    def read(self, size: int) -> bytes: ...


class ChunkReader:
    """A `read(size)` over chunks, which gives up after a cap."""

    def __init__(self, chunks: Iterator[bytes], limit: int):
        self._chunks = chunks
        self._held = b""
        self._left = self._limit = limit

    def read(self, size: int = CHUNK) -> bytes:
        if not self._held:
            self._held = next(self._chunks, b"")
            self._left -= len(self._held)
            if self._left < 0:
                raise InputError(f"more than {size_text(self._limit)}")
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def read_metadata(stream: Readable) -> tuple[dict[str, Who], str]:
    """Who handed in which submission; and what is wrong with the file, empty if nothing is.

    The file also holds every result of every attempt, so it may be hundreds of megabytes: it is followed as a
    stream of YAML events, and nothing is built from them but the few fields wanted. Tags and aliases mean
    nothing. What was read before a fault is kept.
    """
    fields: dict[str, dict[tuple, str]] = {}
    try:
        for path, value in _scalars(stream):
            held = fields.setdefault(str(path[0]), {})
            if len(path) == 4 and path[1] == "submitters" and path[3] in _SUBMITTER and path[2] < _MOST_SUBMITTERS:
                held[path[2], path[3]] = value
            elif path[1:] == ("created_at",):
                held["created_at",] = value
        problem = "" if fields else "it names no submission"
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = f"line {line}: {one_line(error.problem or 'not YAML')}"
    except (yaml.YAMLError, UnicodeError, InputError, OSError) as error:
        problem = one_line(" ".join(str(error).split()))
    return {name: _who(held) for name, held in fields.items()}, problem


def _who(fields: dict[tuple, str]) -> Who:
    rows = sorted({key[0] for key in fields if len(key) == 2})
    submitters = tuple(Submitter(*(fields.get((row, name), "") for name in _SUBMITTER)) for row in rows)
    return Who(submitters, fields.get(("created_at",), ""))


@dataclass
class _Level:
    """An open collection. `key` is the key or the index whose value comes next, or comes now."""

    mapping: bool
    key: str | int
    at_key: bool  # a mapping's key comes next

    def step(self) -> None:
        """After a key comes its value, after a value the next key, after an item the next."""
        if self.mapping:
            self.at_key = not self.at_key
        else:
            self.key += 1


def _scalars(stream: Readable) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The path and the text of each scalar that is a value or an item, in the first document's mapping.

    Keys lose the colon that Ruby puts before a symbol.
    """
    levels: list[_Level] = []
    for event in yaml.parse(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        top = levels[-1] if levels else None
        if isinstance(event, yaml.DocumentEndEvent):
            return
        if isinstance(event, yaml.CollectionStartEvent):
            if len(levels) >= _DEEPEST:
                raise InputError("nested too deeply")
            if top and top.mapping and top.at_key:
                top.key = ""  # a collection as a key names nothing
            mapping = isinstance(event, yaml.MappingStartEvent)
            levels.append(_Level(mapping, "" if mapping else 0, mapping))
        elif isinstance(event, yaml.CollectionEndEvent):
            levels.pop()
            if levels:
                levels[-1].step()
        elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) and top:
            text = datum(event.value) if isinstance(event, yaml.ScalarEvent) else ""
            if top.mapping and top.at_key:
                top.key = text.removeprefix(":")
            elif levels[0].mapping:
                yield tuple(level.key for level in levels), text
            top.step()


# --- Canvas -------------------------------------------------------------------------------------------------

_CANVAS = re.compile(r"(?P<who>[^_]+)_(?P<late>LATE_)?(?P<user>\d{1,19})_(?P<number>\d{1,19})_(?P<name>[^/\\]+)")
_HANDED_IN_AGAIN = re.compile(r"-\d+(?=\.\w+$)")  # of a file with the same name


@dataclass(frozen=True)
class CanvasFile:
    """A file of Canvas's "Download Submissions".

    Attributes:
        listed: Its name in the download: `doejane_LATE_123_4567_attention-1.py`.
        student: Name and number of who handed it in, `doejane_123`; namesakes differ by the number.
        number: Of the file; a later one is higher.
        name: As the student called it.
        late: Canvas marks it so.
    """

    listed: str
    student: str
    number: int
    name: str
    late: bool


def canvas_files(names: Sequence[str]) -> list[CanvasFile]:
    """The files of a Canvas download; none where one of the names is not of that form."""
    matches = [_CANVAS.fullmatch(name) for name in names]
    if not all(matches):
        return []
    return [
        CanvasFile(
            match[0],
            f"{match['who']}_{match['user']}",
            int(match["number"]),
            _HANDED_IN_AGAIN.sub("", match["name"]),
            match["late"] is not None,
        )
        for match in matches
    ]
