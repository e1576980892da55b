"""Calls a submission's functions on request, and keeps the objects that can't be sent.

The judge uses the same class in its own process for the reference and the known mistakes, so that all of them are
called in exactly the same way.
"""

from __future__ import annotations

import builtins
import dataclasses
import importlib.util
import operator
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gradkit.protocol import CallbackRef, Connection, Deadline, Kind, Ref, Unsendable, decode, encode

MAX_CALLBACK_DEPTH = 50

# What may be done to an object besides calling its methods.
OPERATORS: dict[str, Callable] = {
    name: getattr(operator, name)
    for name in (
        "add sub mul truediv floordiv mod pow matmul neg pos abs eq ne lt le gt ge getitem setitem delitem contains".split()
    )
} | {
    "len": len,
    "iter": iter,
    "next": next,
    "bool": bool,
    "float": float,
    "int": int,
    "str": str,
    "repr": repr,
}


class Raised(Exception):
    """An exception that the submission raised, as data.

    Attributes:
        type_name: Its class.
        bases: Names of the built-in exceptions it derives from, itself first.
        message: Its text, at most 2,000 characters.
        file: Name of the submission's file where it was raised, relative to the submission's folder, or empty.
        line: Line in that file, 0 where unknown.
        at_import: Raised while the file was imported, before it could know any input.
    """

    at_import = False

    def __init__(self, type_name: str, bases: tuple[str, ...], message: str, file: str, line: int) -> None:
        super().__init__(type_name, bases, message, file, line)
        self.type_name, self.bases, self.message, self.file, self.line = type_name, bases, message, file, line


def describe_exception(error: BaseException, folder: str | None) -> Raised:
    """An exception as plain data, with the last line of the submission's own code that it passed through."""
    bases = tuple(
        cls.__name__
        for cls in type(error).__mro__
        if getattr(builtins, cls.__name__, None) is cls and cls is not object
    )
    try:
        message = str(error)[:2000]
    except Exception:  # a submission's own __str__ may raise anything
        message = ""
    file, line = "", 0
    if isinstance(error, SyntaxError) and error.filename and folder and error.filename.startswith(folder):
        file, line, message = error.filename, error.lineno or 0, error.msg or ""
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if folder and frame.filename.startswith(folder):
                file, line = frame.filename, frame.lineno or 0
    return Raised(
        type(error).__name__[:200], bases, message, file.removeprefix(folder or "").lstrip("/"), line
    )


class Runtime:
    """Calls on one module, with a table of the objects that stay here.

    Args:
        load: Imports the module; called once, at the first request.
        ask: Calls a callback on the other side: `ask(id, args, kwargs)`.
        folder: Where the submission's own files lie, for line numbers.
        device: Where tensor arguments are put before a call.
    """

    def __init__(
        self,
        load: Callable[[], types.ModuleType],
        ask: Callable[[int, tuple, dict], object],
        *,
        folder: str | None = None,
        device: str = "cpu",
    ) -> None:
        self._load = load
        self._ask = ask
        self._folder = folder
        self._device = device
        self._module: types.ModuleType | None = None
        self._objects: dict[int, object] = {}
        self._next_id = 1
        self._first = 1  # the first number that is not one of the module's own functions and classes

    def load(self) -> None:
        if self._module is None:
            self._module = self._load()
            self._objects[0] = self._module

    def handle(self, kind: Kind, value: object) -> object:
        """Answer one request; the result is plain data and `Ref`s.

        Raises:
            Raised: When the submission raised, or returned what can't be sent.
        """
        try:
            if kind is Kind.LOAD:
                self.load()
                functions = {
                    name: self.lower(value)
                    for name, value in vars(self._module).items()
                    if callable(value) and not name.startswith("_")
                }
                self._first = self._next_id
                return functions
            if kind is Kind.GET:
                target, name = value
                return self.lower(getattr(self._objects[target.id], name))
            if kind is Kind.SET:
                target, name, new = value
                return setattr(self._objects[target.id], name, self.lift(new))
            if kind is Kind.CALL:
                target, args, kwargs = value
                return self.lower(self._objects[target.id](*self.lift(args), **self.lift(kwargs)))
            if kind is Kind.OPERATE:
                name, args = value
                return self.lower(OPERATORS[name](*self.lift(args)))
            if kind is Kind.VJP:
                from coursekit.gradcheck import torch_vjp

                target, args, kwargs, wrt, cotangent = value
                function = self._objects[target.id]
                return self.lower(
                    torch_vjp(
                        function,
                        *self.lift(args),
                        wrt=wrt,
                        cotangent=self.lift(cotangent),
                        **self.lift(kwargs),
                    )
                )
            if kind is Kind.FORGET:
                for id in range(self._first, self._next_id) if value is None else value:
                    self._objects.pop(id, None)
                if value is None:
                    self._first = self._next_id
                return None
        except (
            KeyboardInterrupt,
            GeneratorExit,
            SystemExit,
            Exception,
        ) as error:  # whatever a submission raises is an answer
            raise describe_exception(error, self._folder) from error
        raise ValueError(f"no request of kind {kind}")

    def lower(self, value: object) -> object:
        """Replace each object that can't be sent by a reference to it. Plain values are returned as they are."""
        return map_leaves(value, self._refer)

    def lift(self, value: object) -> object:
        """Replace references by the objects they stand for, and callbacks by functions that call them."""
        return map_leaves(value, self._resolve)

    def _refer(self, leaf: object) -> object:
        if type(leaf) in _SIMPLE or _is_plain_leaf(leaf):
            return leaf
        id, self._next_id = self._next_id, self._next_id + 1
        self._objects[id] = leaf
        return Ref(id, type(leaf).__name__, callable(leaf))

    def _resolve(self, leaf: object) -> object:
        kind = type(leaf)
        if kind is Ref:
            return self._objects[leaf.id]
        if kind is CallbackRef:
            return self._callback(leaf.id)
        if self._device != "cpu" and kind.__module__ == "torch" and hasattr(leaf, "device"):
            return leaf.to(self._device)
        return leaf

    def _callback(self, id: int) -> Callable:
        def call_judge(*args: object, **kwargs: object) -> object:
            return self.lift(self._ask(id, self.lower(args), self.lower(kwargs)))

        return call_judge


