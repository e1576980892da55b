"""Damages what a module answers, in ways that any check should notice.

`verify` runs each check on the reference so damaged. Only the outermost call is changed: two negations would cancel.

Some of the damage is a trivial answer, which takes no work: zeros, NaN, None, or an argument handed back. Such a function
never raises, and for None and an argument it is not even run. No case may give points for one, not even a case in which it
happens to be right.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable

import numpy as np

ARGUMENTS = ("first_argument", "second_argument", "third_argument")  # by position, then by keyword; `self` is none
TRIVIAL = ("zeros", "nan", "none", *ARGUMENTS)
VANDALS = (
    *TRIVIAL, "negated", "halved", "doubled", "transposed", "other_dtype", "noise", "errors_swallowed",
)  # fmt: skip

_UNTOUCHED = ("__new__", "__getattribute__", "__setattr__", "__getattr__", "__hash__")


def vandalize(module: types.ModuleType, names: list[str], kind: str) -> Vandal:
    """Put damaged functions and classes in place of a module's own.

    Args:
        module: Changed in place.
        names: Of its functions and classes, or of methods as `Class.method`.
        kind: One of `VANDALS`.

    Returns:
        What tells whether the damage was met with.
    """
    vandal = Vandal(kind)
    for name in names:
        owner, _, method = name.partition(".")
        thing = getattr(module, owner)
        if isinstance(thing, type):
            vandal.damage_class(thing, method)
        else:
            setattr(module, owner, vandal.damaged(thing))
    return vandal


class Vandal:
    """One kind of damage.

    Attributes:
        touched: Whether an answer was put in place of another, be it the same. Whoever reads it sets it back.
    """

    def __init__(self, kind: str) -> None:
        self.touched = False
        self._kind = kind
        self._swallows = kind == "errors_swallowed" or kind in TRIVIAL
        self._depth = 0  # of calls of damaged functions

    def damaged(
        self, function: Callable, *, changes: bool = True, swallows: bool = True, bound: bool = False
    ) -> Callable:
        """The function with its answers changed, or its errors swallowed.

        Args:
            function: Of the module.
            changes: Whether its answers are.
            swallows: Whether its errors are.
            bound: The first argument is an instance or a class, which the caller did not write.
        """

        @functools.wraps(function)
        def wrapper(*args: object, **kwargs: object) -> object:
            given = (*args[bound:], *kwargs.values())
            if changes and not self._depth and self._replaces(given):
                self.touched = True
                return self._replacement(given)
            self._depth += 1
            try:
                result = function(*args, **kwargs)
            except NotImplementedError:
                raise
            except Exception:  # the damage that `errors_swallowed` does
                if self._swallows and swallows and self._depth == 1:
                    self.touched = True
                    return None
                raise
            finally:
                self._depth -= 1
            return self._changed(result) if changes and not self._depth else result

        return wrapper

    def _replaces(self, given: tuple) -> bool:
        """Whether the function is not even run."""
        return self._kind == "none" or self._kind in ARGUMENTS and len(given) > ARGUMENTS.index(self._kind)

    def _replacement(self, given: tuple) -> object:
        return None if self._kind == "none" else given[ARGUMENTS.index(self._kind)]

    def damage_class(self, owner: type, method: str) -> None:
        """Damage one method of a class, or all public ones and what its attributes read as."""
        for name, function in list(vars(owner).items()):
            if method and name != method or isinstance(function, type):
                continue
            public = not name.startswith("_") or name in ("__call__", method)
            damaged = functools.partial(self.damaged, changes=public, swallows=public or name == "__init__")
            if isinstance(function, (staticmethod, classmethod)):
                bound = isinstance(function, classmethod)
                setattr(owner, name, type(function)(damaged(function.__func__, bound=bound)))
            elif callable(function) and name not in _UNTOUCHED:
                setattr(owner, name, damaged(function, bound=True))
        if not method and self._kind != "errors_swallowed":
            self._damage_attributes(owner)

    def _damage_attributes(self, owner: type) -> None:
        read = owner.__getattribute__

        def changed(instance: object, name: str) -> object:
            value = read(instance, name)
            return value if self._depth or name.startswith("_") or callable(value) else self._changed(value)

        owner.__getattribute__ = changed

    def _changed(self, result: object) -> object:
        if self._kind == "none":  # of an attribute
            self.touched = True
            return None
        if self._kind == "errors_swallowed" or self._kind in ARGUMENTS or result is None:
            return result
        return _map(result, self._leaf)

    def _leaf(self, value: object) -> object:
        kind = self._kind
        if _holds_something(value) and not (kind == "nan" and isinstance(value, bool)):
            self.touched = True
        if isinstance(value, bool):
            return {"negated": not value, "zeros": False}.get(kind, value)
        if isinstance(value, (str, bytes)):
            half = value[: len(value) // 2]
            changed = {
                "zeros": value[:0],
                "nan": float("nan"),
                "negated": value[::-1],
                "halved": half,
                "doubled": value + value,
            }
            return changed.get(kind, value)
        if not _is_number(value):
            return value
        if kind == "negated":
            return ~value if "bool" in str(getattr(value, "dtype", "")) else -value
        if kind == "doubled":
            return value * 2
        if kind == "zeros":  # also in place of what is infinite, and still with a gradient, which is zero
            library = sys.modules["torch"] if _is_tensor(value) else np
            return library.nan_to_num(value * 0) if hasattr(value, "dtype") else type(value)(0)
        if kind == "halved":
            return value / 2 if _is_real(value) else value // 2
        if kind == "transposed":
            return value.swapaxes(-1, -2) if getattr(value, "ndim", 0) >= 2 else value
        if kind == "nan":
            return value * float("nan")
        if not _is_real(value):
            return value
        return _noisy(value) if kind == "noise" else _in_other_dtype(value)


def _map(value: object, leaf: Callable[[object], object]) -> object:
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_map(item, leaf) for item in value)
    if isinstance(value, dict):
        return {key: _map(item, leaf) for key, item in value.items()}
    return leaf(value)


def _is_tensor(value: object) -> bool:
    torch = sys.modules.get("torch")  # where the assignment does without, there is none
    return torch is not None and isinstance(value, torch.Tensor)


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float, np.ndarray, np.generic)) or _is_tensor(value)


def _holds_something(value: object) -> bool:
    """Whether it is text, a number or an array, and not empty."""
    if isinstance(value, (str, bytes)):
        return len(value) > 0
    return isinstance(value, bool) or _is_number(value) and 0 not in tuple(getattr(value, "shape", ()))


def _is_real(value: object) -> bool:
    return _is_number(value) and "float" in str(getattr(value, "dtype", type(value)))


def _noisy(value: object) -> object:
    """One percent of the largest entry, up and down in turn."""
    if isinstance(value, float):
        return value * 1.01 + 1e-3
    wave = np.arange(int(np.prod(tuple(value.shape)))) % 2 * 2.0 - 1.0
    scale = abs(value).max() if wave.size else 0
    wave = wave.reshape(tuple(value.shape))
    if _is_tensor(value):
        wave = sys.modules["torch"].from_numpy(wave).to(value)
    return value + 0.01 * (scale + 0.1) * wave


def _in_other_dtype(value: object) -> object:
    if _is_tensor(value):
        torch = sys.modules["torch"]
        return value.to(torch.float64 if value.dtype != torch.float64 else torch.float32)
    if hasattr(value, "astype"):
        return value.astype(np.float64 if value.dtype != np.float64 else np.float32)
    return value
