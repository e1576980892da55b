"""Whether two answers are the same and, where they are not, how they differ.

`compare` walks two values side by side and returns None or one `Difference`; `assert_close` raises it.
What counts as the same, in one place:

- A single number may be a Python number, a NumPy scalar or a 0-d array or tensor.
- An integer counts where a float is due. A float where an integer is due does not, nor a bool for a number.
- Memory layout, device and `requires_grad` do not matter; a list counts for a tuple, a Counter for a dict.
- Library, shape and floating dtype matter: nothing is broadcast, and nothing is converted silently.
- Integers, bools and text compare exactly. NaN equals NaN only where NaN is due, and infinities are exact.
- Numbers are close when |got - want| <= atol + rtol * |want|, with `default_tolerance` of want's dtype.

Why they differ is worked out in `coursekit.diagnosis`, only once something does. Torch is never imported
here: where it has not been imported, no value can be a tensor.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from coursekit import diagnosis
from coursekit.closeness import Tolerance, close, widen
from coursekit.describe import (
    ARTICLE,
    REFUSED,
    REFUSED_NAMES,
    Scalar,
    as_numpy,
    describe,
    qualified,
    scalar_of,
    shape_text,
    short,
    sort_of,
)
from coursekit.places import Place, place_called

MAX_DEPTH = 64
"""Values nested deeper than this are refused, so that no answer can exhaust the stack."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """How an answer differs from the one that is due.

    Attributes:
        kind: One of `coursekit.diagnosis.KINDS`.
        summary: One or two sentences on structure only: shapes, dtypes, indices, counts, factors. It holds
            no value of the inputs or of the expected output, so a hidden check may show it.
        detail: Values to add where everything may be shown (public checks): the worst coordinates, what
            arrived and what was due. Does not repeat the summary; may be empty.
    """

    kind: str
    summary: str
    detail: str

    def __str__(self) -> str:
        return f"{self.summary}\n{self.detail}" if self.detail else self.summary


class Mismatch(AssertionError):
    """An answer that is not the one due; `difference` says how."""

    def __init__(self, difference: Difference):
        super().__init__(str(difference))
        self.difference = difference

    def __reduce__(self):
        return (Mismatch, (self.difference,))


def compare(
    got: Any, want: Any, *, rtol: float | None = None, atol: float | None = None, name: str = "output"
) -> Difference | None:
    """Return how `got` differs from `want`, or None where it does not.

    Never raises on plain values, whatever they are, and never changes them.

    Args:
        got: The answer that arrived.
        want: The answer that is due; its types, shapes and dtypes are what is asked for.
        rtol: Relative tolerance, instead of the default for want's dtype.
        atol: Absolute tolerance, likewise.
        name: What messages call the answer; parts are called `output[2]['keys']` after it.

    Returns:
        None, or the first difference found with the strongest explanation that the evidence allows.
    """
    return _compare(got, want, Tolerance(rtol, atol), place_called(name), 0)


def assert_close(
    got: Any, want: Any, *, rtol: float | None = None, atol: float | None = None, name: str = "output"
) -> None:
    """Raise `Mismatch` unless `compare` finds `got` and `want` the same.

    Args:
        got, want, rtol, atol, name: As for `compare`.

    Raises:
        Mismatch: With the structural diagnosis in its message and its `difference`.
    """
    __tracebackhide__ = True
    difference = compare(got, want, rtol=rtol, atol=atol, name=name)
    if difference is not None:
        raise Mismatch(difference)


def _compare(got: Any, want: Any, tolerance: Tolerance, where: Place, depth: int) -> Difference | None:
    if depth > MAX_DEPTH:
        return Difference("refused", f"{where.shown[:200]}: nested too deeply to compare.", "")

    want_sort = sort_of(want)
    got_sort = sort_of(got)
    if want_sort == "scalar":
        if got_sort == "scalar":
            return _compare_scalars(scalar_of(got), scalar_of(want), tolerance, where)
    elif want_sort == got_sort:
        if want_sort == "array":
            return _compare_arrays(got, want, tolerance, where)
        if want_sort == "none":
            return None
        if want_sort == "sequence":
            return _compare_sequences(got, want, tolerance, where, depth)
        if want_sort == "dict":
            return _compare_dicts(got, want, tolerance, where, depth)
        if want_sort in ("str", "bytes"):
            return None if got == want else _text_difference(got, want, want_sort, where)
        if want_sort == "set":
            return _compare_sets(got, want, where)
        if want_sort == "dataclass":
            return _compare_dataclasses(got, want, tolerance, where, depth)
        if want_sort == "tensor":
            return _compare_arrays(got, want, tolerance, where)
        if want_sort == "other":
            return _compare_objects(got, want, where)
    return _sort_difference(got, got_sort, want, want_sort, where)


def _compare_scalars(got: Scalar, want: Scalar, tolerance: Tolerance, where: Place) -> Difference | None:
    if got.sort != want.sort and not (got.sort == "int" and want.sort == "float"):
        summary = f"{where.shown} is {ARTICLE[got.sort]} instead of {ARTICLE[want.sort]}."
        return Difference("type", summary, _got_want(got.value, want.value, where))
    if want.sort != "float":
        if got.value == want.value:
            return None
        return _scalar_difference(got, want, 0.0, 0.0, where)
    if got.sort == "float" and got.library == want.library and got.dtype != want.dtype:
        return _dtype_difference(got.dtype, want.dtype, where)

    rtol, atol = tolerance.for_dtype(want.dtype)
    a, b = got.value, want.value
    if a == b or (a != a and b != b):
        return None
    try:
        if math.isfinite(a) and math.isfinite(b) and abs(a - b) <= atol + rtol * abs(b):
            return None
    except OverflowError:  # an int too large for a float is far from every float
        pass
    return _scalar_difference(got, want, rtol, atol, where)


def _scalar_difference(got: Scalar, want: Scalar, rtol: float, atol: float, where: Place) -> Difference:
    finding = diagnosis.of_scalars(got.value, want.value, want.sort, rtol, atol)
    return Difference(finding.kind, f"{where.shown} {finding.text}.", _got_want(got.value, want.value, where))


def _compare_arrays(got: Any, want: Any, tolerance: Tolerance, where: Place) -> Difference | None:
    got_shape, want_shape = tuple(got.shape), tuple(want.shape)
    g, got_dtype = as_numpy(got)
    w, want_dtype = as_numpy(want)
    if got_shape != want_shape:
        return _shape_difference(g, w, tolerance.for_dtype(want_dtype), where)
    if got_dtype != want_dtype and not _dtype_counts(g.dtype.kind, w.dtype.kind):
        return _dtype_difference(got_dtype, want_dtype, where)

    if w.dtype.kind != "f":
        right = g == w
        if right.all():
            return None
        return _array_difference(g, w, right, 0.0, 0.0, where)

    rtol, atol = tolerance.for_dtype(want_dtype)
    g, w = widen(g), widen(w)
    right = close(g, w, rtol, atol)
    if right.all():
        return None
    return _array_difference(g, w, right, rtol, atol, where)


def _dtype_counts(got: str, want: str) -> bool:
    """Whether a dtype of kind `got` may stand where another of kind `want` is due."""
    if want == "f":
        return got in "iu"
    if want in "iu":
        return got in "iu"  # the width of an integer is nobody's lesson, and differs between systems
    return got == want


def _dtype_difference(got: str, want: str, where: Place) -> Difference:
    return Difference("dtype", f"{where.shown} has dtype {got} instead of {want}.", "")


def _shape_difference(got: np.ndarray, want: np.ndarray, tolerance: tuple[float, float], where: Place) -> Difference:
    observation = ""
    if got.dtype.kind in "biuf" and want.dtype.kind in "biuf":
        observation = diagnosis.of_shapes(widen(got), widen(want), *tolerance)
    summary = f"{where.shown} has shape {shape_text(got.shape)} instead of {want.shape}"
    return Difference("shape", f"{summary}: {observation}." if observation else f"{summary}.", "")


def _array_difference(
    got: np.ndarray, want: np.ndarray, right: np.ndarray, rtol: float, atol: float, where: Place
) -> Difference:
    finding = diagnosis.of_arrays(got, want, right, rtol, atol)
    return Difference(
        finding.kind, f"{where.shown} {finding.text}.", _array_detail(got, want, right, rtol, atol, where)
    )


def _array_detail(got: np.ndarray, want: np.ndarray, right: np.ndarray, rtol: float, atol: float, where: Place) -> str:
    """Return the worst coordinates with what arrived and what was due, and small arrays whole."""
    lines = []
    if want.dtype.kind in "iuf":
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(got.astype(np.float64) - want.astype(np.float64))
        # What is not a number is worse than any error.
        error = np.where(np.isnan(error), np.inf, error)
        lines.append(f"allowed error: {atol:g} + {rtol:g} * |want|")
    else:
        error = np.ones(want.shape)
    error = np.where(right, -1.0, error)
    for flat in np.argsort(-error, axis=None, kind="stable")[:4]:
        index = np.unravel_index(flat, want.shape)
        if right[index]:
            break
        place = ", ".join(str(int(i)) for i in index)
        lines.append(f"{where.full} at [{place}]: got {', want '.join(_apart(got[index], want[index]))}")
    if want.size <= 24:
        for label, text in zip(("got", "want"), _arrays_apart(got, want), strict=True):
            lines.append(f"{label}:\n{text}")
    return "\n".join(lines)


def _apart(got: Any, want: Any) -> list[str]:
    """Two numbers with as many digits as it takes to tell them apart."""
    if not isinstance(want, np.floating):
        return [str(got), str(want)]
    for digits in (10, 13, 17):
        texts = [f"{value:.{digits}g}" for value in (got, want)]
        if texts[0] != texts[1]:
            break
    return texts


def _arrays_apart(got: np.ndarray, want: np.ndarray) -> list[str]:
    """Two arrays that differ, with as many digits as it takes to see it."""
    for digits in (6, 10, 17):
        texts = [np.array2string(values, precision=digits) for values in (got, want)]
        if texts[0] != texts[1]:
            break
    return texts


def _compare_sequences(got: Any, want: Any, tolerance: Tolerance, where: Place, depth: int) -> Difference | None:
    types = set(map(type, want))
    if len(types) == 1 and types <= _EXACT and set(map(type, got)) == types:
        if list(got) == list(want):
            return None
        return _sequence_difference(got, want, lambda a, b: a == b, where)

    first = None
    wrong = 0
    if len(got) == len(want):
        for i, (g, w) in enumerate(zip(got, want, strict=True)):
            difference = _compare(g, w, tolerance, where.item(i), depth + 1)
            if difference is not None:
                wrong += 1
                first = first or difference
        if first is None:
            return None
        if _all_numbers(got) and _all_numbers(want) and first.kind not in _OTHER_SORTS:
            rtol, atol = tolerance.for_dtype("float64")
            g, w = np.array(got, np.float64), np.array(want, np.float64)
            right = close(g, w, rtol, atol)
            if not right.all():  # a whole number may be off by less than a float would show
                return _array_difference(g, w, right, rtol, atol, where)

    def same(a: Any, b: Any) -> bool:
        return _compare(a, b, tolerance, where, depth + 1) is None

    if first is None or _all_plain(want) and first.kind not in _OTHER_SORTS:
        return _sequence_difference(got, want, same, where)
    return _tallied(first, wrong, len(want), "items", where)


def _tallied(first: Difference, wrong: int, of: int, noun: str, where: Place) -> Difference:
    """The first difference, and how many of the parts have one."""
    if of == 1 or first.summary.endswith(_THE_REST):
        return first
    if wrong == of:
        count = f"The rest of {where.noun}{_THE_REST}"
    else:
        count = f"{wrong} of {of} {noun} of {where.noun} {'is' if wrong == 1 else 'are'} wrong."
    return dataclasses.replace(first, summary=f"{first.summary} {count}")


_THE_REST = " is wrong, too."

_OTHER_SORTS = {"type", "refused", "shape", "dtype"}
"""Differences of one item that say more than how many items are wrong."""

_EXACT = {int, str, bytes, bool}
"""Types whose own equality is the one meant here, among values of the same type."""


def _all_numbers(values: Any) -> bool:
    """Whether there are several, all of them floats or ints that a float holds, and at least one a float."""
    types = set(map(type, values))
    if len(values) < 2 or not types <= {int, float} or float not in types:
        return False
    return all(type(v) is float or abs(v) < 2**53 for v in values)


def _all_plain(values: Any) -> bool:
    return set(map(type, values)) <= {int, float, bool, str, bytes, type(None)}


def _sequence_difference(got: Any, want: Any, same: Any, where: Place) -> Difference:
    finding = diagnosis.of_sequences(got, want, same, noun="item")
    detail = []
    if finding.index is not None:
        for label, values in (("got", got), ("want", want)):
            shown = short(values[finding.index]) if finding.index < len(values) else "nothing"
            detail.append(f"{where.item(finding.index).full}: {label} {shown}")
    detail.append(f"got {short(got)}")
    detail.append(f"want {short(want)}")
    return Difference(finding.kind, f"{where.shown} {finding.text}.", "\n".join(detail))


def _text_difference(got: Any, want: Any, sort: str, where: Place) -> Difference:
    noun = "character" if sort == "str" else "byte"
    finding = diagnosis.of_sequences(got, want, lambda a, b: a == b, noun=noun)
    start = max(0, (finding.index or 0) - 20)
    lead = "…" if start else ""
    detail = f"{where.full}: got {lead}{short(got[start:])}\nwant {lead}{short(want[start:])}"
    return Difference(finding.kind, f"{where.shown} {finding.text}.", detail)


def _compare_sets(got: Any, want: Any, where: Place) -> Difference | None:
    if got == want:
        return None
    return _keys_difference(got, want, "member", where)


class Law(dict):
    """The distribution of a random result: its probability by result, which `coursekit.chance.law` computes."""


def _compare_laws(got: dict, want: dict, tolerance: Tolerance, where: Place) -> Difference | None:
    rtol, atol = tolerance.for_dtype("float64")
    never = [result for result in want if result not in got]
    new = [result for result in got if result not in want]
    off = [
        result for result in want if result in got and not abs(got[result] - want[result]) <= atol + rtol * want[result]
    ]
    parts = []
    if never:
        parts.append(
            f"{len(never)} of the {len(want)} possible results never {'occurs' if len(never) == 1 else 'occur'}"
        )
    if new:
        parts.append(f"{len(new)} {'result occurs that is' if len(new) == 1 else 'results occur that are'} impossible")
    if off and not parts:
        whose = "probability" if len(off) == 1 else "probabilities"
        parts.append(f"all its results are possible, but {len(off)} of {len(want)} have the wrong {whose}")
    if not parts:
        return None
    detail = [
        f"P({short(result)}): got {got.get(result, 0.0):.10g}, want {want.get(result, 0.0):.10g}"
        for result in sorted(
            {*never, *new, *off}, key=lambda result: -abs(got.get(result, 0.0) - want.get(result, 0.0))
        )[:6]
    ]
    return Difference(
        "distribution", f"{where.shown} has another distribution: {', and '.join(parts)}.", "\n".join(detail)
    )


def _compare_dicts(got: dict, want: dict, tolerance: Tolerance, where: Place, depth: int) -> Difference | None:
    if isinstance(got, Law) or isinstance(want, Law):
        return _compare_laws(got, want, tolerance, where)
    if got.keys() != want.keys():
        return _keys_difference(got.keys(), want.keys(), "key", where)
    show = _keys_are_names(want)
    first = None
    wrong = 0
    for key in want:
        difference = _compare(got[key], want[key], tolerance, where.key(key, show=show), depth + 1)
        if difference is not None:
            wrong += 1
            first = first or difference
    return first and _tallied(first, wrong, len(want), "values", where)


def _keys_are_names(want: dict) -> bool:
    """Whether the keys name fields, which a summary may show, rather than being data, which it may not.

    Counts by word have words for keys, which are data; fields hold something other than counts.
    """
    names = all(type(key) is str and key.isidentifier() and len(key) <= 32 for key in want)
    return names and len(want) <= 64 and not all(type(value) is int for value in want.values())


def _keys_difference(got: Any, want: Any, noun: str, where: Place) -> Difference:
    missing = [key for key in want if key not in got]
    extra = [key for key in got if key not in want]
    parts = []
    if missing:
        parts.append(f"lacks {len(missing)} of the {len(want)} {noun}s that it should have")
    if extra:
        parts.append(f"has {len(extra)} extra {noun}{'s' if len(extra) > 1 else ''}")
    detail = [f"{where.full}:"]
    if missing:
        detail.append(f"missing: {short(missing)}")
    if extra:
        detail.append(f"extra: {short(extra)}")
    return Difference("keys", f"{where.shown} {' and '.join(parts)}.", "\n".join(detail))


def _compare_dataclasses(got: Any, want: Any, tolerance: Tolerance, where: Place, depth: int) -> Difference | None:
    if type(got) is not type(want):
        return _sort_difference(got, "dataclass", want, "dataclass", where)
    for field in dataclasses.fields(want):
        if field.compare:
            g, w = getattr(got, field.name), getattr(want, field.name)
            difference = _compare(g, w, tolerance, where.field(field.name), depth + 1)
            if difference is not None:
                return difference
    return None


def _compare_objects(got: Any, want: Any, where: Place) -> Difference | None:
    """Compare what is left, dtypes and enumerations among it, by identity and then by its own equality."""
    if got is want:
        return None
    if type(got) is not type(want):
        return _sort_difference(got, "other", want, "other", where)
    try:
        equal = bool(got == want)
    except Exception:  # an object's own equality may do anything
        equal = False
    if equal:
        return None
    summary = f"{where.shown} is the wrong {type(want).__name__}."
    return Difference("value", summary, _got_want(got, want, where))


def _sort_difference(got: Any, got_sort: str, want: Any, want_sort: str, where: Place) -> Difference:
    """Return the difference between two values that are not the same kind of thing."""
    for sort, label in ((got_sort, "is"), (want_sort, "is expected to be")):
        if sort in REFUSED:
            what = REFUSED_NAMES.get(sort, f"a {sort}")
            return Difference("refused", f"{where.shown} {label} {what}, which is never compared.", "")
    got_text, want_text = describe(got), describe(want)
    if got_sort in ("array", "tensor") and want_sort == "scalar":
        summary = f"{where.shown} has shape {shape_text(got.shape)} instead of being a single number (shape ())."
        return Difference("shape", summary, "")
    if got_sort == "scalar" and want_sort in ("array", "tensor"):
        summary = f"{where.shown} is a single number instead of {want_text}."
        return Difference("shape", summary, "")
    if got_text == want_text:
        got_text, want_text = qualified(got), qualified(want)
    hint = " (was it returned?)" if got_sort == "none" else ""
    return Difference("type", f"{where.shown} is {got_text} instead of {want_text}{hint}.", "")


def _got_want(got: Any, want: Any, where: Place) -> str:
    return f"{where.full}: got {short(got)}, want {short(want)}"
