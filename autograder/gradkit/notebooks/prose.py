"""A handout's text as a notebook has it: its commands are the notebook's, its folds stay folds, its snippets are cells.

The handout speaks to somebody with a file and a terminal. In the notebook the same sentence names the cell to run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# A command at the beginning of a line of a block, or between backticks; what follows it there is a comment.
_LINE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<command>(?:pytest|python figures\.py)\b[^#\n`]*?)(?P<rest>[ \t]*(?:#.*|;.*)?)$"
)
_INLINE = re.compile(r"`((?:pytest|python figures\.py)(?: [^`\n]*)?)`")
_SHELL_OR_CELL = re.compile(
    r"\b(in|into)\s+(?:a|the)\s+notebook(?:\s+cell)?,?\s+or\s+(?:in\s+|into\s+)?`python\s+figures\.py\s+-i`"
)
_BROKEN = re.compile(r"(?<!`)`((?:pytest|python)\s[^`]*)`(?!`)")  # a command that goes on in the next line
_FOLD = re.compile(r"[ \t]*<details>\s*<summary>(?P<summary>.*?)</summary>(?P<text>.*?)</details>[ \t]*", re.S)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[ \t]*(\w*)[ \t]*$")
_GAP = "\0"  # between a command and its comment, until their block is aligned
_SEE = re.compile(r"\*\*(?:Predict, and see|See)\b")


class Part(NamedTuple):
    """Text, or a snippet to run."""

    text: str
    code: bool = False


def folded(text: str) -> str:
    """The same with every fold as Markdown wants it: a blank line after its summary, so that what it hides is rendered too.

    GitHub and Jupyter take the lines of `<details>` for HTML up to the next blank line.
    """

    def apart(match: re.Match) -> str:
        summary = re.sub(r"`([^`]+)`", r"<code>\1</code>", " ".join(match["summary"].split()))
        return f"\n<details><summary>{summary}</summary>\n\n{match['text'].strip()}\n\n</details>\n"

    return re.sub(r"\n{3,}", "\n\n", _FOLD.sub(apart, text)).strip("\n") if "<details>" in text else text


def in_notebook(text: str, tasks: Mapping[str, str]) -> str:
    """The text with the notebook's commands in place of the shell's.

    Args:
        text: A section of the handout.
        tasks: The task of each function, and of each task itself.
    """
    text = _SHELL_OR_CELL.sub(r"\1 a cell", text)
    text = _BROKEN.sub(lambda match: f"`{' '.join(match[1].split())}`", text)
    lines: list[str] = []
    fence = ""
    for line in text.split("\n"):
        if match := _FENCE.match(line):
            fence = "" if fence == match[1] else fence or match[1]
        block = bool(fence) or line.startswith(("    ", "\t"))
        if block and (match := _LINE.match(line)):
            command = _command(match["command"].strip(), tasks)
            if command is None:
                lines.append(line)
            elif command:
                rest = _INLINE.sub(lambda inner: _inline(inner, tasks), match["rest"].lstrip())
                rest = re.sub(r"--task (\w+)", lambda inner: _command(f"pytest {inner[0]}", tasks), rest)
                lines.append(f"{match['indent']}{command}{_GAP if rest else ''}{rest}")
        else:
            lines.append(_INLINE.sub(lambda match: _inline(match, tasks), line))
    return "\n".join([*_aligned(lines)][:-1])


def _aligned(lines: list[str]) -> Iterator[str]:
    """Comments behind commands in one column, block by block."""
    block: list[str] = []
    for line in [*lines, ""]:
        if _GAP in line:
            block.append(line)
            continue
        width = max((len(part.partition(_GAP)[0]) for part in block), default=0) + 2
        yield from (f"{command:<{width}}{rest}" for command, _, rest in (part.partition(_GAP) for part in block))
        block = []
        yield line


def _inline(match: re.Match, tasks: Mapping[str, str]) -> str:
    command = _command(match[1], tasks)
    return match[0] if command is None else f"`{command}`" if command else "a cell"


def _command(shell: str, tasks: Mapping[str, str]) -> str | None:
    """What to run in the notebook: None where only a shell does it, empty where any cell does."""
    words = shell.split()
    if "-i" in words:
        return ""
    if words[0] == "python":
        return "; ".join(f'course.figure("{name}")' for name in words[2:]) or "course.figure()"
    if words == ["pytest"]:
        return "course.check()"
    if len(words) == 3 and words[1] in ("--task", "-k"):
        return f'course.check("{tasks.get(words[2], words[2])}")'
    return None


def handing_in(text: str, module: str) -> str:
    """A section on handing in, which names the notebook first."""
    notebook = f"{module.removesuffix('.py')}.ipynb"
    both = re.compile(rf"`{re.escape(module)}`,? or (?:the notebook )?`{re.escape(notebook)}`")
    if both.search(text):
        return both.sub(f"`{notebook}` or `{module}`", text, count=1)
    if f"`{notebook}`" in text:
        return text
    return text.replace(f"`{module}`", f"this notebook, `{notebook}` (or `{module}`, if you wrote that)", 1)


def split_at_see(text: str) -> tuple[str, list[Part]]:
    """A task's section up to where the student looks at their code, and what comes after that: text and snippets in turn.

    What follows *See*, or the first snippet, belongs below the cells of the functions; so does nothing above *Build*.
    """
    lines = text.split("\n")
    build = max((number for number, line in enumerate(lines) if "**Build" in line), default=-1)
    fences = [(first, last) for first, last, language in _fences(lines) if language == "python"]
    fences = [(first, last) for first, last in fences if first > build]
    if not fences:
        return text, []
    first = fences[0][0]
    start = first
    while start > 0 and not lines[start - 1].strip():
        start -= 1
    while start > 0 and lines[start - 1].strip():
        start -= 1
    head = "\n".join(lines[start:first])
    places = [match.start() for match in _SEE.finditer(head)]
    if places:
        before = "\n".join([*lines[:start], head[: places[-1]].rstrip()]).rstrip("\n")
        after = [head[places[-1] :]]
    else:
        before, after = "\n".join(lines[:first]), []
    parts: list[Part] = []
    done = first
    for begun, ended in fences:
        prose = "\n".join([*after, *lines[done:begun]]).strip("\n")
        parts += [Part(prose)] if prose.strip() else []
        parts.append(Part("\n".join(lines[begun + 1 : ended]), code=True))
        done, after = ended + 1, []
    rest = "\n".join(lines[done:]).strip("\n")
    return before, [*parts, Part(rest)] if rest.strip() else parts


def _fences(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """The first and the last line of each fenced block, and its language."""
    begun, fence, language = 0, "", ""
    for number, line in enumerate(lines):
        if match := _FENCE.match(line):
            if not fence:
                begun, fence, language = number, match[1], match[2]
            elif match[1] == fence and not match[2]:
                yield begun, number, language
                fence = ""
