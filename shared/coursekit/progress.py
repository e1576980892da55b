"""How far a student is: for each function whether it passes, is wrong, raises or is not written, and what is left to see.

A function passes when a check about it passes and none of those that fail is held against it. A check that names several
functions fails because of the one that raised. Where that is unknown, it is held against those behind the statement that
failed, and not against functions that a check of their own confirms.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coursekit.functions import About, CheckFile, Function, Written, functions_of

NOT_WRITTEN = "not written"
WRONG = "wrong"

PASSES = "passes"
RAISES = "raises"
STOPPED = "stopped"
MISSING = "missing"
WAITS = "waits"
NOT_RUN = "not run"
UNCHECKED = "no check"
UNTRIED = "not tried"


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
        names: What it names of the submission.
        attributes: What it names of anything.
        suspects: What it names of the submission at the statement that failed.
        frames: Functions of the student's that were under way, outermost first, each with its place.
        raised: The exception's name; empty where an answer is wrong. `stopped` for a check that did not end.
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
    names: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)
    frames: list[tuple[str, str]] = field(default_factory=list)
    raised: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in (WRONG, NOT_WRITTEN)


@dataclass(frozen=True)
class State:
    """What came of a function: a word, and in a few words more where or why."""

    word: str
    detail: str = ""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do for it, as far as can be known here."""
        return self.word in (PASSES, NOT_RUN, UNCHECKED)


class Progress:
    """The states of an assignment's functions after a run.

    Args:
        manifest: The assignment's, as read.
        checks: What ran.
        written: What the student's code holds.
        untried: Functions that a check is about, but none that ran: a part of the checks was asked for.

    Attributes:
        states: Of every function, by the manifest's order.
        blamed: For each of the checks that failed, in their order, the functions that it is held against.
    """

    def __init__(
        self, manifest: Mapping, checks: Sequence[Ran], written: Written, untried: Collection[Function] = ()
    ) -> None:
        self.untried = frozenset(untried)
        self._known = functions_of(manifest)
        self._written = written
        about = [self._about(ran, ran.names) for ran in checks]
        self._confirmed = self._with_a_check_of_their_own(checks, about)
        self.blamed: list[tuple[Ran, list[Function]]] = [
            (ran, self._blame(ran, names)) for ran, names in zip(checks, about, strict=True) if ran.failed
        ]
        self.states: dict[Function, State] = {
            function: self._state(
                function, [ran for ran, names in zip(checks, about, strict=True) if function in names]
            )
            for function in self._known
        }

    def next(self) -> Function | None:
        """The function to write now: the first of those tried, else one that they wait for, else the first after them."""
        tried = [place for place, function in enumerate(self._known) if function not in self.untried]
        last = tried[-1] if tried else -1
        waited_for = [function for _, blamed in self.blamed for function in blamed]
        order = [*(self._known[place] for place in tried), *waited_for, *self._known[last + 1 :], *self._known]
        return next((function for function in order if self.states[function].word in (NOT_WRITTEN, MISSING)), None)

    def blame(self, ran: Ran) -> list[Function]:
        """The functions that a failed check is held against."""
        return next((blamed for one, blamed in self.blamed if one is ran), [])

    # ---- whose fault

    def _about(self, ran: Ran, names: Iterable[str]) -> list[Function]:
        return About(frozenset(names), attributes=frozenset(ran.attributes)).functions(self._known, ran.task)

    def _with_a_check_of_their_own(self, checks: Sequence[Ran], about: Sequence[list[Function]]) -> set[Function]:
        passed, failed = set(), set()
        for ran, names in zip(checks, about, strict=True):
            if len(names) == 1:
                if ran.outcome == "passed":
                    passed.add(names[0])
                elif ran.failed:
                    failed.add(names[0])
        return passed - failed

    def _blame(self, ran: Ran, about: list[Function]) -> list[Function]:
        raisers = [function for name, _ in reversed(ran.frames) if (function := self._named(name, ran.task))]
        if ran.outcome == NOT_WRITTEN:
            return raisers[:1] or [function for function in about if self._written.holds_stub(function)] or about
        if ran.raised and raisers:
            return [next((function for function in raisers if function not in self._confirmed), raisers[0])]
        suspects = self._about(ran, ran.suspects) or about
        if missing := [function for function in suspects if self._written.lacks(function)]:
            return missing
        there = [function for function in suspects if not self._written.holds_stub(function)] or suspects
        unconfirmed = [function for function in there if function not in self._confirmed]
        return unconfirmed or [function for function in there if function.task == ran.task] or there

    def _named(self, qualname: str, task: str) -> Function | None:
        """The function that code belongs to, for a method the class if that is what is asked for."""
        names = (qualname, qualname.partition(".")[0])
        found = [function for function in self._known if function.name in names]
        return next((function for function in found if function.task == task), found[0] if found else None)

    # ---- what to say

    def _state(self, function: Function, checks: list[Ran]) -> State:
        if self._written.lacks(function):
            return State(MISSING)
        for ran, blamed in self.blamed:
            if function in blamed:
                if ran.outcome == NOT_WRITTEN:
                    return State(NOT_WRITTEN)
                if ran.raised:
                    place = next(
                        (place for name, place in reversed(ran.frames) if self._named(name, ran.task) == function), ""
                    )
                    word, what = (STOPPED, "") if ran.raised == STOPPED else (RAISES, ran.raised)
                    return State(word, f"{what} at {place}".strip() if place else what)
                return State(WRONG)
        if any(ran.outcome == "passed" for ran in checks):
            return State(PASSES)
        if self._written.holds_stub(function):
            return State(NOT_WRITTEN)
        for ran, blamed in self.blamed:
            if ran in checks:
                return State(WAITS, f"for {', '.join(other.name for other in blamed)}" if blamed else "")
        if function in self.untried:
            return State(UNTRIED)
        return State(NOT_RUN if checks else UNCHECKED)


@dataclass(frozen=True)
class Left:
    """What remains to see: figures whose functions all pass and that are not drawn, questions that a person reads."""

    figures: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def left_to_see(folder: Path, manifest: Mapping, progress: Progress, written: Written) -> Left:
    """What remains to see in an assignment's folder."""
    states: dict[str, list[State]] = {}
    for function, state in progress.states.items():
        states.setdefault(function.name.partition(".")[0], []).append(state)
    done = {name for name, found in states.items() if all(state.done for state in found)}
    # what this run didn't try is written: a figure of the task at hand doesn't wait for another task's checks
    ready = {name for name, found in states.items() if all(state.done or state.word == UNTRIED for state in found)}
    figures = []
    for name, named in figure_needs(_text(folder / "figures.py")).items():
        needs = written.needs(named) & set(states)
        if needs & done and needs <= ready and not (folder / "figures" / f"{name}.png").is_file():
            figures.append(name)
    finished = all(state.done for state in progress.states.values())
    return Left(tuple(figures), tuple(question["title"] for question in manifest.get("questions", ()) if finished))


def figure_needs(text: str) -> dict[str, frozenset[str]]:
    """The names of a student's module that each figure of a `figures.py` uses."""
    reader = CheckFile(text)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in tree.body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "figure" and call.args and node.args.args:
                if isinstance(call.args[0], ast.Constant):
                    found[str(call.args[0].value)] = reader.about(node.name, node.args.args[0].arg).names
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
