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
class CheckResult:
    """What came of a check: its cases' results. The score is the share of its cases that passed, of those that ran."""

    check: Check
    cases: tuple[CaseResult, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether it counts: a check that could not run here counts neither for nor against."""
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

    @property
    def score(self) -> float:
        return sum(result.score for result in self.results)

    @property
    def max_score(self) -> float:
        """Points of the checks that could run here, out of which `score` is."""
        return sum(result.check.points for result in self.results if result.ran)

    @property
    def final(self) -> float:
        """The score after what being late takes off."""
        return self.late.kept(self.score)
