"""The judge's end of the untrusted side: starts the zygote, asks it for workers, and calls the submission in them."""

from __future__ import annotations

import builtins
import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gradkit.calls.edits import MOST
from gradkit.calls.frames import Deadline, Kind
from gradkit.calls.runtime import Raised
from gradkit.calls.values import Ref, decode, encode
from gradkit.errors import ProtocolError, WorkerCrashed, WorkerError, WorkerTimeout, ZygoteError
from gradkit.judge.bytecode import Bytecode
from gradkit.judge.deadlines import FULL_S, IMPORT_S, Patience
from gradkit.judge.subjects import MODULE, Session
from gradkit.judge.zygotes import ENTER_TIMEOUT_S, GRACE_S, Worker, Zygote, obituary, printable
from gradkit.worker.zygote import Ended

IMPORT_TRIES = 2  # workers in which a submission's import may fail; after that its file is held to be the cause
TOTAL_LIMITS = 30  # time limits of a check that all checks of one submission may wait together
DISK_MIB = 256  # all files of a worker together; each of them is limited by the sandbox
DISK_FILES = 20_000
MAX_FRAMES = 200_000  # answers and callbacks in one case
MAX_RECEIVED = 512 * 2**20  # bytes of them
MAX_CALLBACK = 8 * 2**20  # bytes of one callback's arguments: what is done with them is the judge's time
FUNCTION = bytes(encode(MODULE))  # recorded for each function of the module: a reference, whatever its number


class Edited(NamedTuple):
    """An edit that is in place.

    Attributes:
        count: How many there are of these functions.
        line: Of the submission's file, 0 where this one can't be made.
        statement: First line of its statement.
        text: What it is, in the worker's words: for staff only.
    """

    count: int
    line: int
    statement: int
    text: str


