"""Runs an assignment's checks on submissions, as a pytest plugin that provides the fixtures and the run loop.

Checks are collected once. Each case then runs through pytest's ordinary protocol (so fixtures, parameters and marks work
as everywhere), with a fresh worker behind `impl` for every check. A failed case is repeated with the reference in the
submission's place, to be sure that the check is right, and with each known mistake, to find the one that answers alike.
"""

from __future__ import annotations

import enum
import inspect
import time
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from _pytest.runner import runtestprotocol

from coursekit.compare import Difference, Mismatch, compare
from coursekit.gradcheck import positions_of
from coursekit.plugin import check_seed, torch_generator
from gradkit.errors import ProtocolError, WorkerCrashed, WorkerError, WorkerTimeout, ZygoteError
from gradkit.judge.repeats import Repeat, Repeats
from gradkit.judge.staff import Mistake, Staff
from gradkit.judge.subjects import (
    Answers,
    Diverged,
    LocalSubject,
    LocalTimeout,
    MissingName,
    Object,
    RememberingSubject,
    Session,
    Subject,
    SubmissionRaised,
    same_entry,
    time_limit,
)
from gradkit.judge.workers import UnreadableAnswer
from gradkit.manifest import Assignment
from gradkit.markers import case_id, read_checks
from gradkit.model import CaseResult, Check, Outcome

WRONG_KINDS = frozenset(
    {"type", "refused", "dtype", "shape"}
)  # differences that make an answer `rejected` instead of `failed`
MAX_DETAIL = 4000  # characters of a public check's detail that are kept
REPEAT_LIMIT_S = 5.0  # for one repeated run of a check on staff's code


class Agree:
    """The `agree` fixture: call the submission and the reference alike, and compare."""

    def __init__(self, impl: Object, reference: Object, module: types.ModuleType) -> None:
        self._impl = impl
        self._reference = reference
        self._module = module  # the reference's, for the names of its parameters

    def __call__(
        self, target: str | Callable, *args: object, tol: tuple[float, float] | None = None, **kwargs: object
    ) -> object:
        """Compare `impl.target(*args, **kwargs)`, or `target(impl, *args, **kwargs)`, with the reference's.

        Args:
            target: Name of a function, or a scenario that takes the implementation first.
            tol: (rtol, atol) in place of the dtype's default.

        Returns:
            What the submission gave.

        Raises:
            Mismatch: When the two differ.
        """
        name = target if isinstance(target, str) else "output"
        scenario = (
            (lambda impl, *args, **kwargs: getattr(impl, target)(*args, **kwargs))
            if isinstance(target, str)
            else target
        )
        got = scenario(self._impl, *args, **kwargs)
        if scenario is target and not isinstance(got, Object):
            object.__getattribute__(self._impl, "_session").note(got)
        want = scenario(self._reference, *args, **kwargs)
        return self._same(got, want, tol, name)

    def vjp(
        self,
        name: str,
        *args: object,
        wrt: object = None,
        cotangent: object,
        tol: tuple[float, float] | None = None,
        **kwargs: object,
    ) -> tuple:
        """Compare the gradients of `sum(cotangent * impl.name(*args))` in the arguments `wrt` with the reference's."""
        got = getattr(self._impl, name)._vjp(args, kwargs, wrt, cotangent)
        want = getattr(self._reference, name)._vjp(args, kwargs, wrt, cotangent)
        if type(got) is tuple and len(got) == len(want):
            names = self._names(name, positions_of(args, wrt))
            named = (dict(zip(names, gradients, strict=True)) for gradients in (got, want))
            self._same(*named, tol, f"gradient of {name}")
            return got
        return self._same(got, want, tol, f"gradient of {name}")

    def _names(self, function: str, positions: Sequence[int]) -> list[str]:
        """What the parameters at these positions are called."""
        parameters = list(inspect.signature(getattr(self._module, function)).parameters)
        return [parameters[at] if at < len(parameters) else f"argument {at + 1}" for at in positions]

    @staticmethod
    def _same(got: object, want: object, tol: tuple[float, float] | None, name: str) -> object:
        if isinstance(got, Object) != isinstance(want, Object):
            kinds = [
                "an object of your own" if isinstance(value, Object) else type(value).__name__
                for value in (got, want)
            ]
            text = f"{name} is {kinds[0]} where {kinds[1]} is due"
            raise Mismatch(Difference("type", text, text))
        if not isinstance(got, Object):
            rtol, atol = tol or (None, None)
            difference = compare(got, want, rtol=rtol, atol=atol, name=name)
            if difference is not None:
                raise Mismatch(difference)
        return got


