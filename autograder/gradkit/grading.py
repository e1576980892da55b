"""Grades one submission: prepares it, runs it through a judge process, and keeps the results as they come."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import itertools
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from coursekit.costs import not_python

from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.intake import Prepared, Submission, materialise
from gradkit.judge.messages import STATE_KEPT, CaseDone, Explained, UnitDone
from gradkit.judges import TRIES, JudgeDied, Judging
from gradkit.lint import find_banned
from gradkit.manifest import Assignment, Manifest
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome
from gradkit.splice import FULL, KEPT, PART, Change, combine, not_run, quiet


class Intermittently:
    """Hands on the states it is given: the first and the last at once, of those between the latest, every so often.

    Writing a state costs as much as many a check, and nobody reads faster. Use as a context manager, which ends with the
    latest handed on, whatever happened.

    Args:
        tell: Takes a state.
        every_s: Seconds from one state to the next, and the most by which what was told last lags behind.
    """

    def __init__(self, tell: Callable[[Graded], None], every_s: float = 0.2) -> None:
        self._tell, self._every_s = tell, every_s
        self._lock = threading.Lock()
        self._next_at = 0.0
        self._waiting: Graded | None = None
        self._timer: threading.Timer | None = None
        self._fault: Exception | None = None

    def __call__(self, graded: Graded) -> None:
        """Raises what `tell` raised, now or since the last call."""
        with self._lock:
            self._raise_fault()
            self._waiting = graded
            wait_s = self._next_at - time.monotonic()
            if wait_s <= 0:
                self._hand_on()
            elif self._timer is None:
                self._timer = threading.Timer(wait_s, self._at_last)
                self._timer.daemon = True
                self._timer.start()

    def __enter__(self) -> Intermittently:
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._raise_fault()
            self._hand_on()

    def _at_last(self) -> None:
        with self._lock:
            self._timer = None
            try:
                self._hand_on()
            except Exception as error:  # for whoever comes next
                self._fault = error

    def _hand_on(self) -> None:
        if self._waiting is not None:
            graded, self._waiting = self._waiting, None
            self._tell(graded)
            self._next_at = time.monotonic() + self._every_s

    def _raise_fault(self) -> None:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault


class Grade:
    """Collects the cases of one submission into a `Graded`.

    Args:
        start: What is known before the first check.
        checks: All that will come.
        tell: Takes each new state, the first with every check at 0.
        place: Translates a line of the module into a place in what the student handed in.
    """

    def __init__(
        self,
        start: Graded,
        checks: list[Check],
        tell: Callable[[Graded], None] = lambda graded: None,
        place: Callable[[CaseResult], CaseResult] = lambda case: case,
    ) -> None:
        self._begun = time.monotonic()
        self._place = place
        self._results = {check.id: CheckResult(check) for check in checks}
        self._tell = tell
        self.graded = replace(start, results=tuple(self._results.values()), complete=False)
        tell(self.graded)

    def add(self, done: CaseDone) -> None:
        if done.anew:
            self._results = {id: CheckResult(result.check) for id, result in self._results.items()}
        result = self._results[done.check]
        self._results[done.check] = replace(result, cases=(*result.cases, self._place(done.result)))
        if len(self._results[done.check].cases) == len(result.check.cases):
            self._update()

    def finish(self, done: UnitDone) -> Graded:
        """The whole grade; `not_graded` if any check ended in an error of ours."""
        faults = [
            case.summary
            for result in self._results.values()
            for case in result.cases
            if case.outcome is Outcome.GRADER_ERROR
        ]
        status = {"status": "not_graded", "reason": faults[0]} if faults else {}
        for explained in done.explained:
            self._explain(explained)
        flags = tuple(sorted({*self.graded.flags, *done.flags}))
        self._update(complete=True, worker_cpu_s=done.worker_cpu_s, peak_mib=done.peak_mib, flags=flags, **status)
        return self.graded

    def _explain(self, told: Explained) -> None:
        result = self._results[told.check]
        placed = self._place(CaseResult(told.case, Outcome.FAILED, summary=told.hint, where=told.where))
        known = {"hint": placed.summary, "mistake": told.mistake, "rivals": told.rivals, "blamed": told.blamed}
        if told.edit:
            known |= {"where": placed.where, "edit": told.edit}
        cases = (replace(case, **known) if case.case == told.case else case for case in result.cases)
        self._results[told.check] = replace(result, cases=tuple(cases))

    def _update(self, **changes: object) -> None:
        elapsed = time.monotonic() - self._begun
        self.graded = replace(self.graded, results=tuple(self._results.values()), elapsed_s=elapsed, **changes)
        self._tell(self.graded)


class Stopped(GradkitError):
    """Grading was stopped from another thread."""


class Grader:
    """Grades submissions one after the other, with a new judge whenever one has died. Use as a context manager.

    Args:
        assignment: Whose checks are run.
        start: Starts a judge that works in a scratch folder: `with start(scratch) as judge`.
        scratch: From `scratch_folder`.
    """

    def __init__(
        self,
        assignment: Assignment,
        start: Callable[[Path], contextlib.AbstractContextManager[Judging]],
        scratch: Path,
    ) -> None:
        self._assignment, self._start, self._scratch = assignment, start, scratch
        self._running = contextlib.ExitStack()
        self._judge: Judging | None = None
        self._stopped = False

    def __enter__(self) -> Grader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    def judge(self) -> Judging:
        """The judge at hand, started if there is none.

        Raises:
            GradkitError: When none can be started.
        """
        for tried in range(1, TRIES + 1):
            if self._stopped:
                raise Stopped("grading was stopped")
            if self._judge is not None:
                break
            try:
                self._judge = self._running.enter_context(self._start(self._scratch))
            except JudgeDied as error:
                if tried == TRIES:
                    raise GradkitError(f"the grader can't be started: {error}") from None
        return self._judge

    def grade(
        self,
        submission: Submission,
        keep: Callable[[Graded], None],
        seed: int,
        earlier: Earlier | None = None,
    ) -> Graded:
        """Grade one submission; see `grade_submission`. If its judge dies every time, it is not graded.

        Raises:
            Stopped: When that was asked for; what `keep` was told last is how far it came.
            GradkitError: When no judge can be started, and whatever `keep` raises.
        """
        for _ in range(TRIES):
            judge = self.judge()
            try:
                return grade_submission(judge, submission, self._assignment, keep, self._scratch, seed, earlier)
            except JudgeDied as error:
                reason = f"the grader ended {TRIES} times while grading this submission: {error}"
                self._end()
            except GradkitError:  # such as results that can't be written: the same for every other submission
                raise
            except Exception as error:  # a fault of the engine's costs this submission its turn, not the class
                reason = f"{type(error).__name__} in the grader: {error}"
                self._end()  # it may still be telling of this submission
                break
        if self._stopped:
            raise Stopped("grading was stopped")
        graded = Graded(
            submission.name,
            self._assignment.id,
            "not_graded",
            reason=reason,
            seed=seed,
            isolation=judge.isolation,
            submitters=submission.submitters,
        )
        keep(graded)
        return graded

    def stop(self) -> None:
        """Break off what is being graded, from any thread, and grade nothing more."""
        self._stopped = True
        if self._judge is not None:
            self._judge.kill()

    def _end(self) -> None:
        self._judge = None
        self._running.close()


class Earlier(NamedTuple):
    """What an earlier run made of a submission, and what has changed since."""

    graded: Graded
    change: Change


_numbers = itertools.count()  # of the folders in which submissions are laid out: none is used twice


def grade_submission(
    judge: Judging,
    submission: Submission,
    assignment: Assignment,
    keep: Callable[[Graded], None],
    scratch: Path,
    seed: int,
    earlier: Earlier | None = None,
) -> Graded:
    """Grade one submission, telling `keep` how it stands before the first check and a few times a second from there on.

    A submission that can't be read is `refused` with a line saying why; it scores 0 until a person looks. One that this
    machine fails to unpack is `not_graded`.

    Args:
        earlier: An earlier grade. What nothing has changed for is taken from it; `keep` is then told the whole alone.

    Raises:
        JudgeDied: When the judge ended; what `keep` was told last is how far it came.
        GradkitError: Whatever `keep` raises.
    """
    manifest = assignment.manifest
    start = Graded(
        submission.name,
        assignment.id,
        "graded",
        seed=seed,
        isolation=judge.isolation,
        submitters=submission.submitters,
    )
    place = scratch / f"{os.getpid()}-{next(_numbers)}"
    try:
        try:
            prepared = materialise(submission, manifest, place, names=public_names(assignment))
        except InputError as error:
            graded = refused(start, judge.checks, str(error))
            keep(graded)
            return graded
        except GradkitError as error:  # this machine's doing
            graded = replace(start, status="not_graded", reason=str(error))
            keep(graded)
            return graded
        start = replace(start, digest=digest(prepared.folder), notes=_notes(prepared))
        if prepared.syntax_error is not None:
            graded = _unreadable(start, judge.checks, prepared)
            keep(graded)
            return graded
        start = _flag(start, prepared, manifest)
        if earlier is not None:
            spliced, why = _spliced(judge, prepared, start, earlier)
            if spliced is not None:
                keep(spliced)
                return spliced
            start = replace(start, regraded=f"{FULL}: {why}")
        with Intermittently(keep) as tell:
            grade = Grade(start, judge.checks, tell, lambda case: _in_their_file(case, prepared))
            graded = grade.finish(judge.grade(prepared.module, seed, grade.add, name=submission.name))
        if earlier is not None and graded.status == "graded" and earlier.graded.digest == graded.digest:
            # what can't run here and did run in the earlier run, on a device
            standing = earlier.change.standing(earlier.graded, judge.checks)
            filled = replace(graded, results=combine(graded, standing).results)
            if filled != graded:
                keep(filled)
            return filled
        return graded
    finally:
        remove_tree(place)


def _spliced(judge: Judging, prepared: Prepared, start: Graded, earlier: Earlier) -> tuple[Graded | None, str]:
    """The earlier grade with the checks run again that the change reaches, or None and why that would not be the same.

    Raises:
        JudgeDied: When the judge ended.
    """
    record, change = earlier
    if record.status != "graded" or not record.complete:
        return None, f"it was {'interrupted' if record.status == 'graded' else record.status.replace('_', ' ')}"
    if record.digest != start.digest:
        return None, "its files are not those that were graded"
    if (record.seed, record.isolation) != (start.seed, start.isolation):
        return None, "it was graded with another seed or isolation"
    plan = change.plan(record, judge.checks)
    if plan.why:
        return None, plan.why
    rerun = start
    if plan.rerun:
        checks = [check for check in judge.checks if check.id in plan.rerun]
        grade = Grade(start, checks, place=lambda case: _in_their_file(case, prepared))
        ids = [check.id for check in checks]
        rerun = grade.finish(
            judge.grade(prepared.module, start.seed, grade.add, checks=ids, name=start.submission, diagnose=False)
        )
        failed = [result.check.number for result in rerun.results if not quiet(result)]
        if failed or rerun.status != "graded" or STATE_KEPT in rerun.flags:
            return None, f"check {failed[0]} did not pass" if failed else rerun.reason or STATE_KEPT
        what = f"{PART}: {', '.join(check.number for check in checks)}"
    else:
        what = KEPT
    rerun = replace(rerun, results=not_run(judge.checks, rerun.results), regraded=what)
    graded = combine(rerun, change.standing(record, judge.checks))
    return replace(graded, flags=tuple(sorted(graded.flags))), ""


def public_names(assignment: Assignment) -> set[str]:
    """What the stub defines besides the functions to write: checks may read its constants."""
    tree = ast.parse(assignment.stub.read_text(encoding="utf-8"))
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    named = {target.id for target in targets if isinstance(target, ast.Name)}
    return named | {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def refused(start: Graded, checks: list[Check], reason: str) -> Graded:
    """A submission that could not be read."""
    return replace(start, status="refused", reason=reason, results=tuple(CheckResult(check) for check in checks))


def digest(folder: Path) -> str:
    """A hash of the names and contents of a submission's files."""
    total = hashlib.blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(
            str(path.relative_to(folder)).encode("utf-8", "surrogatepass")
            + b"\0"
            + path.stat().st_size.to_bytes(8, "big")
        )
        total.update(path.read_bytes())
    return total.hexdigest()


