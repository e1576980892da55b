"""Judges on the workers of a Dask cluster, seen from the grading process.

A unit is one submission, and its files travel with it: no folder is shared. Dask is not left to try again by itself: it
would also suspect what merely waited beside the submission that killed a worker.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gradkit.cluster.jobs import GPU, Done, Failed, Job, Opened, Reply, engine_digest, pack
from gradkit.cluster.worker import close_judge, examine, grade, open_judge
from gradkit.errors import GradkitError, InputError
from gradkit.judge.messages import REPAIR_S, CaseDone, UnitDone
from gradkit.judges import TRIES, JudgeDied
from gradkit.manifest import load_assignment
from gradkit.runs import checks_digest
from gradkit.safetext import page_text

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 15  # for the scheduler to answer
EXAMINE_S = 20.0  # for all workers to say whether they can grade; a slower one is used once it has
ARRIVE_S = 30.0  # for a first worker, or for one after all are gone
START_S = 180.0  # for a worker to start a judge: on a slow disk torch takes a minute
LOOK_S = 1.0  # between looks at which workers there are
UNIT_S = 3600.0  # for a unit, far above what the engine's own limits allow
LEAVE_S = 10.0  # for the workers to end their judges, when the run is over

# --- in the grading process ------------------------------------------------------------------------------------


class RemoteError(Exception):
    """An exception on a worker that is no answer of this module's: a bug, a full disk, or no gradkit there."""


