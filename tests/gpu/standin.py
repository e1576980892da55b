"""A CUDA device that is none: tensors that say they are on `cuda:0`, hold their numbers on the CPU, and refuse what a GPU refuses.

A machine without a GPU can so find the mistakes that are about devices: a tensor made on the wrong one, two that meet, a copy to
the host that nobody meant. Every operation is computed by the CPU, so all values are right, and nothing is said of CUDA's own
arithmetic, memory or speed.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda:0")

copies: Counter[str] = Counter()  # to the host, by operation

# What a CUDA kernel takes from the other side, as PyTorch does: a number in a tensor without axes.
_TO_HOST = {"aten._local_scalar_dense.default", "aten.equal.default", "aten.is_nonzero.default"}


class WrongDevice(RuntimeError):
    """Two tensors that are not on one device met."""


class OnDevice(torch.Tensor):
    """A tensor that says it is on the device.

    Attributes:
        host: Where its numbers really are.
    """

    host: torch.Tensor

    @staticmethod
    def __new__(cls, host: torch.Tensor) -> OnDevice:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device="meta",  # autograd asks the device for its queue, and a build without CUDA has none for that one
        )

    def __init__(self, host: torch.Tensor) -> None:
        self.host = host

    device = property(lambda self: DEVICE)
    is_cuda = property(lambda self: True)
    is_cpu = is_meta = property(lambda self: False)

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"OnDevice({self.host!r})"

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return _computed(function, args, kwargs or {})


class _Calls(TorchFunctionMode):
    """Calls that name the device: what is made there, and copies to it. A build of torch without CUDA knows no such place."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.Tensor.cuda:
            function, args, kwargs = torch.Tensor.to, (args[0], DEVICE), {}
        if function is torch.Tensor.numpy and isinstance(args[0], OnDevice):
            raise TypeError(
                f"can't convert {DEVICE} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
            )
        if function in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], OnDevice):
            index = tuple(
                torch.tensor(part) if isinstance(part, list) else part
                for part in (args[1] if isinstance(args[1], tuple) else (args[1],))
            )
            args = (args[0], index, *args[2:])  # torch would make its index where it believes the tensor to be
        if function is torch.Tensor.tolist and isinstance(args[0], OnDevice):
            copies["tolist"] += 1
            return args[0].host.tolist()
        if function is torch.Tensor.new_tensor and isinstance(args[0], OnDevice):
            return _Move.apply(torch.tensor(*args[1:], **{"dtype": args[0].dtype, **kwargs}))
        if function is torch.device or not any(map(_is_device, (*args, *kwargs.values()))):
            return function(*args, **kwargs)
        args = tuple(value for value in args if not _is_device(value))
        kwargs = {name: value for name, value in kwargs.items() if not _is_device(value)}
        if function is torch.Tensor.to and isinstance(args[0], torch.Tensor) and not (args[1:] or kwargs):
            return args[0] if isinstance(args[0], OnDevice) else _Move.apply(args[0])
        if function is torch.as_tensor and isinstance(args[0], OnDevice):
            return function(*args, **kwargs)
        wanted = kwargs.pop("requires_grad", False)
        made = function(*args, **kwargs)
        if isinstance(made, torch.Tensor) and not isinstance(made, OnDevice):
            made = _Move.apply(made)
        return made.requires_grad_() if wanted else made


class _Move(torch.autograd.Function):
    """A copy to the device, and its gradient's way back."""

    @staticmethod
    def forward(context, tensor):
        return OnDevice(tensor.detach().clone())

    @staticmethod
    def backward(context, gradient):
        return _host(gradient)


class _Operations(TorchDispatchMode):
    """Operations that meet the device without being asked by a tensor of it: `torch.tensor(…)[there]`, or a number made a tensor there."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if _is_device(kwargs.get("device")) or any(
            isinstance(value, OnDevice) for value in tree_flatten((args, kwargs))[0]
        ):
            return _computed(function, args, kwargs)
        return function(*args, **kwargs)


def _is_device(device: object) -> bool:
    kind = (
        device.type if isinstance(device, torch.device) else device.partition(":")[0] if isinstance(device, str) else ""
    )
    return kind in ("cuda", "meta")


def _computed(function, args, kwargs):
    """What an operation gives, on the device unless it asks for another place."""
    name = str(function)
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    there = [value for value in tensors if isinstance(value, OnDevice)]
    moves = name in ("aten._to_copy.default", "aten.copy_.default")
    indexes = name.startswith(("aten.index.", "aten.index_put", "aten._index_put_impl_", "aten._unsafe_index"))
    for value in tensors:  # a kernel is handed the number of a tensor without axes; an index may come from the CPU
        strange = there and not isinstance(value, OnDevice) and value.dim() > 0
        if (
            strange
            and not moves
            and not (indexes and value.dtype in (torch.int64, torch.bool) and isinstance(args[0], OnDevice))
        ):
            raise WrongDevice(
                f"{name}: expected all tensors to be on the same device, found at least two, {DEVICE} and {value.device}"
            )
    if indexes and not isinstance(args[0], OnDevice) and there:
        raise WrongDevice(f"{name}: indices are on {DEVICE}, the indexed tensor is on {args[0].device}")
    target = kwargs.get("device")
    to_host = there and ((target is not None and not _is_device(target)) or name in _TO_HOST)
    to_host = to_host or (name == "aten.copy_.default" and not isinstance(args[0], OnDevice))
    if to_host:
        copies[name] += 1
    if _is_device(target):
        kwargs = {**kwargs, "device": torch.device("cpu")}
    answer = function(*tree_map(_host, args), **tree_map(_host, kwargs))
    if function._schema.is_mutable and there and answer is not None and isinstance(args[0], torch.Tensor):
        if isinstance(answer, torch.Tensor) and answer is _host(args[0]):
            return args[0]
    if to_host or (target is not None and not _is_device(target)):
        return answer
    return tree_map(lambda value: OnDevice(value) if isinstance(value, torch.Tensor) else value, answer)


def _host(value: object) -> object:
    return value.host if isinstance(value, OnDevice) else value


@contextlib.contextmanager
def cuda() -> Iterator[None]:
    """Let `torch` have one CUDA device for as long as this lasts: `is_available`, `device="cuda"`, `.to("cuda")`."""
    kept = {name: getattr(torch.cuda, name) for name in ("_lazy_init", "is_available", "device_count", "synchronize")}
    torch.cuda._lazy_init = lambda: None
    torch.cuda.is_available = lambda: True
    torch.cuda.device_count = lambda: 1
    torch.cuda.synchronize = lambda device=None: None
    copies.clear()
    try:
        with _Calls(), _Operations():
            yield
    finally:
        for name, value in kept.items():
            setattr(torch.cuda, name, value)
