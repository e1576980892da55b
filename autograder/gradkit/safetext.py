"""Texts from submissions, platforms and the system, made safe for where they go: each function is named for that place.

Such a text may hold anything: escape codes for a terminal, characters that turn the direction of writing, halves of
surrogate pairs, a spreadsheet's formula. Pages escape HTML themselves (jinja2's autoescape).
"""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LONGEST_FILE_NAME = 80
_LONGEST_DATUM = 200
_MIB = 2**20


def one_line(text: str, limit: int = 80) -> str:
    """`text` inside a message of one line: what does not print is escaped, and a long text loses its middle.

    Args:
        text: Such as a file's name.
        limit: Characters that are left at most.
    """
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[:4096])
    if len(plain) <= limit:
        return plain
    return f"{plain[: limit - 21]}...{plain[-18:]}"


def error_text(error: Exception) -> str:
    """What the system says of an error, without its number, inside a message of one line."""
    return one_line(getattr(error, "strerror", None) or str(error))


def size_text(size: int) -> str:
    """A number of bytes in words: `50 MiB`, or `300 bytes` where a MiB is too coarse."""
    return f"{size // _MIB} MiB" if size >= _MIB and size % _MIB == 0 else f"{size:,} bytes"


def page_text(text: str) -> str:
    """`text` for a page, a report or a terminal, with its lines: no control characters, no change of direction."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def cell_text(text: str) -> str:
    """`text` for a cell of a CSV, in one line, which no spreadsheet takes for a formula."""
    return cell_lines(text.replace("\n", " "))


def cell_lines(text: str) -> str:
    """`text` for a cell of a CSV, with its lines, which no spreadsheet takes for a formula."""
    text = page_text(text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@") or text[:1] == "\t" else text


def utf8_text(text: str) -> str:
    """`text` for a file or a message in UTF-8: halves of surrogate pairs, which it can't hold, are replaced."""
    return text.encode("utf-8", "replace").decode("utf-8")


def datum(text: str) -> str:
    """A short datum, such as a name or an address: the first 200 characters, without those that do not print."""
    return "".join(char for char in text[:_LONGEST_DATUM] if char.isprintable())


def file_name(text: str) -> str:
    """`text` as a file's name on any system: no separators or control characters, no leading dot or dash; never empty."""
    text = unicodedata.normalize("NFC", text[:1000])
    text = "".join("_" if char in '/\\:*?"<>|' else char for char in text)
    text = "".join(
        " " if char.isspace() else char for char in text if char.isspace() or unicodedata.category(char)[0] != "C"
    )
    text = re.sub(" +", " ", text).lstrip("-. ")[:_LONGEST_FILE_NAME]
    while len(text.encode()) > 200:
        text = text[:-1]
    text = text.rstrip(". ") or "submission"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", text):
        text = f"_{text}"
    return text