@dataclass
class Run:
    """One run of one case: what the fixtures give, and what came of it."""

    subject: Subject
    seed: int
    expected: list[tuple] | None = None
    session: Session | None = None
    error: BaseException | None = None
    again: bool = False  # this case was repeated for another submission before

    def open(self) -> Session:
        if self.session is None:
            self.session = Session(self.subject, expected=self.expected)
        return self.session


class Following(enum.Enum):
    """What came of a case that was repeated on staff's code."""

    DIFFERS = "other answers"
    PASSES = "the same answers, and the check passes"
    FAILS = "the same answers, and the check fails"


class Judge:
    """The plugin.

    Args:
        assignment: Whose checks these are.
        staff: The reference and the known mistakes.
        device: `cuda` runs the checks marked for a GPU too.
        diagnose: Look for the mistake behind a wrong answer.
        compare: Tell of each passed case whether its answers were the reference's.
        start: Called once the checks are collected; calls `grade_case` as often as it likes.
    """

    def __init__(
        self,
        assignment: Assignment,
        staff: Staff,
        *,
        device: str,
        diagnose: bool,
        compare: bool,
        start: Callable[[Judge], None],
    ) -> None:
        self.assignment = assignment
        self.staff = staff
        self._device = device
        self.diagnose = diagnose
        self.compare = compare
        self._start = start
        self._run: Run | None = None
        self._repeats = Repeats()
        self._answers = Answers()
        self.checks: dict[Check, list] = {}
        self.collect_errors: list[str] = []
        self.error: Exception | None = None

    # ---- fixtures

    @pytest.fixture
    def impl(self) -> Object:
        return self._run.open().module

    @pytest.fixture
    def reference(self) -> Object:
        return self.staff.reference_module()

    @pytest.fixture
    def agree(self) -> Agree:
        module = self.staff.reference_module()
        reference = RememberingSubject(module, self._answers)
        return Agree(self._run.open().module, Session(reference).module, module)

    @pytest.fixture
    def vjp(self) -> Callable[..., tuple]:
        def vjp(
            function: Object, *args: object, wrt: object = None, cotangent: object, **kwargs: object
        ) -> tuple:
            return function._vjp(args, kwargs, wrt, cotangent)

        return vjp

    @pytest.fixture
    def rng(self, request: pytest.FixtureRequest) -> np.random.Generator:
        return np.random.default_rng(check_seed(self._run.seed, request.node.name))

    @pytest.fixture
    def torch_rng(self, request: pytest.FixtureRequest) -> object:
        return torch_generator(check_seed(self._run.seed, request.node.name))

    @pytest.fixture
    def device(self, request: pytest.FixtureRequest) -> str:
        if request.node.get_closest_marker("gpu") and self._device == "cpu":
            pytest.skip("needs a GPU")
        return "cpu"  # tensors are made here and moved by the worker: this process makes no CUDA call

    # ---- pytest's hooks

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line(
            "markers", "gpu: needs a CUDA device; reported as not run where there is none"
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.collect_errors.append(str(report.longrepr).strip().splitlines()[-1])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo) -> pytest.TestReport:
        """Keep the exception, and make a bare report: formatting a traceback that nobody reads costs more than the check."""
        if call.excinfo is not None and self._run.error is None:
            self._run.error = call.excinfo.value
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

    def run_case(self, item: pytest.Item, run: Run) -> BaseException | None:
        """Run one case through pytest's protocol; the exception that ended it, or None."""
        self._run = run
        try:
            runtestprotocol(item, log=False, nextitem=None)
        except (
            LocalTimeout
        ) as late:  # it came in pytest's own code, which must not keep a half-torn-down item
            item.session._setupstate.teardown_exact(None)
            run.error = late
        return run.error

    def grade_case(self, check: Check, item: pytest.Item, subject: Subject, seed: int) -> CaseResult:
        """Run one case on a submission and explain what came of it."""
        begun = time.monotonic()
        run = Run(subject, seed)
        # Longer than the deadline of what the submission does: it ends what keeps the judge itself busy.
        with time_limit(3 * self.assignment.manifest.timeout_s + REPEAT_LIMIT_S):
            error = self.run_case(item, run)
        result = replace(self._judge(check, item, run, error), case=case_id(item))
        return replace(result, elapsed_s=time.monotonic() - begun)

    def _judge(self, check: Check, item: pytest.Item, run: Run, error: BaseException | None) -> CaseResult:
        if error is None:
            if not self.compare:
                return CaseResult("", Outcome.PASSED)
            run.again = self._repeats.again(item.nodeid, run.seed)
            alike = self._follows(item, "", self.staff.reference, run) is Following.PASSES
            return CaseResult("", Outcome.PASSED, alike=alike, used=tuple(sorted(run.open().names)))
        if isinstance(error, pytest.skip.Exception):
            return CaseResult("", Outcome.NOT_RUN, summary=str(error))
        if isinstance(error, ZygoteError):
            return CaseResult("", Outcome.GRADER_ERROR, summary=str(error))
        result = self._describe(check, item, error)
        if result.outcome is Outcome.NOT_WRITTEN:
            return result
        fault = (
            None if isinstance(error, (WorkerError, LocalTimeout)) else self._reference_fault(item, run.seed)
        )
        if fault is not None:
            return CaseResult(
                "", Outcome.GRADER_ERROR, summary=f"the reference fails {check.id} too: {fault}"
            )
        if (
            self.diagnose
            and run.session is not None
            and run.session.transcript
            and not isinstance(error, (WorkerError, LocalTimeout))
        ):
            mistake, elsewhere = self._match(check, item, run)
            if mistake is not None:
                prefix = f"This comes from {mistake.replaces[0]}. " if elsewhere else ""
                result = replace(result, hint=prefix + mistake.hint, mistake=mistake.name)
        return result

    def _describe(self, check: Check, item: pytest.Item, error: BaseException) -> CaseResult:
        """The outcome, and what a student may read of it."""
        if isinstance(error, SubmissionRaised):
            info = error.info
            where = f"{info.file}:{info.line}" if info.line else ""
            if "NotImplementedError" in info.bases and not info.at_import:
                return CaseResult("", Outcome.NOT_WRITTEN, summary="not written yet", where=where)
            if info.at_import:  # before any input was there to be told
                summary = f"importing your file raised {info.type_name} at {where or 'an unknown line'}: {info.message[:200]}"
                return CaseResult("", Outcome.FAILED, summary=summary, where=where)
            at = (
                f" at {where}"
                if where
                else " before reaching your code: compare the signature with the handout's"
            )
            return CaseResult(
                "",
                Outcome.FAILED,
                summary=f"your code raised {info.type_name}{at}",
                detail=info.message[:MAX_DETAIL],
                where=where,
            )
        if isinstance(error, MissingName):
            name = error.name
            return CaseResult(
                "",
                Outcome.FAILED,
                summary=f"{self.assignment.manifest.module} defines no {name}: is it deleted, renamed or inside another function?",
            )
        if isinstance(error, (WorkerTimeout, LocalTimeout)):
            return CaseResult(
                "",
                Outcome.TIMEOUT,
                summary=f"{error or 'the time limit passed'} (a check has {self.assignment.manifest.timeout_s:g} s)",
            )
        if isinstance(error, WorkerCrashed):
            return CaseResult("", Outcome.CRASHED, summary=str(error))
        if isinstance(error, UnreadableAnswer):
            text = "the answer holds something that is not read: neither numbers, text, plain containers, dense arrays nor tensors"
            return CaseResult("", Outcome.REJECTED, summary=text, detail=str(error))
        if isinstance(error, ProtocolError):
            return CaseResult("", Outcome.REJECTED, summary=str(error))
        if isinstance(error, Mismatch):
            difference = error.difference
            outcome = Outcome.REJECTED if difference.kind in WRONG_KINDS else Outcome.FAILED
            return CaseResult("", outcome, summary=difference.summary, detail=difference.detail[:MAX_DETAIL])
        if isinstance(error, (AssertionError, pytest.fail.Exception)):
            return CaseResult(
                "", Outcome.FAILED, summary="the claim does not hold", detail=str(error)[:MAX_DETAIL]
            )
        # Any other exception was raised by the check itself, on an answer it could not use; `_judge` makes sure
        # that the reference's answers don't cause it too.
        text = f"the check could not use what your code returned ({type(error).__name__})"
        return CaseResult("", Outcome.REJECTED, summary=text, detail=str(error)[:MAX_DETAIL])

    # ---- repeating a check on staff's code

    def _repeat(self, item: pytest.Item, subject: LocalSubject, run: Run) -> BaseException | None:
        """Run a case again with staff's code in the submission's place; the exception that ended it, or None."""
        subject.reset()
        with time_limit(REPEAT_LIMIT_S):
            return self.run_case(item, run)

    def _reference_fault(self, item: pytest.Item, seed: int) -> str | None:
        """Why the reference fails this case at this seed, or None if it passes."""
        error = self._repeat(item, self.staff.reference, Run(self.staff.reference, seed))
        return None if error is None else f"{type(error).__name__}: {error}"

    def _follows(self, item: pytest.Item, name: str, subject: LocalSubject, run: Run) -> Following:
        """Repeat a run on `subject`, called `name`, and compare all it answers with the run's answers."""
        expected = run.open().transcript
        repeat = self._repeats.get(item.nodeid, name)
        if repeat is None and not run.again:  # broken off at the first other answer
            repeated = Run(subject, run.seed, expected=expected)
            error = self._repeat(item, subject, repeated)
            same = len(repeated.open().transcript) == len(expected) and not isinstance(error, Diverged)
        else:
            if repeat is None:
                repeated = Run(subject, run.seed)
                error = self._repeat(item, subject, repeated)
                if isinstance(error, LocalTimeout):
                    return Following.DIFFERS
                repeat = Repeat(repeated.open().transcript, error is not None)
                self._repeats.keep(item.nodeid, name, repeat)
            error = AssertionError() if repeat.failed else None
            same = len(repeat.transcript) == len(expected) and all(
                map(same_entry, expected, repeat.transcript)
            )
        if not same or isinstance(error, LocalTimeout):
            return Following.DIFFERS
        return Following.PASSES if error is None else Following.FAILS

    def _match(self, check: Check, item: pytest.Item, run: Run) -> tuple[Mistake | None, bool]:
        """The one known mistake that gives exactly the submission's answers, and whether it is another task's.

        Two that answer alike here explain nothing: a wrong hint is worse than none.
        """
        concerned = self.staff.concerned(run.open().names)
        run.again = self._repeats.again(item.nodeid, run.seed)
        for elsewhere in (False, True):
            group = [mistake for mistake in concerned if (mistake.task != check.task) == elsewhere]
            alike = [
                mistake
                for mistake in group
                if self._follows(item, mistake.name, mistake.subject, run) is Following.FAILS
            ]
            if alike:
                return (alike[0], elsewhere) if len(alike) == 1 else (None, False)
        return None, False