class ClusterJudges:
    """Judges on the workers of a Dask cluster. Use as a context manager.

    Workers that come later are used too; those that go are done without. One that can't grade is not used, and `notes`
    says why.

    Args:
        address: Of the scheduler, such as `tcp://host:8786`.
        root: The kit.
        assignment: An assignment's id.
        device: `auto`, `cpu` or `cuda`; `auto` is `cuda` where the assignment has checks for it and a worker has the
            resource GPU.
        at_least: The weakest level of isolation to grade at.
        repair_s: See `JudgeClient`.

    Raises:
        InputError: From `__enter__`, when nobody is there, no worker is or has a device, or one of the workers has
            another kit.
    """

    def __init__(
        self,
        address: str,
        root: Path,
        assignment: str,
        *,
        device: str = "cpu",
        at_least: str = "",
        repair_s: float = REPAIR_S,
        arrive_s: float = ARRIVE_S,
    ) -> None:
        self._at_least, self._repair_s = at_least, repair_s
        self.address, self._root, self._assignment, self._wanted = address, root, assignment, device
        self._arrive_s = arrive_s
        self.notes: list[str] = []
        self._changed = threading.Condition()
        self._free: list[str] = []
        self._busy: set[str] = set()
        self._present: set[str] = set()
        self._passed_over: set[str] = set()
        self._failed_starts: Counter[str] = Counter()
        self._last_reason = ""
        self._lost = ""
        self._asked: dict[str, Future] = {}  # workers that have not yet said whether they can grade
        self._stopped = threading.Event()
        self._closed = threading.Event()

    def __enter__(self) -> ClusterJudges:
        self._client = _connect(self.address)
        try:
            self._settle()
        except BaseException:
            self._client.close(timeout=2)
            raise
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self._closed.set()
        self._watcher.join(5)
        with contextlib.suppress(Exception):  # a cluster that is gone has no judges left to end
            used = self._present - self._passed_over
            futures = [self._submit(close_judge, worker, "close") for worker in used]
            deadline = time.monotonic() + LEAVE_S
            for future in futures:
                _wait(future, deadline, lambda: bool(self._lost))
        with contextlib.suppress(Exception):
            self._client.close(timeout=5)

    def places(self) -> int:
        with self._changed:
            return len(self._free) + len(self._busy)

    @contextlib.contextmanager
    def judge(self, scratch: Path) -> Iterator[RemoteJudge]:
        """A judge on a worker that is free, waiting for one while there are workers.

        Raises:
            GradkitError: When there is none for a while, or the scheduler is gone.
        """
        worker, opened = self._open()
        try:
            yield RemoteJudge(self, worker, opened)
        finally:
            with self._changed:
                self._busy.discard(worker)
                if worker in self._present and worker not in self._passed_over:
                    self._free.append(worker)
                self._changed.notify_all()

    def stop(self) -> None:
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def grade(self, worker: str, module: Path, seed: int, checks: list[str] | None, diagnose: bool, name: str) -> Done:
        """See `RemoteJudge.grade`."""
        arguments = module.name, pack(module.parent), seed, checks, diagnose
        try:
            return self._ask(worker, grade, *arguments, name=name, within_s=UNIT_S)
        except JudgeDied:
            raise
        except GradkitError as error:  # such as video memory that is not given back
            if self._lost:
                raise
            self._pass_over(worker, str(error))
            raise JudgeDied(str(error)) from None

    def _ask(self, worker: str, function: Callable, *arguments: object, name: str, within_s: float) -> Reply:
        """Call a function of this module in a worker's process and wait for what it answers.

        Raises:
            JudgeDied: When the worker, or its judge, ended meanwhile.
            GradkitError: When it can't do that, or the scheduler is gone.
            RemoteError: For any other exception there.
        """
        future = self._submit(function, worker, name, *arguments)
        ended = _wait(future, time.monotonic() + within_s, lambda: self._gone(worker))
        if not ended:
            if self._client.status not in ("closing", "closed"):
                future.cancel()
            if self._lost:
                raise GradkitError(self._lost)
            if self._gone(worker):
                raise JudgeDied(f"the cluster's worker {worker} ended")
            self._pass_over(worker, f"worker {worker} did not answer within {within_s:g} s")
            raise JudgeDied(f"the cluster's worker {worker} did not answer within {within_s:g} s")
        return self._answer(future, worker)

    def _answer(self, future: Future, worker: str) -> Reply:
        from distributed import CancelledError, KilledWorker

        try:
            reply = msgspec.msgpack.decode(future.result(timeout=30), type=Reply)
        except (KilledWorker, CancelledError):
            raise JudgeDied(f"the cluster's worker {worker} ended") from None
        except GradkitError:
            raise
        except Exception as error:
            raise RemoteError(f"worker {worker}: {type(error).__name__}: {_line(error)}") from None
        if isinstance(reply, Failed) and reply.died:
            raise JudgeDied(f"on {worker}: {reply.message}")
        if isinstance(reply, Failed):
            raise GradkitError(f"worker {worker}: {reply.message}")
        return reply

    def _submit(self, function: Callable, worker: str, name: str, *arguments: object) -> Future:
        return self._client.submit(
            function,
            self._job,
            *arguments,
            key=f"gradkit-{name}-{os.urandom(6).hex()}",
            workers=[worker],
            allow_other_workers=False,
            resources={GPU: 1} if self._job.device == "cuda" else None,
            pure=False,
        )

    def _settle(self) -> None:
        """Wait for workers, decide on the device, and make sure that all who are there have the same kit."""
        assignment = load_assignment(self._root, self._assignment)
        everyone, fitting = self._arrived(self._wanted == "cuda")
        device = self._wanted
        if device == "auto":
            with_gpu = {worker for worker, info in everyone.items() if _has_gpu(info)}
            device = "cuda" if with_gpu and "cuda" in assignment.manifest.devices else "cpu"
            fitting = with_gpu if device == "cuda" else set(everyone)
        self.device = device
        self._job = Job(
            str(self._root.resolve()),
            self._assignment,
            device,
            checks_digest(assignment),
            engine_digest(),
            at_least=self._at_least,
            repair_s=self._repair_s,
        )
        self._present = fitting
        self._asked = {worker: self._submit(examine, worker, "examine") for worker in sorted(fitting)}
        begun = time.monotonic()
        while self._asked and (time.monotonic() - begun < EXAMINE_S or not self._free):
            for worker, future in list(self._asked.items()):
                if future.done():
                    del self._asked[worker]
                    if fault := self._unfit(worker, future):
                        raise InputError(fault)
                    self._free.append(worker)
            if time.monotonic() - begun > START_S:
                raise InputError(f"no worker of {self.address} answers: all are at work for others")
            time.sleep(0.05)

    def _unfit(self, worker: str, future: Future) -> str:
        """Why a worker that has answered can't grade, or empty."""
        try:
            self._answer(future, worker)
        except JudgeDied:
            return ""  # it is gone, which the next look tells
        except GradkitError as error:
            return str(error)
        except RemoteError as error:
            return f"{error}; it needs the gradkit that is installed here"
        return ""

    def _arrived(self, gpu: bool) -> tuple[dict[str, dict], set[str]]:
        """All workers, and those to use, once there is one."""
        deadline = time.monotonic() + self._arrive_s
        while True:
            everyone = self._look()
            fitting = {worker for worker, info in everyone.items() if not gpu or _has_gpu(info)}
            if fitting:
                return everyone, fitting
            if time.monotonic() > deadline:
                if everyone:
                    raise InputError(
                        f"none of the {len(everyone)} workers of {self.address} has the resource {GPU}: start those with a "
                        f"device with --resources {GPU}=1"
                    )
                raise InputError(
                    f"{self.address} has no worker, {self._arrive_s:g} s on; start some first, as docs/cluster.md shows"
                )
            time.sleep(0.3)

    def _look(self) -> dict[str, dict]:
        # Asked afresh: what `scheduler_info` returns is replaced by a periodic callback that leaves the workers out.
        ask = self._client.scheduler.identity
        return dict(self._client.sync(ask, n_workers=-1, callback_timeout=CONNECT_S)["workers"])

    def _watch(self) -> None:
        """Keep up with who is there, until the end."""
        failures = 0
        while not self._closed.wait(LOOK_S):
            try:
                seen = self._look()
                failures = 0
            except Exception:  # whatever a lost connection is raised as
                failures += 1
                if failures >= 3 or self._client.status in ("closing", "closed"):
                    self._lose(f"{self.address} went away; what was graded is kept, and --resume goes on")
                    return
                continue
            self._meet({worker for worker, info in seen.items() if self.device != "cuda" or _has_gpu(info)})

    def _meet(self, present: set[str]) -> None:
        """Do without workers that are gone, and ask new ones whether they can grade."""
        with self._changed:
            self._present = present
            self._free = [worker for worker in self._free if worker in present]
            known = {*self._free, *self._busy, *self._passed_over, *self._asked}
            self._changed.notify_all()
        for worker in sorted(present - known):
            self._asked[worker] = self._submit(examine, worker, "examine")
        for worker, future in list(self._asked.items()):
            if worker not in present:
                del self._asked[worker]
            elif future.done():
                del self._asked[worker]
                if fault := self._unfit(worker, future):
                    self._pass_over(worker, fault)
                    continue
                with self._changed:
                    self._free.append(worker)
                    self._changed.notify_all()

    def _open(self) -> tuple[str, Opened]:
        while True:
            worker = self._take()
            try:
                return worker, self._ask(worker, open_judge, name="open", within_s=START_S)
            except JudgeDied as error:
                self._last_reason = str(error)
                self._failed_starts[worker] += 1
                if self._failed_starts[worker] == TRIES:
                    self._pass_over(worker, str(error))
            except (GradkitError, RemoteError) as error:
                if self._lost:
                    raise
                self._pass_over(worker, str(error))
            with self._changed:
                self._busy.discard(worker)
                self._changed.notify_all()

    def _take(self) -> str:
        alone_since = time.monotonic()
        with self._changed:
            while True:
                if self._lost:
                    raise GradkitError(self._lost)
                if self._stopped.is_set():
                    raise GradkitError("stopped")
                if self._free:
                    worker = self._free.pop(0)
                    self._busy.add(worker)
                    return worker
                if self._busy:
                    alone_since = time.monotonic()
                elif time.monotonic() - alone_since > self._arrive_s:
                    reason = f" ({self._last_reason})" if self._last_reason else ""
                    raise GradkitError(
                        f"{self.address} has had no worker that can grade for {self._arrive_s:g} s{reason}; what was graded "
                        "is kept, and --resume goes on"
                    )
                self._changed.wait(0.5)

    def _pass_over(self, worker: str, reason: str) -> None:
        with self._changed:
            if worker not in self._passed_over:
                self._passed_over.add(worker)
                self._last_reason = reason
                self.notes.append(f"not used: {reason}")
            self._changed.notify_all()

    def _gone(self, worker: str) -> bool:
        return bool(self._lost) or worker not in self._present

    def _lose(self, reason: str) -> None:
        with self._changed:
            self._lost = reason
            self._changed.notify_all()


