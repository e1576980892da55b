"""What can be said about a wrong answer, given the right one.

Each function looks for structure in the difference and returns a `Finding`: an observation that holds for
every coordinate, never a guess at its cause. An observation is made only on strong evidence. It has to
explain every entry to tolerance, and leave next to nothing of the error of any wrong one, through enough
distinct values that no coincidence would; where several observations explain the same answer, all of them
are named or only what they share. Otherwise the finding is how many entries are wrong, and by how much. No
text holds a value of the inputs or of the expected answer, except that it is zero everywhere.

`coursekit.compare` calls this module once two values differ; nothing here decides whether they do.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np


class Finding(NamedTuple):
    """One observation.

    Attributes:
        kind: A key of `coursekit.compare.KINDS`.
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
    non_finite = _non_finite(g, w, rtol, atol)
    if non_finite:
        return non_finite
    if not (np.isfinite(g).all() and np.isfinite(w).all()):
        return Finding("infinite", "has the wrong sign of infinity")
    got, want = float(got), float(want)
    if got == 0:
        return Finding("zeros", "is zero, and should not be")
    if _is_telling(want) and _is_telling(got):
        match = _Match(g, w, np.array([False]), *_strict(rtol, atol, w))
        for look in (_scaled, _function, _by_one):
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
            times = f"about {_rounded(ratio)} times"
        return f"{lead}is {times} the right answer{size}"
    return f"{lead}is too {'large' if ratio > 1 else 'small'}{size} by {_share(abs(ratio - 1))}"


def _rounded(value: float) -> str:
    """Two digits that matter: 7.3, 0.14, 1200."""
    return f"{float(f'{value:.1e}'):.10g}"


def _share(part: float, whole: str = "") -> str:
    """A part of something, as people write it: about 3% of the largest entry, about 2e-07 times its size."""
    if part < 1e-5:
        return f"about {part:.0e} times {whole or 'its size'}"
    return f"about {_rounded(100 * part)}%{f' of {whole}' if whole else ''}"


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
    return Finding("precision", text + _float32_note(np.array([got]), np.array([want])))


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
        return _region_or_count(right)
    if want.size == 1:
        return of_scalars(got.item(), want.item(), "float" if want.dtype.kind == "f" else "int", rtol, atol)
    g, w = got.astype(np.float64), want.astype(np.float64)
    non_finite = _non_finite(g, w, rtol, atol)
    if non_finite:
        return non_finite
    if want.size > MAX_ENTRIES:
        return _region_or_count(right)

    if not w.any():
        return Finding("value", f"should be zero everywhere, and is not in {_of(~right)}")
    match = _Match(g, w, right, *_strict(rtol, atol, w))
    finite = bool(np.isfinite(w).all())
    for look in (_whole, _same_values, *((_precision,) if finite else ())):
        finding = look(match)
        if finding:
            return finding
    if finite and (sign := _signs(match)):
        return sign
    region = _region(right)
    if region:
        zero = not g[region.mask].any()
        return region.finding(", where it is zero" if zero else "")
    for look in (_wrong_axis, *((_scaled_oddly, _by_rows) if finite else ()), _does_not_vary):
        finding = look(match)
        if finding:
            return finding
    return _near(match) if finite else _count(right)


