"""Runs an assignment's checks on submissions, as a pytest plugin that provides the fixtures and the run loop.

Checks are collected once, by pytest. A case whose only fixtures are ours is then called as a plain function; any other runs
through pytest's protocol. A failed case is repeated with the reference in the submission's place, to be sure that the check
is right. What all cases showed is then held against what the known mistakes answer; see `explain`.
"""

from __future__ import annotations

import re
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest
from _pytest.runner import runtestprotocol

from gradkit.errors import WorkerCrashed, WorkerError, WorkerTimeout, ZygoteError
from gradkit.judge.answers import Repeat, StaffAnswers
from gradkit.judge.endings import describe
from gradkit.judge.explain import Cause, Explanation, Seen
from gradkit.judge.fixtures import GIVEN, arguments, as_fixture, is_plain
from gradkit.judge.messages import Explained
from gradkit.judge.repair import Budget, Search
from gradkit.judge.staff import Staff
from gradkit.judge.subjects import (
    LocalSubject,
    LocalTimeout,
    MissingName,
    Session,
    SubmissionRaised,
    same_answers,
    time_limit,
)
from gradkit.judge.submissions import SubmissionSubject
from gradkit.manifest import Assignment
from gradkit.markers import case_id, read_checks
from gradkit.model import CaseResult, Check, Outcome
from gradkit.stubs import NOT_WRITTEN

REPEAT_LIMIT_S = 3.0  # for one case on staff's code
TRIES = 3  # runs of one case: in a worker in use, in a fresh one, and once more where that was killed from outside
HINTS_S = 10.0  # for finding the mistakes behind one submission's answers; past it observations stand alone
KEPT_BYTES = 64 * 2**20  # of one submission's wrong answers
ANSWERED = frozenset({Outcome.PASSED, Outcome.FAILED, Outcome.REJECTED})  # outcomes that say something of the answers
LINE = "With one small change at {place}, all checks of this task pass."
_NOT_WRITTEN = re.compile(NOT_WRITTEN.format(task=r"\w+"))  # what a stub's own line says
OWN_WORKER = "own_worker"  # the mark of a check that asks for a worker that no other check used

ADDED_MARKS = (
    "gpu: needs a CUDA device; reported as not run where there is none",
    f"{OWN_WORKER}: each case gets a worker that no other case used, and that no other will",
)


@dataclass
class Run:
    """One run of one case: what the fixtures give, and what came of it."""

    staff: Staff
    subject: SubmissionSubject | LocalSubject
    seed: int
    device: str = "cpu"
    session: Session | None = None
    error: BaseException | None = None

    def open(self) -> Session:
        """The session with the implementation under test."""
        if self.session is None:
            self.session = Session(self.subject)
        return self.session


class _Ran(NamedTuple):
    """One case of the submission at hand."""

    check: Check
    item: pytest.Item
    seed: int
    seen: Seen


class StateKept(Exception):
    """A submission answers otherwise in a fresh process than in one that it has used.

    Whichever of the two answers counted would be the better of two tries, so neither does.
    """


