"""IPython's own syntax in a cell: magics and shell lines, which Python does not read."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from gradkit.notebooks.cells import CodeCell
from gradkit.sourcetext import defined_by_look

_BODY_RUNS = (
    "time",
    "timeit",
    "capture",
    "prun",
    "memit",
    "mprun",
    "lprun",
)  # cell magics around ordinary code
_MAGIC_LINE = re.compile(r"\s*(?:[%!]|\?{1,2}[\w.*]|[\w.*\[\]]+\?{1,2}\s*$)")
_MAGIC_VALUE = re.compile(r"\s*[A-Za-z_][\w.,\s\[\]]*=\s*[%!]")


def without_cell_magic(cell: CodeCell, wanted: Collection[str], notes: list[str]) -> list[str]:
    """A cell's lines without a `%%` line; all blank where the cell's body is no Python for this kernel."""
    lines = cell.text.split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip())
    if not lines[first].startswith("%%"):
        return lines
    magic = re.match(r"%%(\w*)", lines[first])[1]
    if magic in _BODY_RUNS:
        return ["" if i == first else line for i, line in enumerate(lines)]
    if defines := defined_by_look(cell.text, wanted):
        written = ", ".join(sorted(defines))
        notes.append(f"cell {cell.number} is a %%{magic} cell and was not read, though it writes {written}")
    return [""] * len(lines)


def without_line_magics(lines: Sequence[str]) -> list[str]:
    """A cell's lines with what only IPython understands made blank, so that each line keeps its number."""
    lines = list(lines)
    # IPython accepts a cell that is indented as a whole
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    lines = [line.removeprefix(indent) for line in lines]
    for i in _statement_starts(lines):
        if _MAGIC_LINE.match(lines[i]) or _MAGIC_VALUE.match(lines[i]):
            pad = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
            while lines[i].endswith("\\") and i + 1 < len(lines):
                lines[i], i = "", i + 1
            lines[i] = f"{pad}pass" if pad else ""
    return lines


def _statement_starts(lines: list[str]) -> Iterator[int]:
    """Which lines begin a statement: those outside of strings, brackets and continuations.

    A line is looked at after it has been given, so that a magic made blank in between opens no quote.
    """
    quote, depth, continued = "", 0, False
    for i in range(len(lines)):
        if not quote and not depth and not continued:
            yield i
        quote, depth, continued = _scan(lines[i], quote, depth)


_TOKEN = re.compile(r"""\\.|'{3}|"{3}|['"#()\[\]{}]|\\$""")


def _scan(line: str, quote: str, depth: int) -> tuple[str, int, bool]:
    """What is open after `line`: a quote, brackets, a continuation."""
    for match in _TOKEN.finditer(line):
        token = match[0]
        if quote:
            if token == quote or (len(token) == 3 and token[0] == quote):
                quote = ""
        elif token == "#":
            return "", depth, False
        elif token[0] in "'\"":
            quote = token
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth = max(0, depth - 1)
    continued = line.endswith("\\")
    if len(quote) == 1 and not continued:
        quote = ""  # an unclosed string ends with its line
    return quote, depth, continued
