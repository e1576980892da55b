"""Calls a submission's functions on request, and keeps the objects that can't be sent.

The judge uses the same class in its own process for the reference and the known mistakes, so that all of them are
called in exactly the same way.
"""

from __future__ import annotations

import builtins
import importlib.util
import operator
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradkit.calls.frames import Connection, Deadline, Kind
from gradkit.calls.values import CallbackRef, Ref, Unsendable, decode, encode

if TYPE_CHECKING:
    from gradkit.calls.edits import Edits, LinesRun

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
    return Raised(type(error).__name__[:200], bases, message, file.removeprefix(folder or "").lstrip("/"), line)


class Runtime:
    """Calls on one module, with a table of the objects that stay here.

    Args:
        load: Imports the module; called once, at the first request.
        ask: Sends a callback's encoded (id, args, kwargs) to the other side, and gives its encoded (ok, result).
        folder: Where the submission's own files lie, for line numbers.
        device: Where tensor arguments are put before a call.
    """

    def __init__(
        self,
        load: Callable[[], types.ModuleType],
        ask: Callable[[bytearray], bytes],
        *,
        folder: str | None = None,
        device: str = "cpu",
    ) -> None:
        self._load = load
        self._ask = ask
        self._folder = folder
        self._place = (lambda tensor: tensor.to(device)) if device != "cpu" else None
        self._module: types.ModuleType | None = None
        self._objects: dict[int, object] = {}
        self._next_id = 1
        self._edits: tuple[tuple[int, ...], Edits] | None = None
        self._watched: LinesRun | None = None
        self._first = 1  # the first number that is not one of the module's own functions and classes

    def load(self) -> None:
        if self._module is None:
            self._module = self._load()
            self._objects[0] = self._module

    def answer(self, kind: Kind, payload: bytes) -> bytearray:
        """Answer one encoded request with one encoded value, in which `Ref`s stand for what stays here.

        Raises:
            Raised: When the submission raised.
            Unsendable: When it gave something that has no place in the protocol.
        """
        try:
            return encode(self._handle(kind, decode(payload, self._resolve, self._place)), self._refer)
        except Unsendable:
            raise
        except (
            KeyboardInterrupt,
            GeneratorExit,
            SystemExit,
            Exception,
        ) as error:  # whatever a submission raises is an answer
            raise describe_exception(error, self._folder) from error

    def _handle(self, kind: Kind, value: object) -> object:
        """Do what a request asks for; its references are resolved."""
        if kind is Kind.LOAD:
            self.load()
            return self._functions()
        if kind is Kind.GET:
            target, name = value
            return getattr(target, name)
        if kind is Kind.SET:
            target, name, new = value
            return setattr(target, name, new)
        if kind is Kind.CALL:
            target, args, kwargs = value
            return target(*args, **kwargs)
        if kind is Kind.WATCH:
            from coursekit.checks import watched_call

            target, args, kwargs = value
            return watched_call(target, args, kwargs)
        if kind is Kind.REPLAY:
            from coursekit.chance import replayed_calls

            return replayed_calls(*value)
        if kind is Kind.OPERATE:
            name, args = value
            return OPERATORS[name](*args)
        if kind is Kind.VJP:
            from coursekit.gradcheck import torch_vjp

            target, args, kwargs, wrt, cotangent = value
            return torch_vjp(target, *args, wrt=wrt, cotangent=cotangent, **kwargs)
        if kind is Kind.EDIT:
            return self._edit(*value)
        if kind is Kind.LINES:
            return self._lines(*value)
        if kind is Kind.FORGET:
            return self._forget(value)
        raise ValueError(f"no request of kind {kind}")

    def _edit(self, lines: tuple[int, ...], number: int) -> tuple[int, int, int, str]:
        from gradkit.calls.edits import Edits

        if self._edits is None or self._edits[0] != lines:
            if self._edits is not None:
                self._edits[1].put(-1)
            self._edits = lines, Edits(Path(self._module.__file__), self._module, frozenset(lines))
        return self._edits[1].put(number)

    def _lines(self, begin: bool) -> tuple[int, ...] | None:
        from gradkit.calls.edits import LinesRun

        if begin:
            self._edit((), -1)
            self._watched = LinesRun(self._module.__file__)
            return None
        return self._watched.end()

    def _functions(self) -> dict[str, Ref]:
        """The module's own functions and classes, by name."""
        functions = {
            name: self._refer(value)
            for name, value in vars(self._module).items()
            if callable(value) and not name.startswith("_")
        }
        self._first = self._next_id
        return functions

    def _forget(self, ids: list[int] | None) -> None:
        for id in range(self._first, self._next_id) if ids is None else ids:
            self._objects.pop(id, None)
        if ids is None:
            self._first = self._next_id

    def _refer(self, value: object) -> Ref:
        """A reference in place of what can't be sent."""
        id, self._next_id = self._next_id, self._next_id + 1
        self._objects[id] = value
        return Ref(id, type(value).__name__, callable(value))

    def _resolve(self, ref: Ref | CallbackRef) -> object:
        """What a reference stands for: an object of this side, or a function that calls the other one."""
        return self._objects[ref.id] if type(ref) is Ref else self._callback(ref.id)

    def _callback(self, id: int) -> Callable:
        def call_judge(*args: object, **kwargs: object) -> object:
            ok, result = decode(self._ask(encode((id, args, kwargs), self._refer)), self._resolve, self._place)
            if not ok:
                raise RuntimeError(result)
            return result

        return call_judge


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

    def ask(payload: bytearray) -> bytes:
        nonlocal depth
        if depth >= MAX_CALLBACK_DEPTH:
            raise RecursionError("callbacks are nested too deep")
        depth += 1
        try:
            connection.send(Kind.CALLBACK, current, payload, forever)
            while True:
                kind, request, reply = connection.receive(forever)
                if kind == Kind.ANSWER:
                    return reply
                answer(Kind(kind), request, reply)
        finally:
            depth -= 1

    runtime = Runtime(lambda: import_submission(path), ask, folder=str(path.parent), device=device)

    def answer(kind: Kind, request: int, payload: bytes) -> None:
        nonlocal current
        outer, current = current, request
        try:
            try:
                reply, payload = Kind.RESULT, runtime.answer(kind, payload)
            except Raised as raised:
                reply, payload = Kind.RAISED, encode(raised.args)
            except Unsendable as error:
                reply, payload = Kind.UNSENDABLE, encode(str(error))
            if kind is not Kind.FORGET:
                connection.send(reply, request, payload, forever)
        finally:
            current = outer

    while True:
        kind, request, payload = connection.receive(forever)
        answer(Kind(kind), request, payload)


def start(device: str) -> None:
    """Do once on a device what every first call there pays for, in seconds: its context, its memory, the libraries of products.

    Raises:
        Exception: What torch raises where the device can't be used.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            x = torch.ones(8, 8, dtype=dtype).to(device)
            (x @ x).softmax(-1).sum().cpu()


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
