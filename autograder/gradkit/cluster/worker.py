"""What runs in a worker's process on the cluster.

Each worker process keeps one judge for an assignment and grades one unit at a time, so that when it dies it is known on
what.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

import gradkit
from gradkit import devices
from gradkit.cluster.jobs import GPU, Done, Failed, Fit, Job, Opened, Reply, engine_digest, lay_out
from gradkit.devices import VideoMemory
from gradkit.errors import GradkitError
from gradkit.files import remove_tree
from gradkit.judge.messages import CaseDone
from gradkit.judges import JudgeClient, JudgeDied, scratch_folder
from gradkit.manifest import load_assignment
from gradkit.runs import checks_digest

IDLE_S = 300.0  # after which a worker ends a judge that nobody asks for


@dataclass
class _Kept:
    """A judge that is kept for the next unit. `used_at` is on the monotonic clock."""

    judge: JudgeClient
    scratch: Path
    stack: contextlib.ExitStack
    used_at: float


_kept: dict[Job, _Kept] = {}
_one_at_a_time = threading.RLock()
_numbers = itertools.count()


def examine(job: Job) -> bytes:
    """Whether this worker can do the job: `Fit` or `Failed`."""
    return _reply(lambda: _fit(job))


def open_judge(job: Job) -> bytes:
    """Start the job's judge here, if it is not there yet: `Opened` or `Failed`."""

    def opened() -> Opened:
        _fit(job)
        with _one_at_a_time:
            judge = _judge(job).judge
            return Opened(judge.checks, judge.isolation)

    return _reply(opened)


def grade(
    job: Job,
    module: str,
    files: list[tuple[bytes, bytes]],
    seed: int,
    checks: list[str] | None = None,
    diagnose: bool = True,
) -> bytes:
    """Run the checks on one submission: `Done` or `Failed`.

    Args:
        job: What it is graded for.
        module: Name of its module.
        files: Their paths in the submission, and their content.
        seed: For the checks' inputs.
        checks: Ids of those to run; all of them when None.
        diagnose: Look for the mistake behind a wrong answer.
    """

    def graded() -> Done:
        with _one_at_a_time:
            kept = _judge(job)
            place = kept.scratch / f"unit-{next(_numbers)}"
            cases: list[CaseDone] = []
            try:
                lay_out(files, place)
                unit = kept.judge.grade(place / module, seed, cases.append, checks=checks, diagnose=diagnose)
                return Done(cases, unit)
            except JudgeDied:
                _close(job)
                raise
            finally:
                remove_tree(place)
                kept.used_at = time.monotonic()

    return _reply(graded)


def close_judge(job: Job) -> None:
    """End the job's judge, if it is here."""
    with _one_at_a_time:
        _close(job)


def _reply(work: Callable[[], Reply]) -> bytes:
    try:
        reply = work()
    except JudgeDied as error:
        reply = Failed(str(error), died=True)
    except GradkitError as error:
        reply = Failed(str(error))
    return msgspec.msgpack.encode(reply)


def _fit(job: Job) -> Fit:
    if engine_digest() != job.engine:
        raise GradkitError(
            f"gradkit {gradkit.__version__} at {Path(gradkit.__file__).parent} is not the code that this run is "
            "started with; install the same there"
        )
    assignment = load_assignment(_root(job), job.assignment)
    if checks_digest(assignment) != job.checks:
        raise GradkitError(
            f"{_root(job)} holds other checks of {job.assignment} than this run is started with; copy the kit there anew"
        )
    if job.device == "cuda" and not devices.present():
        raise GradkitError(f"has the resource {GPU} but no NVIDIA device")
    return Fit()


def _root(job: Job) -> Path:
    """The kit here: what GRADKIT_ROOT names, else the client's own path, else the checkout that is installed."""
    named = os.environ.get("GRADKIT_ROOT")
    checkout = Path(gradkit.__file__).resolve().parents[2]
    for root in [Path(named)] if named else [Path(job.root), checkout]:
        if (root / "assignments" / job.assignment / "assignment.toml").is_file():
            return root
    where = f"{named} (GRADKIT_ROOT)" if named else f"{job.root} or {checkout}"
    raise GradkitError(f"{job.assignment} is not at {where}; copy the kit there, or set GRADKIT_ROOT for the worker")


def _judge(job: Job) -> _Kept:
    if job not in _kept:
        for other in list(_kept):
            _close(other)  # a judge takes some hundred MiB: one per worker, whatever was graded before
        with contextlib.ExitStack() as stack:
            scratch = stack.enter_context(scratch_folder())
            memory = VideoMemory() if job.device == "cuda" else None
            judge = stack.enter_context(
                JudgeClient(
                    _root(job),
                    job.assignment,
                    scratch,
                    device=job.device,
                    memory=memory,
                    at_least=job.at_least,
                    repair_s=job.repair_s,
                )
            )
            _kept[job] = _Kept(judge, scratch, stack.pop_all(), time.monotonic())
        _end_when_idle(job)
    return _kept[job]


def _end_when_idle(job: Job) -> None:
    """Look again and again whether the judge is still asked for: a client that is killed says no goodbye."""

    def look() -> None:
        with _one_at_a_time:
            kept = _kept.get(job)
            if kept is None:
                return
            if time.monotonic() - kept.used_at > IDLE_S:
                _close(job)
                return
        _end_when_idle(job)

    timer = threading.Timer(IDLE_S / 5, look)
    timer.daemon = True
    timer.start()


def _close(job: Job) -> None:
    kept = _kept.pop(job, None)
    if kept is not None:
        kept.stack.close()
