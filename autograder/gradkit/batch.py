"""Grades many submissions on a few judges, here or on a cluster, so that no accident loses more than one submission's turn."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gradkit import results
from gradkit.course import TIMES, Course, DueDates, read_times
from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.grading import Grader, digest, refused
from gradkit.intake import Discovery, Refused, Submission, discover, materialise
from gradkit.judges import Judges, Judging, scratch_folder
from gradkit.manifest import Assignment
from gradkit.model import Graded
from gradkit.roster import ROSTER, read_roster, write_roster
from gradkit.runs import RECORD, RunRecord, checks_digest, kept_roster
from gradkit.tables import Row, make_row, write_tables

LAST_WORK_S = 120  # for the submissions that are being graded when the run is interrupted


@dataclass(frozen=True)
class BatchResult:
    """What came of a run: a row for each submission that it got to, and whether that was all of them."""

    rows: tuple[Row, ...]
    isolation: dict[str, object]
    seed: int
    expected: int  # how many rows there should be
    stopped: bool = False

    @property
    def all_graded(self) -> bool:
        return not self.stopped and len(self.rows) == self.expected and all(row.status == "graded" for row in self.rows)


class Batch:
    """A run over the submissions that `paths` stand for.

    Args:
        assignment: Whose checks are run.
        paths: What the command line named; see `intake.discover`.
        out: Gets a folder per submission, `run.json`, `grades.csv`, and the files for gradebooks where the students
            are known.
        judges: Who grades, entered already; a thread here attends to each.
        seed: For the checks' inputs; drawn in secret when None.
        resume: Keep what an earlier run into `out` graded.
        roster: Who takes the course; a run that is resumed knows it already.
        course: Due dates, and what being late costs.
        times: A CSV file of when submissions were handed in; a run that is resumed knows it already.

    Attributes:
        notes: After the run, a line for each student whose gradebook stays blank.

    Raises:
        InputError: When nothing is to be graded, or `out` can't be written or holds another run.
    """

    def __init__(
        self,
        assignment: Assignment,
        paths: Sequence[Path],
        out: Path,
        judges: Judges,
        *,
        seed: int | None = None,
        resume: bool = False,
        roster: Path | None = None,
        course: Course | None = None,
        times: Path | None = None,
    ) -> None:
        self.assignment, self.out, self.judges = assignment, out, judges
        self.students = read_roster(roster) if roster else ()
        handed_in = read_times(times) if times else {}
        self.notes: tuple[str, ...] = ()
        self.found: Discovery = discover(paths, assignment.manifest)
        if not self.found.submissions and not self.found.refused:
            raise InputError("there is nothing to grade in what was named")
        self.record = self._open_out(seed, resume)
        self.students = self.students or kept_roster(out)
        if self.students:
            results.write_whole(out / ROSTER, write_roster(self.students).encode("utf-8"))
        if times and times != out / TIMES:
            results.write_whole(out / TIMES, times.read_bytes())
        elif (out / TIMES).exists():
            handed_in = read_times(out / TIMES)
        self._due = DueDates(course, assignment.id, self.students, handed_in)
        self._settle_points(self._due.points)
        self.resume = resume
        self._queue: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._rows: dict[str, Row] = {}
        self._fault: GradkitError | None = None
        self._isolation: dict[str, object] = {}

    def run(self, on_row: Callable[[Row], None] = lambda row: None) -> BatchResult:
        """Grade everything; `on_row` is called, from any thread, as each submission is done.

        An interrupt ends the run: what is graded stays, and the table is written.
        """
        for submission in self.found.submissions:
            self._queue.put(submission)
        with scratch_folder() as scratch:
            ended: list[threading.Event] = []
            try:
                self._attend(scratch, on_row, ended)
            except KeyboardInterrupt:
                self._stop.set()
                self.judges.stop()
                deadline = time.monotonic() + LAST_WORK_S
                for event in ended:
                    event.wait(max(0.0, deadline - time.monotonic()))
                raise
            finally:
                self._write_tables()
        if self._fault is not None:
            raise self._fault
        return BatchResult(
            tuple(self._rows.values()),
            self._isolation,
            self.record.seed,
            len(self.found.submissions) + len(self.found.refused),
            self._stop.is_set(),
        )

    def _attend(self, scratch: Path, on_row: Callable[[Row], None], ended: list[threading.Event]) -> None:
        """A thread for each judge, and more as there are places for more, until all have ended.

        Waited for by events: in Python 3.11 a thread whose `join` was interrupted passes for ended.
        """
        while True:
            working = sum(not event.is_set() for event in ended)
            wanted = min(self.judges.places() - working, self._queue.qsize())
            for _ in range(0 if self._stop.is_set() else max(wanted, not ended)):
                event = threading.Event()
                ended.append(event)
                arguments = (scratch, on_row, len(ended) == 1, event)
                threading.Thread(target=self._work, args=arguments, daemon=True).start()
            waiting = [event for event in ended if not event.is_set()]
            if not waiting:
                return
            waiting[0].wait(0.2)  # a wait without an end would not let an interrupt through

    def _work(self, scratch: Path, on_row: Callable[[Row], None], first: bool, ended: threading.Event) -> None:
        """Grade from the queue until it is empty."""
        try:
            with Grader(self.assignment, self.judges.judge, scratch) as grader:
                self._isolation = grader.judge().isolation
                if first:
                    self._refuse(grader.judge(), on_row)
                while not self._stop.is_set():
                    try:
                        submission = self._queue.get_nowait()
                    except queue.Empty:
                        return
                    self._grade(grader, submission, scratch, on_row)
        except GradkitError as error:  # no judge could start, or the results could not be written
            self._fail(error)
        except Exception as error:  # a fault of the engine's own: said as what it is, and not waited for
            self._fail(GradkitError(f"{type(error).__name__} in the grader: {error}"))
        finally:
            ended.set()

    def _fail(self, error: GradkitError) -> None:
        if not self._stop.is_set():  # what comes after is only what stopping does
            self._fault = error
        self._stop.set()
        self.judges.stop()

    def _grade(self, grader: Grader, submission: Submission, scratch: Path, on_row: Callable[[Row], None]) -> None:
        folder = self._folder(submission.name)
        listed, late = tuple(listed for listed, _ in submission.names), self._due.lateness(submission)

        def dated(graded: Graded) -> Graded:
            return replace(graded, listed=listed, late=late)

        kept = self._kept(submission, folder, scratch) if self.resume else None
        if kept and kept != dated(kept):  # the course has changed since
            results.write(dated(kept), folder)
        graded = kept or grader.grade(submission, lambda graded: results.write(dated(graded), folder), self.record.seed)
        self._add(dated(graded), submission, on_row, kept_from_before=kept is not None)

    def _refuse(self, judge: Judging, on_row: Callable[[Row], None]) -> None:
        """Rows and results for what discovery could not take for a submission."""
        for entry in self.found.refused:
            start = Graded(
                entry.name,
                self.assignment.id,
                "refused",
                seed=self.record.seed,
                isolation=judge.isolation,
                submitters=entry.submitters,
                late=self._due.lateness(entry),
            )
            graded = refused(start, judge.checks, entry.reason)
            results.write(graded, self._folder(entry.name))
            self._add(graded, entry, on_row)

    def _kept(self, submission: Submission, folder: Path, scratch: Path) -> Graded | None:
        """What an earlier run made of the same files, if it finished them."""
        earlier = results.read(folder)
        if earlier is None or not earlier.complete or earlier.status != "graded":
            return None
        place = scratch / f"kept-{threading.get_ident()}"
        try:
            same = digest(materialise(submission, self.assignment.manifest, place).folder) == earlier.digest
        except GradkitError:
            return None
        finally:
            remove_tree(place)
        return earlier if same else None

    def _add(
        self,
        graded: Graded,
        entry: Submission | Refused,
        on_row: Callable[[Row], None],
        *,
        kept_from_before: bool = False,
    ) -> None:
        row = make_row(graded, self.assignment, entry, kept=kept_from_before)
        with self._lock:
            self._rows[row.submission] = row
            on_row(row)

    def _folder(self, name: str) -> Path:
        folder = self.out / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for begun in folder.glob(".*.json.*") if self.resume else ():  # left by a run that was killed in writing
                begun.unlink()
        except OSError as error:
            raise InputError(f"{folder}: can't be made: {error.strerror}; choose another --out") from None
        return folder

    def _open_out(self, seed: int | None, resume: bool) -> RunRecord:
        """Make or reopen the output folder. A run is resumed with its own seed, and only on unchanged checks."""
        seed = secrets.randbits(63) if seed is None else seed
        record = RunRecord(self.assignment.id, checks_digest(self.assignment), seed, self.judges.device)
        path = self.out / RECORD
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            earlier = msgspec.json.decode(path.read_bytes(), type=RunRecord) if path.exists() else None
        except OSError as error:
            raise InputError(f"{self.out}: can't be used for results: {error.strerror}; choose another --out") from None
        except msgspec.MsgspecError:
            raise InputError(f"{path}: not a run's record; choose another --out") from None
        if earlier is None:
            results.write_whole(path, msgspec.json.encode(record))
            return record
        if not resume:
            raise InputError(
                f"{self.out} holds an earlier run of {earlier.assignment}: add --resume to go on with it, or choose another --out"
            )
        if (earlier.assignment, earlier.checks) != (record.assignment, record.checks):
            raise InputError(
                f"{self.out} holds a run of {earlier.assignment} with other checks, which can't be gone on with; choose another --out"
            )
        if earlier.device != record.device:
            raise InputError(
                f"{self.out} holds a run on {earlier.device}, and this one is on {record.device}: scores would be out of other "
                f"points; grade with --device {earlier.device}, or choose another --out"
            )
        return earlier

    def _settle_points(self, points: float) -> None:
        """Keep what the assignment counts for, so that a later step knows it without the course."""
        if points and points != self.record.points:
            self.record = msgspec.structs.replace(self.record, points=points)
            results.write_whole(self.out / RECORD, msgspec.json.encode(self.record))

    def _write_tables(self) -> None:
        self.notes = write_tables(
            list(self._rows.values()), self.assignment, self.out, self.students, points=self.record.points
        )
