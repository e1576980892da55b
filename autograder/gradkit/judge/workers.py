"""The judge's end of the untrusted side: starts the zygote, asks it for workers, and calls the submission in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import msgspec

from gradkit.errors import ProtocolError, WorkerCrashed, WorkerError, WorkerTimeout, ZygoteError
from gradkit.judge import isolation as isolation_module
from gradkit.judge.isolation import Isolation, UserSlot
from gradkit.judge.subjects import Ask
from gradkit.manifest import Manifest
from gradkit.protocol import Connection, Deadline, Kind, decode, encode
from gradkit.worker import sandbox
from gradkit.worker.runtime import Raised
from gradkit.worker.zygote import Ended, EndRequest, Spawned, SpawnRequest

START_TIMEOUT_S = 120.0  # for the zygote's imports on a slow disk
ENTER_TIMEOUT_S = 30.0  # for a fork to enter its sandbox on a loaded machine
GRACE_S = 0.25  # for a worker that hung up to finish exiting
TOTAL_LIMITS = 6  # time limits of a check that all checks of one submission may wait together
DISK_MIB = 256  # all files of a worker together; each of them is limited by the sandbox
DISK_FILES = 20_000
OUTPUT_KEPT = 8192  # bytes of what a submission prints


class Zygote:
    """The process that forks workers. Start it before anything secret is loaded."""

    def __init__(self, manifest: Manifest, isolation: Isolation, scratch: Path) -> None:
        self.manifest = manifest
        self.isolation = isolation
        self.scratch = scratch
        self.slot = UserSlot() if isolation.level == "separate-user" else None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._process = subprocess.Popen(
            isolation_module.zygote_command(isolation, theirs.fileno(), manifest.libraries, scratch),
            env=isolation_module.clean_environment(scratch),
            cwd=scratch,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self._ready = False

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
            said = (self._process.communicate()[1] or b"").decode("utf-8", "replace").strip().splitlines()
            raise ZygoteError(f"the worker process did not start: {said[-1] if said else 'it said nothing'}")
        self._ready = True

    def spawn(self, request: SpawnRequest, descriptors: list[int]) -> Spawned:
        """Fork a worker."""
        return self._ask(request, Spawned, descriptors)

    def end(self, grace_s: float) -> Ended:
        """Kill the worker, reap all that descends from it, and say how it ended.

        Raises:
            ZygoteError: When a process of it could not be killed.
        """
        ended = self._ask(EndRequest(grace_s), Ended, [])
        if ended.survivors:
            raise ZygoteError(f"{ended.survivors} processes of a submission could not be killed")
        return ended

    def _ask(self, request: object, kind: type, descriptors: list[int]) -> object:
        self.wait_ready()
        try:
            socket.send_fds(self._control, [msgspec.json.encode(request)], descriptors)
            reply = self._control.recv(65536)
        except OSError as error:
            raise ZygoteError(f"the worker process is gone: {error}") from None
        if not reply:
            raise ZygoteError("the worker process ended")
        return msgspec.json.decode(reply, type=kind)

    def close(self) -> None:
        """End the zygote and whatever worker it has."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stderr.close()
        if self.slot is not None:
            self.slot.close()