class RemoteJudge:
    """A judge on a worker of the cluster, seen as a judge is here."""

    def __init__(self, judges: ClusterJudges, worker: str, opened: Opened) -> None:
        self._judges, self._worker = judges, worker
        self.checks, self.isolation = opened.checks, opened.isolation

    def grade(
        self,
        module: Path,
        seed: int,
        on_case: Callable[[CaseDone], None],
        *,
        checks: list[str] | None = None,
        name: str = "",
        diagnose: bool = True,
    ) -> UnitDone:
        """Send the submission's folder, wait, and tell its cases.

        Raises:
            JudgeDied: When the worker or its judge ended, or can't grade any longer.
            GradkitError: When the cluster is gone.
            RemoteError: For any other exception there, which may be this submission's doing.
        """
        shown = page_text(name).replace("\n", " ")[:80]
        done = self._judges.grade(self._worker, module, seed, checks, diagnose, shown)
        for case in done.cases:
            on_case(case)
        return done.unit


def _has_gpu(info: dict) -> bool:
    return info.get("resources", {}).get(GPU, 0) >= 1


def _connect(address: str) -> Client:
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx)://[^/\s]+:\d+", address):
        raise InputError(f"--scheduler {address}: not an address such as tcp://host:8786")
    try:
        import dask
        import distributed
    except ImportError:
        raise InputError(
            "--scheduler needs Dask: pip install 'gradkit[cluster]', on this machine and for the workers"
        ) from None
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is said in one line here
    # A submission of some MiB is what it warns of as a large graph.
    dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"})
    try:
        return distributed.Client(
            address, timeout=CONNECT_S, set_as_default=False, name="gradkit", direct_to_workers=False
        )
    except Exception as error:  # a closed port, an unknown host, a certificate that is missing
        raise InputError(
            f"--scheduler {address}: nobody answers ({_line(error)}); is it running, and is the port open?"
        ) from None


def _wait(future: Future, deadline: float, given_up: Callable[[], bool]) -> bool:
    """Wait until the future has ended; False when that was given up before."""
    ended = threading.Event()
    future.add_done_callback(lambda _: ended.set())
    while not ended.wait(0.2):
        if given_up() or time.monotonic() > deadline:
            return future.done()
    return True


def _line(error: BaseException) -> str:
    lines = page_text(str(error)).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
