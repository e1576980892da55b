"""Named parts of an array, such as the diagonal or the first half, that wrong entries fill; and plain counts of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from coursekit.diagnosis.evidence import Finding, Match, share_text


class _Region(NamedTuple):
    """A part of an array that has a name, and the wrong entries in it.

    Attributes:
        mask: Where it is.
        place: "on the diagonal"; of what lies around the region where `outside` is set.
        outside: The region is all but that place.
        wrong: Where the answer is wrong: nowhere else.
    """

    mask: np.ndarray
    place: str
    outside: bool
    wrong: np.ndarray

    def finding(self, more: str = "") -> Finding:
        n, size = int(self.wrong.sum()), self.wrong.size
        if not self.outside:
            return Finding("region", f"is wrong only {self.place} ({n} of {size} entries){more}")
        nearly = "" if n == self.mask.sum() else "nearly "
        text = f"is right {self.place}, and wrong {nearly}everywhere else ({n} of {size} entries){more}"
        return Finding("region", text)


def _regions(shape: tuple[int, ...]) -> Iterator[tuple[np.ndarray, str, bool]]:
    """Yield the regions that have a name for an array of this shape: where, the name, whether of what is outside."""
    ndim = len(shape)
    for axis, n in enumerate(shape):
        if n < 2:
            continue
        index = np.arange(n).reshape([n if a == axis else 1 for a in range(ndim)])
        first, last, of = "in the first entry", "in the last entry", ""
        if ndim > 1:
            of = f" of axis {axis}"
            first, last = f"at index 0{of}", f"at the last index{of}"
        yield index == 0, first, False
        yield index == n - 1, last, False
        if n > 2:
            yield index > 0, first, True
            yield index < n - 1, last, True
        if n > 3:
            yield index % 2 == 0, f"at the even indices{of}", False
            yield index % 2 == 1, f"at the odd indices{of}", False
            yield index < n // 2, f"in the first half{of}", False
            yield index >= n - n // 2, f"in the second half{of}", False
    if ndim >= 2 and min(shape[-2:]) >= 2:
        row = np.arange(shape[-2])[:, None]
        column = np.arange(shape[-1])[None, :]
        yield column == row, "on the diagonal", False
        yield column == row + 1, "on the first diagonal above the main one", False
        yield column == row - 1, "on the first diagonal below the main one", False
        yield column > row, "above the diagonal", False
        yield column < row, "below the diagonal", False
        yield column >= row, "on and above the diagonal", False
        yield column <= row, "on and below the diagonal", False
        shift = shape[-1] - shape[-2]
        if shift > 0:
            yield column == row + shift, "on the diagonal that ends in the last corner", False
            yield column > row + shift, "above the diagonal that ends in the last corner", False
            between = (column > row) & (column <= row + shift)
            yield between, "above the main diagonal, up to the one that ends in the last corner", False


def _best_region(wrong: np.ndarray) -> _Region | None:
    """Return the smallest region that the wrong entries fill, if there is one."""
    n_wrong = int(wrong.sum())
    best, best_size = None, wrong.size
    for region, place, outside in _regions(wrong.shape):
        region = np.broadcast_to(region, wrong.shape)
        size = int(region.sum())
        if size >= best_size or (wrong & ~region).any():
            continue
        # Nearly all of the region has to be wrong: a few entries may be right by accident.
        if n_wrong >= 0.9 * size and (n_wrong >= 2 or wrong.ndim == 1):
            best, best_size = _Region(region, place, outside, wrong), size
    return best


def region_of(right: np.ndarray) -> _Region | None:
    """The named region that the wrong entries fill, if there is one."""
    if not right.any() or right.size < 3:
        return None
    return _best_region(~right)


def region_or_count(right: np.ndarray) -> Finding:
    """The region that the wrong entries fill, else how many they are."""
    region = region_of(right)
    return region.finding() if region else counted(right)


def how_many(mask: np.ndarray) -> str:
    """How many entries a mask holds, in words."""
    wrong = int(mask.sum())
    if wrong == mask.size:
        return "every entry"
    return f"{wrong} of {mask.size} entries"


def all_in_region(mask: np.ndarray) -> str:
    """Return the region that a mask fills, as a clause, or ""."""
    region = None if mask.all() else _best_region(mask)
    if region is None:
        return ""
    return f" (none of them {region.place})" if region.outside else f" (all of them {region.place})"


def counted(right: np.ndarray) -> Finding:
    """How many entries are wrong, and nothing more."""
    wrong = int((~right).sum())
    if wrong == right.size:
        return Finding("value", "is wrong in every entry" if wrong > 1 else "is wrong in its only entry")
    return Finding("value", f"is wrong in {wrong} of {right.size} entries")


def counted_with_size(match: Match) -> Finding:
    """How many entries are wrong, and by how much if that is little."""
    finding = counted(match.right)
    error = float(match.error.max()) / match.scale
    if not 1e-16 < error < 0.1:
        return finding
    return finding._replace(text=f"{finding.text}; the largest error is {share_text(error, 'the largest entry')}")
