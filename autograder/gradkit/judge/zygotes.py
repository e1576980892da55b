"""The zygote and its workers, seen from the judge: one is forked, watched, ended, and what it left is swept."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import msgspec

from gradkit.calls.frames import Connection, Deadline, Kind
from gradkit.calls.values import Ref, encode
from gradkit.errors import ProtocolError, WorkerError, ZygoteError
from gradkit.files import remove_tree
from gradkit.judge import isolation as isolation_module
from gradkit.judge.isolation import Isolation, UserSlot
from gradkit.manifest import Manifest
from gradkit.safetext import utf8_text
from gradkit.worker import sandbox, zygote
from gradkit.worker.zygote import Ended, EndRequest, SpawnRequest

START_TIMEOUT_S = 120.0  # for the zygote's imports on a slow disk
ENTER_TIMEOUT_S = 30.0  # for a fork to enter its sandbox on a loaded machine
GRACE_S = 0.25  # for a worker that hung up to finish exiting
OUTPUT_KEPT = 8192  # bytes of what a submission prints


class Zygote:
    """The process that forks workers. Start it before anything secret is loaded."""

    def __init__(self, manifest: Manifest, isolation: Isolation, scratch: Path) -> None:
        self.manifest = manifest
        self.isolation = isolation
        self.scratch = scratch
        # Each worker has a user of its own: the one at work, and the one before, which may be dying still.
        self._slots = [UserSlot() for _ in range(2)] if isolation.level == "separate-user" else []
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._said = os.memfd_create("said")
        if isolation.level == "bubblewrap":
            self._process: subprocess.Popen | Child = subprocess.Popen(
                isolation_module.bubblewrapped_zygote(theirs.fileno(), manifest.libraries, scratch),
                env=isolation_module.clean_environment(scratch),
                cwd=scratch,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
            )
        else:
            self._process = Child(zygote.forked(theirs, self._said, manifest.libraries))
        theirs.close()
        self._ready = False
        self._count = 0

    def wait_ready(self) -> None:
        """Wait until the zygote has imported its libraries.

        Raises:
            ZygoteError: With the last line of what it said, when it did not get that far.
        """
        if self._ready:
            return
        self._control.settimeout(START_TIMEOUT_S)
        try:
            ready = self._control.recv(64)
        except TimeoutError:
            ready = b""
        if ready != b"ready\n":
            self._process.kill()
            self._process.wait()
            said = os.pread(self._said, OUTPUT_KEPT, 0).decode("utf-8", "replace").strip().splitlines()
            raise ZygoteError(f"the worker process did not start: {said[-1] if said else 'it said nothing'}")
        self._ready = True

    def alive(self) -> bool:
        """Whether the process is there still. One that is just ending is given the moment it takes."""
        try:
            self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            return True
        return False

    def fork(self, module: Path, device: str) -> Worker:
        """Ask for a worker for the submission `module`, without waiting for it."""
        self.wait_ready()
        number, self._count = self._count, self._count + 1
        uid = self._slots[number % len(self._slots)].uid if self._slots else None
        work_dir = Path(tempfile.mkdtemp(prefix="work-", dir=self.scratch))
        if uid is not None:
            os.chown(work_dir, uid, uid)
        manifest, abi = self.manifest, self.isolation.landlock_abi
        # Below that ABI Landlock does not keep processes of one user apart; inside bubblewrap a namespace does.
        enough = abi > 0 if uid is not None else abi >= sandbox.SAME_UID_ABI
        policy = sandbox.Policy(
            uid=uid,
            gid=uid,
            readable=(*isolation_module.readable_paths(cuda=device != "cpu"), str(module.parent)),
            writable=(str(work_dir),),
            limits=sandbox.Limits(
                memory_mib=manifest.memory_mib,
                cpu_s=int(manifest.timeout_s * 4) + 10,
                open_files=sandbox.Limits.open_files
                if device == "cpu"
                else 512,  # the driver opens its devices dozens of times
                address_space=device == "cpu",
            ),
            landlock="require" if enough else "if_available",
            cuda=device != "cpu",
        )
        ours, theirs = socket.socketpair()
        output = os.memfd_create("output")
        self._send(SpawnRequest(number, str(module), str(work_dir), policy, device), [theirs.fileno(), output])
        theirs.close()
        return Worker(number, Connection(ours), output, work_dir, uid)

    def kill(self, worker: Worker, grace_s: float = 0.0) -> None:
        """Ask for a worker's end, without waiting for it; `buried` tells how it went, in the order of these calls."""
        worker.connection.close()
        self._send(EndRequest(worker.number, grace_s), [])

    def buried(self, worker: Worker) -> Ended:
        """Wait until the worker that was killed is gone with all that it left, and remove its folder.

        Raises:
            ZygoteError: When a process of it could not be killed.
        """
        try:
            reply = self._control.recv(65536)
        except OSError as error:
            raise ZygoteError(f"the worker process is gone: {error}") from None
        if not reply:
            raise ZygoteError("the worker process ended")
        ended = msgspec.json.decode(reply, type=Ended)
        if ended.survivors:
            raise ZygoteError(f"{ended.survivors} processes of a submission could not be killed")
        remove_tree(worker.work_dir)
        if worker.uid is not None and not self.isolation.landlock_abi:
            _sweep(worker.uid)
        return ended

    def _send(self, request: SpawnRequest | EndRequest, descriptors: list[int]) -> None:
        try:
            socket.send_fds(self._control, [msgspec.json.encode(request)], descriptors)
        except OSError as error:
            raise ZygoteError(f"the worker process is gone: {error}") from None

    def close(self) -> None:
        """End the zygote and whatever workers it has."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._said)
        for slot in self._slots:
            slot.close()


class Child:
    """A process that was forked here, to be waited for as one that was executed."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._handle = os.pidfd_open(pid)
        self._status: int | None = None

    def kill(self) -> None:
        if self._status is None:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> None:
        """Raises subprocess.TimeoutExpired when it does not end in so many seconds."""
        if self._status is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("zygote", timeout)
            _, self._status = os.waitpid(self._pid, 0)
            os.close(self._handle)


