"""Grades the one submission that Gradescope puts into its container, and writes the results.json that it reads.

Gradescope's contract: `/autograder/source` is the zip that `bundle.gradescope_bundle` made, `/autograder/submission` the
student's files, `/autograder/submission_metadata.json` what is known of them; the score is in
`/autograder/results/results.json`. Everything runs as root, and nothing of it is the student's to read.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from gradkit import results
from gradkit.course import Attempts
from gradkit.errors import GradkitError, InputError
from gradkit.grading import Grader, Stopped
from gradkit.intake import Submission
from gradkit.judges import LocalJudges, scratch_folder
from gradkit.manifest import Assignment, assignment_ids, load_assignment
from gradkit.model import Graded
from gradkit.policy import duration

SETTINGS = "gradescope.json"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gradescope.json`, at the root of the zip.

    `deadline_s` must stay below the time limit that is set on Gradescope, 600 seconds unless it was raised.
    """

    assignment: str = ""
    deadline_s: float = 540.0
    attempts: Attempts | None = None


def check_settings(settings: Settings, source: str) -> Settings:
    """The same settings.

    Raises:
        InputError: For a number that makes no sense, naming `source`.
    """
    rules = [(settings.deadline_s > 0, f"deadline_s must be above 0, got {settings.deadline_s}")]
    if settings.attempts is not None:
        limit, hours = settings.attempts.limit, settings.attempts.window_hours
        rules += [
            (limit >= 1, f"attempts.limit must be at least 1, got {limit}"),
            (hours > 0, f"attempts.window_hours must be above 0, got {hours}"),
        ]
    for holds, message in rules:
        if not holds:
            raise InputError(f"{source}: {message}")
    return settings


def load_settings(path: Path) -> Settings:
    """Read the settings; the defaults where the file is missing.

    Raises:
        InputError: For a file that is not JSON or holds something unknown.
    """
    if not path.exists():
        return Settings()
    try:
        return check_settings(msgspec.json.decode(path.read_bytes(), type=Settings), str(path))
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: {error}") from None


class _Dates(msgspec.Struct, frozen=True):
    due_date: datetime.datetime | None = None


class _User(msgspec.Struct, frozen=True):
    assignment: _Dates | None = None  # an extension of this student's


class _Previous(msgspec.Struct, frozen=True):
    submission_time: datetime.datetime
    score: float | str | None = None
    autograder_error: bool = False


class Metadata(msgspec.Struct, frozen=True):
    """What is used of submission_metadata.json. Gradescope may add fields; they are passed over."""

    created_at: datetime.datetime | None = None
    assignment: _Dates | None = None
    users: list[_User] = []
    previous_submissions: list[_Previous] = []


