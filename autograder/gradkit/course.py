"""Reads `course.toml`: which assignments a course has, when they are due, and what being late costs.

The file is optional. What it says is used by `grade`, `bundle` and `course`.
"""

from __future__ import annotations

import datetime
import difflib
import math
import re
import zoneinfo
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from gradkit.discovery import Refused, Submission, some_of
from gradkit.errors import InputError
from gradkit.manifest import assignment_ids
from gradkit.model import Submitter
from gradkit.policy import Lateness, lateness, written
from gradkit.roster import Roster
from gradkit.safetext import cell_text, one_line
from gradkit.staffiles import not_toml, read_csv

FILE = "course.toml"
YEARS = range(1970, 3000)  # in which a zone can shift every moment
TIMES = "submitted_at.csv"  # what a run keeps of when submissions were handed in


class Attempts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most `limit` graded attempts in any `window_hours`; the best score counts. Gradescope's container applies it."""

    limit: int
    window_hours: float = 24.0


class LatePolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What being late costs, and who takes it off: `grade`, or the platform that the scores go to."""

    share_per_day: float = 0.0
    grace_minutes: float = 0.0
    cut_off_days: float = math.inf
    applied_by: Literal["gradkit", "platform"] = "gradkit"

    @property
    def costs(self) -> bool:
        """Whether grading takes anything off for being late."""
        return self.applied_by == "gradkit" and (self.share_per_day > 0 or math.isfinite(self.cut_off_days))


class Planned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An assignment in the course.

    Attributes:
        id: The assignment's.
        due: Local time, or with a zone of its own; None if it is never due.
        points: What it counts for in the gradebook: scores out of 100 are scaled to it.
        weight: Its part of the course total, relative to the others'; all have one or none. Its points if not given.
        seed: For the hidden checks' inputs, if `grade` is given none.
        attempts: For Gradescope.
        late: In place of the course's policy.
    """

    id: str
    due: datetime.datetime | None = None
    points: float = 100.0
    weight: float | None = None
    seed: int | None = None
    attempts: Attempts | None = None
    late: LatePolicy | None = None

    @property
    def part(self) -> float:
        """Its part of the course total, relative to the others'."""
        return self.points if self.weight is None else self.weight


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """More time for one student, in one assignment or in all: a new due date, or days after the course's."""

    student: str
    assignment: str = ""
    due: datetime.datetime | None = None
    days: int | None = None

    def holds_for(self, student: Submitter) -> bool:
        """Whether it names this student, by e-mail address, number, login or name."""
        return _plain(self.student) in {_plain(text) for text in student[:5] if text}


