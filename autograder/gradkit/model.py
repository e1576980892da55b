"""The nouns of grading, as frozen data without any I/O: checks, outcomes, results."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple

from gradkit.policy import Lateness


class Submitter(NamedTuple):
    """A student as an export or a roster names them. Any of these may be empty.

    Attributes:
        sid: The number that the school gives.
        login: At the school.
        canvas_id: The number that Canvas gives.
    """

    name: str
    email: str
    sid: str
    login: str = ""
    canvas_id: str = ""
    section: str = ""


class Outcome(enum.StrEnum):
    """How one case of a check ended."""

    PASSED = "passed"
    PARTIAL = "partial"  # some cases of a parametrised check passed
    FAILED = "failed"
    NOT_WRITTEN = "not_written"  # NotImplementedError from the stub
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    REJECTED = "rejected"  # an answer of the wrong kind
    NOT_RUN = "not_run"  # needs a device that isn't available here; counts neither for nor against
    GRADER_ERROR = "grader_error"  # our fault; never a student's zero


@dataclass(frozen=True)
class Check:
    """One entry of the grade: a pytest function, with all its parametrised cases.

    Attributes:
        id: `public:test_name` or `hidden:test_name`, unique in the assignment.
        number: As shown and sorted by, such as `2.1`.
        title: The test's name in words.
        task: Id of the task it belongs to.
        points: Its weight; shared evenly among its cases.
        hidden: Whether inputs and messages are withheld from the student.
        claim: First paragraph of the docstring.
        cases: Ids of the parametrised cases, `("",)` for a check without parameters.
    """

    id: str
    number: str
    title: str
    task: str
    points: float
    hidden: bool
    claim: str
    cases: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class CaseResult:
    """One case of one check on one submission.

    Attributes:
        summary: What was observed; safe to show for a hidden check.
        detail: Inputs, values and prints; shown for public checks only.
        hint: What the known mistake behind the answer tells its student, or empty.
        blamed: The function that the hint is about, where the check itself is about another one.
        mistake: Name of that mistake, for staff.
        where: `file:line` in the student's own file, or empty.
        edit: The small change to the student's file with which the checks pass, for staff; `where` is its line.
        alike: Every answer was the reference's. This and the rest is for `verify` only.
        touched: A vandal put an answer of its own in place of the reference's, be it the same.
        used: The names of the module that the case asked for.
        rivals: The known mistakes that give the same answers.
        raised: What the submission raised and where, if that ended the case.
        refusal: The reference raises in this case.
        unimportable: Nothing was called: the file can't be imported, as `summary` says.
    """

    case: str
    outcome: Outcome
    summary: str = ""
    detail: str = ""
    hint: str = ""
    mistake: str = ""
    where: str = ""
    elapsed_s: float = 0.0
    edit: str = ""
    alike: bool = False
    touched: bool = False
    used: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()
    raised: str = ""
    refusal: bool = False
    unimportable: bool = False
    blamed: str = ""


@dataclass(frozen=True)
class Override:
    """Points that a member of staff set, whatever the checks say.

    Attributes:
        of: A check's id, `task:ID`, or empty for the total.
        who: Set them; not shown to students.
    """

    of: str
    points: float
    out_of: float
    reason: str
    who: str


@dataclass(frozen=True)
class CheckResult:
    """What came of a check: its cases' results. The score is the share of its cases that passed, of those that ran.

    Attributes:
        given: Points set by staff in place of that.
    """

    check: Check
    cases: tuple[CaseResult, ...] = ()
    given: Override | None = None

    @property
    def ran(self) -> bool:
        """Whether it counts: a check that could not run here counts neither for nor against."""
        return self.given is not None or self.measured

    @property
    def measured(self) -> bool:
        """Whether its cases say something of the submission, as far as they are known."""
        return not self.cases or any(case.outcome is not Outcome.NOT_RUN for case in self.cases)

    @property
    def outcome(self) -> Outcome:
        if not self.cases:
            return Outcome.NOT_RUN
        kinds = [case.outcome for case in self.cases]
        if Outcome.GRADER_ERROR in kinds:
            return Outcome.GRADER_ERROR
        counted = [kind for kind in kinds if kind is not Outcome.NOT_RUN]
        if not counted:
            return Outcome.NOT_RUN
        if all(kind is Outcome.PASSED for kind in counted):
            return Outcome.PASSED
        if any(kind is Outcome.PASSED for kind in counted):
            return Outcome.PARTIAL
        return counted[0]

    @property
    def score(self) -> float:
        return self.raw if self.given is None else self.given.points

    @property
    def raw(self) -> float:
        """The score that its cases give."""
        counted = [case for case in self.cases if case.outcome is not Outcome.NOT_RUN]
        if not counted:
            return 0.0
        return self.check.points * sum(case.outcome is Outcome.PASSED for case in counted) / len(counted)


@dataclass(frozen=True)
class Graded:
    """What came of one submission.

    `status` is `graded`, or `not_graded` with `reason` where the fault is ours, or `refused` with `reason`
    where the submission could not be read.
    """

    submission: str
    assignment: str
    status: str
    results: tuple[CheckResult, ...] = ()
    reason: str = ""
    seed: int = 0
    isolation: dict[str, object] = field(default_factory=dict)
    flags: tuple[str, ...] = ()  # for a person to look at; never scored
    notes: tuple[str, ...] = ()  # for the student: dropped files, renamed folders
    digest: str = ""  # of the submission's files, to know it again when a run is resumed
    elapsed_s: float = 0.0
    worker_cpu_s: float = 0.0
    peak_mib: float = 0.0
    complete: bool = True  # False while checks are still to come, or when the run was interrupted
    submitters: tuple[Submitter, ...] = ()  # who handed it in, where that is known
    listed: tuple[str, ...] = ()  # what its files are called in a class's download, if that is not their own name
    late: Lateness = Lateness()  # how late, where that is known, and what it takes off
    overrides: tuple[Override, ...] = ()  # of tasks and of the total; those of checks are in `results`
    regraded: str = ""  # for staff: what a regrade did, `kept`, `in part: CHECKS` or `in full: WHY`

    @property
    def scored(self) -> bool:
        """Whether there is a score: from the checks, or because staff set the total."""
        return self.status == "graded" or self.override("") is not None

    @property
    def score(self) -> float:
        total = self.override("")
        return sum(self.earned(task) for task in self._tasks) if total is None else total.points

    @property
    def raw_score(self) -> float:
        """The score that the checks give, without what staff set."""
        return sum(result.raw for result in self.results)

    @property
    def max_score(self) -> float:
        """Points of the checks that count, out of which `score` is: those that could run here, and what staff set."""
        total = self.override("")
        return sum(self.possible(task) for task in self._tasks) if total is None else total.out_of

    def override(self, of: str) -> Override | None:
        """What staff set for a task, `task:ID`, or for the total."""
        return next((one for one in self.overrides if one.of == of), None)

    def earned(self, task: str) -> float:
        """Points in a task."""
        given = self.override(f"task:{task}")
        return sum(result.score for result in self._of(task)) if given is None else given.points

    def possible(self, task: str) -> float:
        """Points that count in a task."""
        given = self.override(f"task:{task}")
        return sum(result.check.points for result in self._of(task) if result.ran) if given is None else given.out_of

    @property
    def _tasks(self) -> list[str]:
        return list(dict.fromkeys(result.check.task for result in self.results))

    def _of(self, task: str) -> list[CheckResult]:
        return [result for result in self.results if result.check.task == task]

    @property
    def final(self) -> float:
        """The score after what being late takes off."""
        return self.late.kept(self.score)
