"""Holds the handout against the manifest: a section for each task, with its points, minutes, functions and command.

And reads the snippets out of it that a student is to paste: fenced blocks marked `python`.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gradkit.examine.sources import Fault, Sources
from gradkit.manifest import Assignment, Task

LONGEST = 250  # lines of a handout: what a student reads through in one evening
_FENCE = re.compile(r"[ \t]*(```+|~~~+)[ \t]*(\w*)")
_TASK = re.compile(r"## Task (\d+)\b")
_COMMAND = re.compile(r"--task[ =](\w+)")
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)")


@dataclass(frozen=True)
class Section:
    """A part of the handout with the heading of level 2 that it begins with."""

    line: int
    lines: tuple[str, ...]

    @property
    def number(self) -> int | None:
        """Of the task that it is about."""
        match = _TASK.match(self.lines[0])
        return int(match[1]) if match else None

    def numbered(self) -> Iterator[tuple[int, str]]:
        yield from enumerate(self.lines, self.line)


def sections(text: str) -> list[Section]:
    """The parts of a Markdown text; what stands above the first heading is left out, and code is no heading."""
    starts: list[int] = []
    lines = text.splitlines()
    fence = ""
    for number, line in enumerate(lines):
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~") and (not fence or mark == fence):
            fence = "" if fence else mark
        if not fence and line.startswith("## "):
            starts.append(number)
    ends = [*starts[1:], len(lines)]
    return [Section(start + 1, tuple(lines[start:end])) for start, end in zip(starts, ends, strict=bool(starts))]


@dataclass(frozen=True)
class Snippet:
    """Code that a student is to paste.

    Attributes:
        section: The line of the heading of level 2 above it, 0 above the first; those of one section run one after the other.
        line: Its first line.
        code: Its text.
    """

    section: int
    line: int
    code: str


def snippets(text: str) -> list[Snippet]:
    """The blocks between ```` ```python ```` and its end, in order."""
    found: list[Snippet] = []
    section, fence, language, begun = 0, "", "", 0
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not fence:
            if line.startswith("## "):
                section = number
            elif match := _FENCE.match(line):
                fence, language, begun = match[1], match[2], number
        elif line.strip() == fence:
            if language == "python":
                found.append(Snippet(section, begun + 1, textwrap.dedent("\n".join(lines[begun : number - 1])) + "\n"))
            fence = ""
    return found


def handout_faults(assignment: Assignment, sources: Sources) -> Iterator[Fault]:
    """What is wrong with `README.md`, by task and then by line."""
    path = assignment.public / "README.md"
    text = sources.text(path)
    if not text:
        return
    tasks = assignment.manifest.tasks
    found: dict[int, list[Section]] = {}
    last = 0
    for section in sections(text):
        if (number := section.number) is None:
            continue
        if not 1 <= number <= len(tasks):
            yield Fault(f"{path}:{section.line}: a section Task {number}, but the manifest has {len(tasks)} tasks")
            continue
        if number < last:
            yield Fault(f"{path}:{section.line}: Task {number} stands after Task {last}; keep the manifest's order")
        last = max(last, number)
        found.setdefault(number, []).append(section)
    if (length := len(text.splitlines())) > LONGEST:
        yield Fault(f"{path}: {length} lines; at most {LONGEST}, so that a student reads it through", blocks=False)
    commands = "--task" in text
    for number, task in enumerate(tasks, start=1):
        if number in found:
            yield from _section_faults(path, task, found[number], commands)
        else:
            yield Fault(f"{path}: there is no section ## Task {number} for the task {task.id}")
    known = {task.id for task in tasks}
    for number, line in enumerate(text.splitlines(), 1):
        for name in _COMMAND.findall(line):
            if name not in known and name != "NAME":
                yield Fault(
                    f"{path}:{number}: --task {name}: no task is called so; tasks: {', '.join(sorted(known))}", False
                )
        for name in _PICTURE.findall(line):
            if "://" not in name and not (path.parent / name).is_file():
                yield Fault(f"{path}:{number}: shows {name}, which is not there", False)


def _section_faults(path: Path, task: Task, parts: list[Section], commands: bool) -> Iterator[Fault]:
    place = f"{path}:{parts[0].line}"
    text = "\n".join("\n".join(part.lines) for part in parts)
    yield from _stated(path, task.id, parts, "points", task.points)
    yield from _stated(path, task.id, parts, "minutes", task.minutes)
    for function in task.functions:
        if f"`{function}`" not in text:
            yield Fault(
                f"{place}: the section of task {task.id} does not name `{function}`, which the task asks for", False
            )
    if commands and task.id not in _COMMAND.findall(text):
        yield Fault(
            f"{place}: the section of task {task.id} does not name its command `pytest --task {task.id}`", False
        )


def _stated(path: Path, task: str, parts: list[Section], unit: str, right: int) -> Iterator[Fault]:
    """What a section's headline says about points or minutes: between dots, as in `f` · 8 points · 25 minutes."""
    headline = re.compile(rf"·\s*(\d+) {unit[:-1]}s?\b|\b(\d+) {unit[:-1]}s?\s*·")
    blocks = unit == "points"
    said = [
        (number, int(match[1] or match[2])) for part in parts for number, line in part.numbered()
        for match in headline.finditer(line)
    ]  # fmt: skip
    for number, value in said:
        if value != right:
            yield Fault(
                f"{path}:{number}: task {task} is said to have {value} {unit}, but the manifest says {right}", blocks
            )
    if not said:
        yield Fault(
            f"{path}:{parts[0].line}: the section of task {task} does not say its {unit}; "
            f"write · {right} {unit} · behind its functions",
            blocks,
        )
