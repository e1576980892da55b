"""The cells of a notebook's file, of any format and however damaged, as data: nothing is built of outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from gradkit.caps import CAPS, Caps, over_cap
from gradkit.errors import InputError
from gradkit.safetext import one_line, size_text, utf8_text
from gradkit.sourcetext import check_size


@dataclass(frozen=True)
class Cell:
    """A cell of any kind, for people to look at: nothing of it is checked, and outputs are never read.

    Attributes:
        kind: `code`, `markdown` or `raw`.
        text: What stands in it.
        grade_id: The name that nbgrader's metadata give it, or empty.
        images: Pictures pasted into it: file name, MIME type, and base64 text.
    """

    kind: str
    text: str
    grade_id: str = ""
    images: tuple[tuple[str, str, str], ...] = ()


def read_cells(raw: bytes, name: str = "the notebook", *, caps: Caps = CAPS) -> list[Cell]:
    """Every cell of a notebook of format 3 or 4, in order.

    Raises:
        InputError: When it is no notebook, or too large.
    """
    cells = []
    size = 0
    for cell in _all_cells(raw, name, caps)[0]:
        kind = {"code": "code", "markdown": "markdown", "heading": "markdown", "html": "markdown"}.get(
            cell.cell_type, "raw"
        )
        text = _cell_text(cell)
        images = tuple(_images(cell.attachments)) if kind == "markdown" else ()
        size += len(text) + sum(len(data) for _, _, data in images)
        if size > caps.file:
            raise over_cap(f"{name}: its text holds", size_text(caps.file), "a notebook", "leave out pictures")
        cells.append(Cell(kind, text, _nbgrader_id(cell.metadata), images))
    return cells


class _RawCell(msgspec.Struct):
    cell_type: str
    source: msgspec.Raw = msgspec.Raw(b'""')
    input: msgspec.Raw = msgspec.Raw(b'""')  # format 3's name for it
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    attachments: msgspec.Raw = msgspec.Raw(b"{}")


class _Worksheet(msgspec.Struct):
    cells: list[_RawCell]


class _RawNotebook(msgspec.Struct):
    cells: list[_RawCell] | None = None
    worksheets: list[_Worksheet] | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True)
class CodeCell:
    """A code cell. `given`: nbgrader's mark of code that staff wrote."""

    number: int
    text: str
    is_test: bool = False
    given: bool = False


def _all_cells(raw: bytes, name: str, caps: Caps) -> tuple[list[_RawCell], msgspec.Raw]:
    """The cells of the file, and its metadata."""
    if len(raw) > caps.notebook:
        raise over_cap(f"{name}: holds", size_text(caps.notebook), "a notebook", "clear its outputs and save it")
    if raw.count(b'"cell_type"') > caps.entries:
        raise over_cap(f"{name}: holds", f"{caps.entries:,} cells", "a notebook", "hand in the assignment's notebook")
    notebook = _decoded(raw.removeprefix(b"\xef\xbb\xbf"), name)
    if notebook.cells is not None:
        return notebook.cells, notebook.metadata
    if notebook.worksheets is not None:
        return [cell for sheet in notebook.worksheets for cell in sheet.cells], notebook.metadata
    raise InputError(f"{name}: is not a notebook (it has no cells); save it from Jupyter as .ipynb")


def code_cells(raw: bytes, name: str, caps: Caps) -> list[CodeCell]:
    """The code cells that hold something, in order."""
    found, metadata = _all_cells(raw, name, caps)
    _check_language(metadata, name)
    cells: list[CodeCell] = []
    # text in JSON may be six times as long as what it stands for
    left = 6 * caps.module
    size = 0
    for cell in found:
        if cell.cell_type != "code":
            continue
        left -= len(cell.source) + len(cell.input)
        text = _cell_text(cell) if left >= 0 else ""
        size += len(text)
        if left < 0 or size > caps.module:
            raise over_cap(f"{name}: its code holds", size_text(caps.module), "a module", "leave out tables of data")
        if text.strip():
            test, given = _nbgrader_marks(cell.metadata)
            cells.append(CodeCell(len(cells) + 1, text, test, given))
    check_size("\n".join(cell.text for cell in cells), name, caps)
    return cells