_PLAIN = (bool, int, float, str, bytes)
_SIMPLE = frozenset({type(None), *_PLAIN, Ref, CallbackRef, np.ndarray, np.float64, np.bool_})


def _is_plain_leaf(value: object) -> bool:
    """Whether the protocol sends `value` itself, or says in an error that it does not read such an array."""
    if value is None or isinstance(value, (*_PLAIN, Ref, CallbackRef)):
        return True
    torch = sys.modules.get("torch")
    return (
        isinstance(value, (np.ndarray, np.generic))
        or torch is not None
        and isinstance(value, (torch.Tensor, torch.dtype))
    )


def map_leaves(value: object, leaf: Callable[[object], object], depth: int = 0) -> object:
    """Apply `leaf` to everything that is not a container. Containers become the plain ones that are sent."""
    if type(value) in _SIMPLE:  # most of what there is
        return leaf(value)
    if depth > 60:
        raise Unsendable("containers are nested too deep")
    if isinstance(value, list):
        return [map_leaves(item, leaf, depth + 1) for item in value]
    if isinstance(value, tuple):
        return tuple(map_leaves(item, leaf, depth + 1) for item in value)
    if isinstance(value, dict):
        return {
            map_leaves(key, leaf, depth + 1): map_leaves(item, leaf, depth + 1) for key, item in value.items()
        }
    if isinstance(value, frozenset):
        return frozenset(map_leaves(item, leaf, depth + 1) for item in value)
    if isinstance(value, set):
        return {map_leaves(item, leaf, depth + 1) for item in value}
    if (
        type(value).__module__.partition(".")[0] == "coursekit"
        and dataclasses.is_dataclass(value)
        and not isinstance(value, type)
    ):
        copy = object.__new__(type(value))  # such as a simulated device: a record of functions
        for field in dataclasses.fields(value):
            object.__setattr__(copy, field.name, map_leaves(getattr(value, field.name), leaf, depth + 1))
        return copy
    return leaf(value)


def import_submission(path: Path) -> types.ModuleType:
    """Import a file under its own name, its folder at the end of `sys.path` so that it shadows nothing."""
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def serve(connection: Connection, path: Path, *, device: str = "cpu") -> None:
    """Answer the judge's requests about the submission at `path` until it hangs up."""
    forever = Deadline(float("inf"))
    depth = 0
    current = 0

    def ask(id: int, args: tuple, kwargs: dict) -> object:
        nonlocal depth
        if depth >= MAX_CALLBACK_DEPTH:
            raise RecursionError("callbacks are nested too deep")
        depth += 1
        asked_by = current
        try:
            connection.send(Kind.CALLBACK, asked_by, encode((id, args, kwargs)), forever)
            for kind, request, value in requests():
                if kind is Kind.ANSWER:
                    ok, result = value
                    if not ok:
                        raise RuntimeError(result)
                    return result
                answer(kind, request, value)
        finally:
            depth -= 1
        raise ConnectionError("the grader hung up")

    runtime = Runtime(lambda: import_submission(path), ask, folder=str(path.parent), device=device)

    def requests() -> Iterator[tuple[Kind, int, object]]:
        while True:
            kind, request, payload = connection.receive(forever)
            yield Kind(kind), request, decode(payload)

    def answer(kind: Kind, request: int, value: object) -> None:
        nonlocal current
        outer, current = current, request
        try:
            try:
                reply, payload = Kind.RESULT, encode(runtime.handle(kind, value))
            except Raised as raised:
                reply, payload = Kind.RAISED, encode(raised.args)
            except Unsendable as error:
                reply, payload = Kind.UNSENDABLE, encode(str(error))
            if kind is not Kind.FORGET:
                connection.send(reply, request, payload, forever)
        finally:
            current = outer

    for kind, request, value in requests():
        answer(kind, request, value)


def warm() -> None:
    """Do once what every first call pays for: pages copied since the fork, parts of libraries that start up late.

    Called before the submission is imported, while the check before is still at work.
    """
    torch = sys.modules.get("torch")
    x = np.ones((2, 2))
    values: list[object] = [1, 2.0, "text", {"key": (None, True)}]
    values.append(np.exp(x @ x - x.max(axis=1, keepdims=True)).sum(axis=0))
    if torch is not None:
        t = torch.ones(2, 2, dtype=torch.float64, requires_grad=True)
        (t @ t.mT - t.amax(-1, keepdim=True)).exp().sum().backward()
        values.append(torch.where(t.detach() > 0, t.grad, 0.0))
    decode(encode(values))