class Worker:
    """A forked process that serves one submission, or will."""

    def __init__(self, number: int, connection: Connection, output: int, work_dir: Path, uid: int | None) -> None:
        self.number, self.connection, self.work_dir, self.uid = number, connection, work_dir, uid
        self._output, self._told = output, 0
        self.requests = 0
        self.edit: tuple[tuple[int, ...], int] | None = None  # the one that is in place
        self.functions: dict[str, Ref] | None = None  # what the module defines, once it is imported
        self.pinned: frozenset[int] = frozenset()

    def forget(self, ids: list[int] | None = None) -> None:
        """Drop these objects, or every one that a case has left behind."""
        if ids != []:
            with contextlib.suppress(WorkerError):  # told when it is asked something
                self.connection.send(Kind.FORGET, self.requests, encode(ids), Deadline(ENTER_TIMEOUT_S))

    def printed(self) -> str:
        """What the submission printed since the last time this was asked, at most 8 KB."""
        data = os.pread(self._output, OUTPUT_KEPT, self._told)
        self._told = os.fstat(self._output).st_size
        return data.decode("utf-8", "replace")

    def __del__(self) -> None:
        os.close(self._output)


def printable(value: object) -> str:
    """A worker's string without what can't be written down, such as lone surrogates."""
    if not isinstance(value, str):
        raise ProtocolError("something else stands where a text is due")
    return utf8_text(value)


def obituary(ended: Ended) -> str:
    """How a worker ended, for a student."""
    if ended.signal is None:
        return (
            f"the program ended before answering (exit code {ended.exit})"
            if ended.exit is not None
            else "the program closed the grader's channel before answering"
        )
    if ended.signal == signal.SIGSYS:
        return "the program made a system call that is not allowed here, and was stopped"
    if ended.signal == signal.SIGXCPU:
        return "the program used up its processor time, and was stopped"
    if ended.signal == signal.SIGKILL:
        return "the program was killed, most likely for lack of memory"
    known = {number.value: number.name for number in signal.Signals}
    return f"the program crashed ({known.get(ended.signal, f'signal {ended.signal}')})"


def _sweep(uid: int) -> None:
    """Remove what a worker left in folders that everyone may write to, where no Landlock kept it out of them."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                            remove_tree(Path(entry.path))
                        else:
                            os.unlink(entry.path)
