"""Collects an assignment's checks with pytest and runs them on submissions, one after the other."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gradkit.errors import AuthoringError, ZygoteError
from gradkit.judge.bytecode import Bytecode
from gradkit.judge.deadlines import TRIAL_CAP_S, TRIAL_S, Patience
from gradkit.judge.engine import Judge, StateKept
from gradkit.judge.messages import NOT_EXPLAINED, STATE_KEPT, CaseDone, Ready, Start, Unit, UnitDone
from gradkit.judge.staff import Staff
from gradkit.judge.subjects import LocalSubject
from gradkit.judge.submissions import SubmissionSubject
from gradkit.judge.zygotes import Zygote
from gradkit.manifest import Assignment
from gradkit.markers import case_id
from gradkit.model import CaseResult, Check, Outcome
from gradkit.safetext import utf8_text
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
    warnings.simplefilter("ignore")  # of checks and staff's code: their stderr is the instructor's terminal
    staff = Staff(assignment)

    def loop(judge: Judge) -> None:
        zygote.wait_ready()
        gc.freeze()  # what was loaded so far stays: the collector need not look at it again
        limit_memory()
        write(Ready(list(judge.checks), zygote.isolation.describe()))
        for unit in requests:
            run_unit(judge, zygote, unit, start.device, write)

    run_pytest(
        assignment,
        Judge(
            assignment,
            staff,
            device=start.device,
            start=loop,
            shared=Path(start.answers) if start.answers else None,
        ),
    )


def limit_memory() -> None:
    """Let this process grow by so much and no more: what a submission answers decides what checks compute of it.

    What it can't have then is an error of the case at hand; killed for it, the judge would take the grade along.
    """
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    wanted = address_space_bytes() + GROWTH_MIB * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


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
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = (
        "1"  # those that happen to be installed here are no part of the checks
    )
    status = pytest.main([*PYTEST_OPTIONS, *map(str, tests)], plugins=[judge])
    if judge.collect_errors:
        raise AuthoringError(f"{assignment.id}: the checks can't be collected: {judge.collect_errors[0]}")
    if judge.error is not None:
        raise judge.error
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise AuthoringError(f"{assignment.id}: pytest ended with {status!r}")


def run_unit(judge: Judge, zygote: Zygote, unit: Unit, device: str, write: Callable[[object], None]) -> None:
    """Run the checks on one submission, or on staff's code in this process."""
    judge.begin_submission(staff=unit.staff, diagnose=unit.diagnose, compare=unit.compare)
    if unit.staff:
        run_checks(judge, zygote, unit, judge.staff.subject(unit.staff), write)
        write(UnitDone(0.0, 0.0, explained=judge.explain()))
        return
    module = Path(unit.module)
    done = UnitDone(0.0, 0.0)
    with contextlib.closing(Bytecode(module)) as bytecode:
        for apart in (False, True):
            patience = Patience(judge.assignment.manifest.timeout_s, judge.staff.reach)
            subject = SubmissionSubject(zygote, module, patience, bytecode, device=device)
            try:
                run_checks(judge, zygote, unit, subject, write, apart=apart)
            except StateKept:
                subject.flags.add(STATE_KEPT)
            subject.close()
            flags = sorted({*done.flags, *subject.flags})
            done = UnitDone(done.worker_cpu_s + subject.cpu_s, max(done.peak_mib, subject.peak_mib), flags)
            if STATE_KEPT not in subject.flags:
                break
        patience = Patience(TRIAL_CAP_S, judge.staff.reach, floor_s=TRIAL_S)
        edited = SubmissionSubject(zygote, module, patience, bytecode, device=device)
        try:
            done.explained = judge.explain()
            if unit.repair_s and subject.not_importable is None:
                done.explained += judge.find_lines(edited, done.explained, unit.repair_s)
        except Exception as error:  # all scores stand; that nothing explains them is for staff to know
            done.flags.append(f"{NOT_EXPLAINED}{type(error).__name__} in the judge: {error}")
        edited.close()
        done.worker_cpu_s += edited.cpu_s
    write(done)  # whoever reads it removes the folder, in which nothing may be at work any more


def run_checks(
    judge: Judge,
    zygote: Zygote,
    unit: Unit,
    subject: SubmissionSubject | LocalSubject,
    write: Callable[[object], None],
    *,
    apart: bool = False,
) -> None:
    """Run the checks in order: the public ones, then the hidden ones by number.

    They share a worker, as they share a process on the student's machine; see `Judge.grade_case` for when a case gets
    another. So no public check, of which prints are told, runs where a hidden one ran before.

    Args:
        apart: Give each case a worker of its own, and let what was told before count no more.

    Raises:
        StateKept: When the submission's answers depend on what its process was asked before; not if they are apart.
    """
    anew = apart
    judge.begin_cases()
    wanted = [pair for pair in judge.checks.items() if unit.checks is None or pair[0].id in unit.checks]
    for check, items in sorted(wanted, key=lambda pair: pair[0].hidden):
        for item in items:
            if apart:
                subject.end_worker()
            try:
                result = run_case(judge, zygote, check, item, subject, unit.seed)
            except (ZygoteError, StateKept):  # of a zygote that is gone; a new judge has a new one
                raise
            except Exception as error:  # a fault of the engine's costs this case, not the class
                summary = f"{type(error).__name__} in the judge: {error}"
                result = CaseResult(case_id(item), Outcome.GRADER_ERROR, summary=summary)
            printed = "" if check.hidden else subject.printed().strip()
            if printed and result.outcome not in (Outcome.PASSED, Outcome.NOT_RUN):
                result = replace(result, detail=f"{result.detail}\nyour program printed:\n{printed}".strip())
            write(CaseDone(check.id, writable(result), anew))
            anew = False


def run_case(
    judge: Judge,
    zygote: Zygote,
    check: Check,
    item: pytest.Item,
    subject: SubmissionSubject | LocalSubject,
    seed: int,
) -> CaseResult:
    """Run one case; once more when its worker never came to be, or the reference failed too.

    Raises:
        ZygoteError: When the zygote gives no worker any more.
        StateKept: See `Judge.grade_case`.
    """
    for last in (False, True):
        result = judge.grade_case(check, item, subject, seed)
        if result.outcome is not Outcome.GRADER_ERROR:
            break
        if not zygote.alive():
            raise ZygoteError(result.summary)
        if last:
            break
    return result


def writable(result: CaseResult) -> CaseResult:
    """The same with texts that JSON can hold: a submission's may have lone surrogates."""
    texts = {name: utf8_text(getattr(result, name)) for name in ("summary", "detail", "where")}
    return replace(result, **texts)
