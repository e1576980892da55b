"""When two numbers count as equal: tolerances by dtype."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

TOLERANCES = {
    # A reordered sum of a thousand terms of order one is off by about 1e-13. An epsilon of 1e-8 in the
    # wrong place moves a result by about 5e-9, and has to be seen.
    "float64": (1e-9, 1e-10),
    # Machine epsilon 1.2e-7, times a few hundred for reordered sums; an answer from TF32, fp16 or bf16
    # (relative errors from 5e-4 up) is still told apart.
    "float32": (1e-4, 1e-5),
    # Machine epsilon 9.8e-4: about four units in the last place, for values of order one.
    "float16": (4e-3, 1e-3),
    # Machine epsilon 7.8e-3: about four units in the last place, for values of order one.
    "bfloat16": (3e-2, 1e-2),
}
"""Default (rtol, atol) by floating dtype. Everything else compares exactly."""


def default_tolerance(dtype: Any) -> tuple[float, float]:
    """Return the (rtol, atol) by which two numbers of a dtype count as equal.

    Args:
        dtype: A NumPy or torch dtype, its name, or a Python type such as `float`.

    Returns:
        The pair from `TOLERANCES`; (0.0, 0.0) for integers, bools and everything else.
    """
    name = dtype_name(dtype)
    if name in ("longdouble", "float96", "float128"):
        name = "float64"
    return TOLERANCES.get(name, (0.0, 0.0))


def dtype_name(dtype: Any) -> str:
    """The name of a dtype, whichever library it is of: torch.float32 and np.float32 are "float32"."""
    if isinstance(dtype, str):
        return dtype.removeprefix("torch.")
    text = str(dtype)
    if text.startswith("torch."):
        return text.removeprefix("torch.")
    try:
        return np.dtype(dtype).name
    except TypeError:
        return text


class Tolerance(NamedTuple):
    """What a check asks for; None where the default for the dtype holds."""

    rtol: float | None
    atol: float | None

    def for_dtype(self, name: str) -> tuple[float, float]:
        rtol, atol = TOLERANCES.get(name) or default_tolerance(name)
        return (
            rtol if self.rtol is None else self.rtol,
            atol if self.atol is None else self.atol,
        )


def close(got: np.ndarray, want: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    """Return where two float arrays of one shape agree: to tolerance, or both NaN, or the same infinity."""
    with np.errstate(invalid="ignore", over="ignore"):
        right = np.abs(got - want) <= atol + rtol * np.abs(want)
    finite = np.isfinite(want)
    if not finite.all():
        # |x - inf| <= rtol * inf would let every x pass.
        right = np.where(finite, right, (got == want) | (np.isnan(got) & np.isnan(want)))
    return right


def widen(array: np.ndarray) -> np.ndarray:
    """Return the array in float64 (or longdouble), so that no subtraction overflows or rounds."""
    if array.dtype == np.float64:
        return array
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array
    return array.astype(np.float64)
