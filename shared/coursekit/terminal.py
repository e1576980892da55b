"""What a run of an assignment's checks looks like on a student's terminal.

A table of the tasks, then one thing to do next: the first check that fails, what was observed on top and only the student's
own lines below; or the next task to write. Everything else is a line. The plugin collects, this module says.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

NOT_WRITTEN = "not written"
WRONG = "wrong"

OWN_LINES = 4  # of a student's own frames, the innermost
MOST_LINES = 20  # of values, and of what a student's code printed
FEW_LINES = 3  # of values that stand right below the observation; more of them go to the end
OTHERS = 12  # further failing checks that are named

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


@dataclass
class Ran:
    """One check, or one case of it, as it went.

    Attributes:
        name: The test's name in words.
        task: Id of its task.
        outcome: `passed`, `skipped`, `wrong` or `not written`.
        claim: First paragraph of its docstring.
        observed: What was seen, a line; empty where it passed.
        details: Values and messages below it.
        own: Lines of the student's own file that were under way, outermost first.
        check: The line of the check.
        printed: What the student's code printed.
        loaded: Whether the check was reached; not where the student's file can't be imported.
    """

    name: str
    task: str
    outcome: str
    claim: str = ""
    observed: str = ""
    details: str = ""
    own: list[str] = field(default_factory=list)
    check: str = ""
    printed: str = ""
    loaded: bool = True


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

    def write(self, manifest: dict, module: str, checks: Sequence[Ran], strangers: Sequence[str] = ()) -> None:
        """The table, and what to do next.

        Args:
            manifest: The assignment's, as read.
            module: Name of the student's file.
            checks: What ran.
            strangers: Libraries that the file imports and that are not there when it is graded.
        """
        self._terminal.section(plain(manifest["title"], self._encoding), sep="-")
        self._table(manifest, checks)
        if strangers:
            self._line()
            what = f"{module} imports {' and '.join(strangers)}: not there when it is graded."
            self._line(what, bold=True, red=True)
        failing = [ran for ran in checks if ran.outcome == WRONG]
        if failing and not failing[0].loaded:
            loading = replace(failing[0], name=f"{module}, which can't be imported", claim="", check="", task="")
            self._explain(loading, "First to mend")
            return
        if failing:
            for ran in failing if self._everything else failing[:1]:
                self._explain(ran, "Wrong" if self._everything else "First to mend")
            if not self._everything:
                self._others(failing[1:])
            return
        missing = {ran.task for ran in checks if ran.outcome == NOT_WRITTEN}
        following = next((task for task in manifest["tasks"] if task["id"] in missing), None)
        if following:
            names = ", ".join(following["functions"])
            self._line()
            self._line(
                f"Next: write {names} in {module}, then run: pytest --task {following['id']}", bold=True
            )

    def _table(self, manifest: dict, checks: Sequence[Ran]) -> None:
        title_width = max(20, self._width - 42)
        self._line(f"{'task':<{title_width}}  {'state':<13} {'public':>7} {'points':>6} {'min.':>5}")
        for number, task in enumerate(manifest["tasks"], start=1):
            mine = [ran for ran in checks if ran.task == task["id"]]
            if not mine:
                continue
            passed, ran = tally(mine)
            state, colour = _state(mine, passed, ran)
            title = textwrap.shorten(f"{number} {task['title']}", title_width, placeholder="...")
            self._terminal.write(plain(f"{title:<{title_width}}  ", self._encoding))
            self._terminal.write(f"{state:<13}", **{colour: True, "bold": state == WRONG})
            self._line(f" {passed:>3}/{ran:<3} {task['points']:>6} {task['minutes']:>5}")

    def _explain(self, ran: Ran, heading: str) -> None:
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
            self._entry("Run again", f"pytest --task {ran.task}")
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
            self._line(
                "  " + textwrap.shorten(f"{ran.name}: {ran.observed}", self._width - 2, placeholder=" ...")
            )
        if len(others) > OTHERS:
            self._line(f"  ... and {len(others) - OTHERS} more")

    def _entry(self, label: str, text: str, **markup: bool) -> None:
        """A label and its text, with the text's further lines below each other."""
        lines = textwrap.wrap(text, self._width - 14, break_long_words=False, break_on_hyphens=False)
        for number, line in enumerate(lines):
            self._terminal.write(f"  {label if number == 0 else '':<10} ")
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


def _state(mine: Sequence[Ran], passed: int, ran: int) -> tuple[str, str]:
    if not ran:
        return "not run", "light"
    if any(check.outcome == NOT_WRITTEN for check in mine):
        return ("partly there", "yellow") if passed else (NOT_WRITTEN, "yellow")
    return ("passes", "green") if passed == ran else (WRONG, "red")
