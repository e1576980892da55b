"""What a run of an assignment's checks looks like on a student's terminal.

A table of the tasks and what came of each of their functions, then one thing to do next: the first check that fails, what was
observed on top and only the student's own lines below; or the next function to write. Everything else is a line. The plugin
collects, `coursekit.progress` concludes, this module says.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from coursekit.functions import Function, command
from coursekit.progress import MISSING, NOT_WRITTEN, PASSES, RAISES, STOPPED, UNTRIED, WRONG, Left, Progress, Ran, State

OWN_LINES = 4  # of a student's own frames, the innermost
MOST_LINES = 20  # of values, and of what a student's code printed
FEW_LINES = 3  # of values that stand right below the observation; more of them go to the end
OTHERS = 12  # further failing checks that are named
COLORS = {PASSES: "green", WRONG: "red", RAISES: "red", STOPPED: "red", MISSING: "red", NOT_WRITTEN: "yellow"}

# What consoles lack most, in letters that every one has. Any other character that a console lacks becomes a "?".
_PLAIN = str.maketrans(
    {
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MULTIPLICATION SIGN}": "x",
        "\N{RIGHTWARDS ARROW}": "->",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{NOT EQUAL TO}": "!=",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    }
)


class Terminal(Protocol):
    """What is needed of pytest's terminal reporter."""

    def write(self, content: str, **markup: bool) -> None: ...

    def write_line(self, line: str, **markup: bool) -> None: ...

    def section(self, title: str, sep: str = "=", **markup: bool) -> None: ...


