"""Collects an assignment's checks with pytest and runs them on submissions, one after the other."""

from __future__ import annotations

import contextlib
import gc
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gradkit.errors import AuthoringError, ZygoteError
from gradkit.judge.engine import Judge
from gradkit.judge.messages import CaseDone, Ready, Start, Unit, UnitDone
from gradkit.judge.staff import Staff
from gradkit.judge.workers import SubmissionSubject, Zygote
from gradkit.manifest import Assignment
from gradkit.markers import case_id
from gradkit.model import CaseResult, Check, Outcome
from gradkit.worker.sandbox import address_space_bytes

GROWTH_MIB = 3072  # of the judge, on top of what it has when it is ready

# Nothing of the folder's own pytest configuration, plugins or conftest is loaded.
PYTEST_OPTIONS = [
    "-c", "/dev/null", "--noconftest", "--import-mode=importlib", "-s",
    "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:logging", "-p", "no:warnings", "-p", "no:junitxml",
    "-p", "no:doctest", "-p", "no:faulthandler", "-p", "no:unraisableexception", "-p", "no:threadexception",
]  # fmt: skip


def collect_and_run(
    assignment: Assignment,
    zygote: Zygote,
    start: Start,
    requests: Iterator[Unit],
    write: Callable[[object], None],
) -> None:
    """Tell the checks, then grade each unit that comes, telling each case as it ends."""
    staff = Staff(assignment, with_mistakes=start.diagnose)

    def loop(judge: Judge) -> None:
        zygote.wait_ready()
        gc.collect()
        gc.freeze()  # what was loaded so far stays: the collector need not look at it again
        limit_memory()
        write(Ready(list(judge.checks), zygote.isolation.describe()))
        for unit in requests:
            run_unit(judge, zygote, unit, start.device, write)

    run_pytest(
        assignment,
        Judge(
            assignment, staff, device=start.device, diagnose=start.diagnose, compare=start.compare, start=loop
        ),
    )


def limit_memory() -> None:
    """Let this process grow by so much and no more: what a submission answers decides what checks compute of it.

    What it can't have then is an error of the case at hand; killed for it, the judge would take the grade along.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = address_space_bytes() + GROWTH_MIB * 2**20
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


def run_pytest(assignment: Assignment, judge: Judge) -> None:
    """Collect both test files and hand over to the judge's loop.

    Raises:
        AuthoringError: When the tests can't be collected.
    """
    tests = [assignment.public_tests, assignment.hidden_tests]
    for path in tests:
        if not path.is_file():
            raise AuthoringError(
                f"{path}: missing; it holds the {'public' if path == assignment.public_tests else 'graded'} checks"
            )
    status = pytest.main([*PYTEST_OPTIONS, *map(str, tests)], plugins=[judge])
    if judge.collect_errors:
        raise AuthoringError(f"{assignment.id}: the checks can't be collected: {judge.collect_errors[0]}")
    if judge.error is not None:
        raise judge.error
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise AuthoringError(f"{assignment.id}: pytest ended with {status!r}")


def run_unit(judge: Judge, zygote: Zygote, unit: Unit, device: str, write: Callable[[object], None]) -> None:
    """Run the checks on one submission.

    The public checks come first and share a worker, as they share a process on the student's machine. Each hidden check
    has a fresh one: nothing that a submission keeps reaches the next.
    """
    module = Path(unit.module)
    with compiled_once(module):
        done = run_checks(judge, zygote, unit, module, device, write)
    write(done)  # whoever reads it removes the folder, in which nothing may be at work any more


def run_checks(
    judge: Judge, zygote: Zygote, unit: Unit, module: Path, device: str, write: Callable[[object], None]
) -> UnitDone:
    subject = SubmissionSubject(zygote, module, device=device)
    wanted = [pair for pair in judge.checks.items() if unit.checks is None or pair[0].id in unit.checks]
    checks = sorted(wanted, key=lambda pair: pair[0].hidden)
    last_public = next((check for check, _ in reversed(checks) if not check.hidden), None)
    hidden = [check for check, _ in checks if check.hidden]
    for check, items in checks:
        subject.workers_to_come = len(hidden) if not check.hidden else len(hidden) - 1 - hidden.index(check)
        for item in items:
            try:
                result = run_case(judge, zygote, check, item, subject, unit.seed)
            except ZygoteError:  # of a zygote that is gone; a new judge has a new one
                raise
            except Exception as error:  # a fault of the engine's costs this case, not the class
                result = CaseResult(
                    case_id(item),
                    Outcome.GRADER_ERROR,
                    summary=f"{type(error).__name__} in the judge: {error}",
                )
            printed = "" if check.hidden else subject.printed().strip()
            if printed and result.outcome not in (Outcome.PASSED, Outcome.NOT_RUN):
                result = replace(result, detail=f"{result.detail}\nyour program printed:\n{printed}".strip())
            if result.outcome is Outcome.TIMEOUT:
                subject.end_check()  # it may still be in the middle of an answer
            write(CaseDone(check.id, writable(result)))
        if check.hidden or check is last_public:
            subject.end_check()
    subject.close()
    return UnitDone(subject.cpu_s, subject.peak_mib, sorted(subject.flags))


def run_case(
    judge: Judge, zygote: Zygote, check: Check, item: pytest.Item, subject: SubmissionSubject, seed: int
) -> CaseResult:
    """Run one case; once more when its worker was killed from outside or never came to be.

    The kernel may kill for lack of memory that others took, and an operator by mistake: that is not the submission's
    doing. If it is, it happens again.

    Raises:
        ZygoteError: When no worker can be had from the zygote any more.
    """
    for last in (False, True):
        subject.begin_case()
        result = judge.grade_case(check, item, subject, seed)
        if result.outcome is Outcome.GRADER_ERROR and not zygote.alive():
            raise ZygoteError(result.summary)
        again = result.outcome is Outcome.GRADER_ERROR or (
            result.outcome is Outcome.CRASHED and subject.last_end.signal == signal.SIGKILL
        )
        if last or not again:
            break
    return result


def writable(result: CaseResult) -> CaseResult:
    """The same with texts that JSON can hold: a submission's may have lone surrogates."""
    texts = {
        name: getattr(result, name).encode("utf-8", "replace").decode("utf-8")
        for name in ("summary", "detail", "where")
    }
    return replace(result, **texts)


_COMPILE = """
import py_compile, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
py_compile.compile(sys.argv[1], invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, quiet=2)
"""


@contextlib.contextmanager
def compiled_once(module: Path) -> Iterator[None]:
    """Leave the submission's bytecode beside it, where Python looks, so that not every worker compiles it again.

    Only compiled, not run, beside the first checks, and in a process of its own with limits: a kilobyte of source can
    compile to gigabytes. Workers can't write there. What can't be compiled fails in the worker, with its message.
    """
    command = [sys.executable, "-I", "-S", "-c", _COMPILE, str(module)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