class SubmissionSubject:
    """A submission, answering from a worker. `begin_check` and `begin_case` mark what shares a process and a deadline.

    Args:
        zygote: Forks the workers.
        module: The submission's file, in a folder that workers may read.
        device: Where the worker puts tensors.
    """

    def __init__(self, zygote: Zygote, module: Path, *, device: str = "cpu") -> None:
        self._zygote = zygote
        self._module = module
        self._device = device
        self._connection: Connection | None = None
        self._output: int | None = None
        self._output_read = 0
        self._work_dir: Path | None = None
        self._loaded = False
        self._requests = 0
        self._total = Deadline(zygote.manifest.timeout_s * TOTAL_LIMITS)
        self._deadline = Deadline(zygote.manifest.timeout_s, self._total, self._watch_disk)
        self.cpu_s = 0.0
        self.peak_mib = 0.0
        self.flags: set[str] = set()

    def begin_case(self) -> None:
        """Give the next requests a deadline of their own, within what is left of the submission's."""
        self._deadline = Deadline(self._zygote.manifest.timeout_s, self._total, self._watch_disk)

    def request(self, kind: Kind, value: object, ask: Ask) -> object:
        """See `Subject.request`. Any `WorkerError` ends the worker; the next case gets a new one."""
        if self._total.left_s <= 0:
            raise WorkerTimeout("the time limit of all checks together is used up")
        try:
            if self._connection is None:
                self._start()
            if not self._loaded:
                self._load(ask)
            return self._exchange(kind, value, ask)
        except WorkerCrashed:
            raise WorkerCrashed(_obituary(self.end(GRACE_S))) from None
        except WorkerError:
            self.end()
            raise

    def end(self, grace_s: float = 0.0) -> Ended:
        """Kill the worker, and leave nothing of it behind."""
        if self._connection is None:
            return Ended()
        self._connection.close()
        self._connection, self._loaded = None, False
        ended = self._zygote.end(grace_s)
        self.cpu_s += ended.cpu_s
        self.peak_mib = max(self.peak_mib, ended.peak_mib)
        if ended.leftovers:
            self.flags.add("left processes behind")
        shutil.rmtree(self._work_dir, ignore_errors=True)
        if self._zygote.slot is not None and not self._zygote.isolation.landlock_abi:
            _sweep(self._zygote.slot.uid)
        os.close(self._output)
        self._output = None
        return ended

    def printed(self) -> str:
        """What the submission printed since the last time this was asked, at most 8 KB."""
        if self._output is None:
            return ""
        data = os.pread(self._output, OUTPUT_KEPT, self._output_read)
        self._output_read = os.fstat(self._output).st_size
        return data.decode("utf-8", "replace")

    def _watch_disk(self) -> None:
        """No quota is to be had in a default container, so the worker's folder is looked at while it works."""
        used = files = 0
        for folder, _, names in os.walk(self._work_dir):
            for name in names:
                with contextlib.suppress(OSError):  # removed meanwhile
                    used += os.lstat(os.path.join(folder, name)).st_blocks * 512
            files += len(names)
            if used > DISK_MIB * 2**20 or files > DISK_FILES:
                raise ProtocolError(f"the program wrote more than {DISK_MIB} MiB or {DISK_FILES:,} files, and was stopped")

    def _start(self) -> None:
        slot = self._zygote.slot
        self._work_dir = Path(tempfile.mkdtemp(prefix="work-", dir=self._zygote.scratch))
        if slot is not None:
            os.chown(self._work_dir, slot.uid, slot.uid)
        manifest = self._zygote.manifest
        need = "require" if self._zygote.isolation.landlock_abi else "if_available"
        limits = sandbox.Limits(memory_mib=manifest.memory_mib, cpu_s=int(manifest.timeout_s * 4) + 10, address_space=self._device == "cpu")
        policy = sandbox.Policy(
            uid=slot.uid if slot else None,
            gid=slot.uid if slot else None,
            readable=(*isolation_module.readable_paths(), str(self._module.parent)),
            writable=(str(self._work_dir),),
            limits=limits,
            landlock=need,
            cuda=self._device != "cpu",
        )
        ours, theirs = socket.socketpair()
        self._output, self._output_read = os.memfd_create("output"), 0
        try:
            self._zygote.spawn(SpawnRequest(str(self._module), str(self._work_dir), policy, self._device), [theirs.fileno(), self._output])
        finally:
            theirs.close()
        self._connection = Connection(ours)
        try:
            kind, _, _ = self._connection.receive(Deadline(ENTER_TIMEOUT_S))
        except WorkerError:
            said = self.printed()
            self.end(GRACE_S)
            raise ZygoteError(f"a worker could not enter its sandbox: {said or 'it said nothing'}") from None
        if kind != Kind.ENTERED:
            raise ZygoteError("a worker spoke before it entered its sandbox")

    def _load(self, ask: Ask) -> None:
        try:
            self._exchange(Kind.LOAD, None, ask)
        except Raised as raised:
            raised.at_import = True
            raise
        self._loaded = True

    def _exchange(self, kind: Kind, value: object, ask: Ask) -> object:
        self._requests += 1
        number = self._requests
        self._connection.send(kind, number, encode(value), self._deadline)
        if kind is Kind.FORGET:
            return None
        while True:
            reply, request, payload = self._connection.receive(self._deadline)
            if request != number:
                raise ProtocolError("an answer came to a question that was not asked")
            answer = decode(payload)
            if reply == Kind.RESULT:
                return answer
            if reply == Kind.RAISED:
                raise _raised(answer)
            if reply != Kind.CALLBACK:
                raise ProtocolError("something that is not an answer was written to the grader's channel")
            self._connection.send(Kind.ANSWER, number, encode(self._call_back(answer, ask)), self._deadline)

    @staticmethod
    def _call_back(value: object, ask: Ask) -> tuple[bool, object]:
        if not (isinstance(value, tuple) and len(value) == 3 and type(value[0]) is int):
            raise ProtocolError("a malformed callback")
        try:
            return True, ask(*value)
        except WorkerError:
            raise
        except Exception as error:  # kept by the session, which raises it when the call is over
            return False, type(error).__name__


def _raised(value: object) -> Raised:
    """The exception a worker reports; checked field by field, for it may have written anything."""
    if isinstance(value, tuple) and len(value) == 5:
        type_name, bases, message, file, line = value
        if isinstance(type_name, str) and isinstance(message, str) and isinstance(file, str) and type(line) is int:
            if isinstance(bases, tuple) and all(isinstance(base, str) for base in bases):
                return Raised(type_name[:200], bases[:50], message[:2000], file[:200], line)
    raise ProtocolError("a malformed exception")


def _obituary(ended: Ended) -> str:
    """How a worker ended, for a student."""
    if ended.signal is None:
        return f"the program ended before answering (exit code {ended.exit})" if ended.exit is not None else "the program closed the grader's channel before answering"
    if ended.signal == signal.SIGSYS:
        return "the program made a system call that is not allowed here, and was stopped"
    if ended.signal == signal.SIGXCPU:
        return "the program used up its processor time, and was stopped"
    if ended.signal == signal.SIGKILL:
        return "the program was killed, most likely for lack of memory"
    return f"the program crashed ({signal.Signals(ended.signal).name})"


def _sweep(uid: int) -> None:
    """Remove what a worker left in folders that everyone may write to, where no Landlock kept it out of them."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == uid:
                        if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                            shutil.rmtree(entry.path, ignore_errors=True)
                        else:
                            os.unlink(entry.path)
