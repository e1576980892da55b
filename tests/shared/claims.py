"""Recomputes what a diagnosis claims, from its text alone and by other means than its own."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
ORDER = ("first", "second", "third", "fourth", "fifth")


class Claim:
    """Two arrays of one shape that a text speaks of, and the tolerance it was found with."""

    def __init__(self, got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> None:
        self.g, self.w = np.asarray(got, np.float64), np.asarray(want, np.float64)
        self.rtol, self.atol = rtol, atol
        self.right = self.same(self.g, self.w, rtol, atol)
        finite = np.abs(self.w[np.isfinite(self.w)])
        self.scale = float(finite.max()) if finite.size else 0.0

    @staticmethod
    def same(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> np.ndarray:
        with np.errstate(all="ignore"):
            near = np.abs(a - b) <= atol + rtol * np.abs(b)
        return np.where(np.isfinite(b), near, (a == b) | (np.isnan(a) & np.isnan(b)))

    def is_answer(self, candidate: np.ndarray, got: np.ndarray | None = None) -> None:
        """Assert that a candidate is the answer: to the tolerance, and far better than the right answer."""
        g = self.g if got is None else got
        assert candidate.shape == g.shape
        rtol, atol = max(self.rtol, 1e-12), max(self.atol, 1e-12 * self.scale)
        assert self.same(g, candidate, rtol, atol).all()
        if got is None:
            with np.errstate(all="ignore"):
                error, left = np.abs(self.g - self.w), np.abs(self.g - candidate)
            wrong = ~self.right & np.isfinite(error)
            assert (left[wrong] <= 0.06 * error[wrong]).all()

    def counted(self, mask: np.ndarray, text: str) -> None:
        """Assert that "3 of 6 entries", or "every entry", is what a mask says."""
        if "every entry" in text or "its only entry" in text:
            assert mask.all()
            return
        n, size = map(int, re.search(r"(\d+) of (\d+) entries", text).groups())
        assert (int(mask.sum()), mask.size) == (n, size) and not mask.all()

    def region(self, place: str) -> np.ndarray:
        """The mask of a place such as "at index 0 of axis 1"."""
        shape = self.w.shape
        if "diagonal" not in place:
            axis = re.search(r" of axis (\d)$", place)
            axis = int(axis[1]) if axis else 0
            n = shape[axis]
            index = np.arange(n).reshape([n if a == axis else 1 for a in range(len(shape))])
            name = re.sub(r" of axis \d$", "", place)
            found = {
                "in the first entry": index == 0,
                "in the last entry": index == n - 1,
                "at index 0": index == 0,
                "at the last index": index == n - 1,
                "at the even indices": index % 2 == 0,
                "at the odd indices": index % 2 == 1,
                "in the first half": index < n // 2,
                "in the second half": index >= n - n // 2,
            }[name]
            return np.broadcast_to(found, shape)
        row, column = np.indices(shape)[-2], np.indices(shape)[-1]
        corner = shape[-1] - shape[-2]
        return {
            "on the diagonal": row == column,
            "on the first diagonal above the main one": column - row == 1,
            "on the first diagonal below the main one": row - column == 1,
            "above the diagonal": column > row,
            "below the diagonal": row > column,
            "on and above the diagonal": column >= row,
            "on and below the diagonal": row >= column,
            "on the diagonal that ends in the last corner": column - row == corner,
            "above the diagonal that ends in the last corner": column - row > corner,
            "above the main diagonal, up to the one that ends in the last corner": (column > row)
            & (column - row <= corner),
        }[place]

    def inside(self, mask: np.ndarray, text: str) -> None:
        """Assert the clause "(all of them above the diagonal)", if there is one."""
        if found := re.search(r"\((all|none) of them ([^)]*)\)", text):
            region = self.region(found[2])
            assert not (mask & ~region).any() if found[1] == "all" else not (mask & region).any()


def factor_of(text: str) -> float:
    """The factor that "minus 2 times" or "1/√3 of" names."""
    found = re.match(r"(minus )?(\S+) (?:times|of)$", text)
    number = found[2]
    top, bar, bottom = number.partition("/")
    if number.startswith("√(") and number.endswith(")"):
        top, _, bottom = number[2:-1].partition("/")
        return (-1 if found[1] else 1) * math.sqrt(int(top) / int(bottom))
    names = {
        "log 2": math.log(2),
        "π": math.pi,
        "(2π)": 2 * math.pi,
        "2π": 2 * math.pi,
        "10⁶": 1e6,
        "10⁹": 1e9,
        "2²⁰": 2.0**20,
        "2³⁰": 2.0**30,
    }

    def value(part: str) -> float:
        return names.get(part) or (math.sqrt(int(part[1:])) if part.startswith("√") else float(part))

    return (-1 if found[1] else 1) * value(top) / (value(bottom) if bar else 1.0)


FUNCTIONS = {
    "one minus the right answer": lambda w: 1 - w,
    "one over the right answer": lambda w: 1 / w,
    "the square of the right answer": lambda w: w**2,
    "the square root of the right answer": lambda w: w**0.5,
    "the logarithm of the right answer": np.log,
    "minus the logarithm of the right answer": lambda w: -np.log(w),
    "the exponential of the right answer": np.exp,
    "the exponential of minus the right answer": lambda w: np.exp(-w),
    "the absolute value of the right answer": np.abs,
}


def _axes_exchanged(claim: Claim, text: str) -> list[np.ndarray]:
    if found := re.search(r"axes (\d) and (\d) exchanged", text):
        return [np.swapaxes(claim.w, int(found[1]), int(found[2]))]
    perm = tuple(map(int, re.search(r"axes in the order \(([\d, ]+)\)", text)[1].split(",")))
    return [claim.w.transpose(perm)]


def _scaled(claim: Claim, found: re.Match) -> None:
    claim.is_answer(
        claim.w
        * factor_of(found[1].replace("log 2 ", "0.6931471805599453 ").replace("1/log 2", "1/0.6931471805599453"))
    )
    if note := found[2]:
        number = abs(factor_of(found[1].replace("log 2 ", "1 ")))
        shape = claim.w.shape
        axes = [int(axis) for axis in re.findall(r"axis (\d)", note)]
        lengths = {shape[axis] for axis in axes} or {claim.w.size}
        assert len(lengths) == 1
        (n,) = lengths
        possible = [n, 1 / n, n**0.5, n**-0.5, n / (n - 1), (n - 1) / n, (n / (n - 1)) ** 0.5, ((n - 1) / n) ** 0.5]
        assert any(math.isclose(number, value) for value in possible)


def _offset(claim: Claim, found: re.Match) -> None:
    gap = claim.g - claim.w
    constant = float(np.median(gap))
    assert constant != 0
    claim.is_answer(claim.w + constant)
    step = max(claim.atol, 1e-12 * claim.scale) + max(claim.rtol, 1e-12) * np.abs(claim.w + constant)
    assert (np.abs(gap - constant) <= step).all() and (np.abs(gap) > 5 * step).all()


def _by_one(claim: Claim, found: re.Match) -> None:
    claim.is_answer(claim.w + (1 if found[1] == "large" else -1))


def _shifted(claim: Claim, found: re.Match) -> None:
    axis = int(found[2])
    g, w = np.moveaxis(claim.g, axis, 0), np.moveaxis(claim.w, axis, 0)
    step = 1 if found[1] == "late" else -1
    claim.is_answer(w[:-1], g[1:]) if step == 1 else claim.is_answer(w[1:], g[:-1])
    if found[3]:
        claim.is_answer(np.roll(claim.w, step, axis))


def _order(claim: Claim, found: re.Match) -> None:
    claim.is_answer(np.sort(claim.w, None), np.sort(claim.g, None))
    assert not claim.right.all()


def _order_along(claim: Claim, found: re.Match) -> None:
    axis = int(found[1])
    rows = [list(np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1)) for values in (claim.g, claim.w)]
    for row in rows[0]:  # each finds one of its own
        for place, other in enumerate(rows[1]):
            if Claim.same(row, other, max(claim.rtol, 1e-12), max(claim.atol, 1e-12 * claim.scale)).all():
                del rows[1][place]
                break
        else:
            raise AssertionError("a row that is not due")


def _order_in_rows(claim: Claim, found: re.Match) -> None:
    claim.is_answer(np.sort(claim.w, -1), np.sort(claim.g, -1))
    wrong = (~claim.right).any(-1)
    assert (int(found[1]), int(found[2])) == (wrong.sum(), wrong.size)


def _sorted(claim: Claim, found: re.Match) -> None:
    steps = np.diff(claim.g)
    assert (steps >= 0).all() if found[1] == "ascending" else (steps <= 0).all()
    _order(claim, found)


def _signs(claim: Claim, found: re.Match) -> None:
    wrong = ~claim.right
    claim.counted(wrong, found[0])
    claim.inside(wrong, found[0])
    claim.is_answer(np.where(wrong, -claim.w, claim.w))


def _only(claim: Claim, found: re.Match) -> None:
    region, wrong = claim.region(found[1]), ~claim.right
    assert not (wrong & ~region).any()
    claim.counted(wrong, found[0])
    if "where it is zero" in found[0]:
        assert not claim.g[region].any()
    if state := re.search("the wrong ones are (True|False)", found[0]):
        assert (claim.g[wrong] == (state[1] == "True")).all()


def _right_there(claim: Claim, found: re.Match) -> None:
    region, wrong = claim.region(found[1]), ~claim.right
    assert not (wrong & region).any()
    assert (wrong == ~region).all() != bool(found[2])
    claim.counted(wrong, found[0])
    if "where it is zero" in found[0]:
        assert not claim.g[~region].any()


def _count(claim: Claim, found: re.Match) -> None:
    claim.counted(~claim.right, found[0])
    if found[2]:
        _largest(claim, found[2])


def _largest(claim: Claim, text: str) -> None:
    error = np.abs(claim.g - claim.w).max() / claim.scale
    if share := re.search(NUMBER + "% of the largest entry", text):
        assert math.isclose(float(share[1]) / 100, error, rel_tol=0.06)
    else:
        assert math.isclose(float(re.search(NUMBER + " times the largest entry", text)[1]), error, rel_tol=0.51)


def _digits(claim: Claim, found: re.Match) -> None:
    relative = (np.abs(claim.g - claim.w)[claim.w != 0] / np.abs(claim.w[claim.w != 0])).max()
    assert int(found[1]) - 0.01 <= -math.log10(relative) < int(found[1]) + 1.01
    assert np.array_equal(claim.g[claim.w == 0], claim.w[claim.w == 0])
    _notes(claim, found[0])


def _close(claim: Claim, found: re.Match) -> None:
    _largest(claim, found[0])
    assert np.abs(claim.g - claim.w).max() < 1e-3 * claim.scale
    _notes(claim, found[0])


def _notes(claim: Claim, text: str) -> None:
    wrong = ~claim.right
    if "is above the right value" in text:
        assert (claim.g[wrong] > claim.w[wrong]).all()
    if "is below the right value" in text:
        assert (claim.g[wrong] < claim.w[wrong]).all()
    if "float32 holds exactly" in text:
        assert np.array_equal(np.float64(np.float32(claim.g)), claim.g) and not np.array_equal(
            np.float64(np.float32(claim.w)), claim.w
        )
    if found := re.search("it is too (large|small)( in magnitude)?", text):
        size = np.abs if found[2] else (lambda x: x)
        assert (size(claim.g) > size(claim.w)).all() == (found[1] == "large")
        assert bool(found[2]) == (claim.w < 0).all()


def _zero_due(claim: Claim, found: re.Match) -> None:
    assert not claim.w.any()
    claim.counted(~claim.right, found[1])


def _nan(claim: Claim, found: re.Match) -> None:
    here = np.isnan(claim.g) if found[1] == "NaN" else np.isinf(claim.g)
    due = np.isnan(claim.w) if found[1] == "NaN" else np.isinf(claim.w)
    wrong = here & ~due
    if claim.g.size > 1:
        claim.counted(wrong, found[0])
        claim.inside(wrong, found[0])
    assert wrong.any() and np.isfinite(claim.w[wrong]).all() == ("finite" in found[2])
    if "everything else is right" in found[0]:
        assert claim.right[~wrong].all()


def _lacking(claim: Claim, found: re.Match) -> None:
    due = {"NaN": np.isnan, "+inf": np.isposinf, "-inf": np.isneginf, "infinity": np.isinf}[found[2]]
    kind = np.isnan if found[2] == "NaN" else np.isinf
    wrong = kind(claim.w) & ~kind(claim.g)
    assert wrong.any() and due(claim.w[wrong]).all()
    if claim.g.size > 1:
        claim.counted(wrong, found[0])
        claim.inside(wrong, found[0])
    if found[1] == "finite":
        assert np.isfinite(claim.g[wrong]).all()


def _infinities(claim: Claim, found: re.Match) -> None:
    wrong = np.isinf(claim.g) & (claim.g != claim.w)
    assert np.isinf(claim.w[wrong]).all()
    if claim.g.size > 1:
        claim.counted(wrong, found[0])


def _sums(claim: Claim, found: re.Match) -> None:
    with np.errstate(all="ignore"):
        g, w = (np.exp(claim.g), np.exp(claim.w)) if "exponentials" in found[0] else (claim.g, claim.w)
    if "along another axis" in found[0]:
        other, axis = int(found[1]), int(found[2])
        assert np.allclose(g.sum(other), 1, atol=1e-4) and np.allclose(w.sum(axis), 1, atol=1e-4)
        assert not np.allclose(g.sum(axis), 1, rtol=0, atol=1e-6)
        return
    axis = int(found[1])
    assert np.allclose(w.sum(axis), 1, atol=1e-4)
    off = ~np.isclose(g.sum(axis), 1, rtol=0, atol=1e-5)
    assert off.any()
    if found[2]:
        assert (int(found[2]), int(found[3])) == (off.sum(), off.size)


def _rows(claim: Claim, found: re.Match) -> None:
    axis = int(found[2])
    g, w = claim.g, claim.w
    if found[1] == "off by a constant":
        own = np.median(g - w, axis, keepdims=True)
        candidate = w + own
    else:
        own = (g * w).sum(axis, keepdims=True) / (w * w).sum(axis, keepdims=True)
        candidate = w * own
    claim.is_answer(candidate)
    assert np.ptp(own) > 0


def _constant(claim: Claim, found: re.Match) -> None:
    if found[1]:
        first = np.take(claim.g, [0], int(found[1]))
        claim.is_answer(np.broadcast_to(first, claim.g.shape), claim.g)
        assert np.ptp(claim.w, int(found[1])).any()
    else:
        claim.is_answer(np.full(claim.g.shape, claim.g.flat[0]), claim.g)
        assert not np.isfinite(claim.w).all() or np.ptp(claim.w) > 0


def _multiple(claim: Claim, found: re.Match) -> None:
    claim.is_answer(claim.w * ((claim.g * claim.w).sum() / (claim.w**2).sum()))


def _reshaped(claim: Claim, found: re.Match) -> None:
    (before,) = _axes_exchanged(claim, found[0])
    claim.is_answer(before.reshape(claim.g.shape))


def _one(claim: Claim) -> tuple[float, float]:
    assert claim.g.size == 1
    return claim.g.item(), claim.w.item()


def _wrong_sign(claim: Claim, found: re.Match) -> None:
    got, want = _one(claim)
    assert got == -want or math.isclose(got, -want, rel_tol=1e-3)


def _too(claim: Claim, found: re.Match) -> None:
    """has the wrong sign, and | is | too large, in magnitude | by about 3% or about 2 times the right answer."""
    got, want = _one(claim)
    text = found[0]
    assert ("wrong sign" in text) == (np.sign(got) * np.sign(want) < 0)
    assert ("in magnitude" in text) == (np.sign(got) * np.sign(want) < 0 or want < 0)
    ratio = abs(got / want)
    if part := re.search(r"too (large|small)(?: in magnitude)? by about " + NUMBER + "(%| times its size)", text):
        assert (ratio > 1) == (part[1] == "large")
        told = float(part[2]) / (100 if part[3] == "%" else 1)
        assert math.isclose(told, abs(ratio - 1), rel_tol=0.06 if part[3] == "%" else 0.51)
    elif part := re.search("about " + NUMBER + " times the right answer", text):
        assert math.isclose(float(part[1]), ratio, rel_tol=0.06)
    else:
        assert ratio >= 1e6 if "more than a million times" in text else ratio <= 1e-6


def _larger(claim: Claim, found: re.Match) -> None:
    got, want = _one(claim)
    assert (got > want) == (found[1] == "large")
    if found[2]:
        assert abs(got - want) == int(found[2])


def _function(claim: Claim, found: re.Match) -> None:
    with np.errstate(all="ignore"):
        claim.is_answer(FUNCTIONS[found[1]](claim.w))


SIZE = r"(?: in magnitude)?"
WHERE = r"(?: \((?:all|none) of them [^)]*\))?"
SHARE = rf"(?:about {NUMBER}% of the largest entry|about {NUMBER} times the largest entry)"
NOTE = r"(?:; every (?:wrong )?entry [^;]*|; it is a number that float32 holds exactly[^;]*)?"
OF = r"(?:every entry|\d+ of \d+ entries)"

CLAIMS: list[tuple[str, Callable[[Claim, re.Match], None]]] = [
    (r"is the opposite of the right answer", lambda c, m: None if c.g.item() != c.w.item() else 1 / 0),
    (r"has every truth value inverted", lambda c, m: c.is_answer(1 - c.w)),
    (r"is (True|False) everywhere, and should not be", lambda c, m: c.is_answer(np.full(c.g.shape, float(m[1] == "True")))),
    (r"is zero(?: everywhere)?, and should not be", lambda c, m: c.is_answer(np.zeros(c.g.shape), c.g)),
    (rf"should be zero everywhere, and is not in ({OF})", _zero_due),
    (r"has the wrong sign", _wrong_sign),
    (r"has the opposite sign everywhere", lambda c, m: c.is_answer(-c.w)),
    (rf"has the wrong sign in {OF}{WHERE}, and is right otherwise", _signs),
    (r"is one too (large|small)(?:, everywhere)?", _by_one),
    (r"is too (large|small)(?: by (\d+))?", _larger),
    (rf"(?:has the wrong sign, and )?is too (?:large|small){SIZE} by about [\d.e+-]+(?:%| times its size)", _too),
    (rf"(?:has the wrong sign, and )?is (?:about [\d.e+-]+ times|more than a million times|less than a millionth of) the right answer{SIZE}", _too),
    (r"is ((?:minus )?\S+ (?:2 )?(?:times|of)) the right answer(?:, everywhere)?(?: \(([^)]*)\))?", _scaled),
    (r"is the same multiple of the right answer in every entry", _multiple),
    (r"is off by the same constant in every entry", _offset),
    (r"is (off by a constant|a multiple of the right answer) along axis (\d), (?:which|by a factor that) differs from row to row", _rows),
    (r"is ([a-z ]+ the right answer)(?:, everywhere)?", _function),
    (r"is the transpose of the right answer \([^)]*(?:\([^)]*\))?\)", lambda c, m: [c.is_answer(each) for each in _axes_exchanged(c, m[0])]),
    (r"is reversed along axis (\d)", lambda c, m: c.is_answer(np.flip(c.w, int(m[1])))),
    (r"is one place too (late|early) along axis (\d)(, and wraps)?", _shifted),
    (r"holds the right values in another order along axis (\d)", _order_along),
    (r"holds the right values in each row \(last axis\), in the wrong order in (\d+) of (\d+) rows", _order_in_rows),
    (r"holds the right values sorted in (ascending|descending) order, and should not be sorted", _sorted),
    (r"holds the right values in another order", _order),
    (r"holds the right values, reshaped instead of transposed \([^)]*(?:\([^)]*\))?\)", _reshaped),
    (r"is wrong only ((?:in|at|on|above|below) [^(]*?) \(\d+ of \d+ entries\)(?:, where it is zero|; the wrong ones are (?:True|False))?", _only),
    (r"is right ((?:in|at|on|above|below) [^(]*?), and wrong (nearly )?everywhere else \(\d+ of \d+ entries\)(?:, where it is zero|; the wrong ones are (?:True|False))?", _right_there),
    (rf"is wrong in (every entry|its only entry|\d+ of \d+ entries)(; the largest error is {SHARE})?", _count),
    (rf"is right to about (\d+) digits, but not to the tolerance(?:: it is too (?:large|small){SIZE})?{NOTE}", _digits),
    (rf"is close, but not to the tolerance: the largest error is {SHARE}{NOTE}", _close),
    (rf"is (NaN|infinite)(?: in {OF}{WHERE})?, where ((?:finite|other|a finite|another) (?:numbers?|values?)) belongs?(?:; everything else is right)?", _nan),
    (rf"is (finite|not NaN)(?: in {OF}{WHERE})?, where (NaN|\+inf|-inf|infinity) belongs", _lacking),
    (rf"has the wrong sign of infinity(?: in {OF})?", _infinities),
    (r"is normalized along another axis: the (?:exponentials of its )?entries sum to 1 along axis (\d), and should along axis (\d)", _sums),
    (r"is not normalized: along axis (\d) the (?:exponentials of its )?entries should sum to 1, and do not(?: in (\d+) of (\d+) cases)?", _sums),
    (r"does not vary along axis (\d), and should", _constant),
    (r"has the same value in every entry, and should not()", _constant),
]  # fmt: skip


def assert_true(summary: str, got: object, want: object, rtol: float = 1e-9, atol: float = 1e-10) -> None:
    """Assert that everything a summary says of two numbers or arrays of one shape holds.

    A sentence that is not in the list above fails: each has its own test.
    """
    claim = Claim(got, want, rtol, atol)
    text = summary.removeprefix("output ").removesuffix(".")
    for part in re.split(r" (?:and|or), equally well, ", text):
        fits = [(re.fullmatch(pattern, part), check) for pattern, check in CLAIMS]
        fits = [(found, check) for found, check in fits if found]
        assert fits, f"no test for: {part}"
        found, check = fits[0]
        check(claim, found)
