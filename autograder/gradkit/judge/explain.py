"""Finds the known mistakes behind a submission's answers, once all its cases have run.

A mistake is named for a function, never for one case. It must account for everything that the function's cases show: answer
as the submission does in each case that it fails, fail none that the submission passes, and leave no failing case of the
function, or of one that it calls, without a cause. A crash alone names nothing, since most faults can end in the same
exception. Two mistakes at once are told when each accounts for its own cases, and both together for those that they share.

A hint that is wrong sends a student to working code, so whatever is in doubt is left to the observation alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from gradkit.calls.values import decode
from gradkit.judge.answers import Repeat
from gradkit.judge.staff import Mistake, Staff
from gradkit.judge.subjects import same_answers, same_entry
from gradkit.model import Outcome

TELLING = frozenset(
    {"OverflowError", "RecursionError", "UnicodeDecodeError", "UnicodeEncodeError"}
)  # crashes of one cause
AT_ONCE = 3  # mistakes that are looked for together
SAME_DEVIATION = 0.1  # share of the largest error by which two small errors may differ and be the same
CANDIDATES = 12  # mistakes that are combined; with more that fit, none is told

Transcript = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Seen:
    """What one case showed of a submission.

    Attributes:
        key: The case.
        task: Of its check.
        names: What it asked the module for before it ended.
        outcome: What came of it.
        elapsed_s: What it took.
        transcript: All that was answered; of a case with a wrong answer only.
    """

    key: str
    task: str
    names: frozenset[str]
    outcome: Outcome
    elapsed_s: float = 0.0
    transcript: Transcript = field(default_factory=list, repr=False)

    @property
    def failed(self) -> bool:
        """Whether it ran and did not pass."""
        return self.outcome not in (Outcome.PASSED, Outcome.NOT_RUN)


@dataclass(frozen=True)
class Cause:
    """What a failed case comes from.

    Attributes:
        mistake: The known mistake; None where two functions explain the case equally well.
        functions: What the student wrote that is wrong: one name, or two between which nothing decides.
        elsewhere: The case itself did not call that function, or belongs to another task.
    """

    mistake: Mistake | None
    functions: tuple[str, ...]
    elsewhere: bool = False


class Explanation:
    """The known mistakes in one submission.

    Args:
        seen: Its cases, without those that say nothing of its answers, such as a timeout.
        staff: The mistakes.
        answer: Gives what the reference, called ``""``, or mistakes answer in a case: `answer(case, names)`. Several
            mistakes at once are named `one+other`.
    """

    def __init__(
        self, seen: Iterable[Seen], staff: Staff, answer: Callable[[str, list[str]], dict[str, Repeat]]
    ) -> None:
        self._staff, self._answer = staff, answer
        self._seen = {case.key: case for case in seen}
        self._failed = [case for case in self._seen.values() if case.failed]
        self.alike: dict[str, tuple[str, ...]] = {}  # by failed case, the mistakes that answer as the submission does
        self._support: dict[str, set[str]] = {}  # of these, the ones for which it is evidence

    def causes(self) -> dict[str, Cause]:
        """By failed case, what it comes from. A case that nothing explains is not in it."""
        for case in self._failed:
            names = [mistake.name for mistake in self._staff.concerned(case.names)]
            answers = self._answer(case.key, names) if names else {}
            self.alike[case.key] = tuple(name for name in names if _alike(case, answers[name]))
            self._support[case.key] = {name for name in self.alike[case.key] if self._is_support(case, name)}
        supported = set().union(*self._support.values())
        candidates = [self._staff.mistake(name) for name in sorted(supported) if not self._is_refuted(name)]
        if len(candidates) > CANDIDATES:
            return {}
        return self._told(self._best(candidates))

    # ---- what one case says of a mistake

    def _fails(self, name: str, case: Seen) -> bool:
        repeat = self._answer(case.key, [name])[name]
        return repeat.failed and repeat.ended

    def _is_support(self, case: Seen, name: str) -> bool:
        """Whether what the two have in common is an answer, or an exception that hardly anything else raises."""
        reference = self._answer(case.key, [""])[""].transcript
        for ours, due in itertools.zip_longest(case.transcript, reference):
            if ours is None:
                break
            if due is None or not same_entry(ours, due):
                return ours[0] != "raised" or decode(ours[1]) in TELLING
        # Right to the comparison's tolerance, and yet refused by a check that looks closer. So is anything as near: look closer too.
        theirs = self._answer(case.key, [name])[name].transcript
        return any(map(_deviates_alike, case.transcript, theirs, reference))

    def _is_refuted(self, name: str) -> bool:
        """Whether the submission passes a case that this mistake fails."""
        replaced = set(self._staff.mistake(name).replaces)
        return any(
            self._fails(name, case)
            for case in self._seen.values()
            if not case.failed and self._reached(case.names) & replaced
        )

    def _reached(self, names: Iterable[str]) -> set[str]:
        return set().union(*map(self._staff.reach, names))

    # ---- sets of mistakes

    def _best(self, candidates: list[Mistake]) -> list[tuple[tuple[Mistake, ...], dict[str, list[Mistake]]]]:
        """The sets that explain the most cases with the fewest mistakes, each with what it explains."""
        found: list[tuple[tuple[Mistake, ...], dict[str, list[Mistake]]]] = []
        for size in range(1, AT_ONCE + 1):
            for together in itertools.combinations(candidates, size):
                replaced = [name for mistake in together for name in mistake.replaces]
                if len(set(replaced)) == len(replaced) and (explained := self._explained(together)):
                    found.append((together, explained))
        most = max((len(explained) for _, explained in found), default=0)
        found = [(together, explained) for together, explained in found if len(explained) == most]
        fewest = min((len(together) for together, _ in found), default=0)
        return [(together, explained) for together, explained in found if len(together) == fewest]

    def _explained(self, together: tuple[Mistake, ...]) -> dict[str, list[Mistake]]:
        """The failed cases that these mistakes account for, with those that show in each; empty if one contradicts them."""
        own = {name for mistake in together for name in mistake.replaces}
        within = self._reached(own)
        explained: dict[str, list[Mistake]] = {}
        unlike: list[Seen] = []
        untouched: list[Seen] = []
        for case in self._failed:
            showing = self._showing(together, case)
            if not showing:
                untouched.append(case)
            elif self._answers_as(showing, case):
                explained[case.key] = showing
            else:
                unlike.append(case)
        if any(case.names & within for case in untouched):
            return {}  # the function itself, or one that it calls, has a fault that these don't explain
        troubled = set().union(*(case.names for case in untouched))
        if any(case.names & own or not case.names & troubled for case in unlike):
            return {}  # not explained by a fault of the caller's own either
        for mistake in together:
            support = [
                self._seen[key]
                for key, showing in explained.items()
                if mistake in showing and mistake.name in self._support[key]
            ]
            if not support or (unlike and not any(case.names & set(mistake.replaces) for case in support)):
                return {}
        return explained

    def _showing(self, together: tuple[Mistake, ...], case: Seen) -> list[Mistake]:
        reached = self._reached(case.names)
        return [mistake for mistake in together if reached & set(mistake.replaces) and self._fails(mistake.name, case)]

    def _answers_as(self, together: list[Mistake], case: Seen) -> bool:
        name = "+".join(mistake.name for mistake in together)
        return _alike(case, self._answer(case.key, [name])[name])

    # ---- what is told

    def _told(self, best: list[tuple[tuple[Mistake, ...], dict[str, list[Mistake]]]]) -> dict[str, Cause]:
        if not best:
            return {}
        sure = set.intersection(*(set(together) for together, _ in best))
        told = {}
        for case in self._failed:
            showing = [explained.get(case.key, []) for _, explained in best]
            common = [mistake for mistake in showing[0] if mistake in sure and all(mistake in some for some in showing)]
            if common:
                mistake = next((one for one in common if one.task == case.task), common[0])
                function = self._staff.written_by_students(mistake)
                elsewhere = mistake.task != case.task or not case.names & set(mistake.replaces)
                told[case.key] = Cause(mistake, (function,) if function else (), elsewhere)
            elif all(showing):
                functions = {self._staff.written_by_students(some[0]) for some in showing}
                if len(functions) == 2 and "" not in functions:
                    told[case.key] = Cause(None, tuple(sorted(functions)))
        return told


def _deviates_alike(ours: tuple[str, bytes], theirs: tuple[str, bytes], due: tuple[str, bytes]) -> bool:
    """Whether two answers that are nearly right are wrong by the same small amounts."""
    one, other, right = (_numbers(decode(payload, str)) for _, payload in (ours, theirs, due))
    if not one.shape == other.shape == right.shape or ours[1] == due[1]:
        return False
    with np.errstate(invalid="ignore"):
        off, apart = np.nan_to_num(np.abs(other - right)), np.nan_to_num(np.abs(one - other))
    return 0 < off.max(initial=0.0) and apart.max(initial=0.0) <= SAME_DEVIATION * off.max()


def _numbers(value: object) -> np.ndarray:
    """All numbers of a decoded answer, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return np.concatenate([np.empty(0), *map(_numbers, value)])
    if hasattr(value, "detach"):
        value = value.detach().double().numpy()
    if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return array.astype(np.float64).ravel()
    return np.empty(0)


def _alike(case: Seen, repeat: Repeat) -> bool:
    """Whether a failed case was answered as staff's code answers it, throughout, and the check fails on both."""
    return repeat.failed and repeat.ended and same_answers(case.transcript, repeat.transcript)
