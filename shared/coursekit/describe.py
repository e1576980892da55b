"""What a value is, in words that a hidden check may show: its sort and its size, never its contents."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from coursekit.closeness import TOLERANCES, dtype_name

LARGE, MOST_AXES = 10_000, 8
"""Sizes from the first on, and axes after the second, of what was answered are not told."""

_SORTS = {
    type(None): "none",
    bool: "scalar",
    int: "scalar",
    float: "scalar",
    complex: "complex",
    str: "str",
    bytes: "bytes",
    bytearray: "bytes",
    list: "sequence",
    tuple: "sequence",
    dict: "dict",
    set: "set",
    frozenset: "set",
}


def sort_of(value: Any) -> str:
    """Return what kind of thing a value is, as far as comparing goes."""
    sort = _SORTS.get(type(value))
    if sort is not None:
        return sort
    if isinstance(value, np.ndarray):
        return _array_sort(value)
    if is_tensor(value):
        return _tensor_sort(value)
    if isinstance(value, np.generic):
        # A NumPy string is a str and a NumPy bytes a bytes; they come back below as such.
        if value.dtype.kind in "biuf":
            return "scalar"
        if value.dtype.kind == "c":
            return "complex"
    for base in (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset):
        if isinstance(value, base):
            return _SORTS[base]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "dataclass"
    return "other"


def _array_sort(array: np.ndarray) -> str:
    if isinstance(array, np.ma.MaskedArray):
        return "masked array"
    if array.dtype.kind == "c":
        return "complex"
    if array.dtype.kind not in "biufUS":
        return "object array"
    if array.ndim == 0:
        return "scalar" if array.dtype.kind in "biuf" else "array"
    return "array"


def _tensor_sort(tensor: Any) -> str:
    if tensor.is_meta:
        return "meta tensor"
    if tensor.is_quantized:
        return "quantized tensor"
    if tensor.is_nested:
        return "nested tensor"
    if tensor.layout is not sys.modules["torch"].strided:
        return "sparse tensor"
    if tensor.is_complex():
        return "complex"
    if tensor.is_floating_point() and dtype_name(tensor.dtype) not in TOLERANCES:
        return "tensor of an unsupported dtype"
    return "scalar" if tensor.ndim == 0 else "tensor"


REFUSED = frozenset(
    {
        "complex",
        "masked array",
        "object array",
        "meta tensor",
        "quantized tensor",
        "nested tensor",
        "sparse tensor",
        "tensor of an unsupported dtype",
    }
)

REFUSED_NAMES = {
    "complex": "complex",
    "object array": "an array of objects",
    "masked array": "a masked array",
}


def is_tensor(value: Any) -> bool:
    """Whether it is a torch tensor; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    # While torch is being imported it is there without its names.
    tensor = getattr(torch, "Tensor", None)
    return tensor is not None and isinstance(value, tensor)


def as_numpy(value: Any) -> tuple[np.ndarray, str]:
    """Return an array or tensor as a plain NumPy array, and the name of the dtype it had."""
    if isinstance(value, np.ndarray):
        return np.asarray(value), value.dtype.name
    name = dtype_name(value.dtype)
    tensor = value.detach()
    if name == "bfloat16":
        tensor = tensor.float()  # NumPy has no bfloat16, and every bfloat16 is a float32
    return tensor.cpu().resolve_conj().resolve_neg().numpy(), name


class Scalar(NamedTuple):
    """A single number, whatever holds it: sort "bool", "int" or "float", and the dtype where it has one."""

    sort: str
    value: Any
    library: str
    dtype: str


def scalar_of(value: Any) -> Scalar:
    """The number in a value of sort "scalar"."""
    kind = type(value)
    if kind is float:
        return Scalar("float", value, "", "float64")
    if kind is int:
        return Scalar("int", value, "", "int")
    if kind is bool:
        return Scalar("bool", value, "", "bool")
    if is_tensor(value):
        name = dtype_name(value.dtype)
        return Scalar(_number_sort(name), value.item(), "torch", name)
    if isinstance(value, (np.ndarray, np.generic)):
        name = value.dtype.name
        return Scalar(_number_sort(name), value.item(), "numpy", name)
    if isinstance(value, bool):
        return Scalar("bool", bool(value), "", "bool")
    if isinstance(value, int):
        return Scalar("int", int(value), "", "int")
    return Scalar("float", float(value), "", "float64")


def _number_sort(dtype_name: str) -> str:
    if dtype_name == "bool":
        return "bool"
    return "float" if "float" in dtype_name or dtype_name == "longdouble" else "int"


ARTICLE = {"bool": "a bool", "int": "an int", "float": "a float"}


def describe(value: Any) -> str:
    """Return what a value is, with its size but without its contents: "a list of 3 items".

    Args:
        value: Anything.

    Returns:
        A noun phrase with its article, safe to show for a hidden check.
    """
    sort = sort_of(value)
    if sort == "none":
        return "None"
    if sort == "scalar":
        return ARTICLE[scalar_of(value).sort]
    if sort == "array":
        return f"a NumPy array of shape {shape_text(value.shape)}"
    if sort == "tensor":
        return f"a torch tensor of shape {shape_text(value.shape)}"
    if sort in REFUSED:
        return REFUSED_NAMES.get(sort, f"a {sort}")
    if sort == "str":
        return "a str"
    if sort == "bytes":
        return "bytes"
    if sort in ("sequence", "set", "dict"):
        return f"{_a(type(value).__name__)} of {_size(len(value))} item{'' if len(value) == 1 else 's'}"
    return _a(type(value).__name__)


def _size(size: int) -> str:
    """A size as far as it is told: one that a submission chose could be the digits of an input."""
    return str(size) if size < LARGE else f"{LARGE} or more"


def shape_text(shape: Sequence[int]) -> str:
    """A shape as Python writes it, its sizes and axes as far as they are told."""
    shown = [_size(int(size)) for size in shape[:MOST_AXES]] + ["..."] * (len(shape) > MOST_AXES)
    return f"({', '.join(shown)}{',' * (len(shown) == 1)})"


def _a(noun: str) -> str:
    return f"an {noun}" if noun[:1].lower() in "aeiou" else f"a {noun}"


def qualified(value: Any) -> str:
    """What a value is, and its type's full name: for two types of one name."""
    return f"{describe(value)} ({type(value).__module__}.{type(value).__qualname__})"


def short(value: Any, limit: int = 200) -> str:
    """A value's repr, cut; what it is where it has none. Holds contents: not for a hidden check."""
    try:
        text = repr(value)
    except Exception:  # a repr may do anything; an int of many digits raises ValueError
        text = describe(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
