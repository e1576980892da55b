"""What can be said about an answer of the wrong shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from coursekit.closeness import close
from coursekit.diagnosis.explanations import perm_name, permutations


def of_shapes(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> str:
    """Return what can be said about an answer of the wrong shape: a clause, or "" for nothing.

    Args:
        got, want: Float arrays of different shapes.
        rtol, atol: The tolerance for saying that the values are right otherwise.
    """

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
    fits = [p for p in permutations(got.shape) if got.transpose(p).shape == want.shape]
    for perm in fits:
        if right(got.transpose(perm)):
            return f"it is the transpose of the right answer ({perm_name(perm)}){right(got.transpose(perm))}"
    if len(fits) == 1:
        return f"the same lengths in another order ({perm_name(fits[0])})"
    return "the same lengths in another order"


def _one_axis(got: np.ndarray, want: np.ndarray, axis: int, rtol: float, atol: float) -> str:
    """Return what is wrong where one axis alone has another length."""
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
