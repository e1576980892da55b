"""What can be said about a wrong list, tuple, string or bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from coursekit.diagnosis.evidence import Finding


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
