"""One grade of two of the same submission, and which of an earlier run's results a change of the assignment leaves standing.

A result stands if nothing that decides it has changed; see `digests`. A hint does not belong to a case: it accounts for all
cases of a submission that share functions. So where a check that the change reaches could have a say in what a failed check
was explained with, the submission is graded anew in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gradkit.digests import Digest, Digests
from gradkit.judge.messages import NOT_EXPLAINED, STATE_KEPT
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome

QUIET = frozenset({Outcome.PASSED, Outcome.NOT_RUN, Outcome.NOT_WRITTEN})  # nobody looks for a cause of these
KEPT, PART, FULL = "kept", "in part", "in full"  # what a regrade did with a submission


def combine(first: Graded, second: Graded) -> Graded:
    """One grade of two of the same files: a case counts as it went in the first, and if it was not run there, in the second."""
    there = {result.check.id: result for result in second.results}
    return replace(
        first,
        results=tuple(_filled(result, there.get(result.check.id)) for result in first.results),
        submitters=first.submitters or second.submitters,
        flags=_union(first, second, lambda graded: graded.flags),
        notes=_union(first, second, lambda graded: graded.notes),
        elapsed_s=first.elapsed_s + second.elapsed_s,
        worker_cpu_s=first.worker_cpu_s + second.worker_cpu_s,
        peak_mib=max(first.peak_mib, second.peak_mib),
    )


def _filled(here: CheckResult, there: CheckResult | None) -> CheckResult:
    ran = {case.case: case for case in there.cases if case.outcome is not Outcome.NOT_RUN} if there else {}
    cases = tuple(ran.get(case.case, case) if case.outcome is Outcome.NOT_RUN else case for case in here.cases)
    return replace(here, cases=cases)


def _union(first: Graded, second: Graded, of: Callable[[Graded], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*of(first), *of(second)]))


def quiet(result: CheckResult) -> bool:
    """Whether a check shows nothing that has to be explained."""
    return all(case.outcome in QUIET for case in result.cases)


@dataclass(frozen=True)
class Plan:
    """What is to be done with one submission: run these checks again, or all, for the reason `why`."""

    rerun: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Change:
    """What is different between two states of an assignment.

    Attributes:
        checks: Those that are changed, new or gone, by id.
        mistakes: The known mistakes of which this is true, by name.
        near: Of all checks, the names of the reference that decide them, before or after.
        before: Ids of the checks that there were.
    """

    checks: frozenset[str]
    mistakes: Mapping[str, frozenset[str]]
    near: Mapping[str, frozenset[str]]
    before: frozenset[str]

    @classmethod
    def between(cls, before: Digests, now: Digests) -> Change:
        return cls(
            frozenset(_changed(before.checks, now.checks)),
            _changed(before.mistakes, now.mistakes),
            {id: _near(id, before.checks, now.checks) for id in before.checks.keys() | now.checks.keys()},
            frozenset(before.checks),
        )

    def plan(self, record: Graded, checks: Sequence[Check]) -> Plan:
        """What is to be done with a submission that was graded before the change.

        Args:
            record: Its grade, with all cases.
            checks: Those that there are now.
        """
        was = {result.check.id: result for result in record.results}
        now = {check.id: check for check in checks}
        if set(was) != self.before or not all(len(one.cases) == len(one.check.cases) for one in was.values()):
            return Plan(why="its record does not fit the run's checks")
        if any(flag == STATE_KEPT or flag.startswith(NOT_EXPLAINED) for flag in record.flags):
            return Plan(why="its record depends on more than its answers")
        loud = [result for result in was.values() if not quiet(result)]
        for id in sorted(self.checks):
            about = [found for found in (was[id].check if id in was else None, now.get(id)) if found]
            if id in was and not quiet(was[id]):
                return Plan(why=f"check {about[0].number} did not pass")
            for other in loud:
                if other.check.task in {check.task for check in about} or self.near[id] & self.near[other.check.id]:
                    return Plan(why=f"check {about[0].number} may bear on what explains {other.check.number}")
        for name, near in self.mistakes.items():
            for other in loud:
                if near & self.near[other.check.id] or any(case.mistake == name for case in other.cases):
                    return Plan(why=f"the known mistake {name} may bear on what explains {other.check.number}")
        return Plan(tuple(check.id for check in checks if check.id in self.checks))

    def standing(self, record: Graded, checks: Sequence[Check]) -> Graded:
        """The record's results that nothing has changed for."""
        there = {check.id for check in checks} - self.checks
        return replace(record, results=tuple(result for result in record.results if result.check.id in there))


def not_run(checks: Sequence[Check], results: Sequence[CheckResult] = ()) -> tuple[CheckResult, ...]:
    """A result for each check: the one there is, or one that `combine` fills."""
    there = {result.check.id: result for result in results}
    return tuple(
        there.get(check.id) or CheckResult(check, tuple(CaseResult(case, Outcome.NOT_RUN) for case in check.cases))
        for check in checks
    )


def _changed(before: Mapping[str, Digest], now: Mapping[str, Digest]) -> dict[str, frozenset[str]]:
    names = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    return {name: _near(name, before, now) for name in names}


def _near(name: str, before: Mapping[str, Digest], now: Mapping[str, Digest]) -> frozenset[str]:
    return frozenset().union(*(found[name].near for found in (before, now) if name in found))
