"""Item analysis: how hard a check or task is, and whether it tells strong submissions from weak ones.

Only numbers come in and go out. Every figure is the textbook's, so that an instructor can check it by hand.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

FEWEST = 3  # any two submissions correlate by +1 or -1, which says nothing
_DUST = 1e-9  # what adding fractions of points leaves behind


class Points(NamedTuple):
    """What one submission earned in one check, out of what was possible there; 0 of 0 where it was not run."""

    earned: float
    possible: float

    @property
    def share(self) -> float | None:
        return self.earned / self.possible if self.possible > 0 else None


Marks = Mapping[str, Points]
"""One submission's points by check."""


@dataclass(frozen=True)
class Item:
    """The figures of one check, or of all checks of one task together.

    Attributes:
        ran: Submissions on which it ran; the shares below are of these.
        full: How many earned all its points.
        difficulty: Mean share of its points that was not earned, 0 (all earned) to 1 (none); None if it never ran.
        discrimination: Correlation over submissions of the share earned here with the share earned everywhere else,
            -1 to 1. For a check that is either passed or failed it is the point-biserial correlation with the rest score.
        undefined: Why there is no discrimination, empty where there is.
    """

    ran: int
    full: int
    difficulty: float | None
    discrimination: float | None
    undefined: str = ""

    @property
    def pass_rate(self) -> float | None:
        return self.full / self.ran if self.ran else None


def total(points: Iterable[Points]) -> Points:
    """The sum of what was earned and of what was possible."""
    points = list(points)
    return Points(math.fsum(one.earned for one in points), math.fsum(one.possible for one in points))


class Analysis:
    """The figures of a class, an item at a time."""

    def __init__(self, submissions: Sequence[Marks]) -> None:
        self._submissions = [(marks, total(marks.values())) for marks in submissions]

    def item(self, checks: Collection[str]) -> Item:
        """The figures of the item made of `checks`: one check's, or those of a task's checks together."""
        here: list[float] = []
        pairs: list[tuple[float, float]] = []
        for marks, everything in self._submissions:
            item = total(marks[check] for check in checks if check in marks)
            if item.share is None:
                continue
            here.append(item.share)
            rest = Points(everything.earned - item.earned, everything.possible - item.possible)
            if rest.possible > _DUST:
                pairs.append((item.share, rest.earned / rest.possible))
        difficulty = 1 - statistics.fmean(here) if here else None
        value, why = _correlation(pairs)
        return Item(len(here), sum(share > 1 - _DUST for share in here), difficulty, value, why)


def _correlation(pairs: list[tuple[float, float]]) -> tuple[float | None, str]:
    """Pearson's correlation of what was earned here and elsewhere, or None and why there is none."""
    if len(pairs) < FEWEST:
        return None, f"fewer than {FEWEST} submissions with other checks beside"
    here, elsewhere = zip(*pairs, strict=True)
    if max(here) - min(here) < _DUST:
        return None, "all earned the same here"
    if max(elsewhere) - min(elsewhere) < _DUST:
        return None, "all earned the same elsewhere"
    return max(-1.0, min(1.0, statistics.correlation(here, elsewhere))), ""


class Bin(NamedTuple):
    """One bar of a histogram: how many shares lie in [low, high), the last one's end included."""

    low: float
    high: float
    count: int


def histogram(shares: Sequence[float], bins: int = 10) -> list[Bin]:
    """Counts of shares between 0 and 1 in bins of equal width."""
    counts = [0] * bins
    for share in shares:
        place = math.floor(share * bins + _DUST)  # 0.3 * 10 must not fall into the bin below 3
        counts[max(0, min(place, bins - 1))] += 1
    return [Bin(i / bins, (i + 1) / bins, count) for i, count in enumerate(counts)]


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that at least this share of them does not exceed (nearest rank).

    Raises:
        ValueError: When there are no values.
    """
    if not values:
        raise ValueError("values must hold at least one number")
    return sorted(values)[max(0, math.ceil(share * len(values) - _DUST) - 1)]