def plain(text: str, encoding: str) -> str:
    """Text that a console with this encoding can show."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    except LookupError:  # an encoding that Python does not know
        return plain(text, "ascii")
    return text


class Summary:
    """Writes the end of a run.

    Args:
        terminal: Where to.
        encoding: The console's.
        everything: Show every failing check in full, not only the first.
    """

    def __init__(self, terminal: Terminal, encoding: str, *, everything: bool = False) -> None:
        self._terminal = terminal
        self._encoding = encoding
        self._everything = everything
        self._width = min(shutil.get_terminal_size((80, 24)).columns, 100)

    def write(
        self,
        manifest: dict,
        module: str,
        checks: Sequence[Ran],
        progress: Progress,
        left: Left,
        costs: Sequence[str] = (),
        python: str = "",
    ) -> None:
        """The table, and what to do next.

        Args:
            manifest: The assignment's, as read.
            module: Name of the student's file.
            checks: What ran.
            progress: What they say about each function.
            left: What remains to see.
            costs: What will cost points when it is graded, a line each.
            python: A line on which Python grades, where it isn't this one.
        """
        loaded = all(ran.loaded for ran in checks)
        self._terminal.section(plain(manifest["title"], self._encoding), sep="-")
        self._table(manifest, checks, progress.states if loaded else {})
        if costs or python:
            self._line()
        if python:
            self._entry_below(python)
        for cost in costs:
            self._entry_below(cost, bold=True, red=True)
        failing = [ran for ran in checks if ran.outcome == WRONG]
        if failing and not failing[0].loaded:
            loading = replace(failing[0], name=f"{module}, which can't be imported", claim="", check="", task="")
            self._explain(loading, "Fix first")
            return
        if failing:
            for ran in failing if self._everything else failing[:1]:
                self._explain(ran, "Wrong" if self._everything else "Fix first", progress)
            if not self._everything:
                self._others(failing[1:])
            return
        following = progress.next()
        if following or left.figures or left.questions:
            self._line()
        if following:
            verb = "define" if progress.states[following].word == MISSING else "write"
            what = f"Next: {verb} {following.name} in {module}, then run: {command(following, list(progress.states))}"
            self._entry_below(what, bold=True)
        self._left(left)

    def _table(self, manifest: dict, checks: Sequence[Ran], states: Mapping[Function, State]) -> None:
        title_width = self._width - 24
        self._line(f"{'task':<{title_width}}  {'public':>7} {'points':>6} {'min.':>5}")
        for number, task in enumerate(manifest["tasks"], start=1):
            mine = [ran for ran in checks if ran.task == task["id"]]
            if not mine:
                continue
            passed, ran = tally(mine)
            title = textwrap.shorten(f"{number} {task['title']}", title_width, placeholder="...")
            counts = f"  {f'{passed}/{ran}':>7} {task['points']:>6} {task['minutes']:>5}"
            self._line(f"{title:<{title_width}}{counts}", bold=True)
            self._functions({function: state for function, state in states.items() if function.task == task["id"]})

    def _functions(self, states: Mapping[Function, State]) -> None:
        """The functions of a task, those of one state together."""
        together: dict[str, list[str]] = {}
        for function, state in states.items():
            if state.word != UNTRIED:
                more = f" ({state.detail})" if state.detail else ""
                together.setdefault(state.word, []).append(function.name + more)
        for word, names in together.items():
            lines = textwrap.wrap(", ".join(names), self._width - 16, break_long_words=False, break_on_hyphens=False)
            for number, line in enumerate(lines):
                self._terminal.write("    ")
                self._terminal.write(f"{word if number == 0 else '':<12}", **_markup(word))
                self._line(line)

    def _left(self, left: Left) -> None:
        """One line on figures and questions."""
        parts = [f"python figures.py {' '.join(left.figures)}"] if left.figures else []
        if left.questions:
            titles = ", ".join(f'"{title}"' for title in left.questions)
            parts.append(f"question{'s' if len(left.questions) > 1 else ''} {titles} in README.md")
        if parts:
            self._entry_below(f"Left to see: {'; '.join(parts)}")

    def _explain(self, ran: Ran, heading: str, progress: Progress | None = None) -> None:
        self._line()
        self._terminal.write(f"{heading}: ", bold=True, red=True)
        self._line(ran.name, bold=True)
        self._entry("Observed", ran.observed, bold=True)
        values = ran.details.rstrip().splitlines()
        few, many = (values, []) if len(values) <= FEW_LINES else ([], values)
        for line in few:
            self._entry("", line)
        self._entry("The claim", ran.claim)
        for number, line in enumerate(ran.own[-OWN_LINES:]):
            self._entry("Your code" if number == 0 else "", line)
        if ran.check:
            self._entry("The check", ran.check)
        if ran.task:
            blamed = progress.blame(ran) if progress else []
            again = command(blamed[0], list(progress.states)) if len(blamed) == 1 else f"pytest --task {ran.task}"
            self._entry("Run again", again)
        printed = ran.printed.rstrip().splitlines()
        for title, lines in (("", many), ("Your code printed:", printed)):
            if lines:
                self._line()
                if title:
                    self._line(f"  {title}")
                for line in lines[:MOST_LINES]:
                    self._line(f"    {line}")
                if len(lines) > MOST_LINES:
                    self._line(f"    ... and {len(lines) - MOST_LINES} lines more")

    def _others(self, others: Sequence[Ran]) -> None:
        if not others:
            return
        self._line()
        self._line(f"Also wrong ({len(others)}; pytest --all explains each):")
        for ran in others[:OTHERS]:
            self._line("  " + textwrap.shorten(f"{ran.name}: {ran.observed}", self._width - 2, placeholder=" ..."))
        if len(others) > OTHERS:
            self._line(f"  ... and {len(others) - OTHERS} more")

    def _entry(self, label: str, text: str, **markup: bool) -> None:
        """A label and its text, with the text's further lines below each other."""
        lines = textwrap.wrap(text, self._width - 14, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines):
            self._terminal.write(f"  {label if number == 0 else '':<10} ")
            self._line(line, **markup)

    def _entry_below(self, text: str, **markup: bool) -> None:
        """A line, or as many as it takes."""
        for line in textwrap.wrap(
            text, self._width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        ):
            self._line(line, **markup)

    def _line(self, text: str = "", **markup: bool) -> None:
        self._terminal.write_line(plain(text, self._encoding), **markup)


def tally(checks: Sequence[Ran]) -> tuple[int, int]:
    """How many passed, of how many that could run here."""
    return sum(ran.outcome == "passed" for ran in checks), sum(ran.outcome != "skipped" for ran in checks)


def last_line(checks: Sequence[Ran]) -> str:
    """What a run ends with: passing here is not passing all."""
    passed, ran = tally(checks)
    return f"Public checks: {passed} of {ran}. Hidden checks run when you submit."


def _markup(word: str) -> dict[str, bool]:
    color = COLORS.get(word)
    return {color: True, "bold": color == "red"} if color else {"light": True}
