"""Grades one submission: prepares it, runs it through a judge process, and keeps the results as they come."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from gradkit.errors import GradkitError, InputError
from gradkit.judge.messages import CaseDone, Event, Fatal, Ready, Start, Unit, UnitDone
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome


class JudgeDied(GradkitError):
    """The judge process ended in the middle of its work."""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that workers may enter but not list, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="gradkit-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class JudgeClient:
    """A judge process for one assignment, seen from this side. Use as a context manager.

    Args:
        root: The kit.
        assignment: An assignment's id.
        scratch: From `scratch_folder`; submissions handed to `grade` must lie in it.
        device: `cpu` or `cuda`.
        diagnose: Look for the mistake behind a wrong answer.
        compare: Tell of each passed case whether its answers were the reference's.

    Raises:
        InputError, GradkitError: From `__enter__`, with what the judge said.
    """

    def __init__(self, root: Path, assignment: str, scratch: Path, *, device: str = "cpu", diagnose: bool = True, compare: bool = False) -> None:
        self._start = Start(str(root), assignment, device, diagnose, compare)
        self._scratch = scratch
        self._decoder = msgspec.json.Decoder(Event)
        self.checks: list[Check] = []
        self.isolation: dict[str, object] = {}

    def __enter__(self) -> JudgeClient:
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "gradkit.judge.process", str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_judge_environment(),
        )
        self._send(self._start)
        ready = self._receive()
        if not isinstance(ready, Ready):
            raise JudgeDied(f"the judge said {type(ready).__name__} where it should be ready")
        self.checks, self.isolation = ready.checks, ready.isolation
        return self

    def __exit__(self, *exception: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def grade(self, module: Path, seed: int, on_case: Callable[[CaseDone], None] = lambda done: None) -> UnitDone:
        """Run all checks on the file `module`, telling each case as it ends.

        Raises:
            JudgeDied: When the judge ended on the way.
        """
        self._send(Unit(str(module), seed))
        while True:
            event = self._receive()
            if isinstance(event, UnitDone):
                return event
            on_case(event)

    def _send(self, request: Start | Unit) -> None:
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise JudgeDied("the judge process ended") from None

    def _receive(self) -> Event:
        line = self._process.stdout.readline()
        if not line:
            raise JudgeDied(f"the judge process ended (status {self._process.wait()})")
        event = self._decoder.decode(line)
        if isinstance(event, Fatal):
            raise InputError(event.message) if event.usage else GradkitError(event.message)
        return event


def _judge_environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {**os.environ, **threads, "PYTHONHASHSEED": "0"}


class Grade:
    """Collects the cases of one submission into a `Graded`, telling each new state."""

    def __init__(self, start: Graded, checks: list[Check], tell: Callable[[Graded], None] = lambda graded: None) -> None:
        self._begun = time.monotonic()
        self._results = {check.id: CheckResult(check) for check in checks}
        self._tell = tell
        self.graded = replace(start, results=tuple(self._results.values()), complete=False)
        tell(self.graded)

    def add(self, done: CaseDone) -> None:
        result = self._results[done.check]
        self._results[done.check] = replace(result, cases=(*result.cases, done.result))
        if len(self._results[done.check].cases) == len(result.check.cases):
            self._update()

    def finish(self, done: UnitDone) -> Graded:
        """The whole grade; `not_graded` if any check ended in an error of ours."""
        faults = [case.summary for result in self._results.values() for case in result.cases if case.outcome is Outcome.GRADER_ERROR]
        status = {"status": "not_graded", "reason": faults[0]} if faults else {}
        flags = tuple(sorted({*self.graded.flags, *done.flags}))
        self._update(complete=True, worker_cpu_s=done.worker_cpu_s, flags=flags, **status)
        return self.graded

    def _update(self, **changes: object) -> None:
        elapsed = time.monotonic() - self._begun
        self.graded = replace(self.graded, results=tuple(self._results.values()), elapsed_s=elapsed, **changes)
        self._tell(self.graded)


def all_failed(start: Graded, checks: list[Check], outcome: Outcome, summary: str, where: str = "") -> Graded:
    """A grade in which every check failed for the same reason, such as a syntax error."""
    cases = {check.id: tuple(CaseResult(case, outcome, summary=summary, where=where) for case in check.cases) for check in checks}
    return replace(start, results=tuple(CheckResult(check, cases[check.id]) for check in checks))
