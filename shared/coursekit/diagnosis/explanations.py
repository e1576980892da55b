"""One transformation of the right array that gives the wrong one: a factor, a function, a move, a change of sign."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
from coursekit.closeness import close
from coursekit.diagnosis.evidence import Finding, Match
from coursekit.diagnosis.regions import all_in_region, how_many


def not_finite(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> Finding | None:
    """Return where NaN or infinity stands and should not, or should and does not."""
    size = got.size
    for kind, name, test in (("nan", "NaN", np.isnan), ("infinite", "infinite", np.isinf)):
        here, due = test(got), test(want)
        wrong = here & ~due
        if wrong.any():
            if np.isfinite(want[wrong]).all():
                other = "finite numbers belong" if size > 1 else "a finite number belongs"
            else:
                other = "other values belong" if size > 1 else "another value belongs"
            text = f"is {name}" if size == 1 else f"is {name} in {how_many(wrong)}"
            text += f"{all_in_region(wrong)}, where {other}"
            if not wrong.all() and close(got[~wrong], want[~wrong], rtol, atol).all():
                text += "; everything else is right"
            return Finding(kind, text)
        lacking = due & ~here
        if lacking.any():
            which = _infinity_name(want[lacking]) if kind == "infinite" else name
            what = "finite" if np.isfinite(got[lacking]).all() else f"not {which}"
            if size == 1:
                return Finding(kind, f"is {what}, where {which} belongs")
            return Finding(kind, f"is {what} in {how_many(lacking)}{all_in_region(lacking)}, where {which} belongs")
    wrong = np.isinf(got) & (got != want)
    if wrong.any() and size > 1:
        return Finding("infinite", f"has the wrong sign of infinity in {how_many(wrong)}")
    return None


def _infinity_name(values: np.ndarray) -> str:
    if (values > 0).all():
        return "+inf"
    return "-inf" if (values < 0).all() else "infinity"


def whole(match: Match) -> Finding | None:
    """Return the one transformation that turns the right array into the wrong one, if there is evidence."""
    if not match.got.any():
        return Finding("zeros", "is zero everywhere, and should not be")
    found = []
    if np.isfinite(match.want).all():
        found += [f for f in (scaled(match), _offset(match)) if f]
        if not found and (function := function_of(match)):
            found.append(function)
    moved = list(_rearranged(match))
    if moved and not found and match.explains(-match.want):
        found.append(Finding("negated", "has the opposite sign everywhere"))
    if not found and len(moved) > 1:
        # The same values, moved: which way cannot be told, so say only what is certain.
        if {f.kind for f in moved} == {"shifted"}:
            return Finding("shifted", " or, equally well, ".join(f.text for f in moved))
        return same_values(match) or ambiguous(moved)
    found += moved
    if len(found) > 1:
        return ambiguous(found)
    return found[0] if found else None


def ambiguous(found: list[Finding]) -> Finding:
    """Several observations that explain the answer equally well."""
    return Finding("ambiguous", " and, equally well, ".join(f.text for f in found))


def _factors(shape: tuple[int, ...]) -> Iterator[tuple[float, str, str]]:
    """Yield the factors that have a name for an array of this shape: value, text, what it may stand for."""
    lengths: dict[int, list[str]] = {}
    for axis, n in enumerate(shape):
        if n > 1:
            lengths.setdefault(n, []).append(f"of axis {axis}")
    of: dict[int, str] = {n: f"the length {' and '.join(axes)}" for n, axes in lengths.items()}
    total = math.prod(shape)
    if total > 1:
        of.setdefault(total, "the number of entries")

    def meaning(n: int, text: str = "") -> str:
        # A small factor may well have nothing to do with a length that happens to be as small.
        return f"{'also ' if n <= 4 else ''}{text}{of[n]}" if n in of else ""

    for n in sorted({*range(2, 65), *of, 100, 128, 256, 512, 1000, 1024}):
        yield float(n), f"{n} times", meaning(n)
        yield 1 / n, f"1/{n} of", meaning(n, "one over ")
    for n in of:
        if math.isqrt(n) ** 2 != n:
            yield math.sqrt(n), f"√{n} times", meaning(n, "the root of ")
            yield 1 / math.sqrt(n), f"1/√{n} of", meaning(n, "one over the root of ")
        for top, bottom, text in ((n, n - 1, "n over n - 1"), (n - 1, n, "n - 1 over n")) if n > 2 else ():
            ratio = top / bottom
            yield ratio, f"{top}/{bottom} of", meaning(n, f"{text}, with n ")
            yield math.sqrt(ratio), f"√({top}/{bottom}) times", meaning(n, f"the root of {text}, with n ")
    for value, text in ((math.sqrt(2), "√2"), (math.log(2), "log 2"), (math.pi, "π"), (2 * math.pi, "(2π)")):
        yield value, f"{text.strip('()')} times", ""
        yield 1 / value, f"1/{text} of", ""
    for value, text in ((2 / 3, "2/3"), (3 / 2, "3/2"), (3 / 4, "3/4"), (4 / 3, "4/3")):
        yield value, f"{text} of", ""
    for value, text in ((1e6, "10⁶"), (1e9, "10⁹"), (2.0**20, "2²⁰"), (2.0**30, "2³⁰")):
        yield value, f"{text} times", ""
        yield 1 / value, f"1/{text} of", ""
    yield 1e9 / 2**30, "10⁹/2³⁰ of", ""
    yield 2**30 / 1e9, "2³⁰/10⁹ of", ""


def _ratio(match: Match) -> float | None:
    """Return c where got = c * want everywhere and the values are varied enough to mean it, else None."""
    g, w = match.got, match.want
    with np.errstate(over="ignore"):  # too large for a ratio to be told
        norm = float((w * w).sum())
    if norm == 0 or not math.isfinite(norm):
        return None
    ratio = float((g * w).sum()) / norm
    if not math.isfinite(ratio) or ratio == 0 or not match.explains(ratio * w):
        return None
    return ratio


def scaled(match: Match, *, single: bool = False) -> Finding | None:
    """Return the factor, where it is one that has a name."""
    ratio = _ratio(match)
    if ratio is None or not (single or _tells_scale(match)):
        return None
    everywhere = "" if single else ", everywhere"
    tolerance = _ratio_tolerance(match, ratio, single)
    if abs(ratio + 1) <= tolerance:
        return Finding("negated", "has the wrong sign" if single else "has the opposite sign everywhere")
    for factor, text, meaning in _factors(match.got.shape):
        # One number is some multiple of any other: name only the plainest.
        if single and factor not in (2.0, 0.5):
            continue
        value = math.copysign(factor, ratio)
        if abs(ratio / value - 1) <= tolerance and match.explains(value * match.want):
            sign = "minus " if ratio < 0 else ""
            note = f" ({meaning})" if meaning else ""
            return Finding("scaled", f"is {sign}{text} the right answer{everywhere}{note}")
    return None


def _tells_scale(match: Match) -> bool:
    """Whether the right values are varied enough for one ratio between all of them to mean something."""
    return match.varied(np.abs(match.want[np.abs(match.want) > 1e3 * match.atol]))


def _ratio_tolerance(match: Match, ratio: float, single: bool) -> float:
    """Return how far the ratio may lie from one that has a name: a few times its own uncertainty."""
    if single:
        return min(match.rtol, 1e-3)
    residual = float(np.abs(match.got - ratio * match.want).max()) / (abs(ratio) * match.scale)
    return max(match.rtol / 100, min(match.rtol, 4 * residual))


def scaled_oddly(match: Match) -> Finding | None:
    """Return that everything is one multiple of the right answer, where the factor has no name."""
    ratio = _ratio(match)
    if ratio is None:
        return None
    if match.distinct(match.want[match.want != 0]) < 3:
        return None
    return Finding("scaled", "is the same multiple of the right answer in every entry")


def by_one(match: Match, *, single: bool) -> Finding | None:
    """Return that a number is off by exactly one."""
    difference = float(match.got[0] - match.want[0])
    if match.rtol > 1e-5 or abs(abs(difference) - 1) > match.atol + match.rtol * match.scale:
        return None
    return Finding("offset", f"is one too {'large' if difference > 0 else 'small'}")


def _offset(match: Match) -> Finding | None:
    difference = match.got - match.want
    constant = float(np.median(difference))
    if match.got.size < 3 or match.distinct(match.want) < 3 or not match.explains(match.want + constant):
        return None
    if not match.differs(match.want + constant, match.want).all():
        return None  # next to a large entry a small constant can't be seen
    if abs(abs(constant) - 1) <= match.atol + match.rtol:
        direction = "large" if constant > 0 else "small"
        return Finding("offset", f"is one too {direction}, everywhere")
    return Finding("offset", "is off by the same constant in every entry")


_FUNCTIONS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("one minus the right answer", lambda w: 1 - w),
    ("one over the right answer", lambda w: 1 / w),
    ("the square of the right answer", lambda w: w * w),
    ("the square root of the right answer", np.sqrt),
    ("the logarithm of the right answer", np.log),
    ("minus the logarithm of the right answer", lambda w: -np.log(w)),
    ("the exponential of the right answer", np.exp),
    ("the exponential of minus the right answer", lambda w: np.exp(-w)),
    ("the absolute value of the right answer", np.abs),
)


def function_of(match: Match, *, single: bool = False) -> Finding | None:
    """Return the elementary function of the right answer that arrived, if there is one."""
    if single and match.rtol > 1e-5:
        return None
    found = []
    for text, function in _FUNCTIONS:
        with np.errstate(all="ignore"):
            candidate = function(match.want)
        if not np.isfinite(candidate).all() or not match.explains(candidate):
            continue
        moved = match.differs(candidate, match.want)
        if single or match.distinct(match.want[moved]) >= 3:
            found.append(Finding("function", f"is {text}{'' if single else ', everywhere'}"))
    return found[0] if len(found) == 1 else None


def _rearranged(match: Match) -> Iterator[Finding]:
    """Yield the ways in which the right values were put in the wrong places."""
    for perm in permutations(match.want.shape):
        candidate = match.want.transpose(perm)
        if candidate.shape == match.want.shape and _is_move(match, candidate):
            yield Finding("transposed", f"is the transpose of the right answer ({perm_name(perm)})")
    for axis, n in enumerate(match.want.shape):
        if n < 2:
            continue
        if _is_move(match, np.flip(match.want, axis)):
            yield Finding("reversed", f"is reversed along axis {axis}")
        if n < 3:
            continue
        yield from _shifted(match, axis)
    yield from _reshaped(match)


def _is_move(match: Match, candidate: np.ndarray) -> bool:
    """Whether a rearrangement explains the answer, and moves enough distinct values to mean it."""
    if not match.explains(candidate):
        return False
    return match.want.size > 2 and match.varied(match.want[match.differs(candidate, match.want)])


def _shifted(match: Match, axis: int) -> Iterator[Finding]:
    """Yield a shift by one along an axis, wrapping or with anything at the border."""
    g, w = np.moveaxis(match.got, axis, 0), np.moveaxis(match.want, axis, 0)
    for got_part, want_part, stays, edge, text in (
        (g[1:], w[:-1], w[1:], (g[0], w[-1]), "one place too late"),
        (g[:-1], w[1:], w[:-1], (g[-1], w[0]), "one place too early"),
    ):
        if not match.explains(want_part, got_part):
            continue
        moved = match.differs(want_part, stays)
        if want_part.size < 3 or not match.varied(want_part[moved]):
            continue
        wraps = match.explains(edge[1], edge[0])
        yield Finding("shifted", f"is {text} along axis {axis}{', and wraps' if wraps else ''}")


def _reshaped(match: Match) -> Iterator[Finding]:
    """Yield that the entries run on in the order that they had before a transposition that is due."""
    shape = match.want.shape
    flat = match.got.ravel()
    for perm in permutations(shape):
        before = match.want.transpose(perm)
        if before.shape == shape:
            continue  # that would be the plain transpose
        if [n for n in before.shape if n != 1] == [n for n in shape if n != 1]:
            continue
        candidate = before.ravel()
        if match.explains(candidate, flat) and match.distinct(match.want) >= 4:
            name = perm_name(perm)
            text = f"holds the right values, reshaped instead of transposed ({name})"
            yield Finding("reshaped", text)


def permutations(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield permutations of the axes but the identity: exchanges of two first, all of them up to rank 4."""
    axes = range(len(shape))
    swaps = []
    for i, j in itertools.combinations(axes, 2):
        perm = list(axes)
        perm[i], perm[j] = j, i
        swaps.append(tuple(perm))
    yield from swaps
    if 3 <= len(shape) <= 4:
        for perm in itertools.permutations(axes):
            if perm != tuple(axes) and perm not in swaps:
                yield perm