class Judge:
    """The plugin.

    Args:
        assignment: Whose checks these are.
        staff: The reference and the known mistakes.
        device: `cuda` runs the checks marked for a GPU too.
        start: Called once the checks are collected; calls `grade_case` as often as it likes.
        shared: A folder of this run's judges, in which they keep what staff's code answers.
    """

    def __init__(
        self,
        assignment: Assignment,
        staff: Staff,
        *,
        device: str,
        start: Callable[[Judge], None],
        shared: Path | None = None,
    ) -> None:
        self.assignment = assignment
        self.staff = staff
        self._device = device
        self._start = start
        self.run: Run | None = None  # the one at hand
        self._answers = StaffAnswers(shared)
        self._plain: dict[str, bool] = {}  # by case, whether it is called without pytest
        self._reference_s: dict[str, float] = {}  # by case, what the reference takes
        self.begin_submission()
        self.checks: dict[Check, list] = {}
        self.collect_errors: list[str] = []
        self.error: Exception | None = None

    # ---- pytest's hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        for mark in ADDED_MARKS:
            config.addinivalue_line("markers", mark)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.collect_errors.append(str(report.longrepr).strip().splitlines()[-1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> pytest.TestReport:
        """Keep the exception, and make a bare report: formatting a traceback that nobody reads costs more than the check."""
        if call.excinfo is not None and self.run.error is None:
            self.run.error = call.excinfo.value
        outcome = "passed" if call.excinfo is None else "failed"
        return pytest.TestReport(item.nodeid, item.location, {}, outcome, None, call.when)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not self.collect_errors:
            try:
                self.checks = read_checks(self.assignment, session.items)
                self._start(self)
            except Exception as error:  # pytest would print it as an internal error of its own
                self.error = error
        return True

    # ---- running checks

    def begin_submission(self, *, staff: str = "", diagnose: bool = True, compare: bool = False) -> None:
        """Let the cases to come be another submission's.

        Args:
            staff: Name of the mistake that stands in a submission's place.
            diagnose: Look for the mistake behind a wrong answer.
            compare: Tell of each case whether its answers were the reference's, and which mistakes give them too.
        """
        self._name = staff
        self._diagnose = diagnose
        self._compare = compare
        self.begin_cases()

    def begin_cases(self) -> None:
        """Let the cases to come be all that is known of the submission."""
        self._ran: dict[str, _Ran] = {}  # by case
        self._kept_bytes = 0

    def run_case(self, item: pytest.Item, run: Run) -> BaseException | None:
        """Run one case; the exception that ended it, or None."""
        self.run = run
        if item.nodeid not in self._plain:
            self._plain[item.nodeid] = is_plain(item)
        if self._plain[item.nodeid]:
            try:
                item.function(**arguments(item, run))
            except (Exception, pytest.skip.Exception, pytest.fail.Exception, LocalTimeout) as error:
                run.error = error
            return run.error
        try:
            runtestprotocol(item, log=False, nextitem=None)
        except LocalTimeout as late:  # it came in pytest's own code, which must not keep a half-torn-down item
            item.session._setupstate.teardown_exact(None)
            run.error = late
        return run.error

    def grade_case(
        self,
        check: Check,
        item: pytest.Item,
        subject: SubmissionSubject | LocalSubject,
        seed: int,
    ) -> CaseResult:
        """Run one case on a submission, or on staff's code in its place, and explain what came of it.

        Raises:
            StateKept: When the case fails in a worker that others used, and passes in a fresh one.
        """
        begun = time.monotonic()
        run = self._run_fairly(check, item, subject, seed)
        if self._name:
            self._answers.put(item.nodeid, seed, self._name, _as_answer(run))
        result = replace(self._judge(check, item, run), case=case_id(item), elapsed_s=time.monotonic() - begun)
        if self._diagnose and not _needs_device(item):  # no mistake answers there, and each would be refuted
            self._see(check, item, run, result)
        return result

    def _run_fairly(
        self,
        check: Check,
        item: pytest.Item,
        subject: SubmissionSubject | LocalSubject,
        seed: int,
    ) -> Run:
        """Run one case; again in a fresh worker where something other than the case itself may be why it failed.

        What earlier cases left in a worker costs nobody a point. Neither does whatever killed a worker from outside: the
        kernel may, for lack of memory that others took, or an operator by mistake. If it is the submission's doing, it
        happens again.
        """
        alone = item.get_closest_marker(OWN_WORKER) is not None
        busy_s = REPEAT_LIMIT_S
        if isinstance(
            subject, SubmissionSubject
        ):  # longer than it may take: this ends what keeps the judge itself busy
            busy_s += 3 * self.assignment.manifest.timeout_s
        answered = False  # wrongly, in a worker that others used
        for attempt in range(TRIES):
            subject.begin_case(self._reference_s.get(item.nodeid, 0.0), alone=alone or attempt > 0)
            run = Run(self.staff, subject, seed, self._device)
            with time_limit(busy_s):
                error = self.run_case(item, run)
            borrowed = self._borrowed(run, subject)
            if (error is None and not borrowed) or _is_final(error):
                break
            if error is None:
                continue
            killed = isinstance(error, WorkerCrashed) and subject.last_end.signal == signal.SIGKILL
            if not (subject.shared or killed):
                break
            answered = answered or not isinstance(error, (WorkerError, ZygoteError, LocalTimeout))
            if isinstance(error, WorkerTimeout):  # the fresh worker gets time by what the reference takes
                self._reference_fault(item, seed)
        if error is None and answered:
            raise StateKept
        if isinstance(error, WorkerTimeout) and error.called:
            subject.patience.missed(error.function)
        if isinstance(error, LocalTimeout):
            subject.end_worker()  # it may still be in the middle of an answer
        if alone:
            subject.end_worker()
        return run

    def _borrowed(self, run: Run, subject: SubmissionSubject | LocalSubject) -> set[str]:
        """The functions that this case needed and that an earlier one had handed the worker from the reference.

        Tabulated there, they could answer for those that are to be written: the case is run again in a fresh worker, and
        that run counts. What a case hands over itself it does not ask for.
        """
        if run.session is None:
            return set()
        before, now = subject.lent, run.session.lent(self.assignment.module_name)
        subject.lent = before | now
        if not (before and subject.shared):
            return set()
        return set().union(*map(self.staff.reach, run.session.names)) & before - now

    def _judge(self, check: Check, item: pytest.Item, run: Run) -> CaseResult:
        error = run.error
        if error is None:
            if not self._compare:
                return CaseResult("", Outcome.PASSED)
            answers = self._staff_answers(item, run.seed, [""])[""]
            alike = answers.ended and not answers.failed and same_answers(run.open().transcript, answers.transcript)
            touched = isinstance(run.subject, LocalSubject) and run.subject.touched
            return CaseResult("", Outcome.PASSED, alike=alike, touched=touched, used=tuple(sorted(run.open().names)))
        if isinstance(error, pytest.skip.Exception):
            return CaseResult("", Outcome.NOT_RUN, summary=str(error))
        if isinstance(error, ZygoteError):
            return CaseResult("", Outcome.GRADER_ERROR, summary=str(error))
        result = describe(
            error, run.subject, run.open().names, self.assignment.manifest.module, self.staff.reference_module()
        )
        if result.outcome is Outcome.NOT_WRITTEN or isinstance(error, (WorkerError, LocalTimeout)):
            return result
        # Staff's code is run by `verify`, which has seen the reference pass.
        fault = None if isinstance(run.subject, LocalSubject) else self._reference_fault(item, run.seed)
        if fault is not None:
            return CaseResult("", Outcome.GRADER_ERROR, summary=f"the reference fails {check.id} too: {fault}")
        if self._compare:
            answers = self._staff_answers(item, run.seed, [""])[""]
            result = replace(result, refusal=any(kind == "raised" for kind, _ in answers.transcript))
        return result

    # ---- repeating a case on staff's code

    def _repeat(self, item: pytest.Item, subject: LocalSubject, seed: int) -> Run:
        """Run a case with staff's code in the submission's place."""
        run = Run(self.staff, subject, seed, self._device)
        subject.reset()
        with time_limit(REPEAT_LIMIT_S):
            self.run_case(item, run)
        return run

    def _reference_fault(self, item: pytest.Item, seed: int) -> str | None:
        """Why the reference fails this case at this seed, or None if it passes.

        Of a case that needs a device nothing can be said here, where no CUDA call is made: `make gpu` shows that it passes.
        """
        if _needs_device(item):
            return None
        if item.nodeid in self._reference_s and not self._staff_answers(item, seed, [""])[""].failed:
            return None
        begun = time.monotonic()
        error = self._repeat(item, self.staff.reference, seed).error
        self._reference_s[item.nodeid] = time.monotonic() - begun
        return None if error is None else f"{type(error).__name__}: {error}{self._place(error)}"

    def _place(self, error: BaseException) -> str:
        """The last line of the assignment's own files that an exception passed through, for whoever wrote them."""
        if isinstance(error, SubmissionRaised) and error.info.line:
            return f" ({self.assignment.reference.with_name(error.info.file)}:{error.info.line})"
        folders = (str(self.assignment.public), str(self.assignment.hidden))
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folders)]
        return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""

    def _staff_answers(self, item: pytest.Item, seed: int, names: list[str]) -> dict[str, Repeat]:
        """What the mistakes called `names` answer in a case, and the reference, which is called ``""``."""

        def compute(name: str) -> Repeat:
            return _as_answer(self._repeat(item, self.staff.subject(name), seed))

        known = self._answers.of(item.nodeid, seed, names, compute)
        return {name: known[name] for name in names}

    # ---- what the failed cases come from

    def _see(self, check: Check, item: pytest.Item, run: Run, result: CaseResult) -> None:
        """Keep what a case showed."""
        session = run.open()
        wrong = result.outcome in ANSWERED and result.outcome is not Outcome.PASSED
        transcript = session.transcript if wrong else []
        self._kept_bytes += sum(len(payload) for _, payload in transcript)
        if self._kept_bytes > KEPT_BYTES:  # what is not kept is like nothing, and so is explained by nothing
            transcript = []
        seen = Seen(item.nodeid, check.task, frozenset(session.names), result.outcome, result.elapsed_s, transcript)
        self._ran[item.nodeid] = _Ran(check, item, run.seed, seen)

    def explain(self) -> list[Explained]:
        """What the submission's failed cases come from, as far as known mistakes and `HINTS_S` go.

        Part of an explanation would be one that nobody has tried to refute: when time is up, nothing is told.
        """
        seen = [ran.seen for ran in self._ran.values() if ran.seen.outcome in ANSWERED]
        if not any(case.failed for case in seen):
            return []
        until = float("inf") if self._name else time.monotonic() + HINTS_S  # nobody waits for `verify`

        def answer(case: str, names: list[str]) -> dict[str, Repeat]:
            if time.monotonic() > until:
                raise TimeoutError
            return self._staff_answers(self._ran[case].item, self._ran[case].seed, names)

        explanation = Explanation(seen, self.staff, answer)
        try:
            causes = explanation.causes()
        except TimeoutError:
            return []
        told = []
        for key, ran in self._ran.items():
            rivals = explanation.alike.get(key, ()) if self._compare else ()
            cause = causes.get(key)
            if cause or rivals:
                name = cause.mistake.name if cause and cause.mistake else ""
                told.append(
                    Explained(
                        ran.check.id,
                        case_id(ran.item),
                        _in_words(cause) if cause else "",
                        name,
                        rivals,
                        blamed=cause.functions[0] if cause and name and cause.elsewhere and cause.functions else "",
                    )
                )
        return told

    def find_lines(self, subject: SubmissionSubject, explained: list[Explained], cpu_s: float) -> list[Explained]:
        """The lines of the submission to look at, for the tasks that nothing else explains; see `repair`.

        Args:
            subject: The submission, in workers of its own.
            explained: What is known of its failed cases.
            cpu_s: Processor time for it.
        """
        known = {(told.check, told.case) for told in explained if told.hint}
        explained_cases = {key for key, ran in self._ran.items() if (ran.check.id, case_id(ran.item)) in known}
        cases = [ran.seen for ran in self._ran.values()]

        budget = Budget(cpu_s)

        def passes(key: str, other: bool) -> bool:
            ran = self._ran[key]
            alone = ran.item.get_closest_marker(OWN_WORKER) is not None
            subject.begin_case(self._reference_s.get(key, 0.0), alone=alone)
            with time_limit(REPEAT_LIMIT_S):
                error = self.run_case(ran.item, Run(self.staff, subject, ran.seed + other, self._device))
            if isinstance(error, (WorkerError, LocalTimeout)):
                subject.end_worker()
                budget.lost_a_worker()
            return error is None

        def lines(key: str) -> frozenset[int]:
            subject.watch_lines()
            passes(key, False)
            return subject.lines_watched()

        search = Search(cases, explained_cases, lines, subject.put_edit, passes, subject.end_worker, budget)
        repairs = search.repairs()
        module = self.assignment.manifest.module
        return [
            Explained(
                ran.check.id,
                case_id(ran.item),
                hint=LINE.format(place=f"{module}:{repair.line}"),
                where=f"{module}:{repair.line}",
                edit=repair.text,
            )
            for ran in self._ran.values()
            if (repair := repairs.get(ran.check.task)) and ran.seen.failed
        ]


for _name in GIVEN:
    setattr(Judge, _name, as_fixture(_name))


def _needs_device(item: pytest.Item) -> bool:
    return item.get_closest_marker("gpu") is not None


def _as_answer(run: Run) -> Repeat:
    """What came of a case on staff's code, to be kept."""
    ended = not isinstance(run.error, LocalTimeout)
    return Repeat(run.open().transcript if ended else [], run.error is not None, ended)


def _in_words(cause: Cause) -> str:
    """What a student reads of a cause."""
    if cause.mistake is None:
        one, other = cause.functions
        return f"Your answers are those of a mistake in {one}, or of one in {other}: the checks can't tell which."
    return cause.mistake.hint


def _is_final(error: BaseException) -> bool:
    """Whether what ended a case would end it in any worker, by what it says of the submission's file."""
    if isinstance(error, SubmissionRaised) and "NotImplementedError" in error.info.bases:
        return _NOT_WRITTEN.fullmatch(error.info.message) is not None
    if isinstance(error, WorkerTimeout):
        return not error.called
    return isinstance(error, (pytest.skip.Exception, MissingName))