class SubmissionSubject:
    """A submission, answering from one worker for as long as no case gives cause to doubt it.

    Args:
        zygote: Forks the workers.
        module: The submission's file, in a folder that workers may read.
        patience: How long its functions are waited for.
        bytecode: Compiles the file as soon as a second worker is needed.
        device: Where the worker puts tensors.

    Attributes:
        shared: Whether the worker at hand was used by an earlier case.
        lent: Names of the reference's functions that the worker at hand was handed to call.
        last_end: How the last worker that ended by itself did so.
        not_importable: Why the file can't be imported, once that is known; None otherwise.
    """

    def __init__(
        self, zygote: Zygote, module: Path, patience: Patience, bytecode: Bytecode, *, device: str = "cpu"
    ) -> None:
        self._zygote = zygote
        self._module = module
        self.patience = patience
        self._bytecode = bytecode
        self._device = device
        self._worker: Worker | None = None
        self._dying: Worker | None = None  # asked to end, not yet known to be gone
        self._last_worker: Worker | None = None
        self._total = Deadline(zygote.manifest.timeout_s * TOTAL_LIMITS)
        self._deadline, self._case_s = self._total, self._total.left_s
        # Lines of each file: a place that a submission names must be one that there is, or its number is anybody's.
        self._files = {path.name: path.read_bytes().count(b"\n") + 1 for path in module.parent.glob("*.py")}
        self._frames = self._received = 0
        self._failed_imports = 0
        self.not_importable: WorkerError | Raised | None = None
        self.shared = False
        self.lent: set[str] = set()
        self._edit: tuple[tuple[int, ...], int] | None = None
        self.cpu_s = 0.0
        self.peak_mib = 0.0
        self.flags: set[str] = set()
        self.last_end = Ended()

    def begin_case(self, reference_s: float, *, alone: bool) -> None:
        """Let the next requests be a case of their own.

        Args:
            reference_s: What the reference takes for it, 0 where that is not known.
            alone: In a worker that no other case used.
        """
        if alone:
            self.end_worker()
        self.shared = self._worker is not None
        if self.shared:
            self._worker.forget()
        self._case_s = self.patience.case_s(fresh=not self.shared, reference_s=reference_s)
        self._deadline = Deadline(self._case_s, self._total, self._watch_disk)
        self._frames = self._received = 0

    def request(self, kind: Kind, value: tuple, session: Session) -> tuple[object, bytes]:
        """See `Subject.request`. Any `WorkerError` ends the worker; the next request gets a new one.

        Raises:
            ZygoteError: When the system fails the grader: no process, no file descriptor, no room, no right.
        """
        try:
            return self._request(kind, value, session)
        except OSError as error:  # what a submission raises arrives as `Raised`, so this is not its doing
            raise ZygoteError(f"the grader's own {type(error).__name__}: {error}") from error

    def _request(self, kind: Kind, value: tuple, session: Session) -> tuple[object, bytes]:
        if self._total.left_s <= 0:
            raise WorkerTimeout("the time limit of all checks together is used up")
        if self.not_importable is not None:
            raise self.not_importable
        if self._worker is None:
            self._take_worker()
        worker = self._worker
        try:
            if worker.functions is None:
                self._load(session)
            if (
                kind not in (Kind.EDIT, Kind.LINES) and worker.edit != self._edit
            ):  # a new worker has the code as it was handed in
                case, self._deadline = self._deadline, Deadline(FULL_S, self._total, self._watch_disk)
                self._exchange(Kind.EDIT, self._edit, session)
                worker.edit, self._deadline = self._edit, case
            if kind is Kind.GET and value[0] == MODULE and value[1] in worker.functions:
                return session.resolve(worker.functions[value[1]]), FUNCTION
            if kind is Kind.FORGET:
                worker.forget([id for id in value if id not in worker.pinned])  # those stay for as long as the worker
                return None, b""
            with self._waited_for(session.name_of(kind, value)):
                answer, payload = self._exchange(kind, value, session)
            if kind in (Kind.EDIT, Kind.LINES):
                worker.edit = self._edit
            return answer, payload
        except WorkerError as error:
            if self._worker is None:  # ended already, by a request made from one of its callbacks
                raise
            crashed = isinstance(error, WorkerCrashed)
            importing = worker.functions is None
            ended = self._end_now(GRACE_S if crashed else 0.0)
            if crashed:
                error = WorkerCrashed(obituary(ended))
            error.at_import = importing
            if importing and ended.signal != signal.SIGKILL:
                self._note_failed_import(error)
            raise error from None

    @contextlib.contextmanager
    def _waited_for(self, function: str) -> Iterator[None]:
        """Wait for a call no longer than its function may take, and say which one it was that did not return."""
        limit_s = self.patience.call_s(function)
        if limit_s is None:
            error = WorkerTimeout(f"{function} did not return in earlier checks, so it was not called again")
            error.function, error.called = function, False
            raise error
        outer = self._deadline
        self._deadline = Deadline(limit_s, outer, self._watch_disk)
        given_s = min(limit_s, outer.left_s)
        try:
            yield
        except WorkerTimeout as error:
            if function and not error.function:
                error.function = function
                text = f"{function} did not return within {round(given_s, 1):g} s"
                if given_s < min(limit_s, self._case_s) / 2:  # earlier calls had the rest, and returned
                    text = f"the calls of this check took longer than {self._case_s:g} s together; the last was of {function}"
                error.args = (text,)
            raise
        finally:
            self._deadline = outer

    def _begin_editing(self) -> None:
        """Let the next request be no case's: reading the file takes its time."""
        self.begin_case(0.0, alone=False)
        self._deadline = Deadline(FULL_S, self._total, self._watch_disk)

    def watch_lines(self) -> None:
        """Let the submission answer as it was handed in, and note which of its lines are run.

        Raises: As `put_edit`.
        """
        self._edit = None
        self._begin_editing()
        self.request(Kind.LINES, (True,), Session(self))

    def lines_watched(self) -> frozenset[int]:
        """The lines that were run since they are watched; none where the worker ended on the way."""
        if self._worker is None:
            return frozenset()
        told, _ = self.request(Kind.LINES, (False,), Session(self))
        most = self._files.get(self._module.name, 0)
        if not (isinstance(told, tuple) and all(type(line) is int and 0 < line <= most for line in told)):
            raise ProtocolError("malformed lines")
        return frozenset(told)

    def put_edit(self, edited: tuple[int, ...], number: int) -> Edited:
        """Let the submission answer with one small edit of one of these lines, from now on.

        Raises:
            Raised: When the submission can't be imported, or not be parsed.
            WorkerError: When it could not answer.
        """
        self._edit = edited, number
        self._begin_editing()
        told, _ = self.request(Kind.EDIT, self._edit, Session(self))
        lines = self._files.get(self._module.name, 0)
        if not (isinstance(told, tuple) and len(told) == 4):
            raise ProtocolError("a malformed edit")
        count, line, statement, text = told
        if not all(
            type(number) is int and 0 <= number <= most
            for number, most in ((count, MOST), (line, lines), (statement, lines))
        ):
            raise ProtocolError("a malformed edit")
        return Edited(count, line, statement or line, " ".join(printable(text)[:200].split()))

    def end_worker(self, grace_s: float = 0.0) -> None:
        """Let the worker go; the next request gets another."""
        if self._worker is not None:
            with _undisturbed():
                self._bury()
                self._zygote.kill(self._worker, grace_s)
                self._dying, self._worker = self._worker, None

    def close(self) -> None:
        """End the worker of this submission, and leave nothing of it behind."""
        self.end_worker()
        self._bury()

    def printed(self) -> str:
        """What the submission printed since the last time this was asked, at most 8 KB."""
        return self._last_worker.printed() if self._last_worker is not None else ""

    def line(self, file: str, number: int) -> str:
        """A line of the submission's own file, as its student wrote it, or empty where there is none."""
        if not 0 < number <= self._files.get(file, 0):
            return ""
        return (
            (self._module.parent / file).read_text(encoding="utf-8", errors="replace").split("\n")[number - 1].strip()
        )

    def _take_worker(self) -> None:
        with _undisturbed():
            if self._last_worker is not None:
                self._bytecode.begin()
            worker = self._zygote.fork(self._module, self._device)
            self._bury()
        worker.requests = 1
        self.lent = set()
        self._worker = self._last_worker = worker
        with contextlib.suppress(WorkerError):  # told when its first answer is read
            worker.connection.send(Kind.LOAD, 1, encode(None), Deadline(ENTER_TIMEOUT_S))
        try:
            kind, _, _ = worker.connection.receive(Deadline(ENTER_TIMEOUT_S))
        except WorkerError:
            said = worker.printed()
            self._end_now(GRACE_S)
            raise ZygoteError(f"a worker could not enter its sandbox: {said or 'it said nothing'}") from None
        if kind != Kind.ENTERED:
            raise ZygoteError("a worker spoke before it entered its sandbox")

    def _end_now(self, grace_s: float = 0.0) -> Ended:
        """End the worker and wait until it is gone."""
        with _undisturbed():
            self.end_worker(grace_s)
            self.last_end = self._bury()
        return self.last_end

    def _bury(self) -> Ended:
        """Wait for the worker that was asked to end, if there is one, and account for it."""
        if self._dying is None:
            return Ended()
        dying, self._dying = self._dying, None
        ended = self._zygote.buried(dying)
        self.cpu_s += ended.cpu_s
        self.peak_mib = max(self.peak_mib, ended.peak_mib)
        if ended.leftovers:
            self.flags.add("left processes behind")
        return ended

    def _watch_disk(self) -> None:
        """No quota is to be had in a default container, so the worker's folder is looked at while it works."""
        begun = time.monotonic()
        folder = str(self._worker.work_dir)
        try:  # `du` goes down paths of any depth, which Python's walk does not
            measured = [
                subprocess.run(["du", "-s", *options, folder], capture_output=True, timeout=5).stdout
                for options in (["--block-size=1"], ["--inodes"])
            ]
            used, files = (int(line.split()[0]) for line in measured)
        except (subprocess.TimeoutExpired, IndexError, ValueError):
            used, files = 0, DISK_FILES + 1  # too many to be counted
        self._deadline.spend(time.monotonic() - begun)
        if used > DISK_MIB * 2**20 or files > DISK_FILES:
            raise ProtocolError(f"the program wrote more than {DISK_MIB} MiB or {DISK_FILES:,} files, and was stopped")

    def _load(self, session: Session) -> None:
        """Wait for the import, which was asked for when the worker was forked. Its time is not the case's."""
        case, self._deadline = self._deadline, Deadline(IMPORT_S, self._total, self._watch_disk)
        try:
            functions = decode(self._answer(1, session))
        except Raised as raised:
            raised.at_import = True
            self._note_failed_import(raised)
            self.end_worker()
            raise
        except WorkerTimeout:
            text = f"importing your file took longer than {IMPORT_S:g} s, and was stopped"
            raise WorkerTimeout(text) from None
        finally:
            self._deadline = case
        if not isinstance(functions, dict) or not all(
            type(name) is str and type(ref) is Ref for name, ref in functions.items()
        ):
            raise ProtocolError("something that is not an answer was written to the grader's channel")
        self._worker.functions = functions
        self._worker.pinned = frozenset(ref.id for ref in functions.values())

    def _note_failed_import(self, fault: WorkerError | Raised) -> None:
        """After two workers that did not get past the import, no other is tried: it would not either."""
        self._failed_imports += 1
        if self._failed_imports == IMPORT_TRIES:
            self.not_importable = fault

    def _exchange(self, kind: Kind, value: tuple, session: Session) -> tuple[object, bytes]:
        self._worker.requests += 1
        number = self._worker.requests
        self._worker.connection.send(kind, number, encode(value, session.refer), self._deadline)
        payload = self._answer(number, session)
        begun = time.monotonic()
        answer = decode(payload, session.resolve)
        self._spend_since(begun)
        return answer, payload

    def _spend_since(self, begun: float) -> None:
        """Take what the judge itself needed for an answer off its deadline: the submission decides how much that is."""
        self._deadline.spend(time.monotonic() - begun)
        if self._deadline.left_s <= 0:
            raise WorkerTimeout("the time limit passed")

    def _answer(self, number: int, session: Session) -> bytes:
        """The encoded answer to request `number`, serving the callbacks that come before it.

        The deadline runs while the answer is read and while a callback works too: a submission that writes ahead never
        makes the judge wait, and decides what a callback is given.
        """
        connection = self._worker.connection
        while True:
            reply, request, payload = connection.receive(self._deadline)
            self._frames += 1
            self._received += len(payload)
            if self._frames > MAX_FRAMES or self._received > MAX_RECEIVED:
                raise ProtocolError(
                    f"more than {MAX_FRAMES:,} answers, or {MAX_RECEIVED // 2**20} MiB of them, came in one check"
                )
            if request != number:
                raise ProtocolError("an answer came to a question that was not asked")
            if reply == Kind.CALLBACK and len(payload) > MAX_CALLBACK:
                raise ProtocolError(
                    f"a function that was handed in was called with more than {MAX_CALLBACK // 2**20} MiB"
                )
            if reply == Kind.RESULT:
                return payload
            if reply == Kind.RAISED:
                raise _raised(decode(payload), self._files)
            if reply == Kind.UNSENDABLE:
                raise UnreadableAnswer(printable(decode(payload))[:500])
            if reply != Kind.CALLBACK:
                raise ProtocolError("something that is not an answer was written to the grader's channel")
            begun = time.monotonic()
            result = session.serve(payload)
            self._spend_since(begun)
            if self._worker is None or self._worker.connection is not connection:
                raise WorkerCrashed("the program ended before answering")
            connection.send(Kind.ANSWER, number, result, self._deadline)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no time limit break off a talk with the zygote: its answer would be taken for that to the next question."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class UnreadableAnswer(WorkerError):
    """The submission answered with something that has no place in the protocol. The text is its own."""


def _raised(value: object, files: dict[str, int]) -> Raised:
    """The exception a worker reports; checked field by field, for it may have written anything.

    Of the names in it only those that a student can't have made up from an input are kept: built-in exceptions, and the
    submission's own files, with a line that is in them.
    """
    if isinstance(value, tuple) and len(value) == 5:
        _, bases, message, file, line = value
        if type(line) is int and 0 <= line < 10_000_000 and isinstance(bases, tuple) and len(bases) <= 50:
            known = tuple(base for base in map(printable, bases) if isinstance(getattr(builtins, base, None), type))
            file = printable(file) if line <= files.get(printable(file), 0) else ""
            return Raised(
                known[0] if known else "an exception", known, printable(message)[:2000], file, line if file else 0
            )
    raise ProtocolError("a malformed exception")
