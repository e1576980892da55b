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
from gradkit.digests import Digests, digests
from gradkit.errors import GradkitError, InputError
from gradkit.files import remove_tree
from gradkit.grading import Earlier, Grader, digest, public_names, refused
from gradkit.intake import Discovery, Refused, Submission, discover, materialise
from gradkit.judges import Judges, scratch_folder
from gradkit.manifest import Assignment
from gradkit.model import Graded
from gradkit.overrides import OVERRIDES, Overrides, read_overrides
from gradkit.roster import ROSTER, read_roster, write_roster
from gradkit.runs import RECORD, EarlierRun, Regrade, RunRecord, checks_digest, kept_roster
from gradkit.splice import FULL, Change
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
        overrides: A CSV file of points that staff set; a run that is resumed knows it already.
        earlier: A run to take results from where nothing has changed for them. It gives the seed, and what it graded and
            is not found any more has a row too.
        reason: Why it is graded again.

    Attributes:
        notes: After the run, lines on who came late, whose gradebook stays blank, and what is not known of that.
        problems: After the run, lines on points that staff set and that can't be applied.
        changed_under: After a regrade, lines on points that staff set where the checks now give other ones.
        regraded: After a regrade, what was done with each submission: see `Graded.regraded`.

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
        overrides: Path | None = None,
        earlier: EarlierRun | None = None,
        reason: str = "",
    ) -> None:
        self.assignment, self.out, self.judges = assignment, out, judges
        self._earlier = earlier
        self.problems: list[str] = []
        self.changed_under: list[str] = []
        self.regraded: dict[str, str] = {}
        self.students = read_roster(roster) if roster else ()
        handed_in = read_times(times) if times else {}
        self.notes: tuple[str, ...] = ()
        self.found: Discovery = discover(paths, assignment.manifest)
        if not self.found.submissions and not self.found.refused:
            raise InputError("there is nothing to grade in what was named")
        names = {entry.name for entry in (*self.found.submissions, *self.found.refused)}
        self._lost = {name: graded for name, graded in earlier.graded().items() if name not in names} if earlier else {}
        given = overrides or (out / OVERRIDES if (out / OVERRIDES).exists() else None)
        self._overrides = read_overrides(given, assignment, names | set(self._lost)) if given else Overrides()
        kept_overrides = given.read_bytes() if given else b""
        digests_now = digests(assignment)
        self._change = Change.between(earlier.record.digests, digests_now) if earlier else None
        self.record = self._open_out(self._new_record(paths, seed, digests_now, reason), resume)
        if kept_overrides:
            results.write_whole(out / OVERRIDES, kept_overrides)
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

    @property
    def reached(self) -> list[str]:
        """The checks and known mistakes that have changed since the earlier run, for people to read."""
        if self._change is None:
            return []
        return [*sorted(self._change.checks), *(f"mistake {name}" for name in sorted(self._change.mistakes))]

    @property
    def expected(self) -> int:
        """How many rows there will be."""
        return len(self.found.submissions) + len(self.found.refused) + len(self._lost)

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
            self.expected,
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
                if first:
                    self._refuse(grader, on_row)
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
            return self._overrides.on(replace(graded, listed=listed, late=late))

        def keep(graded: Graded) -> None:
            results.write(dated(graded), folder)

        kept = self._kept(submission, folder, scratch) if self.resume else None
        if kept and kept != dated(kept):  # the course has changed since, or what staff set
            keep(kept)
        earlier = self._earlier.of(submission.name) if self._earlier else None
        since = Earlier(earlier, self._change) if earlier else None
        graded = dated(kept or grader.grade(submission, keep, self.record.seed, since))
        self._isolation = graded.isolation or self._isolation
        if self._earlier:
            self._tell(graded, earlier)
        self._add(graded, submission, on_row, kept_from_before=kept is not None)

    def _tell(self, graded: Graded, earlier: Graded | None) -> None:
        """Take note of what a regrade did, and of points that staff set where the checks now give other ones."""
        why = "its file can't be run" if earlier else "it is not in the earlier run"
        with self._lock:
            self.regraded[graded.submission] = graded.regraded or f"{FULL}: {why}"
            for one, word, now in results.given(graded) if earlier else ():
                before, after = (
                    "no score" if value is None else f"{results.points(value)} points"
                    for value in (results.raw(earlier, one), now)
                )
                if before != after:
                    self.changed_under.append(
                        f"{graded.submission}, {word}: {results.points(one.points)} points stay as staff set them; "
                        f"the checks now give {after} instead of {before}"
                    )

    def _refuse(self, grader: Grader, on_row: Callable[[Row], None]) -> None:
        """Rows and results for what discovery could not take for a submission, and for what is not there any more."""
        for name, earlier in self._lost.items():
            reason = "its files are not there any more: name where they are"
            lost = Graded(name, self.assignment.id, "not_graded", reason=reason, seed=self.record.seed)
            lost = self._overrides.on(replace(lost, submitters=earlier.submitters, late=earlier.late))
            results.write(lost, self._folder(name))
            self.regraded[name] = f"{FULL}: its files are not there"
            self._add(lost, None, on_row)
        for entry in self.found.refused:
            judge = grader.judge()
            self._isolation = judge.isolation
            start = Graded(
                entry.name,
                self.assignment.id,
                "refused",
                seed=self.record.seed,
                isolation=judge.isolation,
                submitters=entry.submitters,
                late=self._due.lateness(entry),
            )
            graded = self._overrides.on(refused(start, judge.checks, entry.reason))
            results.write(graded, self._folder(entry.name))
            self._add(graded, entry, on_row)

    def _kept(self, submission: Submission, folder: Path, scratch: Path) -> Graded | None:
        """What an earlier run made of the same files, if it finished them."""
        earlier = results.read(folder)
        if earlier is None or not earlier.complete or earlier.status != "graded":
            return None
        place = scratch / f"kept-{threading.get_ident()}"
        try:
            names = public_names(self.assignment)
            same = (
                digest(materialise(submission, self.assignment.manifest, place, names=names).folder) == earlier.digest
            )
        except GradkitError:
            return None
        finally:
            remove_tree(place)
        return earlier if same else None

    def _add(
        self,
        graded: Graded,
        entry: Submission | Refused | None,
        on_row: Callable[[Row], None],
        *,
        kept_from_before: bool = False,
    ) -> None:
        row = make_row(graded, self.assignment, entry, kept=kept_from_before)
        with self._lock:
            self.problems += self._overrides.idle(graded)
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

    def _new_record(self, paths: Sequence[Path], seed: int | None, digests: Digests, reason: str) -> RunRecord:
        regrades: list[Regrade] = []
        if self._earlier:
            before = self._earlier.record
            seed, regrades = before.seed, [*before.regrades, Regrade(str(self._earlier.folder.absolute()), reason)]
        return RunRecord(
            self.assignment.id,
            checks_digest(self.assignment),
            secrets.randbits(63) if seed is None else seed,
            self.judges.device,
            sources=[str(Path(path).absolute()) for path in paths],
            digests=digests,
            regrades=regrades,
            points=self._earlier.record.points if self._earlier else 0.0,
        )

    def _open_out(self, record: RunRecord, resume: bool) -> RunRecord:
        """Make or reopen the output folder. A run is resumed with its own seed, and only on unchanged checks."""
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
        if [one.earlier for one in earlier.regrades] != [one.earlier for one in record.regrades] and self._earlier:
            raise InputError(
                f"{self.out} holds another run than a regrade of {self._earlier.folder}; choose another --out"
            )
        # Where the engine has changed in between, no one state of it decided the results.
        same = earlier.digests == record.digests
        resumed = msgspec.structs.replace(
            earlier, sources=record.sources, digests=earlier.digests if same else Digests()
        )
        if resumed != earlier:
            results.write_whole(path, msgspec.json.encode(resumed))
        return resumed

    def _settle_points(self, points: float) -> None:
        """Keep what the assignment counts for, so that a later step knows it without the course."""
        if points and points != self.record.points:
            self.record = msgspec.structs.replace(self.record, points=points)
            results.write_whole(self.out / RECORD, msgspec.json.encode(self.record))

    def _not_reached(self) -> list[Row]:
        """Rows of what a run that was stopped did not get to: somebody handed it in, so nobody may read that it is missing."""
        reason = "the run ended before it: go on with --resume"
        return [
            make_row(Graded(entry.name, self.assignment.id, "not_graded", reason=reason), self.assignment, entry)
            for entry in (*self.found.submissions, *self.found.refused)
            if entry.name not in self._rows
        ]

    def _write_tables(self) -> None:
        notes = write_tables(
            [*self._rows.values(), *self._not_reached()],
            self.assignment,
            self.out,
            self.students,
            points=self.record.points,
        )
        names = [entry.name for entry in (*self.found.submissions, *self.found.refused)] + list(self._lost)
        self.notes = (*notes, *self._due.doubts(self.found.submissions, names))
