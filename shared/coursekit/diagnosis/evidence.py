"""What a finding is, and what makes it one: how much an explanation has to explain, and through how many values."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from coursekit.closeness import close

KINDS = {
    "type": "another type, or another library",
    "refused": "a type that is never compared: complex, sparse, quantized, meta, object arrays",
    "accepted": "an argument that should be refused, and is not",
    "changed": "an argument changed in place",
    "shape": "another shape",
    "dtype": "another dtype",
    "length": "another number of items",
    "keys": "missing or extra keys or members",
    "order": "the same items in another order",
    "value": "wrong values, with no structure that the evidence would bear out",
    "nan": "NaN where a number is due, or the reverse",
    "infinite": "infinite where a finite number is due, or the reverse",
    "zeros": "zero everywhere",
    "constant": "does not vary where it should",
    "negated": "the opposite sign, everywhere or where it is wrong, or every truth value inverted",
    "scaled": "the same multiple everywhere, or for each row",
    "offset": "off by the same constant everywhere, or for each row",
    "function": "a simple function of the right answer: its square, root, logarithm, exponential, reciprocal, ...",
    "transposed": "axes exchanged",
    "reshaped": "reshaped instead of transposed",
    "reversed": "reversed along an axis",
    "shifted": "shifted by one along an axis",
    "region": "wrong only in one region",
    "distribution": "a random function that gives other results, or gives them with other probabilities",
    "unnormalized": "entries that should sum to one do not, or do so along another axis",
    "precision": "right to several digits, but not to the tolerance",
    "ambiguous": "several of the above explain it equally well",
}
"""What a difference may be, and what each kind means."""


class Finding(NamedTuple):
    """One observation.

    Attributes:
        kind: A key of `KINDS`.
        text: A predicate to put after the answer's name: "is the transpose of the right answer".
        index: Where a sequence first differs, if it does.
    """

    kind: str
    text: str
    index: int | None = None


REMAINDER = 0.05
"""How much of a wrong entry's error an explanation may leave."""

MAX_ENTRIES = 200_000
"""Larger arrays are only counted: their structure shows in smaller cases of the same check."""


class Match:
    """A wrong array beside the right one, with the strict tolerance that an explanation has to meet."""

    def __init__(self, got: np.ndarray, want: np.ndarray, right: np.ndarray, rtol: float, atol: float):
        self.got = got
        self.want = want
        self.right = right
        self.rtol = rtol
        self.atol = atol
        with np.errstate(invalid="ignore", over="ignore"):
            self.error = np.abs(got - want)
        finite = want[np.isfinite(want)]
        self.scale = float(np.abs(finite).max()) if finite.size else 0.0

    def explains(self, candidate: np.ndarray, got: np.ndarray | None = None) -> bool:
        """Whether a candidate equals the answer at every coordinate.

        Of the whole answer, it also has to take away nearly all of the error of each wrong entry: next to a large
        entry, a small one is within tolerance of many things.
        """
        whole = got is None
        got = self.got if whole else got
        if got.size > 4096:
            # Nearly every candidate is ruled out by a few coordinates.
            few = np.unravel_index(np.linspace(0, got.size - 1, 97, dtype=np.intp), got.shape)
            if not close(got[few], candidate[few], self.rtol, self.atol).all():
                return False
        if not close(got, candidate, self.rtol, self.atol).all():
            return False
        if not whole:
            return True
        with np.errstate(invalid="ignore", over="ignore"):
            left = np.abs(got - candidate) > REMAINDER * self.error
        return not (left & ~self.right & np.isfinite(self.error)).any()

    def differs(self, candidate: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Where two arrays differ by far more than the tolerance."""
        with np.errstate(invalid="ignore"):
            far = np.abs(candidate - other) > 10 * (self.atol + self.rtol * np.abs(other))
        return far | (np.isfinite(candidate) != np.isfinite(other))

    def distinct(self, values: np.ndarray) -> int:
        """How many values can be told apart, at a millionth of the scale."""
        if values.size == 0:
            return 0
        with np.errstate(invalid="ignore", over="ignore"):
            return np.unique(np.round(values / (self.scale or 1.0), 6)).size

    def varied(self, values: np.ndarray) -> bool:
        """Whether these values are evidence: three that can be told apart, or two that are not simple."""
        telling = sum(is_telling(float(value)) for value in values.ravel()[:64])
        return self.distinct(values) >= (2 if telling >= 2 else 3)


def strict(rtol: float, atol: float, want: np.ndarray) -> tuple[float, float]:
    """Return the tolerance for explanations: never looser than a thousandth, however loose the check is."""
    finite = np.abs(want[np.isfinite(want)])
    scale = float(finite.max()) if finite.size else 0.0
    # Exact integers are explained in floating point.
    return max(1e-12, min(rtol, 1e-3)), max(1e-12 * scale, min(atol, 1e-3 * scale))


def is_telling(value: float) -> bool:
    """Whether a number is unlikely by accident: neither a simple fraction nor of few decimal digits."""
    if value == 0 or not math.isfinite(value):
        return False
    parts = value * 240
    if abs(parts) < 1e5 and abs(parts - round(parts)) <= max(1e-9, 1e-7 * abs(parts)):
        return False
    return float(f"{value:.3e}") != value


def rounded(value: float) -> str:
    """Two digits that matter: 7.3, 0.14, 1200."""
    return f"{float(f'{value:.1e}'):.10g}"


def share_text(part: float, whole: str = "") -> str:
    """A part of something, as people write it: about 3% of the largest entry, about 2e-07 times its size."""
    if part < 1e-5:
        return f"about {part:.0e} times {whole or 'its size'}"
    return f"about {rounded(100 * part)}%{f' of {whole}' if whole else ''}"


def float32_note(got: np.ndarray, want: np.ndarray) -> str:
    """That the answer has been through float32, where each entry is one of its numbers and the right answer is not.

    A float64 computation ends on a float32 number once in 2^29 times.
    """
    with np.errstate(over="ignore", under="ignore"):
        is_one = got.astype(np.float32).astype(np.float64) == got
        due = want.astype(np.float32).astype(np.float64) == want
    if not is_one.all() or due.all():
        return ""
    what = "it is" if got.size == 1 else "every entry is"
    return f"; {what} a number that float32 holds exactly, and float32 keeps about 7 digits"
