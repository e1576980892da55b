"""Looks for the wrong line of a submission where no known mistake explains its answers.

Small edits of the student's own code are tried, one after another, until the checks of a task pass. What the student is told
is the line, which a thousand edits have singled out, and never the edit. The claim is true as it stands: with one small
change there, all checks of the task passed, on the inputs they were graded with and on others. It is made only where all
edits that do this are on one line, or in one statement.

No score depends on any of this: all are told before. What a submission does to mislead the search costs its own student.

Source: Singh, Gulwani and Solar-Lezama 2013; Hu et al. 2019 (Refactory).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gradkit.calls.runtime import Raised
from gradkit.errors import WorkerError
from gradkit.judge.explain import Seen
from gradkit.judge.submissions import Edited
from gradkit.model import Outcome

BY_THE_CLOCK = 4.0  # times its budget that a search may last: a machine may be busy, and a worker slow
MOST_DEATHS = 16  # workers that edits may cost: each is a wait, and a fork
MOST_FOUND = 8  # edits that pass, after which the rest is not looked at
INCOMPLETE = frozenset(
    {Outcome.NOT_WRITTEN, Outcome.GRADER_ERROR}
)  # outcomes with which a task's checks can't all pass


@dataclass(frozen=True)
class Repair:
    """The line on which one small edit makes all checks of a task pass, and the edit."""

    line: int
    text: str


class Budget:
    """How long the search may go on, in processor time of this process and its worker, half of it each.

    Args:
        cpu_s: For both together.
    """

    def __init__(self, cpu_s: float) -> None:
        self._cpu = time.process_time() + cpu_s / 2
        self._clock = time.monotonic() + cpu_s * BY_THE_CLOCK
        self._deaths = 0

    def left(self) -> bool:
        return time.process_time() < self._cpu and time.monotonic() < self._clock and self._deaths < MOST_DEATHS

    def lost_a_worker(self) -> None:
        """Take note of an edit that does not end, or that ends its process."""
        self._deaths += 1


class Search:
    """Tries edits on the tasks that nothing else explains.

    Args:
        ran: All cases of the submission as it was handed in.
        explained: Keys of those that a known mistake accounts for.
        lines: The lines of the submission that a case runs as it was handed in; none where that can't be told.
        put: Puts an edit of one of these lines in place: `put(lines, number)`.
        passes: Whether a case passes with the edit in place: `passes(key, other)`, on other inputs if `other`.
        renew: Gives the submission a new worker.
        budget: For all tasks together.
    """

    def __init__(
        self,
        ran: list[Seen],
        explained: Collection[str],
        lines: Callable[[str], frozenset[int]],
        put: Callable[[tuple[int, ...], int], Edited],
        passes: Callable[[str, bool], bool],
        renew: Callable[[], None],
        budget: Budget,
    ) -> None:
        self._ran, self._explained, self._lines, self._put, self._passes = ran, explained, lines, put, passes
        self._renew, self._budget = renew, budget
        self._found: list[tuple[tuple[int, ...], int]] = []  # edits that mended a task

    def repairs(self) -> dict[str, Repair]:
        """By task, the line to look at. A task that no edit mends, or edits of several lines, is not in it."""
        found = {}
        for task in dict.fromkeys(case.task for case in self._ran):
            group = [case for case in self._ran if case.task == task]
            failing = sorted((case for case in group if case.failed), key=lambda case: case.elapsed_s)
            unclear = any(case.outcome in INCOMPLETE or case.key in self._explained for case in group)
            if failing and not unclear and self._budget.left():
                try:
                    repair = self._repair(failing, group)
                except (
                    Raised,
                    WorkerError,
                ):  # a file that can't be imported, or that ends its process: no line of a function's
                    continue
                if repair is not None:
                    found[task] = repair
        return found

    def _repair(self, failing: list[Seen], group: list[Seen]) -> Repair | None:
        # one line that mends all of them is run by all of them
        run = [lines for case in failing if (lines := self._lines(case.key))]
        lines = tuple(sorted(frozenset.intersection(*run))) if run else ()
        if not lines:
            return None
        names = set().union(*(case.names for case in failing))
        also = [
            case for case in self._ran if case not in group and case.outcome is Outcome.PASSED and case.names & names
        ]
        cases = [*failing, *(case for case in group if case.outcome is Outcome.PASSED), *also]
        mending = self._mending(lines, cases)
        mending = [(edit, number, of) for edit, number, of in mending if self._holds(of, number, cases)]
        if not mending or len({edit.statement for edit, *_ in mending}) > 1:
            return None
        self._found += [(of, number) for _, number, of in mending]
        first = mending[0][0]
        return Repair(first.line if len({edit.line for edit, *_ in mending}) == 1 else first.statement, first.text)

    def _mending(self, lines: tuple[int, ...], cases: list[Seen]) -> list[tuple[Edited, int, tuple[int, ...]]]:
        """The edits with which all these cases pass: those that mended another task, or else all that are tried in time."""
        for of, number in self._found:
            edit = self._put(of, number)
            if all(self._passes(case.key, False) for case in cases):
                return [(edit, number, of)]
        mending: list[tuple[Edited, int, tuple[int, ...]]] = []
        number, count = 0, 1
        while number < count and self._budget.left() and len(mending) < MOST_FOUND:
            edit = self._put(lines, number)
            count = edit.count
            if (
                edit.line
                and edit.statement not in {found.statement for found, *_ in mending}
                and all(self._passes(case.key, False) for case in cases)
            ):
                mending.append((edit, number, lines))
                if len({found.statement for found, *_ in mending}) > 1:
                    break
            number += 1
        return mending

    def _holds(self, lines: tuple[int, ...], number: int, cases: list[Seen]) -> bool:
        """Whether an edit mends the cases on other inputs too, in a worker that no other edit was tried in."""
        self._renew()
        self._put(lines, number)
        return all(self._passes(case.key, True) for case in cases)