def _notes(prepared: Prepared) -> tuple[str, ...]:
    dropped = (f"left out: {', '.join(prepared.dropped[:5])}",) if prepared.dropped else ()
    return (*prepared.notes, *dropped)


def _flag(start: Graded, prepared: Prepared, manifest: Manifest) -> Graded:
    """Note banned calls: for staff all of them, for the student those that are plainly named."""
    found = find_banned(prepared.text, manifest)
    told = tuple(finding.text(prepared.where(finding.line)) for finding in found if finding.banned)
    flags = tuple(finding.text(prepared.where(finding.line)) for finding in found)
    return replace(start, flags=flags, notes=(*start.notes, *told))


def _unreadable(start: Graded, checks: list[Check], prepared: Prepared) -> Graded:
    """Every check failed for the same reason: the file is not valid Python."""
    problem = prepared.syntax_error
    summary = not_python(problem.place, problem.message, note=", which grades here")
    failed = CaseResult("", Outcome.FAILED, summary=summary, unimportable=True)
    cases = {check.id: tuple(replace(failed, case=case) for case in check.cases) for check in checks}
    return replace(start, results=tuple(CheckResult(check, cases[check.id]) for check in checks))


def _in_their_file(case: CaseResult, prepared: Prepared) -> CaseResult:
    """The same result with places named as the student knows them: by the name that was handed in, a notebook's by the cell.

    Tracebacks that a submission prints, and what it raises, name the file where it was laid out.
    """
    path, module = str(prepared.module), prepared.module.name
    if path in case.detail or path in case.summary:
        frame = re.compile(rf'File "{re.escape(path)}", line (\d{{1,7}})')
        detail = frame.sub(lambda found: f"File {prepared.where(int(found[1]))}", case.detail)
        summary = case.summary.replace(path, prepared.origin)
        case = replace(case, summary=summary, detail=detail.replace(path, prepared.origin))
    if prepared.origin == module:
        return case
    file, _, line = case.where.rpartition(":")
    if file == module and line.isdigit():
        where = prepared.where(int(line))
        case = replace(case, where=where, summary=case.summary.replace(case.where, where))
    return replace(case, summary=case.summary.replace(f"{module} defines no ", f"{prepared.origin} defines no "))
