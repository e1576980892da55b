"""Grades one submission: prepares it, runs it through a judge process, and keeps the results as they come."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol

import msgspec

from coursekit.costs import not_python
from gradkit.devices import VideoMemory
from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.intake import Prepared, Submission, materialise
from gradkit.judge.isolation import clean_environment
from gradkit.judge.messages import REPAIR_S, CaseDone, Event, Explained, Fatal, Ready, Start, Unit, UnitDone
from gradkit.lint import find_banned
from gradkit.manifest import Assignment, Manifest
from gradkit.model import CaseResult, Check, CheckResult, Graded, Outcome


class JudgeDied(GradkitError):
    """The judge process ended in the middle of its work."""


TRIES = 3  # a submission on which the judge dies is tried again with a new one: the cause may lie elsewhere
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
        self, module: Path, seed: int, on_case: Callable[[CaseDone], None], *, name: str = ""
    ) -> UnitDone: ...


class Judges(Protocol):
    """Where a batch's judges are: processes here (`LocalJudges`) or on a cluster (`cluster.ClusterJudges`)."""

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
        self._update(
            complete=True, worker_cpu_s=done.worker_cpu_s, peak_mib=done.peak_mib, flags=flags, **status
        )
        return self.graded

    def _explain(self, told: Explained) -> None:
        result = self._results[told.check]
        placed = self._place(CaseResult(told.case, Outcome.FAILED, summary=told.hint, where=told.where))
        known = {"hint": placed.summary, "mistake": told.mistake, "rivals": told.rivals}
        if told.edit:
            known |= {"where": placed.where, "edit": told.edit}
        cases = (replace(case, **known) if case.case == told.case else case for case in result.cases)
        self._results[told.check] = replace(result, cases=tuple(cases))

    def _update(self, **changes: object) -> None:
        elapsed = time.monotonic() - self._begun
        self.graded = replace(
            self.graded, results=tuple(self._results.values()), elapsed_s=elapsed, **changes
        )
        self._tell(self.graded)


_numbers = itertools.count()  # of the folders in which submissions are laid out: none is used twice


def grade_submission(
    judge: Judging,
    submission: Submission,
    assignment: Assignment,
    keep: Callable[[Graded], None],
    scratch: Path,
    seed: int,
) -> Graded:
    """Grade one submission, telling `keep` how it stands before the first check and a few times a second from there on.

    A submission that can't be read is `refused` with a line saying why; it scores 0 until a person looks. One that this
    machine fails to unpack is `not_graded`.

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
        with Intermittently(keep) as tell:
            grade = Grade(start, judge.checks, tell, lambda case: _in_their_file(case, prepared))
            return grade.finish(judge.grade(prepared.module, seed, grade.add, name=submission.name))
    finally:
        remove_tree(place)


def public_names(assignment: Assignment) -> set[str]:
    """What the stub defines besides the functions to write: checks may read its constants."""
    tree = ast.parse(assignment.stub.read_text(encoding="utf-8"))
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
    named = {target.id for target in targets if isinstance(target, ast.Name)}
    return named | {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def refused(start: Graded, checks: list[Check], reason: str) -> Graded:
    """A submission that could not be read."""
    return replace(
        start, status="refused", reason=reason, results=tuple(CheckResult(check) for check in checks)
    )


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
    summary = not_python(problem.place, problem.message)
    cases = {
        check.id: tuple(CaseResult(case, Outcome.FAILED, summary=summary) for case in check.cases)
        for check in checks
    }
    return replace(
        start,
        results=tuple(CheckResult(check, cases[check.id]) for check in checks),
        notes=(*start.notes, summary),
    )


def _in_their_file(case: CaseResult, prepared: Prepared) -> CaseResult:
    """The same result with the place named as the student knows it: a cell of the notebook, not a line of its code."""
    file, _, line = case.where.rpartition(":")
    if prepared.notebook is None or file != prepared.module.name or not line.isdigit():
        return case
    where = prepared.where(int(line))
    return replace(case, where=where, summary=case.summary.replace(case.where, where))
