"""Judge processes seen from this side: how one is started, asked and ended, and where the judges of a run are."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import msgspec

from gradkit.devices import VideoMemory
from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.judge.isolation import clean_environment
from gradkit.judge.messages import REPAIR_S, CaseDone, Event, Fatal, Ready, Start, Unit, UnitDone
from gradkit.model import Check


class JudgeDied(GradkitError):
    """The judge process ended in the middle of its work."""


TRIES = 3  # what a judge died of may lie elsewhere: it is tried again with a new one
SCRATCH, LOCK = "gradkit-scratch-", ".lock"
ANSWERS = "answers-"  # and an assignment's id: where the judges of a run keep what staff's code answers
STALE_S = 60.0  # a folder this old that nobody holds belongs to a process that was killed


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that workers may enter but not list, removed at the end.

    What a process that was killed left behind goes too: submissions are not to lie about.
    """
    sweep_scratch(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=SCRATCH))
    lock = open(folder / LOCK, "w")  # noqa: SIM115 - held for as long as the folder is in use
    try:
        _try_lock(lock)
        folder.chmod(0o711)
        yield folder
    finally:
        lock.close()
        remove_tree(folder)


def sweep_scratch(where: Path) -> None:
    """Remove scratch folders of this user that no process holds."""
    for folder in where.glob(f"{SCRATCH}*"):
        with contextlib.suppress(OSError):
            old = time.time() - folder.lstat().st_mtime > STALE_S
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid() or not old:
                continue
            with open(folder / LOCK, "rb+") as lock:
                if _try_lock(lock):
                    remove_tree(folder)


def _try_lock(file: IO) -> bool:
    """Hold a file for this process and those it starts; False when somebody else does."""
    try:
        import fcntl  # POSIX only
    except ImportError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class JudgeClient:
    """A judge process for one assignment, seen from this side. Use as a context manager.

    Args:
        root: The kit.
        assignment: An assignment's id.
        scratch: From `scratch_folder`; submissions handed to `grade` must lie in it.
        device: `cpu` or `cuda`.
        memory: The device's memory, which must be free before each submission; looked at by nobody when None.
        at_least: The weakest level of isolation to grade at; see `gradkit.judge.isolation.LEVELS`.
        repair_s: Processor time for each submission, to look for the wrong line where no known mistake explains an answer.

    Raises:
        InputError, GradkitError: From `__enter__`, with what the judge said.
    """

    def __init__(
        self,
        root: Path,
        assignment: str,
        scratch: Path,
        *,
        device: str = "cpu",
        memory: VideoMemory | None = None,
        at_least: str = "",
        repair_s: float = REPAIR_S,
    ) -> None:
        self._memory = memory
        self._repair_s = repair_s
        answers = scratch / f"{ANSWERS}{assignment}"  # closed to workers, whatever user they have
        answers.mkdir(mode=0o700, exist_ok=True)
        self._start = Start(str(root), assignment, device, str(answers), at_least)
        self._scratch = scratch
        self._decoder = msgspec.json.Decoder(Event)
        self.checks: list[Check] = []
        self.isolation: dict[str, object] = {}

    def __enter__(self) -> JudgeClient:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-m", "gradkit.judge.process", str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # where bubblewrap and du are found; workers run no programs
            env={**clean_environment(self._scratch), "PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,  # Ctrl-C is for this process, which lets the judge finish or ends it
        )
        self._send(self._start)
        ready = self._receive()
        if not isinstance(ready, Ready):
            raise JudgeDied(f"the judge said {type(ready).__name__} where it should be ready")
        self.checks, self.isolation = ready.checks, ready.isolation
        return self

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End the judge at once, from any thread; `grade` then raises `JudgeDied`."""
        self._process.kill()

    def __exit__(self, *exception: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def grade(
        self,
        module: Path,
        seed: int,
        on_case: Callable[[CaseDone], None],
        *,
        checks: list[str] | None = None,
        name: str = "",
        diagnose: bool = True,
        compare: bool = False,
        staff: str = "",
    ) -> UnitDone:
        """Run the checks on the file `module`, telling each case as it ends.

        Args:
            module: The submission's file.
            seed: For the checks' inputs.
            on_case: Takes each case.
            checks: Ids of the checks to run; all of them when None.
            name: The submission's; of no consequence here.
            diagnose, compare: See `Unit`.
            staff: Run a mistake, or a vandal, in the judge's own process instead; see `Unit`.

        Raises:
            JudgeDied: When the judge ended on the way.
            GradkitError: When the device's memory does not become free.
        """
        if self._memory is not None:
            self._memory.wait_until_free()
        repair_s = 0.0 if staff or compare or not diagnose else self._repair_s
        self._send(Unit(str(module), seed, checks, diagnose, repair_s, compare, staff))
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
        if isinstance(event, Fatal) and (
            event.died or self.checks
        ):  # once it was ready, the cause is in what it graded
            raise JudgeDied(event.message)
        if isinstance(event, Fatal):
            raise InputError(event.message) if event.usage else GradkitError(event.message)
        return event


class Judging(Protocol):
    """A judge that is ready, here or on another machine."""

    checks: list[Check]
    isolation: dict[str, object]

    def grade(
        self,
        module: Path,
        seed: int,
        on_case: Callable[[CaseDone], None],
        *,
        checks: list[str] | None = None,
        name: str = "",
        diagnose: bool = True,
    ) -> UnitDone: ...


class Judges(Protocol):
    """Where a batch's judges are: processes here (`LocalJudges`) or on a cluster (`cluster.judges.ClusterJudges`)."""

    notes: list[str]  # for people: what was found and not used
    device: str  # `cpu` or `cuda`, from `__enter__` on

    def __enter__(self) -> Judges: ...

    def __exit__(self, *exception: object) -> None: ...

    def places(self) -> int:
        """How many judges can be at work at a time now; more may come, or fewer be left."""
        ...

    def judge(self, scratch: Path) -> contextlib.AbstractContextManager[Judging]:
        """One judge, for one thread."""
        ...

    def stop(self) -> None:
        """Let nobody wait for a judge any longer."""
        ...


class LocalJudges:
    """Judges as processes on this machine.

    Args:
        root: The kit.
        assignment: An assignment's id.
        device: `cpu` or `cuda`.
        jobs: How many at a time; one device serves one.
        at_least: The weakest level of isolation to grade at.
        repair_s: See `JudgeClient`.
    """

    def __init__(
        self,
        root: Path,
        assignment: str,
        *,
        device: str = "cpu",
        jobs: int = 1,
        at_least: str = "",
        repair_s: float = REPAIR_S,
    ) -> None:
        if device == "cuda" and jobs > 1:
            raise InputError(
                f"--jobs {jobs}: a device grades one submission at a time; leave --jobs out, or use --device cpu"
            )
        self._root, self._assignment, self.device, self._jobs = root, assignment, device, jobs
        self._at_least, self._repair_s = at_least, repair_s
        self._memory: VideoMemory | None = None
        self.notes: list[str] = []

    def __enter__(self) -> LocalJudges:
        if self.device == "cuda":
            self._memory = VideoMemory()
            self.notes += [self._memory.fault] if self._memory.fault else []
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def places(self) -> int:
        return self._jobs

    def judge(self, scratch: Path) -> JudgeClient:
        return JudgeClient(
            self._root,
            self._assignment,
            scratch,
            device=self.device,
            memory=self._memory,
            at_least=self._at_least,
            repair_s=self._repair_s,
        )

    def stop(self) -> None:
        pass
