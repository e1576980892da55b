"""What can be said about one wrong number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from coursekit.diagnosis.evidence import Finding, Match, float32_note, is_telling, rounded, share_text, strict
from coursekit.diagnosis.explanations import by_one, function_of, not_finite, scaled


def of_scalars(got: Any, want: Any, sort: str, rtol: float, atol: float) -> Finding:
    """Return what can be said about one wrong number.

    Args:
        got, want: Python numbers that differ.
        sort: "bool", "int" or "float", the sort of `want`.
        rtol, atol: The tolerance they were compared with.
    """
    if sort == "bool":
        return Finding("negated", "is the opposite of the right answer")
    if sort == "int":
        return _of_ints(got, want)
    try:
        g, w = np.array([got], np.float64), np.array([want], np.float64)
    except OverflowError:
        return Finding("value", "is too large for a float")
    non_finite = not_finite(g, w, rtol, atol)
    if non_finite:
        return non_finite
    if not (np.isfinite(g).all() and np.isfinite(w).all()):
        return Finding("infinite", "has the wrong sign of infinity")
    got, want = float(got), float(want)
    if got == 0:
        return Finding("zeros", "is zero, and should not be")
    if is_telling(want) and is_telling(got):
        match = Match(g, w, np.array([False]), *strict(rtol, atol, w))
        for look in (scaled, function_of, by_one):
            if finding := look(match, single=True):
                return finding
    if finding := _digits(got, want):
        return finding
    kind = "negated" if got == -want else "value"
    return Finding(kind, _error_in_words(got, want))


def _of_ints(got: int, want: int) -> Finding:
    gap = abs(got - want)
    if got == -want:
        return Finding("negated", "has the wrong sign")
    direction = "large" if got > want else "small"
    if gap == 1:
        return Finding("offset", f"is one too {direction}")
    if gap <= 10 or not 0 < abs(want) < 2**53 or abs(got) >= 2**53 or (got < 0) != (want < 0):
        return Finding("value", f"is too {direction}{f' by {gap}' if gap <= 10 else ''}")
    return Finding("value", _error_in_words(float(got), float(want)))


def _error_in_words(got: float, want: float) -> str:
    """How a number differs from the one due, as a fact: its sign and its size, without a cause."""
    if want == 0:
        return f"is too {'large' if got > 0 else 'small'}"
    ratio = abs(got) / abs(want)
    sign = got * math.copysign(1.0, want) < 0
    if sign and ratio == 1:
        return "has the wrong sign"
    lead = "has the wrong sign, and " if sign else ""
    size = " in magnitude" if sign or want < 0 else ""  # of negative numbers, "larger" may mean either
    if ratio >= 2 or ratio <= 0.5:
        if not 1e-6 < ratio < 1e6:
            times = "more than a million times" if ratio > 1 else "less than a millionth of"
        else:
            times = f"about {rounded(ratio)} times"
        return f"{lead}is {times} the right answer{size}"
    return f"{lead}is too {'large' if ratio > 1 else 'small'}{size} by {share_text(abs(ratio - 1))}"


def _digits(got: float, want: float) -> Finding | None:
    """To how many digits a number is right, if that is three or more, and in which direction it is off."""
    if want == 0:
        return None
    error = abs(got - want) / abs(want)
    if not 0 < error < 5e-4:
        return None
    direction = "large" if abs(got) > abs(want) else "small"
    size = " in magnitude" if want < 0 else ""
    text = f"is right to about {int(-math.log10(error))} digits, but not to the tolerance: it is too {direction}{size}"
    return Finding("precision", text + float32_note(np.array([got]), np.array([want])))