def of_shapes(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> str:
    """Return what can be said about an answer of the wrong shape: a clause, or "" for nothing.

    Args:
        got, want: Float arrays of different shapes.
        rtol, atol: The tolerance for saying that the values are right otherwise.
    """
    from coursekit.compare import close

    def right(candidate: np.ndarray) -> str:
        if candidate.shape != want.shape or want.size == 0 or not close(candidate, want, rtol, atol).all():
            return ""
        return ", and the values are right otherwise"

    g, w = got.shape, want.shape
    if got.size == want.size:
        squeezed = tuple(n for n in g if n != 1)
        if squeezed == tuple(n for n in w if n != 1):
            return _unit_axes(g, w) + right(got.reshape(w))
        if len(g) == 1 and len(w) > 1:
            return f"it has one axis instead of {len(w)}" + right(got.reshape(w))
        if sorted(g) == sorted(w):
            return _axes_in_another_order(got, want, right)
        return ""
    if len(g) == len(w) - 1 and (axes := _left_out(g, w)):
        return _which_axis(axes, w, "missing")
    if len(g) == len(w) + 1 and (axes := _left_out(w, g)):
        return _which_axis(axes, g, "extra")
    if len(g) == len(w):
        other = [a for a in range(len(w)) if g[a] != w[a]]
        if len(other) == 1:
            return _one_axis(got, want, other[0], rtol, atol)
    return ""


def of_sequences(got: Sequence, want: Sequence, same: Callable[[Any, Any], bool], *, noun: str) -> Finding:
    """Return what can be said about a wrong list, tuple, string or bytes.

    Args:
        got, want: Sequences that differ.
        same: Whether two items count as equal.
        noun: What one item is called: "item", "character", "byte".
    """
    n_got, n_want = len(got), len(want)
    prefix = _common(got, want, same)
    suffix = min(_common(got[::-1], want[::-1], same), min(n_got, n_want) - prefix)

    def count(n: int) -> str:
        return f"{n} {noun}{'' if n == 1 else 's'}"

    if n_got != n_want:
        return Finding("length", _another_length(n_got, n_want, prefix, suffix, noun, count), prefix)
    if n_got > 2:
        if all(same(a, b) for a, b in zip(got, reversed(want), strict=True)):
            return Finding("reversed", f"has the right {noun}s in reverse order", prefix)
        for shift, text in ((1, "late"), (-1, "early")):
            rolled = want[-shift:] + want[:-shift]
            if all(same(a, b) for a, b in zip(got, rolled, strict=True)):
                return Finding("shifted", f"has every {noun} one place too {text}, and wraps", prefix)
    if _same_multiset(got, want):
        text = f"has the right {noun}s in another order; the first difference is at index {prefix}"
        return Finding("order", text, prefix)
    wrong = sum(not same(a, b) for a, b in zip(got, want, strict=True))
    if isinstance(got, str) and got.casefold() == want.casefold():
        return Finding("value", f"differs only in upper and lower case, the first time at index {prefix}", prefix)
    verb = "is" if wrong == 1 else "are"
    text = f"has the right length ({n_want}), but {count(wrong)} {verb} wrong, the first at index {prefix}"
    return Finding("value", text, prefix)


# Sequences


def _common(got: Sequence, want: Sequence, same: Callable[[Any, Any], bool]) -> int:
    for i, (a, b) in enumerate(zip(got, want, strict=False)):
        if not same(a, b):
            return i
    return min(len(got), len(want))


def _another_length(n_got: int, n_want: int, prefix: int, suffix: int, noun: str, count: Callable[[int], str]) -> str:
    lengths = f"has {count(n_got)} instead of {n_want}"
    if n_got == 0:
        return f"is empty, and should have {count(n_want)}"
    if n_want == 0:
        return f"has {count(n_got)}, and should be empty"
    short, gap = n_got < n_want, abs(n_got - n_want)
    if prefix == n_want:
        return f"{lengths}: it begins right, with {_extra(gap, noun)} at the end"
    if prefix == n_got:
        if gap == 1:
            return f"{lengths}: the last one is missing"
        return f"{lengths}: it begins right, and the last {count(gap)} are missing"
    some = f"{count(gap)} missing" if short else _extra(gap, noun)
    if suffix == min(n_got, n_want):
        return f"{lengths}: it ends right, with {some} at the start"
    if prefix + suffix == min(n_got, n_want):
        return f"{lengths}: it is right but for {some} at index {prefix}"
    return f"{lengths}; the first difference is at index {prefix}"


def _extra(n: int, noun: str) -> str:
    return f"{n} extra {noun}{'' if n == 1 else 's'}"


def _same_multiset(got: Sequence, want: Sequence) -> bool:
    try:
        # 1, 1.0 and True hash alike but are not the same item.
        return Counter((type(v), v) for v in got) == Counter((type(v), v) for v in want)
    except TypeError:
        return False


# Evidence


class _Match:
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
        from coursekit.compare import close

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
        telling = sum(_is_telling(float(value)) for value in values.ravel()[:64])
        return self.distinct(values) >= (2 if telling >= 2 else 3)


def _strict(rtol: float, atol: float, want: np.ndarray) -> tuple[float, float]:
    """Return the tolerance for explanations: never looser than a thousandth, however loose the check is."""
    finite = np.abs(want[np.isfinite(want)])
    scale = float(finite.max()) if finite.size else 0.0
    # Exact integers are explained in floating point.
    return max(1e-12, min(rtol, 1e-3)), max(1e-12 * scale, min(atol, 1e-3 * scale))


def _is_telling(value: float) -> bool:
    """Whether a number is unlikely by accident: neither a simple fraction nor of few decimal digits."""
    if value == 0 or not math.isfinite(value):
        return False
    parts = value * 240
    if abs(parts) < 1e5 and abs(parts - round(parts)) <= max(1e-9, 1e-7 * abs(parts)):
        return False
    return float(f"{value:.3e}") != value


def _non_finite(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> Finding | None:
    """Return where NaN or infinity stands and should not, or should and does not."""
    from coursekit.compare import close

    size = got.size
    for kind, name, test in (("nan", "NaN", np.isnan), ("infinite", "infinite", np.isinf)):
        here, due = test(got), test(want)
        wrong = here & ~due
        if wrong.any():
            if np.isfinite(want[wrong]).all():
                other = "finite numbers belong" if size > 1 else "a finite number belongs"
            else:
                other = "other values belong" if size > 1 else "another value belongs"
            text = f"is {name}" if size == 1 else f"is {name} in {_of(wrong)}"
            text += f"{_where(wrong)}, where {other}"
            if not wrong.all() and close(got[~wrong], want[~wrong], rtol, atol).all():
                text += "; everything else is right"
            return Finding(kind, text)
        lacking = due & ~here
        if lacking.any():
            which = _infinity_name(want[lacking]) if kind == "infinite" else name
            what = "finite" if np.isfinite(got[lacking]).all() else f"not {which}"
            if size == 1:
                return Finding(kind, f"is {what}, where {which} belongs")
            return Finding(kind, f"is {what} in {_of(lacking)}{_where(lacking)}, where {which} belongs")
    wrong = np.isinf(got) & (got != want)
    if wrong.any() and size > 1:
        return Finding("infinite", f"has the wrong sign of infinity in {_of(wrong)}")
    return None


def _infinity_name(values: np.ndarray) -> str:
    if (values > 0).all():
        return "+inf"
    return "-inf" if (values < 0).all() else "infinity"


def _of(mask: np.ndarray) -> str:
    wrong = int(mask.sum())
    if wrong == mask.size:
        return "every entry"
    return f"{wrong} of {mask.size} entries"


def _where(mask: np.ndarray) -> str:
    """Return the region that a mask fills, as a clause, or ""."""
    region = None if mask.all() else _best_region(mask)
    if region is None:
        return ""
    return f" (none of them {region.place})" if region.outside else f" (all of them {region.place})"


def _count(right: np.ndarray) -> Finding:
    wrong = int((~right).sum())
    if wrong == right.size:
        return Finding("value", "is wrong in every entry" if wrong > 1 else "is wrong in its only entry")
    return Finding("value", f"is wrong in {wrong} of {right.size} entries")


def _near(match: _Match) -> Finding:
    """How many entries are wrong, and by how much if that is little."""
    finding = _count(match.right)
    error = float(match.error.max()) / match.scale
    if not 1e-16 < error < 0.1:
        return finding
    return finding._replace(text=f"{finding.text}; the largest error is {_share(error, 'the largest entry')}")


# Explanations of the whole array


def _whole(match: _Match) -> Finding | None:
    """Return the one transformation that turns the right array into the wrong one, if there is evidence."""
    if not match.got.any():
        return Finding("zeros", "is zero everywhere, and should not be")
    found = []
    if np.isfinite(match.want).all():
        found += [f for f in (_scaled(match), _offset(match)) if f]
        if not found and (function := _function(match)):
            found.append(function)
    moved = list(_rearranged(match))
    if moved and not found and match.explains(-match.want):
        found.append(Finding("negated", "has the opposite sign everywhere"))
    if not found and len(moved) > 1:
        # The same values, moved: which way cannot be told, so say only what is certain.
        if {f.kind for f in moved} == {"shifted"}:
            return Finding("shifted", " or, equally well, ".join(f.text for f in moved))
        return _same_values(match) or _ambiguous(moved)
    found += moved
    if len(found) > 1:
        return _ambiguous(found)
    return found[0] if found else None


def _ambiguous(found: list[Finding]) -> Finding:
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


def _ratio(match: _Match) -> float | None:
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


def _scaled(match: _Match, *, single: bool = False) -> Finding | None:
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


def _tells_scale(match: _Match) -> bool:
    """Whether the right values are varied enough for one ratio between all of them to mean something."""
    return match.varied(np.abs(match.want[np.abs(match.want) > 1e3 * match.atol]))


def _ratio_tolerance(match: _Match, ratio: float, single: bool) -> float:
    """Return how far the ratio may lie from one that has a name: a few times its own uncertainty."""
    if single:
        return min(match.rtol, 1e-3)
    residual = float(np.abs(match.got - ratio * match.want).max()) / (abs(ratio) * match.scale)
    return max(match.rtol / 100, min(match.rtol, 4 * residual))


def _scaled_oddly(match: _Match) -> Finding | None:
    """Return that everything is one multiple of the right answer, where the factor has no name."""
    ratio = _ratio(match)
    if ratio is None:
        return None
    if match.distinct(match.want[match.want != 0]) < 3:
        return None
    return Finding("scaled", "is the same multiple of the right answer in every entry")


def _by_one(match: _Match, *, single: bool) -> Finding | None:
    """Return that a number is off by exactly one."""
    difference = float(match.got[0] - match.want[0])
    if match.rtol > 1e-5 or abs(abs(difference) - 1) > match.atol + match.rtol * match.scale:
        return None
    return Finding("offset", f"is one too {'large' if difference > 0 else 'small'}")


def _offset(match: _Match) -> Finding | None:
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


def _function(match: _Match, *, single: bool = False) -> Finding | None:
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


def _rearranged(match: _Match) -> Iterator[Finding]:
    """Yield the ways in which the right values were put in the wrong places."""
    for perm in _permutations(match.want.shape):
        candidate = match.want.transpose(perm)
        if candidate.shape == match.want.shape and _is_move(match, candidate):
            yield Finding("transposed", f"is the transpose of the right answer ({_perm_name(perm)})")
    for axis, n in enumerate(match.want.shape):
        if n < 2:
            continue
        if _is_move(match, np.flip(match.want, axis)):
            yield Finding("reversed", f"is reversed along axis {axis}")
        if n < 3:
            continue
        yield from _shifted(match, axis)
    yield from _reshaped(match)


def _is_move(match: _Match, candidate: np.ndarray) -> bool:
    """Whether a rearrangement explains the answer, and moves enough distinct values to mean it."""
    if not match.explains(candidate):
        return False
    return match.want.size > 2 and match.varied(match.want[match.differs(candidate, match.want)])


def _shifted(match: _Match, axis: int) -> Iterator[Finding]:
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


def _reshaped(match: _Match) -> Iterator[Finding]:
    """Yield that the entries run on in the order that they had before a transposition that is due."""
    shape = match.want.shape
    flat = match.got.ravel()
    for perm in _permutations(shape):
        before = match.want.transpose(perm)
        if before.shape == shape:
            continue  # that would be the plain transpose
        if [n for n in before.shape if n != 1] == [n for n in shape if n != 1]:
            continue
        candidate = before.ravel()
        if match.explains(candidate, flat) and match.distinct(match.want) >= 4:
            name = _perm_name(perm)
            text = f"holds the right values, reshaped instead of transposed ({name})"
            yield Finding("reshaped", text)


def _permutations(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
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


def _perm_name(perm: tuple[int, ...]) -> str:
    moved = [i for i, p in enumerate(perm) if i != p]
    if len(moved) == 2:
        return f"axes {moved[0]} and {moved[1]} exchanged"
    return f"axes in the order {perm}"


def _same_values(match: _Match) -> Finding | None:
    """Return that the right values stand in other places, whole rows of them if so."""
    g, w = match.got, match.want
    if w.size < 2 or not match.explains(np.sort(w, axis=None), np.sort(g, axis=None)):
        return None
    far = match.differs(g, w)
    if not match.varied(w[far]):
        return None
    if sign := _signs(match):
        return _ambiguous([sign, Finding("order", "holds the right values in another order")])
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


def _signs(match: _Match) -> Finding | None:
    """Return that every wrong entry has the right size and the wrong sign."""
    wrong = ~match.right
    if not match.explains(np.where(wrong, -match.want, match.want)):
        return None
    if wrong.all():
        return Finding("negated", "has the opposite sign everywhere")
    return Finding("negated", f"has the wrong sign in {_of(wrong)}{_where(wrong)}, and is right otherwise")


def _rows_permuted(match: _Match, axis: int) -> bool:
    g = np.moveaxis(match.got, axis, 0).reshape(match.got.shape[axis], -1)
    w = np.moveaxis(match.want, axis, 0).reshape(match.want.shape[axis], -1)
    return match.explains(w[np.lexsort(w.T[::-1])], g[np.lexsort(g.T[::-1])])


# Regions


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


def _region(right: np.ndarray) -> _Region | None:
    if not right.any() or right.size < 3:
        return None
    return _best_region(~right)


def _region_or_count(right: np.ndarray) -> Finding:
    region = _region(right)
    return region.finding() if region else _count(right)


# Rows


def _wrong_axis(match: _Match) -> Finding | None:
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


def _by_rows(match: _Match) -> Finding | None:
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


def _is_seen(match: _Match, candidate: np.ndarray, axis: int) -> bool:
    """Whether each row is off in all of its entries, as far as can be told, or in none."""
    far = match.differs(candidate, match.want)
    return bool((far.all(axis) | ~far.any(axis)).all())


def _does_not_vary(match: _Match) -> Finding | None:
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


# Precision


def _precision(match: _Match) -> Finding | None:
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
        share = _share(error / match.scale, "the largest entry")
        text = f"is close, but not to the tolerance: the largest error is {share}"
    note = _float32_note(match.got, match.want)
    if not note and wrong.sum() >= 4:
        above = (match.got > match.want)[wrong]
        if above.all() or not above.any():
            note = f"; every wrong entry is {'above' if above.all() else 'below'} the right value"
    return Finding("precision", text + note)


def _float32_note(got: np.ndarray, want: np.ndarray) -> str:
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


# Truth values


def _of_bools(got: np.ndarray, want: np.ndarray, right: np.ndarray) -> Finding:
    """Return what can be said about a wrong mask: a named region first, since shifts of a mask abound."""
    if want.size == 1:
        return Finding("negated", "is the opposite of the right answer")
    if not right.any() and want.size > 3 and want.any() and not want.all():
        return Finding("negated", "has every truth value inverted")
    region = _region(right)
    if region:
        states = {bool(v) for v in got[~right]}
        if len(states) == 1:
            return region.finding(f"; the wrong ones are {states.pop()}")
        return region.finding()
    found = []
    if (~right).sum() >= 4:
        for perm in _permutations(want.shape):
            candidate = want.transpose(perm)
            if candidate.shape == want.shape and (candidate == got).all():
                found.append(Finding("transposed", f"is the transpose of the right answer ({_perm_name(perm)})"))
        for axis, n in enumerate(want.shape):
            if n > 2 and (np.flip(want, axis) == got).all():
                found.append(Finding("reversed", f"is reversed along axis {axis}"))
    if found:
        return found[0] if len(found) == 1 else _ambiguous(found)
    if got.all() or not got.any():
        return Finding("constant", f"is {bool(got.flat[0])} everywhere, and should not be")
    return _count(right)


# Shapes


def _left_out(short: tuple[int, ...], long: tuple[int, ...]) -> list[int]:
    """The axes of a shape without which it is the other one."""
    return [axis for axis in range(len(long)) if short == long[:axis] + long[axis + 1 :]]


def _which_axis(axes: list[int], shape: tuple[int, ...], what: str) -> str:
    """Name an axis; where several axes are of one length, only that length is certain."""
    length = shape[axes[0]]
    if len(axes) == 1:
        return f"axis {axes[0]} {'is missing' if what == 'missing' else 'should not be there'}"
    return _missing_or_extra(f"axis of length {length}", what)


def _unit_axes(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    if want == ():
        return "it is an array of one number instead of the number itself"
    missing = want.count(1) - got.count(1)
    if missing > 0:
        return _count_unit_axes(want, missing, "missing")
    if missing < 0:
        return _count_unit_axes(got, -missing, "extra")
    return "an axis of length 1 is in another place"


def _count_unit_axes(shape: tuple[int, ...], n: int, what: str) -> str:
    if n > 1:
        return f"{n} axes of length 1 are missing" if what == "missing" else f"there are {n} extra axes of length 1"
    axes = [axis for axis, length in enumerate(shape) if length == 1]
    place = f" (axis {axes[0]})" if len(axes) == 1 else ""
    return _missing_or_extra("axis of length 1", what) + place


def _missing_or_extra(axis: str, what: str) -> str:
    return f"an {axis} is missing" if what == "missing" else f"there is an extra {axis}"


def _axes_in_another_order(got: np.ndarray, want: np.ndarray, right: Callable[[np.ndarray], str]) -> str:
    fits = [p for p in _permutations(got.shape) if got.transpose(p).shape == want.shape]
    for perm in fits:
        if right(got.transpose(perm)):
            return f"it is the transpose of the right answer ({_perm_name(perm)}){right(got.transpose(perm))}"
    if len(fits) == 1:
        return f"the same lengths in another order ({_perm_name(fits[0])})"
    return "the same lengths in another order"


def _one_axis(got: np.ndarray, want: np.ndarray, axis: int, rtol: float, atol: float) -> str:
    """Return what is wrong where one axis alone has another length."""
    from coursekit.compare import close

    n_got, n_want = got.shape[axis], want.shape[axis]
    text = f"axis {axis} is too {'short' if n_got < n_want else 'long'} by {abs(n_got - n_want)}"
    n = min(n_got, n_want)
    if n == 0 or got.size == 0 or want.size == 0:
        return text
    g, w = np.moveaxis(got, axis, 0), np.moveaxis(want, axis, 0)
    begins = bool(close(g[:n], w[:n], rtol, atol).all())
    ends = bool(close(g[-n:], w[-n:], rtol, atol).all())
    if begins == ends:
        return text
    end, verb = ("end", "begins") if begins else ("start", "ends")
    return f"{text}: it {verb} right, with {'entries missing' if n_got < n_want else 'extra entries'} at the {end}"
