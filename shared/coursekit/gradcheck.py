"""Gradients compared with finite differences, coordinate by coordinate.

A vector-Jacobian product (VJP) is what backpropagation computes: for an output y = f(x_0, x_1, ...) and a
cotangent w of y's shape, the gradient of <w, y> in each argument. With a random w every entry of the
Jacobian matters, where w = 1 (a sum as the loss) lets whole classes of errors pass: the gradient of the sum
of a softmax is zero, so zeros would do.

- `random_cotangent` draws w;
- `numeric_vjp` is the VJP by central differences, for NumPy and torch functions alike;
- `torch_vjp` is the VJP by a function's own autograd, in one backward pass;
- `check_vjp` compares the two, or gradients derived by hand, on all coordinates.

Torch is imported only when there are tensors, so NumPy code works without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from coursekit.compare import Mismatch, compare
from coursekit.describe import describe, is_tensor

EPS = 1e-6
"""Default step, relative to max(1, |x|). The cube root of float64's machine epsilon is 6e-6; a little less
keeps the truncation error h² f'''/6 near 1e-13, and rounding stays near 1e-10."""


def random_cotangent(rng: np.random.Generator, like: Any) -> Any:
    """Return standard normal numbers in the shape of an output: a cotangent that no coordinate escapes.

    Args:
        rng: The only source of randomness.
        like: A number, NumPy array, torch tensor, or a list, tuple or dict of them.

    Returns:
        The same structure, libraries, shapes and floating dtypes (float64 if `like` is not a float). Parts
        that are not numbers become None.
    """
    if isinstance(like, dict):
        return {key: random_cotangent(rng, value) for key, value in like.items()}
    if isinstance(like, (list, tuple)):
        return type(like)(random_cotangent(rng, value) for value in like)
    if is_tensor(like):
        import torch

        dtype = like.dtype if like.dtype.is_floating_point else torch.float64
        values = np.asarray(rng.standard_normal(tuple(like.shape)))
        return torch.from_numpy(values).to(dtype=dtype, device=like.device)
    if isinstance(like, (np.ndarray, np.generic)):
        dtype = like.dtype if like.dtype.kind == "f" else np.float64
        values = rng.standard_normal(like.shape)
        return np.asarray(values, dtype) if isinstance(like, np.ndarray) else dtype.type(values)
    if isinstance(like, (int, float)) and not isinstance(like, bool):
        return float(rng.standard_normal())
    return None


def numeric_vjp(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | Sequence[int] | None = None,
    cotangent: Any = None,
    eps: float = EPS,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Return the gradient of <cotangent, f(*args)> by central differences on every coordinate, in float64.

    For each coordinate x_j: (<w, f(x + h e_j)> - <w, f(x - h e_j)>) / 2h, with h = eps * max(1, |x_j|).
    That takes two calls of f for each coordinate, so keep arrays small.

    Args:
        f: The function. It sees float64 copies of the arguments in `wrt`, so it may even write into them.
        *args: Its arguments; those in `wrt` are numbers, NumPy arrays or torch tensors.
        wrt: Positions to differentiate in. Default: all floating-point arrays and tensors.
        cotangent: What the output is weighted with, in its shape. A number for a single number; a tuple or
            dict for an output of several. Default 1, for an output that is a single number.
        eps: Step relative to max(1, |x|).
        **kwargs: Passed on to f.

    Returns:
        One gradient for each position in `wrt`: float64, in the argument's shape and library.

    Raises:
        ValueError: If the cotangent does not fit the output.
    """
    positions = positions_of(args, wrt)
    base = [_writable(arg) for arg in args]
    for position in positions:
        base[position] = _as_float64(args[position], position)

    def loss(values: list[Any]) -> float:
        return _inner(cotangent, f(*map(_writable, values), **kwargs))

    gradients = []
    for position in positions:
        x = _array_of(base[position])
        gradient = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            kept = x[index]
            step = eps * max(1.0, abs(float(kept)))
            ends = []
            for end in (kept + step, kept - step):
                moved = x.copy()
                moved[index] = end
                values = list(base)
                values[position] = _like(moved, base[position])
                ends.append(loss(values))
            # What was really added, after rounding.
            gradient[index] = (ends[0] - ends[1]) / ((kept + step) - (kept - step))
        gradients.append(_like(gradient, base[position]))
    return tuple(gradients)


def torch_vjp(
    f: Callable[..., Any],
    *args: Any,
    wrt: int | Sequence[int] | None = None,
    cotangent: Any = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Return the gradient of <cotangent, f(*args)> by the function's own autograd, in one backward pass.

    Args:
        f: A function of torch tensors.
        *args: Its arguments. Those in `wrt` are detached copies that require a gradient, all others are
            detached. An argument in `wrt` may be a list, tuple or dict of tensors.
        wrt: Positions to differentiate in. Default: all floating-point tensors.
        cotangent: What the output is weighted with: a tensor of the output's shape, or a list, tuple or dict
            of them for an output of several. A part whose cotangent is None is left out. Default 1, for an
            output that is a single number.
        **kwargs: Passed on to f.

    Returns:
        One gradient for each position in `wrt`, with the argument's structure, shapes, dtypes and device.
        Zeros where the output does not depend on it.

    Raises:
        ValueError: If the output is not connected to any of these arguments, or the cotangent does not fit.
    """
    import torch

    positions = positions_of(args, wrt)
    values = [_detached(arg) for arg in args]
    for position in positions:
        values[position] = _map_tensors(
            values[position], lambda t: t.clone().requires_grad_() if t.is_floating_point() else t
        )
    leaves = [leaf for position in positions for leaf in _tensors(values[position]) if leaf.requires_grad]
    if not leaves:
        raise ValueError(f"wrt must name floating-point tensors, got {_positions_text(positions)}")

    with torch.enable_grad():
        output = f(*values, **kwargs)
    pairs = list(_pairs(output, cotangent, "output"))
    pairs = [(y, w) for y, w in pairs if is_tensor(y) and y.requires_grad]
    if not pairs:
        raise ValueError(f"output does not depend on {_positions_text(positions)} through autograd (was it detached?)")
    # Given cotangents as tensors, torch imports sympy to compare shapes, 0.25 s in each new process; sums need none.
    with torch.enable_grad():
        outputs = [(y * _cotangent_like(w, y)).sum() for y, w in pairs]
    found = torch.autograd.grad(outputs, leaves, allow_unused=True)
    gradient_of = {
        id(leaf): torch.zeros_like(leaf) if gradient is None else gradient.detach()
        for leaf, gradient in zip(leaves, found, strict=True)
    }
    return tuple(_map_tensors(values[position], lambda t: gradient_of.get(id(t), t)) for position in positions)


def check_vjp(
    f: Callable[..., Any],
    args: Sequence[Any],
    gradients: Any = None,
    *,
    wrt: int | Sequence[int] | None = None,
    cotangent: Any = None,
    rng: np.random.Generator | None = None,
    names: Sequence[str] | None = None,
    eps: float = EPS,
    rtol: float = 1e-6,
    atol: float | None = None,
) -> None:
    """Raise `Mismatch` unless analytic gradients equal numeric ones on every coordinate.

    Args:
        f: The function differentiated, of NumPy arrays or torch tensors.
        args: Its arguments.
        gradients: The gradients at `cotangent`, one for each position in `wrt`; or a function that takes
            the cotangent and returns them; or None for f's own autograd.
        wrt: Positions to differentiate in. Default: all floating-point arrays and tensors.
        cotangent: As for `numeric_vjp`. Default: drawn from `rng` in the shape of the output.
        rng: Where the cotangent comes from. Default: a fixed seed.
        names: What to call the arguments in messages, one for each position in `wrt`.
        eps: Step of the differences, relative to max(1, |x|).
        rtol: Relative tolerance.
        atol: Absolute tolerance. Default: ten times the rounding error of the differences, which is the
            machine epsilon times the sum of |cotangent * output|, over the step.

    Raises:
        Mismatch: With the argument, and where and how its gradient is wrong.
        ValueError: If there are not as many gradients as positions, or the cotangent does not fit.
    """
    __tracebackhide__ = True
    positions = positions_of(args, wrt)
    output = f(*map(_writable, args))
    if cotangent is None:
        cotangent = random_cotangent(rng or np.random.default_rng(0), output)
    if gradients is None:
        gradients = torch_vjp(f, *args, wrt=positions, cotangent=cotangent)
    elif callable(gradients):
        gradients = gradients(cotangent)
    if len(positions) == 1 and not isinstance(gradients, (list, tuple)):
        gradients = (gradients,)
    if len(gradients) != len(positions):
        due = len(positions)
        raise ValueError(f"gradients must be {due}, one for each argument, got {len(gradients)}")
    if atol is None:
        atol = 1e-9 + 10 * np.finfo(np.float64).eps * _inner(cotangent, output, absolute=True) / eps

    numeric = numeric_vjp(f, *args, wrt=positions, cotangent=cotangent, eps=eps)
    for i, (position, got, want) in enumerate(zip(positions, gradients, numeric, strict=True)):
        label = names[i] if names else f"argument {position}"
        if _is_number(got):
            got = _as_float64(got, position)
        difference = compare(got, want, rtol=rtol, atol=atol, name=f"the gradient in {label}")
        if difference is not None:
            raise Mismatch(difference)


# Arguments


def positions_of(args: Sequence[Any], wrt: int | Sequence[int] | None) -> tuple[int, ...]:
    """Which arguments `wrt` means: those at its positions, or all floating-point tensors where it is None.

    Raises:
        ValueError: For a position that no argument has.
    """
    if wrt is None:
        return tuple(i for i, arg in enumerate(args) if _is_floating(arg))
    positions = (wrt,) if isinstance(wrt, int) else tuple(wrt)
    for position in positions:
        if not 0 <= position < len(args):
            raise ValueError(f"wrt must lie in 0..{len(args) - 1}, the arguments' positions, got {position}")
    return positions


def _positions_text(positions: Sequence[int]) -> str:
    if len(positions) == 1:
        return f"argument {positions[0]}"
    if not positions:
        return "no argument"
    return f"arguments {', '.join(map(str, positions[:-1]))} and {positions[-1]}"


def _is_floating(arg: Any) -> bool:
    if is_tensor(arg):
        return bool(arg.is_floating_point())
    return isinstance(arg, np.ndarray) and arg.dtype.kind == "f"


def _is_number(value: Any) -> bool:
    """Whether a value is a number, an array or a tensor of some real dtype."""
    if is_tensor(value):
        return not value.is_complex()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "biuf"
    return isinstance(value, (int, float))


def _as_float64(arg: Any, position: int) -> Any:
    """Return a float64 copy of a number, array or tensor."""
    if is_tensor(arg):
        import torch

        return arg.detach().to(torch.float64).clone()
    if _is_number(arg):
        return np.array(arg, np.float64)
    raise ValueError(f"argument {position} must be a number, an array or a tensor, got {describe(arg)}")


def _array_of(value: Any) -> np.ndarray:
    return value.cpu().numpy() if is_tensor(value) else value


def _like(array: np.ndarray, value: Any) -> Any:
    """Return an array in the library and on the device of a value."""
    if is_tensor(value):
        import torch

        return torch.from_numpy(np.array(array)).to(value.device)
    return np.array(array)


def _writable(arg: Any) -> Any:
    """Return an array or tensor that a function may write into without harm; other things as they are."""
    if is_tensor(arg):
        return arg.detach().clone()
    return arg.copy() if isinstance(arg, np.ndarray) else arg


def _map_tensors(value: Any, change: Callable[[Any], Any]) -> Any:
    if is_tensor(value):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_tensors(item, change) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_map_tensors(item, change) for item in value)
    return value


def _detached(value: Any) -> Any:
    return _map_tensors(value, lambda t: t.detach())


def _tensors(value: Any) -> Iterator[Any]:
    if is_tensor(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif type(value) in (list, tuple):
        for item in value:
            yield from _tensors(item)


# Outputs and cotangents


def _pairs(output: Any, cotangent: Any, where: str) -> Iterator[tuple[Any, Any]]:
    """Yield each number, array or tensor of an output beside its cotangent; check that they fit."""
    if isinstance(output, (list, tuple, dict)):
        if not _same_structure(output, cotangent):
            what = f"{where}, which is {describe(output)}"
            raise ValueError(f"cotangent must fit {what}, got {describe(cotangent)}")
        for key in output if isinstance(output, dict) else range(len(output)):
            if cotangent[key] is not None:
                yield from _pairs(output[key], cotangent[key], f"{where}[{key!r}]")
        return
    if not _is_number(output):
        raise ValueError(f"{where} must be a number, an array or a tensor, got {describe(output)}")
    shape = tuple(getattr(output, "shape", ()))
    if cotangent is None and shape == ():
        cotangent = 1.0
    if cotangent is None:
        raise ValueError(f"cotangent must be given, since {where} is not a single number but {describe(output)}")
    cotangent_shape = tuple(getattr(cotangent, "shape", ()))
    if shape != cotangent_shape:
        raise ValueError(f"cotangent has shape {cotangent_shape}, and {where} has shape {shape}")
    yield output, cotangent


def _same_structure(output: Any, cotangent: Any) -> bool:
    if isinstance(output, dict):
        return isinstance(cotangent, dict) and set(cotangent) == set(output)
    return isinstance(cotangent, (list, tuple)) and len(cotangent) == len(output)


def _inner(cotangent: Any, output: Any, *, absolute: bool = False) -> float:
    """Return <cotangent, output>, or the sum of its absolute terms."""
    terms = []
    for y, w in _pairs(output, cotangent, "output"):
        product = _float64_array(y) * _float64_array(w)
        terms.append(float(np.abs(product).sum() if absolute else product.sum()))
    return math.fsum(terms)


def _float64_array(value: Any) -> np.ndarray:
    if is_tensor(value):
        value = value.detach().cpu().double().numpy()
    return np.asarray(value, np.float64)


def _cotangent_like(cotangent: Any, output: Any) -> Any:
    """Return a cotangent in the dtype and on the device of the output."""
    import torch

    return torch.as_tensor(cotangent).detach().to(dtype=output.dtype, device=output.device)