def read_metadata(path: Path) -> tuple[Metadata, str]:
    """The metadata, and what is wrong with the file: empty if nothing is. An unreadable file is as good as none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Metadata), ""
    except FileNotFoundError:
        return Metadata(), f"{path} is missing: due dates and earlier attempts are not known"
    except OSError as error:
        return Metadata(), f"{path}: {error.strerror}: due dates and earlier attempts are not known"
    except msgspec.MsgspecError as error:
        return Metadata(), f"{path}: {error}: due dates and earlier attempts are not known"


@dataclass(frozen=True)
class Standing:
    """Where a student stands before this attempt.

    Attributes:
        best: The best score so far; None when no attempt was graded.
        next_at: When the next attempt may be graded; None when this one may.
        late_s: Seconds past the due date; 0 when in time or not known.
    """

    best: float | None = None
    next_at: datetime.datetime | None = None
    late_s: float = 0.0


def standing(metadata: Metadata, attempts: Attempts | None) -> Standing:
    """What the earlier submissions mean for this one.

    Gradescope keeps no record of which earlier submissions were graded and which came too soon, but the rule itself
    tells: it is followed through all of them in order. One that ended in an autograder error never counts.
    """
    late_s = _late_s(metadata)
    if attempts is None:
        return Standing(late_s=late_s)
    earlier = sorted(
        (one for one in metadata.previous_submissions if not one.autograder_error),
        key=lambda one: _aware(one.submission_time),
    )
    scores = [score for one in earlier if (score := _score(one.score)) is not None]
    window = datetime.timedelta(hours=attempts.window_hours)
    counted: list[datetime.datetime] = []
    for one in earlier:
        begins = _aware(one.submission_time)
        if sum(begins - begun < window for begun in counted) < attempts.limit:
            counted.append(begins)
    next_at = None
    if metadata.created_at is not None:
        now = _aware(metadata.created_at)
        recent = [begun for begun in counted if now - begun < window]
        if len(recent) >= attempts.limit:
            next_at = recent[-attempts.limit] + window
    return Standing(max(scores, default=None), next_at, late_s)


def _score(value: float | str | None) -> float | None:
    """Gradescope writes scores as numbers or as text."""
    with contextlib.suppress(TypeError, ValueError):
        return float(value)
    return None


def _aware(moment: datetime.datetime) -> datetime.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _late_s(metadata: Metadata) -> float:
    """Against the latest due date that one of the students has: an extension holds for the group."""
    dates = [user.assignment.due_date for user in metadata.users if user.assignment and user.assignment.due_date]
    if not dates and metadata.assignment and metadata.assignment.due_date:
        dates = [metadata.assignment.due_date]
    if not dates or metadata.created_at is None:
        return 0.0
    late = _aware(metadata.created_at) - max(_aware(date) for date in dates)
    return max(0.0, late.total_seconds())


def grade_container(root: Path, base: Path, assignment: Assignment) -> Graded:
    """Grade `base/submission` and leave `base/results/results.json`.

    A `grader_error` leaves no results.json: Gradescope then reports a failed autograder, and no score at all, where a
    file would put a number on the student's record. Past the deadline what was graded until then stands.

    Args:
        root: The kit.
        base: `/autograder`.
        assignment: From `assignment_here`.

    Raises:
        InputError: When the folders are not as Gradescope makes them, or the settings are wrong.
        GradkitError: When nothing could be graded, through no fault of the student's.
    """
    settings = load_settings(base / "source" / SETTINGS)
    submission, out = base / "submission", base / "results"
    if not submission.is_dir():
        raise InputError(f"{submission} is missing: put the student's files there (Gradescope does)")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: can't be made: {error.strerror}") from None
    target = out / "results.json"
    results.write_whole(target, b"{}")  # a results folder that can't be written to is told of before grading
    target.unlink()
    _close(base)
    metadata, problem = read_metadata(base / "submission_metadata.json")
    if problem and settings.attempts is not None:
        raise GradkitError(f"the limit of attempts can't be applied: {problem}")
    before = standing(metadata, settings.attempts)
    notes = (f"Handed in {duration(before.late_s)} after the due date.",) if before.late_s else ()

    def keep(graded: Graded) -> None:
        results.write(replace(graded, notes=(*notes, *graded.notes)), out, best=before.best, staff=False)

    if before.next_at is not None:
        graded = _too_soon(assignment, settings.attempts, before)
        keep(graded)
        return graded

    try:
        graded = _grade(root, assignment, submission, keep, settings.deadline_s)
        if graded.status == "not_graded":
            raise GradkitError(f"not graded, and no score is recorded: {graded.reason}")
    except GradkitError:
        target.unlink(missing_ok=True)
        raise
    return graded


def assignment_here(root: Path, base: Path, id: str = "") -> Assignment:
    """The assignment that the settings in `base/source` name, else `id`, else the only one of the kit at `root`."""
    named = load_settings(base / "source" / SETTINGS).assignment or id
    ids = [named] if named else assignment_ids(root)
    if len(ids) != 1:
        raise InputError(
            f"{base / 'source' / SETTINGS} must name the assignment: {root} holds {', '.join(ids) or 'none'}"
        )
    return load_assignment(root, ids[0])


def _close(base: Path) -> None:
    """Keep every other user out of what Gradescope laid out: workers are other users."""
    for name in ("source", "submission", "results"):
        with contextlib.suppress(FileNotFoundError, PermissionError):  # a mount may be read-only; Landlock holds
            (base / name).chmod(0o700)
    with contextlib.suppress(FileNotFoundError, PermissionError):
        (base / "submission_metadata.json").chmod(0o600)


def _grade(
    root: Path,
    assignment: Assignment,
    folder: Path,
    keep: Callable[[Graded], None],
    deadline_s: float,
) -> Graded:
    """Grade `folder`, telling `keep` each state. The time limit runs from here."""
    latest: Graded | None = None

    def kept(graded: Graded) -> None:
        nonlocal latest
        latest = graded
        keep(graded)

    start = LocalJudges(root, assignment.id).judge
    with scratch_folder() as scratch, Grader(assignment, start, scratch) as grader:
        timer = threading.Timer(deadline_s, grader.stop)
        timer.daemon = True
        timer.start()
        try:
            return grader.grade(Submission("submission", folder), kept, secrets.randbits(63))
        except Stopped:
            if latest is None:
                raise GradkitError(f"no check ended within {duration(deadline_s)}") from None
            kept(_out_of_time(latest, deadline_s))
            return latest
        finally:
            timer.cancel()


def _out_of_time(graded: Graded, deadline_s: float) -> Graded:
    missing = sum(not result.cases for result in graded.results)
    note = (
        f"Grading was stopped after {duration(deadline_s)}: {missing} checks have no result and count 0. "
        "Ask the course staff if your code is not slow."
    )
    return replace(graded, notes=(*graded.notes, note))


def _too_soon(assignment: Assignment, attempts: Attempts, before: Standing) -> Graded:
    reason = (
        f"{attempts.limit} attempts were graded within {attempts.window_hours:g} hours; the next one can be graded "
        f"from {before.next_at:%Y-%m-%d %H:%M %Z} on. This one was not, and your best score stands."
    )
    return Graded("submission", assignment.id, "refused", reason=reason)
