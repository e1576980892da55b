"""What can be said about an array of the right shape with wrong entries, the strongest first."""

from __future__ import annotations

import numpy as np
from coursekit.diagnosis.evidence import MAX_ENTRIES, Finding, Match, strict
from coursekit.diagnosis.explanations import (
    ambiguous,
    not_finite,
    perm_name,
    permutations,
    same_values,
    scaled_oddly,
    signs,
    whole,
)
from coursekit.diagnosis.numbers import of_scalars
from coursekit.diagnosis.regions import counted, counted_with_size, how_many, region_of, region_or_count
from coursekit.diagnosis.rows import by_rows, does_not_vary, precision, wrong_axis


def of_arrays(got: np.ndarray, want: np.ndarray, right: np.ndarray, rtol: float, atol: float) -> Finding:
    """Return what can be said about an array of the right shape with wrong entries.

    Args:
        got, want: Arrays of one shape. Floats come in float64; others (ints, bools, text) as they are.
        right: Boolean, the same shape: where they agree. Not all True.
        rtol, atol: The tolerance they were compared with.
    """
    if want.dtype.kind == "b":
        return _of_bools(got, want, right)
    if want.dtype.kind not in "iuf":
        return region_or_count(right)
    if want.size == 1:
        return of_scalars(got.item(), want.item(), "float" if want.dtype.kind == "f" else "int", rtol, atol)
    g, w = got.astype(np.float64), want.astype(np.float64)
    non_finite = not_finite(g, w, rtol, atol)
    if non_finite:
        return non_finite
    if want.size > MAX_ENTRIES:
        return region_or_count(right)

    if not w.any():
        return Finding("value", f"should be zero everywhere, and is not in {how_many(~right)}")
    match = Match(g, w, right, *strict(rtol, atol, w))
    finite = bool(np.isfinite(w).all())
    for look in (whole, same_values, *((precision,) if finite else ())):
        finding = look(match)
        if finding:
            return finding
    if finite and (sign := signs(match)):
        return sign
    region = region_of(right)
    if region:
        zero = not g[region.mask].any()
        return region.finding(", where it is zero" if zero else "")
    for look in (wrong_axis, *((scaled_oddly, by_rows) if finite else ()), does_not_vary):
        finding = look(match)
        if finding:
            return finding
    return counted_with_size(match) if finite else counted(right)


def _of_bools(got: np.ndarray, want: np.ndarray, right: np.ndarray) -> Finding:
    """Return what can be said about a wrong mask: a named region first, since shifts of a mask abound."""
    if want.size == 1:
        return Finding("negated", "is the opposite of the right answer")
    if not right.any() and want.size > 3 and want.any() and not want.all():
        return Finding("negated", "has every truth value inverted")
    region = region_of(right)
    if region:
        states = {bool(v) for v in got[~right]}
        if len(states) == 1:
            return region.finding(f"; the wrong ones are {states.pop()}")
        return region.finding()
    found = []
    if (~right).sum() >= 4:
        for perm in permutations(want.shape):
            candidate = want.transpose(perm)
            if candidate.shape == want.shape and (candidate == got).all():
                found.append(Finding("transposed", f"is the transpose of the right answer ({perm_name(perm)})"))
        for axis, n in enumerate(want.shape):
            if n > 2 and (np.flip(want, axis) == got).all():
                found.append(Finding("reversed", f"is reversed along axis {axis}"))
    if found:
        return found[0] if len(found) == 1 else ambiguous(found)
    if got.all() or not got.any():
        return Finding("constant", f"is {bool(got.flat[0])} everywhere, and should not be")
    return counted(right)
