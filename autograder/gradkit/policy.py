"""When work is late and what that costs: arithmetic on moments, without files.

Moments count in whole seconds, as they are written. A day late is 24 hours that have begun, whatever the clocks do in between. An extension by days moves the due date on the
calendar, so a deadline at midnight stays at midnight when the clocks change.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True)
class Lateness:
    """How late a submission is, and what that takes off.

    Attributes:
        submitted_at: When it was handed in, in UTC; empty if nobody says.
        due: When it was due, with the extensions of whoever handed it in; empty if there is no due date.
        late_s: Seconds from the due date to the submission, 0 if it was in time.
        days: Days late that count: those that have begun, or 0 within the grace period.
        share: Of the score, taken off: 0 to 1.
        unknown: The platform marks it as late, and nobody says by how much.
    """

    submitted_at: str = ""
    due: str = ""
    late_s: float = 0.0
    days: int = 0
    share: float = 0.0
    unknown: bool = False

    def kept(self, score: float) -> float:
        """What is left of a score."""
        return round(score * (1 - self.share), 6)


def lateness(
    submitted_at: datetime.datetime,
    due: datetime.datetime,
    *,
    grace_s: float = 0.0,
    share_per_day: float = 0.0,
    cut_off_s: float = math.inf,
) -> Lateness:
    """How late a submission is.

    Args:
        submitted_at, due: Moments with a time zone.
        grace_s: Up to this late nothing is taken off. After it, days count from the due date.
        share_per_day: Of the score, taken off for each day that has begun.
        cut_off_s: Later than this, nothing of the score is left; within the grace period all of it is, whatever this says.
    """
    # In UTC: Python ignores a change of the clocks between two moments of the same zone.
    submitted_at, due = submitted_at.astimezone(datetime.UTC), due.astimezone(datetime.UTC)
    late_s = max(0.0, (submitted_at.replace(microsecond=0) - due.replace(microsecond=0)).total_seconds())
    days = math.ceil(late_s / DAY_S) if late_s > grace_s else 0
    share = 1.0 if late_s > max(cut_off_s, grace_s) else min(1.0, round(days * share_per_day, 9))
    return Lateness(written(submitted_at), written(due), late_s, days, share)


def written(moment: datetime.datetime) -> str:
    """A moment in UTC, to the second: 2026-10-12T21:59:00Z."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float) -> str:
    """A length of time as people say it: its two largest units that are not 0, so that a day begun shows.

    >>> duration(3 * 3600 + 12 * 60 + 5), duration(86_400 + 5)
    ('3 h 12 min', '1 d 5 s')
    """
    left, parts = int(seconds), []
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts[:2]) or "0 s"


def percent(share: float) -> str:
    """A share as people read it, not rounded to a whole number: 12.5%."""
    return f"{round(100 * share, 4):g}%"
