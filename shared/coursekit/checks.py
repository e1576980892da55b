"""What checks have in common besides comparing: refusals, exact ties, and properties of a submission's own answers.

A property, such as "shifting the logits changes nothing", is asserted on what the submission itself answers. Whether the
answers are right is for another check: then a student reads each fault once, under the claim that it breaks.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence

import numpy as np
from coursekit.compare import Difference, Mismatch, assert_close, compare

REFUSED = "refused"
BROKEN_CLAIM = "the claim does not hold"


def refused(function: Callable, *args: object, **kwargs: object) -> object:
    """What a call gives, or `REFUSED` where it raises ValueError: to hand to `agree` among other answers."""
    try:
        return function(*args, **kwargs)
    except ValueError:
        return REFUSED


def assert_refuses(function: Callable, *args: object, name: str = "your function", **kwargs: object) -> None:
    """Assert that a call raises ValueError, and nothing else.

    Keep it apart from checks of values: a function that computes rightly and checks no argument loses these points only.

    Args:
        function: Called with `args` and `kwargs`.
        name: What the student reads: "softmax accepts an argument that it should refuse".

    Raises:
        Mismatch: When the call returns. Any other exception passes through.
    """
    try:
        function(*args, **kwargs)
    except ValueError:
        return
    text = f"{name} accepts an argument that it should refuse with a ValueError"
    raise Mismatch(Difference("accepted", text, ""))


def assertion_text(error: AssertionError) -> tuple[str, str]:
    """What a failed `assert` of a check says to a student, in a line, and what else it shows: in sentences, not as Python.

    Args:
        error: As pytest raises it, with the assertion's message, if it has one, and then the expression with its values.

    Returns:
        The message, or the expression and that it is not true; and the lines below it, without what names addresses in memory.

    Example:
        `assert 2 == 3` gives ("2 == 3 is not true", ""); `assert False`, ("the claim does not hold", "").
    """
    lines = str(error).strip().splitlines()
    at = next((place for place, line in enumerate(lines) if line.startswith("assert ")), len(lines))
    message, below = lines[:at], [line for line in lines[at + 1 :] if not re.search(r"\bat 0x|<module ", line)]
    expression = lines[at].removeprefix("assert ") if at < len(lines) else ""
    broken = f"{expression} is not true" if expression not in ("", "False", "not True") else ""
    observed, *rest = (*message, broken) if message else (broken or BROKEN_CLAIM,)
    return observed, "\n".join(filter(None, [*rest, *below]))


def assert_commutes(
    function: Callable,
    *args: object,
    before: Callable[..., Sequence],
    after: Callable[[object], object],
    rtol: float | None = None,
    atol: float | None = None,
    name: str = "output",
) -> object:
    """Assert that changing the input changes the output in a known way: function(*before(*args)) = after(function(*args)).

    Zeros satisfy most such properties: in a hidden check let `agree` call the function, which compares values too.

    Args:
        function: The submission's.
        args: Its arguments.
        before: Gives the changed arguments, as a sequence.
        after: Gives the answer that is then expected, from the answer to `args`.
        rtol, atol: In place of the dtype's own tolerance.
        name: What is compared, in the student's words.

    Returns:
        The answer to `args`.

    Raises:
        Mismatch: When the two differ.

    Example:
        Attention permutes its outputs as its queries:
        `assert_commutes(attend, q, k, v, before=lambda q, k, v: (q[p], k, v), after=lambda out: out[p])`
    """
    answer = function(*args)
    assert_close(function(*before(*args)), after(answer), rtol=rtol, atol=atol, name=name)
    return answer


def assert_leaves_arguments(function: Callable, *args: object, name: str = "your function", **kwargs: object) -> object:
    """Assert that a call changes none of the arrays, lists and dicts that it is given.

    Args:
        function: The submission's.
        args, kwargs: Its arguments.
        name: What the student reads: "softmax changes its first argument in place".

    Returns:
        The answer.

    Raises:
        Mismatch: When an argument is another one after the call than before.
    """
    answer, told = _watched(function, args, kwargs)
    changed = [where for where in (*range(len(args)), *kwargs) if where in told]  # a submission may tell anything
    if changed:
        which = " and ".join(map(_argument, changed))
        raise Mismatch(Difference("changed", f"{name} changes {which} in place: work on a copy", ""))
    return answer


TO_THE_HOST = "copied to the host"  # stands among what a watched call tells, once for each copy


def assert_stays_on_device(function: Callable, *args: object, name: str = "your function", **kwargs: object) -> object:
    """Assert that a call copies nothing from a GPU to the host, where it would wait for all work before it.

    For a check that gives no points: the process that computes does the counting, and a submission could lie in it.

    Args:
        function: The submission's.
        args, kwargs: Its arguments, tensors on a GPU among them. Without one nothing is counted.
        name: What the student reads: "append copies from the device to the host 2 times".

    Returns:
        The answer.

    Raises:
        Mismatch: When something is copied.
    """
    answer, told = _watched(function, args, kwargs)
    if copies := told.count(TO_THE_HOST):
        times = f"{copies} time{'s' if copies > 1 else ''}"
        raise Mismatch(
            Difference(
                "copied",
                f"{name} copies from the device to the host {times}: look for .item(), int(), bool(), .cpu()",
                "",
            )
        )
    return answer


def _watched(function: Callable, args: tuple, kwargs: dict[str, object]) -> tuple[object, list]:
    """What `watched_call` gives, from where the arguments are; a submission may tell anything in it."""
    watched = getattr(function, "_watched", None)  # of a function in the judge's worker
    answered = watched(args, kwargs) if watched else watched_call(function, args, kwargs)
    if not (isinstance(answered, tuple) and len(answered) == 2 and isinstance(answered[1], list)):
        raise TypeError("a watched call answers with a pair")
    return answered


def _argument(where: int | str) -> str:
    """`its first argument`, or the name of one that was given by name."""
    ordinals = ("first", "second", "third", "fourth", "fifth")
    if isinstance(where, int):
        return f"its {ordinals[where]} argument" if where < len(ordinals) else "one of its arguments"
    return f"its argument {where}"


def watched_call(function: Callable, args: tuple, kwargs: dict[str, object]) -> tuple[object, list[int | str]]:
    """What a call gives, and which of its arguments it changed in place, by position or by name; then its copies to the host."""
    given = {**dict(enumerate(args)), **kwargs}
    before = {where: _snapshot(value) for where, value in given.items()}
    copied: list[str] = []
    with _host_copies(copied) if any(map(_on_gpu, given.values())) else contextlib.nullcontext():
        answer = function(*args, **kwargs)
    exact = {"rtol": 0.0, "atol": 0.0}
    changed = [where for where, value in given.items() if compare(_snapshot(value), before[where], **exact)]
    return answer, [*changed, *copied]


def _on_gpu(value: object) -> bool:
    """Whether a value is a tensor on a GPU, without importing torch where no check does."""
    return getattr(getattr(value, "device", None), "type", "") == "cuda"


def _host_copies(copied: list[str]) -> contextlib.AbstractContextManager:
    """While it lasts, add to a list for each operation that reads from a GPU and answers on the host."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):  # noqa: ANN001, ANN202 - torch's own signature
            answer = operation(*args, **(kwargs or {}))
            read = any(map(_on_gpu, tree_leaves((args, kwargs))))
            there = all(_on_gpu(leaf) for leaf in tree_leaves(answer) if isinstance(leaf, torch.Tensor))
            if read and (not there or any(isinstance(leaf, bool | int | float) for leaf in tree_leaves(answer))):
                copied.append(TO_THE_HOST)
            return answer

    return Counting()


def _snapshot(value: object) -> object:
    """A copy of plain data that shares nothing with it; None for what a function may change, such as an object."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _snapshot(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_snapshot(part) for part in value]
    if hasattr(value, "detach"):  # a tensor, without importing torch where no check does
        return value.detach().clone()
    return value if isinstance(value, (bool, int, float, complex, str, bytes)) else None


def with_ties(rng: np.random.Generator, shape: int | tuple[int, ...], *, levels: int = 3) -> np.ndarray:
    """Random values with exact ties: few levels, each a multiple of 1/4, so that sums and differences are exact too.

    Args:
        rng: Draws them.
        shape: Of the result. Along the last axis at least two entries are equal, if there are two.
        levels: How many different values there are at most.

    Returns:
        A float64 array.

    Raises:
        ValueError: If levels is below 1.
    """
    if levels < 1:
        raise ValueError(f"levels must be at least 1, got {levels}")
    values = rng.integers(0, levels, shape) / 4.0
    if values.ndim and values.shape[-1] > 1:
        values[..., -1] = values[..., 0]
        values = rng.permuted(values, axis=-1)
    return values
