"""Files that staff write or export by hand, CSV and TOML: read, or refused in one line with its place."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from gradkit.errors import InputError

LARGEST = 2**24  # bytes of a table
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")


def read_csv(path: Path) -> list[tuple[int, list[str]]]:
    """The rows of a table, each with the number of its first line; the header is one of them.

    Raises:
        InputError: When it can't be read, or is no CSV in UTF-8.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path}: larger than {LARGEST // 2**20} MiB; is it the right file?")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text; save it as CSV in UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[int, list[str]]] = []
    begun = 1
    try:
        for fields in reader:
            rows.append((begun, fields))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}:{begun}: is not CSV: {error}") from None
    return rows


def not_toml(path: Path, error: Exception) -> str:
    """What a parser says of a file that is no TOML, with its line in front."""
    line = _AT_LINE.search(str(error))
    place = f"{path}:{line[1]}" if line else str(path)
    return f"{place}: not TOML: {_AT_LINE.sub('', str(error))}"