class Course(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `course.toml`."""

    assignments: list[Planned]
    title: str = ""
    timezone: str = "UTC"
    late: LatePolicy = LatePolicy()
    extensions: list[Extension] = []

    @property
    def ids(self) -> list[str]:
        return [planned.id for planned in self.assignments]

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    def planned(self, id: str) -> Planned | None:
        """The assignment as the course has it; None if it has not."""
        return next((planned for planned in self.assignments if planned.id == id), None)

    def policy(self, id: str) -> LatePolicy:
        planned = self.planned(id)
        return planned.late if planned and planned.late else self.late

    def due(self, id: str, students: Sequence[Submitter] = ()) -> datetime.datetime | None:
        """When an assignment is due for those who hand it in together: the latest date that one of them has."""
        planned = self.planned(id)
        if planned is None or planned.due is None:
            return None
        dates = [self._at(planned.due)]
        for extension in self.extensions_of(id):
            if any(map(extension.holds_for, students)):
                dates.append(self._at(extension.due or planned.due + datetime.timedelta(days=extension.days or 0)))
        return max(dates)

    def lateness(self, id: str, submitted_at: datetime.datetime | None, students: Sequence[Submitter]) -> Lateness:
        """How late a submission is. If the platform takes the points off, nothing is taken off here."""
        due, policy = self.due(id, students), self.policy(id)
        if submitted_at is None or due is None:
            return Lateness(due=due.isoformat() if due else "")
        here = policy.applied_by == "gradkit"
        return lateness(
            submitted_at if submitted_at.tzinfo else self._at(submitted_at),
            due,
            grace_s=60 * policy.grace_minutes,
            share_per_day=policy.share_per_day if here else 0.0,
            cut_off_s=86_400 * policy.cut_off_days if here else math.inf,
        )

    def extensions_of(self, id: str) -> list[Extension]:
        """The extensions that hold for an assignment."""
        return [one for one in self.extensions if one.assignment in ("", id)]

    def misnamed(self, students: Collection[Submitter], extensions: Sequence[Extension]) -> list[str]:
        """A line for each of the extensions that names nobody on a roster, or several."""
        lines = []
        for one in extensions:
            found = sum(map(one.holds_for, students))
            if not found:
                lines.append(f"{one.student} has an extension and is not on the roster")
            elif found > 1:
                lines.append(f"the extension of {one.student} holds for {found} students: give an address or a number")
        return lines

    def _at(self, moment: datetime.datetime) -> datetime.datetime:
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)


def find_course(root: Path, path: Path | None = None) -> Course | None:
    """The course of the kit at `root`, or the one in the file `path`; None if there is none.

    Raises:
        InputError: Naming the file, the key and what is allowed.
    """
    if path is None and not (root / FILE).exists():
        return None
    return read_course(path or root / FILE, assignment_ids(root))


def read_course(path: Path, known: Collection[str]) -> Course:
    """Read and check a `course.toml`.

    Args:
        path: The file.
        known: Ids of the kit's assignments.

    Raises:
        InputError: Naming the file, the key and what is allowed.
    """
    try:
        text = path.read_bytes()
        course = msgspec.toml.decode(text, type=Course)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from None
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {_explained(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(not_toml(path, error)) from None
    _check(course, path, known)
    return course


def _explained(message: str) -> str:
    """msgspec's message with the key in front, and what is allowed there."""
    what, _, key = message.partition(" - at `$.")
    key = key.rstrip("`")
    told = f"{key}: {what}" if key else what
    if "unknown field" in what:
        here = next((struct for part, struct in _STRUCTS.items() if part in key), Course)
        return f"{told}; allowed: {', '.join(here.__struct_fields__)}"
    if "datetime" in what:
        return f"{told}; write a due date as due = 2026-10-12T23:59:00, without quotes"
    return told


_STRUCTS = {".attempts": Attempts, "late": LatePolicy, "assignments": Planned, "extensions": Extension}


def _check(course: Course, path: Path, known: Collection[str]) -> None:
    def rule(holds: bool, key: str, text: str) -> None:
        if not holds:
            raise InputError(f"{path}: {key}: {text}")

    def date(moment: datetime.datetime | None, key: str) -> None:
        if moment:
            rule(moment.year in YEARS, key, f"a year from {YEARS[0]} to {YEARS[-1]}, got {moment.year}")
            rule(_exists(moment, course.zone), key, _skipped(moment, course))

    try:
        course.zone  # noqa: B018 - raises
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        here = zoneinfo.available_timezones()
        rule(bool(here), "timezone", "this machine has no list of time zones: pip install tzdata")
        rule(False, "timezone", f"a name such as Europe/Berlin or America/New_York, got {course.timezone!r}")
    rule(bool(course.assignments), "assignments", "at least one [[assignments]] is needed")
    policies = [("late", course.late)]
    seen: set[str] = set()
    for planned in course.assignments:
        key = f"assignments.{planned.id}"
        rule(planned.id in known, "assignments.id", _unknown(planned.id, known))
        rule(planned.id not in seen, "assignments.id", f"{planned.id!r} is there twice")
        rule(0 < planned.points < math.inf, f"{key}.points", f"a number above 0, got {planned.points:g}")
        rule(0 <= planned.part < math.inf, f"{key}.weight", f"a number from 0 on, got {planned.part:g}")
        seed = planned.seed or 0
        rule(0 <= seed < 2**63, f"{key}.seed", f"a whole number from 0 to 2^63 - 1, got {seed}")
        if planned.attempts:
            rule(planned.attempts.limit >= 1, f"{key}.attempts.limit", f"at least 1, got {planned.attempts.limit}")
            hours = planned.attempts.window_hours
            rule(0 < hours < math.inf, f"{key}.attempts.window_hours", f"a number above 0, got {hours:g}")
        date(planned.due, f"{key}.due")
        policies += [(f"{key}.late", planned.late)] if planned.late else []
        seen.add(planned.id)
    weighted = [planned.id for planned in course.assignments if planned.weight is not None]
    rule(
        len(weighted) in (0, len(course.assignments)),
        "assignments.weight",
        f"give every assignment a weight, or none (then the points count); only {', '.join(weighted)} has one",
    )
    for key, policy in policies:
        share = policy.share_per_day
        rule(0 <= share <= 1, f"{key}.share_per_day", f"a share from 0 to 1 such as 0.1, got {share:g}")
        rule(policy.grace_minutes >= 0, f"{key}.grace_minutes", f"must not be negative, got {policy.grace_minutes:g}")
        rule(policy.cut_off_days >= 0, f"{key}.cut_off_days", f"must not be negative, got {policy.cut_off_days:g}")
    given: set[tuple[str, str]] = set()
    for extension in course.extensions:
        key = f"extensions.{extension.student or '?'}"
        id = extension.assignment
        rule(bool(extension.student.strip()), "extensions.student", "an e-mail address, number, login or name")
        rule(id in ("", *seen), f"{key}.assignment", _unknown(id, seen))
        one = (extension.due is None) != (extension.days is None)
        rule(one, key, "give either due, a new date, or days, a number of days after the course's")
        rule(0 <= (extension.days or 0) <= 3650, f"{key}.days", f"days from 0 to 3650, got {extension.days}")
        rule((_plain(extension.student), id) not in given, key, f"is there twice for {id or 'all assignments'}")
        date(extension.due, f"{key}.due")
        given.add((_plain(extension.student), id))


def _unknown(id: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(id, known, n=1)
    return f"no assignment is called {id!r}; " + (
        f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(known))}"
    )