def _decoded(raw: bytes, name: str) -> _RawNotebook:
    """A notebook's JSON, without building anything of its outputs."""
    if not raw.lstrip():
        raise InputError(f"{name}: is empty; save the notebook and hand it in again")
    try:
        try:
            return msgspec.json.decode(raw, type=_RawNotebook)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeError):
            return msgspec.json.decode(_strict_json(raw), type=_RawNotebook)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{name}: is not a notebook ({one_line(str(error), 120)}); save it from Jupyter as .ipynb"
        ) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InputError(
            f"{name}: is not a notebook ({one_line(str(error), 120)}); save it again and hand that in"
        ) from None
    except RecursionError:
        raise InputError(
            f"{name}: is not a notebook (it is nested too deeply); save it from Jupyter as .ipynb"
        ) from None


# possessive, so that a string of megabytes costs no memory to pass over
_JSON_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_SURROGATE = re.compile(rb"(?i)\\ud[89a-f][0-9a-f]{2}")


def _strict_json(raw: bytes) -> bytes:
    """`raw` without what Python writes and JSON forbids: NaN, infinities, halves of surrogate pairs."""

    def strict(match: re.Match[bytes]) -> bytes:
        token = match[0]
        if not token.startswith(b'"'):
            return b"null"
        return _SURROGATE.sub(rb"\\ufffd", token) if b"\\u" in token else token

    return _JSON_TOKENS.sub(strict, raw.decode("utf-8", "replace").encode())


def _cell_text(cell: _RawCell) -> str:
    """A cell's source: one text, or its lines."""
    for block in (cell.source, cell.input):
        try:
            value = msgspec.json.decode(block, type=str | list[str])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        if text := value if isinstance(value, str) else "".join(value):
            # half a surrogate pair can stand in a string of JSON, and in no file
            return utf8_text(text).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    return ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    language: str = ""


class _Metadata(msgspec.Struct):
    kernelspec: _Named = _Named()
    language_info: _Named = _Named()


def _check_language(raw: msgspec.Raw, name: str) -> None:
    try:
        metadata = msgspec.json.decode(raw, type=_Metadata)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    language = metadata.language_info.name or metadata.kernelspec.language or "python"
    if not language.lower().startswith(("python", "ipython", "xpython")):
        raise InputError(
            f"{name}: is a notebook for {one_line(language, 40)}, not Python; hand in one with a Python kernel"
        )


class _Nbgrader(msgspec.Struct):
    grade: bool = False
    solution: bool = False
    locked: bool = False


class _CellMetadata(msgspec.Struct):
    nbgrader: _Nbgrader | None = None


def _nbgrader_marks(raw: msgspec.Raw) -> tuple[bool, bool]:
    """Whether nbgrader's metadata make a cell one of its tests; and whether they make it given code."""
    try:
        marks = msgspec.json.decode(raw, type=_CellMetadata).nbgrader
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False, False
    if marks is None or marks.solution:
        return False, False
    return marks.grade, marks.locked and not marks.grade


class _NbgraderId(msgspec.Struct):
    grade_id: str = ""


class _IdMetadata(msgspec.Struct):
    nbgrader: _NbgraderId | None = None


def _nbgrader_id(raw: msgspec.Raw) -> str:
    try:
        marks = msgspec.json.decode(raw, type=_IdMetadata).nbgrader
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return marks.grade_id if marks is not None else ""


_PICTURES = ("image/png", "image/jpeg", "image/gif")


def _images(raw: msgspec.Raw) -> Iterator[tuple[str, str, str]]:
    """The pictures among a cell's attachments, as far as they are what they say: plain names, types and base64."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, dict[str, str]])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    for name, kinds in found.items():
        for kind, data in kinds.items():
            if (
                kind in _PICTURES
                and re.fullmatch(r"[\w .()-]{1,100}", name)
                and re.fullmatch(r"[A-Za-z0-9+/=\s]*+", data)
            ):
                yield name, kind, data
