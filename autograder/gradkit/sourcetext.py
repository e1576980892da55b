"""Python text out of the bytes of a file that may hold anything, and where it stops being Python."""

from __future__ import annotations

import ast
import codecs
import contextlib
import re
import threading
import warnings
from collections.abc import Collection, Iterator
from typing import NamedTuple

from gradkit.caps import CAPS, Caps, over_cap
from gradkit.errors import InputError
from gradkit.notebooks.names import names_of
from gradkit.safetext import one_line, size_text


class SyntaxProblem(NamedTuple):
    """Where a module stops being Python. For a notebook, `file` names the cell and `line` counts in it."""

    file: str
    line: int
    message: str

    @property
    def place(self) -> str:
        """`attention.py, line 3`, or `attention.ipynb, cell 7, line 3`."""
        return f"{self.file}, line {self.line}"


_FILTERS = threading.Lock()

# the encodings that editors write; others could transform the text (rot13) and no editor shows what they hide
_ENCODINGS = re.compile(
    r"ascii|latin_1|utf_8(_sig)?|iso8859_\d+|cp125\d|cp437|cp85\d|cp932|cp949|cp950|koi8_[rut]|mac_\w+"
    r"|gb2312|gbk|gb18030|big5|big5hkscs|shift_jis\w*|euc_\w+|tis_620"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK_OR_COMMENT = re.compile(rb"^[ \t\f]*(#|$)")
_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (b"PK\x03\x04", "a zip archive or an Office document"),
    (b"\x1f\x8b", "a gzip file"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"%PDF", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x7fELF", "a compiled program"),
    (b"MZ", "a Windows program"),
    (b"\xcf\xfa\xed\xfe", "a compiled program"),
    (b"\xcb\x0d\x0d\x0a", "compiled Python"),
    (b"SQLite format 3", "a database"),
)


def what_it_is(head: bytes) -> str:
    """What a file's first bytes say it is, if that is something often handed in by mistake; else empty."""
    for magic, what in _MAGIC:
        # a name in Python may begin with the letters of some
        if head.startswith(magic) and (not magic.isalnum() or b"\0" in head):
            return what
    start = head.lstrip()[:200].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "a web page"
    if start.startswith(b"{") and (b'"cells"' in start or b'"nbformat"' in start):
        return "a notebook"
    return ""


def read_module(raw: bytes, name: str, caps: Caps = CAPS) -> tuple[str, SyntaxProblem | None]:
    """The text of a module with plain newlines, and why it can't be imported, if so.

    UTF-8 with or without a mark, UTF-16 and UTF-32 with one, and what a coding cookie names are read.

    Raises:
        InputError: When the file is no Python text at all, or too large.
    """
    if len(raw) > caps.module:
        raise over_cap(f"{name}: holds", size_text(caps.module), "a module", "leave out tables of data")
    if what := what_it_is(raw[:512]):
        advice = "save it with the suffix .ipynb" if what == "a notebook" else "hand in the Python file itself"
        raise InputError(f"{name}: is {what}, not Python; {advice}")
    text, problem = _decoded(raw, name)
    if "\0" in text:
        raise InputError(f"{name}: holds NUL bytes, so it is not Python text; save it as plain UTF-8 text")
    strange = sum(text.count(chr(code)) for code in (*range(1, 9), *range(14, 27), 28, 29, 30, 31, 127, 0xFFFD))
    if 10 * strange > len(text):
        raise InputError(f"{name}: is not text, so not Python; hand in the Python file itself")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if problem is None:
        parsed = parse(text, name, caps)
        problem = parsed if isinstance(parsed, SyntaxProblem) else None
        if problem is not None and text.split("\n")[problem.line - 1].lstrip().startswith(("%", "!")):
            problem = problem._replace(message="this is a notebook's line: delete it, or hand in the .ipynb")
    return text, problem


def _decoded(raw: bytes, name: str) -> tuple[str, SyntaxProblem | None]:
    mark, encoding = next((pair for pair in _MARKS if raw.startswith(pair[0])), (b"", "utf-8"))
    if not mark:
        cookie, line = _cookie(raw)
        if cookie:
            try:
                encoding = codecs.lookup(cookie).name.replace("-", "_")
            except (LookupError, ValueError):
                encoding = ""
            if not _ENCODINGS.fullmatch(encoding):
                problem = SyntaxProblem(name, line, f"unknown encoding {one_line(cookie, 40)}; save the file as UTF-8")
                return raw.decode("utf-8", "replace"), problem
    body = raw[len(mark) :] if encoding == "utf-8" else raw
    try:
        return body.decode(encoding), None
    except UnicodeDecodeError as error:
        lines = re.split(rb"\r\n|\r|\n", body[: error.start])
        message = f"byte 0x{body[error.start]:02x} is not {encoding}; save the file as UTF-8"
        return body.decode(encoding, "replace"), SyntaxProblem(name, len(lines), message)


def _cookie(raw: bytes) -> tuple[str, int]:
    """The encoding that one of the first two lines names, and the line; empty for none."""
    for number, line in enumerate(re.split(rb"\r\n|\r|\n", raw[:4096])[:2], start=1):
        if match := _COOKIE.match(line):
            return match[1].decode("ascii", "replace"), number
        if not _BLANK_OR_COMMENT.match(line):
            break
    return "", 0


def parse(text: str, name: str, caps: Caps = CAPS) -> ast.Module | SyntaxProblem:
    """The syntax tree of `text`, or where it stops being Python.

    Raises:
        InputError: When it is so large that parsing it would take the grader's memory.
    """
    check_size(text, name, caps)
    try:
        with no_warnings():
            return ast.parse(text)
    except SyntaxError as error:
        last = text.count("\n") + 1
        return SyntaxProblem(name, min(max(error.lineno or 1, 1), last), one_line(error.msg or "invalid syntax", 120))
    except (RecursionError, MemoryError):
        return SyntaxProblem(name, 1, "an expression is nested too deeply to be parsed")
    except ValueError as error:  # NUL bytes, on some versions
        return SyntaxProblem(name, 1, one_line(str(error), 120))


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Parse without a word on, say, an invalid escape in a string: harmless, and not ours to print.

    Filters belong to the whole process, so one thread at a time may change them and put them back.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_size(text: str, name: str, caps: Caps = CAPS) -> None:
    """Refuse what would take too much memory to parse."""
    if len(text) > caps.tokens and sum(1 for _ in re.finditer(r"\w+|[^\w\s]", text)) > caps.tokens:
        raise over_cap(f"{name}: holds", f"{caps.tokens:,} words and signs", "a module", "leave out tables of data")


def defined(text: str, wanted: Collection[str]) -> frozenset[str]:
    """The wanted names that a module's text defines; all of them where it may define what no one can read off."""
    try:
        names = names_of(text)
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        return defined_by_look(text, wanted)
    return frozenset(wanted) if _UNREADABLE.search(text) else names.binds & frozenset(wanted)


_UNREADABLE = re.compile(r"^[ \t]*from\b.*\bimport\s*\*|\b(exec|globals|setattr)\s*\(", re.MULTILINE)


def defined_by_look(text: str, wanted: Collection[str]) -> frozenset[str]:
    """The wanted names that a text would define, if it could be parsed."""
    found = re.findall(r"^[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)|^(\w+)[ \t]*=", text, re.MULTILINE)
    return frozenset(name for pair in found for name in pair) & frozenset(wanted)


def unwritten(text: str, wanted: Collection[str]) -> int:
    """How much of the wanted is not written: names without a definition, and what the stub still raises."""
    return len(set(wanted) - defined_by_look(text, wanted)) + text.count("raise NotImplementedError")