def _exists(moment: datetime.datetime, zone: zoneinfo.ZoneInfo) -> bool:
    """Whether clocks ever show this time: an hour is skipped when they are set forward."""
    if moment.tzinfo:
        return True
    there = moment.replace(tzinfo=zone)
    return there.astimezone(datetime.UTC).astimezone(zone).replace(tzinfo=None) == moment


def _skipped(moment: datetime.datetime, course: Course) -> str:
    return f"{moment:%Y-%m-%d %H:%M} does not exist in {course.timezone}, where clocks are set forward then"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


class DueDates:
    """How late the submissions of one assignment are.

    Args:
        course: None if there is no `course.toml`; then only the time of each submission is told.
        id: The assignment's.
        students: The roster; may be empty.
        times: When submissions were handed in, by their names, if not as their export says.
    """

    def __init__(
        self,
        course: Course | None,
        id: str,
        students: Sequence[Submitter] = (),
        times: Mapping[str, datetime.datetime] = MappingProxyType({}),
    ) -> None:
        self._course, self._id, self._times = course, id, times
        self._roster = Roster(students)

    @property
    def points(self) -> float:
        """What the assignment counts for in the gradebook; 0 if the course does not say."""
        planned = self._course.planned(self._id) if self._course else None
        return planned.points if planned else 0.0

    def lateness(self, submission: Submission | Refused) -> Lateness:
        """How late it is, as far as anybody says when it was handed in. The time of a file says nothing."""
        stated = getattr(submission, "created_at", "")
        at = self._time(submission.name) or read_moment(stated)
        if self._course is None:
            return Lateness(written(at) if at and at.tzinfo else "")
        students = self._roster.behind(submission.name, submission.submitters)
        late = self._course.lateness(self._id, at, students)
        marked = at is None and getattr(submission, "late", False)
        return replace(late, unknown=marked and self._costs)

    def doubts(self, submissions: Collection[Submission], names: Collection[str]) -> list[str]:
        """What staff should know before they believe the penalties, in lines.

        Args:
            submissions: Those that were graded.
            names: Of all that was found, what was refused too.
        """
        known = {*names, *map(cell_text, names)}
        lines = [f"{one_line(name)} has a time and is no submission here" for name in self._times if name not in known]
        if self._course is None or not self._costs:
            return lines
        late = {one.name: self.lateness(one) for one in submissions}
        timeless = sorted(name for name, its in late.items() if not its.submitted_at and not its.unknown)
        if timeless:
            lines.append(f"nobody says when these were handed in, so nothing is taken off: {some_of(timeless)}")
        extensions = self._course.extensions_of(self._id)
        if self._roster.students:
            return lines + self._course.misnamed(self._roster.students, extensions)
        nobodys = sorted(one.name for one in submissions if late[one.name].share and not one.submitters)
        if nobodys and extensions:
            lines.append(f"without --roster nobody knows whether these have an extension: {some_of(nobodys)}")
        return lines

    def _time(self, name: str) -> datetime.datetime | None:
        """The time given for a submission, by its name or by that in grades.csv, where a formula is made safe."""
        return self._times.get(name) or self._times.get(cell_text(name))

    @property
    def _costs(self) -> bool:
        """Whether a submission that comes late loses anything here."""
        course = self._course
        return course is not None and course.due(self._id) is not None and course.policy(self._id).costs


def read_moment(text: str) -> datetime.datetime | None:
    """A date and a time as an export writes them, such as `2026-10-12 21:59:00.123456789 Z`; None for anything else."""
    if not re.match(r"\s*\d{4}-\d\d-\d\d[ T]\d\d:\d\d", text):
        return None
    try:
        at = datetime.datetime.fromisoformat(re.sub(r"\s+(?=(Z|[+-]\d\d:?\d\d)$)", "", text.strip()))
    except ValueError:
        return None
    return at if at.year in YEARS else None


def read_times(path: Path) -> dict[str, datetime.datetime]:
    """When submissions were handed in, from a CSV file with the columns submission and time.

    Raises:
        InputError: With the line that can't be read.
    """
    (_, header), *rows = read_csv(path) or [(1, [])]
    times: dict[str, datetime.datetime] = {}
    for line, fields in rows:
        row = dict(zip(header, fields, strict=False))
        if fields and not {"submission", "time"} <= row.keys():
            raise InputError(f"{path}:{line}: two columns are needed, submission and time")
        if not fields:
            continue
        at = read_moment(row["time"])
        if at is None:
            raise InputError(
                f"{path}:{line}: {one_line(row['time'])} is no date with a time; write 2026-10-12 21:59 +02:00"
            )
        if row["submission"] in times:
            raise InputError(f"{path}:{line}: {one_line(row['submission'])} is there twice")
        times[row["submission"]] = at
    if not times:
        raise InputError(f"{path}: names no submission; two columns are needed, submission and time")
    return times
