"""What holds along an axis: sums of one, a constant or a factor for each row, no variation; and how close an answer is."""

from __future__ import annotations

import math

import numpy as np
from coursekit.diagnosis.evidence import Finding, Match, float32_note, share_text


def wrong_axis(match: Match) -> Finding | None:
    """Return where rows ought to sum to one, as they do in the right answer, and don't."""
    for log in (False, True):
        with np.errstate(over="ignore"):
            g, w = (np.exp(match.got), np.exp(match.want)) if log else (match.got, match.want)
        if (w < -match.atol).any() or (log and (match.want > match.atol).any()):
            continue
        exponentials = "exponentials of its " if log else ""
        sums_w = [_sums_to_one(w, axis) and _by_no_accident(w, axis) for axis in range(w.ndim)]
        sums_g = [_sums_to_one(g, axis) for axis in range(w.ndim)]
        for axis in reversed(range(w.ndim)):
            if not sums_w[axis] or sums_g[axis]:
                continue
            for other in range(w.ndim):
                if sums_g[other] and not sums_w[other]:
                    text = f"is normalized along another axis: the {exponentials}entries sum to 1 along"
                    return Finding("unnormalized", f"{text} axis {other}, and should along axis {axis}")
            sums = np.abs(g.sum(axis) - 1) >= 1e-5
            how_many = f"in {int(sums.sum())} of {sums.size} cases" if sums.size > 1 else ""
            text = f"is not normalized: along axis {axis} the {exponentials}entries should sum to 1"
            return Finding("unnormalized", f"{text}, and do not{' ' * bool(how_many)}{how_many}")
    return None


def _sums_to_one(array: np.ndarray, axis: int) -> bool:
    if array.shape[axis] < 2 or array.size == 0:
        return False
    return bool((np.abs(array.sum(axis) - 1) < 1e-5).all())


def _by_no_accident(array: np.ndarray, axis: int) -> bool:
    """Whether rows that sum to 1 must be meant to: in one with three shares, or three with two. Weights of 1 and 0 are also just numbers."""
    shares = ((array > 1e-5) & (array < 1 - 1e-5)).sum(axis)
    return bool((shares >= 3).any() or (shares >= 2).sum() >= 3)


def by_rows(match: Match) -> Finding | None:
    """Return that each row is off by a constant of its own, or is a multiple of the right one."""
    g, w = match.got, match.want
    for axis in reversed(range(w.ndim)):
        if w.ndim < 2 or w.shape[axis] < 3 or w.shape[axis] == w.size:
            continue
        if match.distinct(w) < 4:
            continue
        # Along a row the right values have to vary, or anything constant would do.
        if not match.differs(w, w.mean(axis, keepdims=True)).any(axis).all():
            continue
        constant = np.median(g - w, axis, keepdims=True)
        one_for_all = match.explains(w + np.median(constant))
        if match.explains(w + constant) and not one_for_all and _is_seen(match, w + constant, axis):
            return Finding("offset", f"is off by a constant along axis {axis}, which differs from row to row")
        norm = (w * w).sum(axis, keepdims=True)
        if not (norm > 0).all():
            continue
        factor = (g * w).sum(axis, keepdims=True) / norm
        if match.explains(w * factor) and not match.explains(w * np.median(factor)):
            text = f"is a multiple of the right answer along axis {axis}, by a factor that differs from row to row"
            return Finding("scaled", text)
    return None


def _is_seen(match: Match, candidate: np.ndarray, axis: int) -> bool:
    """Whether each row is off in all of its entries, as far as can be told, or in none."""
    far = match.differs(candidate, match.want)
    return bool((far.all(axis) | ~far.any(axis)).all())


def does_not_vary(match: Match) -> Finding | None:
    """Return that the answer is the same along an axis along which it should not be."""
    g, w = match.got, match.want
    if g.size > 2 and match.distinct(w) >= 3 and match.explains(np.full(g.shape, g.flat[0])):
        return Finding("constant", "has the same value in every entry, and should not")
    for axis, n in enumerate(w.shape):
        if w.ndim < 2 or n < 2 or w.size < 6:
            continue
        still = match.explains(np.broadcast_to(np.take(g, [0], axis), g.shape))
        if still and match.differs(w, np.broadcast_to(np.take(w, [0], axis), w.shape)).any():
            return Finding("constant", f"does not vary along axis {axis}, and should")
    return None


def precision(match: Match) -> Finding | None:
    """Return how close the answer is, where it is right to three digits or more. Why is another matter."""
    error = float(match.error.max())
    if not 0 < error < 5e-4 * match.scale:
        return None
    # Small entries have to be right to two digits and zeros to six, or it is no matter of precision.
    size, wrong = np.abs(match.want), ~match.right
    if (match.error > 1e-2 * np.maximum(size, 1e-4 * match.scale))[size > 0].any():
        return None
    if (match.error > 1e-6 * match.scale)[size == 0].any() or (match.error > 0.5 * size)[wrong & (size > 0)].any():
        return None
    relative = float((match.error[size > 0] / size[size > 0]).max())
    if relative < 5e-4 and not match.error[size == 0].any():
        text = f"is right to about {int(-math.log10(relative))} digits, but not to the tolerance"
    else:
        share = share_text(error / match.scale, "the largest entry")
        text = f"is close, but not to the tolerance: the largest error is {share}"
    note = float32_note(match.got, match.want)
    if not note and wrong.sum() >= 4:
        above = (match.got > match.want)[wrong]
        if above.all() or not above.any():
            note = f"; every wrong entry is {'above' if above.all() else 'below'} the right value"
    return Finding("precision", text + note)