def perm_name(perm: tuple[int, ...]) -> str:
    """A permutation of axes in words."""
    moved = [i for i, p in enumerate(perm) if i != p]
    if len(moved) == 2:
        return f"axes {moved[0]} and {moved[1]} exchanged"
    return f"axes in the order {perm}"


def same_values(match: Match) -> Finding | None:
    """Return that the right values stand in other places, whole rows of them if so."""
    g, w = match.got, match.want
    if w.size < 2 or not match.explains(np.sort(w, axis=None), np.sort(g, axis=None)):
        return None
    far = match.differs(g, w)
    if not match.varied(w[far]):
        return None
    if sign := signs(match):
        return ambiguous([sign, Finding("order", "holds the right values in another order")])
    for axis, n in enumerate(w.shape):
        if w.ndim > 1 and n > 1 and w.size > n and _rows_permuted(match, axis):
            return Finding("order", f"holds the right values in another order along axis {axis}")
    if w.ndim > 1 and w.shape[-1] > 1 and match.explains(np.sort(w, axis=-1), np.sort(g, axis=-1)):
        rows = (~match.right).any(-1)
        where = f"in {int(rows.sum())} of {rows.size} rows"
        return Finding("order", f"holds the right values in each row (last axis), in the wrong order {where}")
    if g.ndim == 1 and w.size > 2:
        for ordered, text in ((np.sort(w), "ascending"), (np.sort(w)[::-1], "descending")):
            if match.explains(ordered):
                return Finding("order", f"holds the right values sorted in {text} order, and should not be sorted")
    return Finding("order", "holds the right values in another order")


def signs(match: Match) -> Finding | None:
    """Return that every wrong entry has the right size and the wrong sign."""
    wrong = ~match.right
    if not match.explains(np.where(wrong, -match.want, match.want)):
        return None
    if wrong.all():
        return Finding("negated", "has the opposite sign everywhere")
    return Finding("negated", f"has the wrong sign in {how_many(wrong)}{all_in_region(wrong)}, and is right otherwise")


def _rows_permuted(match: Match, axis: int) -> bool:
    g = np.moveaxis(match.got, axis, 0).reshape(match.got.shape[axis], -1)
    w = np.moveaxis(match.want, axis, 0).reshape(match.want.shape[axis], -1)
    return match.explains(w[np.lexsort(w.T[::-1])], g[np.lexsort(g.T[::-1])])
