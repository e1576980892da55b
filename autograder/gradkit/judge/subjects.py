"""What a check can call: a submission in a sandboxed worker, or staff's own code in this process.

A check gets an `Object` that stands for a module. Every use of it is one request to a `Subject`; the answers are
recorded, so that a failed check can be repeated with a known mistake in the submission's place and the two compared.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import itertools
import signal
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from coursekit.compare import Difference, Mismatch, compare

from gradkit.calls.frames import Kind
from gradkit.calls.runtime import MAX_CALLBACK_DEPTH, Raised, Runtime
from gradkit.calls.values import CallbackRef, Ref, Unsendable, decode, encode
from gradkit.errors import ProtocolError, WorkerError, WorkerTimeout
from gradkit.vandals import Vandal

MODULE = Ref(0, "module")
OBJECT = "<object>"  # stands in a transcript for whatever is no plain data


class Subject(Protocol):
    """Answers requests about one implementation."""

    def request(self, kind: Kind, value: tuple, session: Session) -> tuple[object, bytes]:
        """Answer with a value in which `Object`s stand for what stays behind, and with the same as it was encoded.

        Callbacks on the way are served by the session.

        Raises:
            Raised: When the implementation raised.
            WorkerError: When it could not answer.
        """


class LocalTimeout(BaseException):
    """The judge itself was kept busy for too long: by staff's code in a repeated check, or by what a submission sent."""


class LocalSubject:
    """Staff's code in this process. Values are encoded and decoded as if they crossed a socket.

    Args:
        module: The reference, or the reference with a mistake on top.
        quiet: Swallow what it prints.
        vandal: What damages the module's answers, if something does.
    """

    shared = False  # no case sees what another left

    def __init__(self, module: types.ModuleType, *, quiet: bool = True, vandal: Vandal | None = None) -> None:
        self._module = module
        self._quiet = quiet
        self._vandal = vandal
        self.lent: set[str] = set()
        self.reset()

    def reset(self) -> None:
        """Forget all objects of the previous check."""
        self._session: Session | None = None
        folder = str(Path(self._module.__file__).parent) if getattr(self._module, "__file__", None) else None
        self._runtime = Runtime(lambda: self._module, lambda payload: self._session.serve(payload), folder=folder)
        self._runtime.load()

    def begin_case(self, reference_s: float, *, alone: bool) -> None:
        """Forget all objects of the previous case. Staff's code has neither a deadline nor a worker."""
        self.reset()
        if self._vandal is not None:
            self._vandal.touched = False

    @property
    def touched(self) -> bool:
        """Whether a vandal was at an answer of this case."""
        return self._vandal is not None and self._vandal.touched

    def end_worker(self) -> None:
        """Nothing to do; see `SubmissionSubject`."""

    def printed(self) -> str:
        """Nothing that anybody is to read."""
        return ""

    def request(self, kind: Kind, value: tuple, session: Session) -> tuple[object, bytes]:
        outer, self._session = self._session, session
        try:
            with contextlib.redirect_stdout(io.StringIO()) if self._quiet else contextlib.nullcontext():
                payload = self._runtime.answer(kind, encode(value, session.refer))
            return decode(payload, session.resolve), payload
        finally:
            self._session = outer


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `LocalTimeout` in the main thread after `seconds`: a mistake may loop where the reference does not."""

    def stop(signum: int, frame: object) -> None:
        raise LocalTimeout

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)  # again and again: one raised in a __del__ is lost
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class Asked(NamedTuple):
    """What was asked of the implementation when something went wrong.

    Attributes:
        function: As a student would say it: `Tokenizer.encode`. Empty where that is not known.
        kind: Of the request.
        value: The request.
    """

    function: str
    kind: Kind
    value: tuple


class Handed(NamedTuple):
    """A call of a function that the check handed over, with what the implementation gave it.

    Attributes:
        function: Of the implementation: what the callback was handed to.
        place: Its position among the arguments, or its name where it was given by name; None where it lay deeper.
        callback: The check's function.
        args, kwargs: What it was called with.
    """

    function: str
    place: int | str | None
    callback: Callable
    args: tuple
    kwargs: dict


class SubmissionRaised(Exception):
    """The implementation under test raised. Also an instance of the built-in class it raised, for `pytest.raises`."""

    info: Raised
    asked: Asked | None = None


def submission_raised(info: Raised, *, iterating: bool = False) -> SubmissionRaised:
    """The exception to raise in a check for one that was raised behind the proxy.

    The end of an iteration is one only where the check iterates: anywhere else it would end a check's own loop early.
    """
    for name in info.bases:
        base = getattr(builtins, name, None)
        if (
            isinstance(base, type)
            and issubclass(base, Exception)
            and (iterating or base not in (StopIteration, StopAsyncIteration))
        ):
            error_class = _raised_class(base)
            break
    else:
        error_class = SubmissionRaised
    error = error_class(info.message)
    error.info = info
    return error


_RAISED_CLASSES: dict[type, type] = {}


def _raised_class(base: type) -> type:
    if base not in _RAISED_CLASSES:
        try:
            _RAISED_CLASSES[base] = type(
                base.__name__,
                (SubmissionRaised, base),
                {
                    "__init__": lambda self, message: Exception.__init__(self, message),
                    "__str__": lambda self: str(self.args[0]),
                },
            )
        except TypeError:  # a built-in whose layout can't be combined
            _RAISED_CLASSES[base] = SubmissionRaised
    return _RAISED_CLASSES[base]


class MissingName(Exception):
    """The submission does not define what the handout asks for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Session:
    """One run of one check on one subject: converts values, serves callbacks, records what was answered.

    A callback with a true attribute `unrecorded` is a tool: how often and in what order it is used is the
    implementation's affair, and only what comes of it is compared.

    Args:
        subject: Who answers.
    """

    _numbers = itertools.count()  # of callbacks: one that a submission kept from another run exists no more

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._callbacks: dict[int, Callable] = {}
        self._places: dict[int, tuple[str, int | str]] = {}  # of callbacks, by their number
        self._given: dict[int, tuple[str, int | str]] = {}  # of functions among the arguments at hand, by their id
        self._called: dict[int, str] = {}  # what references stand for, as a student would say it
        self._callback_error: BaseException | None = None
        self._depth = 0
        self._as_one = False
        self._garbage: list[int] = []
        self.transcript: list[tuple[str, bytes]] = []  # (what happened, the value as it was encoded)
        self.names: set[str] = set()  # of the module that were asked for
        self.module = Object(self, MODULE)

    def request(self, kind: Kind, value: tuple) -> object:
        """Ask the subject, and give the answer with references replaced by `Object`s."""
        if self._garbage:
            garbage, self._garbage = self._garbage, []
            self._subject.request(Kind.FORGET, garbage, self)
        of_module = kind is Kind.GET and value[0] == MODULE
        if of_module:
            self.names.add(value[1])
        asked = Asked(self.name_of(kind, value), kind, value)
        if kind in (Kind.CALL, Kind.VJP, Kind.WATCH, Kind.REPLAY):
            places = (*enumerate(value[1]), *value[2].items())
            self._given = {id(given): (asked.function, place) for place, given in places if callable(given)}
        try:
            answer, payload = self._subject.request(kind, value, self)
        except Raised as raised:
            self._raise_callback_error()
            self._record("raised", encode(raised.bases[0] if raised.bases else ""))
            if of_module and "AttributeError" in raised.bases and not raised.at_import:
                raise MissingName(value[1]) from None
            error = submission_raised(raised, iterating=kind is Kind.OPERATE and value[0] == "next")
            error.asked = asked
            raise error from None
        except WorkerTimeout as late:
            late.asked_for = asked.function
            raise
        self._raise_callback_error()
        self._record("answered", payload)
        if type(answer) is Object and asked.function:
            self._called[answer._ref.id] = asked.function
        return answer

    def name_of(self, kind: Kind, value: tuple) -> str:
        """The function that a request is about, as a student would say it: `Tokenizer.encode`. Empty where that is not known."""
        if kind is Kind.GET and value[0] == MODULE:
            return value[1]
        operands = value[1] if kind is Kind.OPERATE else value[:1]
        refs = [
            operand if type(operand) is Ref else operand._ref for operand in operands if type(operand) in (Ref, Object)
        ]
        name = self._called.get(refs[0].id, "") if refs else ""
        return f"{name}.{value[1]}" if name and kind is Kind.GET else name

    def lent(self, module: str) -> set[str]:
        """The functions and classes of staff's `module` that the implementation was handed."""
        return {
            function.__qualname__.partition(".")[0]
            for function in self._callbacks.values()
            if getattr(function, "__module__", None) == module and hasattr(function, "__qualname__")
        }

    def forget(self, id: int) -> None:
        """Let the subject drop an object that no check can reach any more."""
        self._garbage.append(id)

    def _raise_callback_error(self) -> None:
        """A callback that failed fails the check, whatever the implementation made of it."""
        if self._callback_error is not None:
            error, self._callback_error = self._callback_error, None
            self._record("refused", encode(f"{type(error).__name__}: {error}"[:500]))
            raise error

    def refer(self, value: object) -> Ref | CallbackRef:
        """What is sent in place of what is no plain data: an object of the implementation's, or a function of the check's."""
        if type(value) is Object:
            return object.__getattribute__(value, "_ref")
        if callable(value) and not isinstance(value, type):
            number = next(self._numbers)
            self._callbacks[number] = value
            if id(value) in self._given:
                self._places[number] = self._given[id(value)]
            return CallbackRef(number)
        raise Unsendable(f"a {type(value).__name__} can't be sent")

    def resolve(self, ref: Ref | CallbackRef) -> object:
        return Object(self, ref) if type(ref) is Ref else ref

    def serve(self, payload: bytes) -> bytearray:
        """Run a callback for the implementation: its encoded (id, args, kwargs) give an encoded (ok, result).

        What the callback raises is kept: it fails the check when the call is over.

        Raises:
            ProtocolError: For a callback that does not exist.
        """
        asked = decode(payload, self.resolve)
        if not (isinstance(asked, tuple) and len(asked) == 3 and type(asked[0]) is int):
            raise ProtocolError("a malformed callback")
        id, args, kwargs = asked
        if id not in self._callbacks or not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise ProtocolError("a callback was asked for that does not exist")
        if self._depth >= MAX_CALLBACK_DEPTH:
            raise ProtocolError("callbacks are nested too deep")
        if not getattr(self._callbacks[id], "unrecorded", False):
            self._record("callback", payload)
        self._depth += 1
        try:
            return encode((True, self._callbacks[id](*args, **kwargs)), self.refer)
        except WorkerError:
            raise
        except Exception as error:
            if self._callback_error is None:
                function, place = self._places.get(id, ("", None))
                error.handed = Handed(function, place, self._callbacks[id], args, kwargs)
                self._callback_error = error
            return encode((False, type(error).__name__))
        finally:
            self._depth -= 1

    def note(self, value: object) -> None:
        """Take what a check made of several answers for one more answer."""
        try:
            payload = encode(value, lambda other: OBJECT)
        except Unsendable:
            payload = encode(OBJECT)
        self._record("noted", payload)

    def as_one(self, calls: Callable[[], object]) -> object:
        """Take what many calls come to for one answer. In which order they were made is the implementation's affair."""
        outer, self._as_one = self._as_one, True
        try:
            answer = calls()
        except Mismatch as error:
            self._as_one = outer
            self._record("refused", encode(str(error)[:500]))
            raise
        finally:
            self._as_one = outer
        self.note(answer)
        return answer

    def _record(self, kind: str, payload: bytes) -> None:
        if self._as_one and kind != "raised":
            return
        self.transcript.append((kind, bytes(payload)))


def same_entry(one: tuple[str, bytes], other: tuple[str, bytes]) -> bool:
    """Whether two entries of transcripts are the same answer, to the tolerance of their dtype.

    A whole number stands for a float, as in checks; which of the two is due is not known here, so it may be either.
    """
    if one[0] != other[0]:
        return False
    if one[1] == other[1]:
        return True
    first, second = _recorded(one), _recorded(other)
    difference = compare(second, first)
    if difference is not None and difference.kind in ("type", "dtype"):
        difference = compare(first, second)
    return difference is None


def same_answers(one: list[tuple[str, bytes]], other: list[tuple[str, bytes]]) -> bool:
    """Whether two transcripts are the same answers throughout."""
    return len(one) == len(other) and all(map(same_entry, one, other))


def _recorded(entry: tuple[str, bytes]) -> object:
    """An answer without identities: objects are told apart by what their methods answer, callbacks by their arguments."""
    value = decode(entry[1], lambda ref: OBJECT)
    return value[1:] if entry[0] == "callback" else value


class Object:
    """Stands for something of the implementation under test: its module, a function, an instance."""

    __slots__ = ("_ref", "_session")

    def __init__(self, session: Session, ref: Ref) -> None:
        object.__setattr__(self, "_session", session)
        object.__setattr__(self, "_ref", ref)

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._session.request(Kind.GET, (self._ref, name))

    def __setattr__(self, name: str, value: object) -> None:
        self._session.request(Kind.SET, (self._ref, name, value))

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self._session.request(Kind.CALL, (self._ref, args, kwargs))

    def __del__(self) -> None:
        if self._ref.id:
            self._session.forget(self._ref.id)

    def __repr__(self) -> str:
        return f"<{self._ref.type_name} of the submission>"

    __hash__ = object.__hash__  # the reference's number is the worker's choice

    def _as_one(self, calls: Callable[[], object]) -> object:
        """What many calls of this come to, as one answer; see `coursekit.chance.law`."""
        return self._session.as_one(calls)

    def _replayed(
        self, args: tuple, kwargs: dict, given: tuple[str, ...], runs: list[list[int]], cut: int | None
    ) -> object:
        """Runs of a random function, with their draws; see `coursekit.chance.replayed_calls`."""
        return self._session.request(Kind.REPLAY, (self._ref, args, kwargs, given, runs, cut))

    def _watched(self, args: tuple, kwargs: dict) -> object:
        """The answer, and which arguments were changed on the way; see `coursekit.checks.watched_call`."""
        return self._session.request(Kind.WATCH, (self._ref, args, kwargs))

    def _vjp(self, args: tuple, kwargs: dict, wrt: object, cotangent: object) -> tuple:
        """Gradients from the implementation's own autograd; see `coursekit.gradcheck.torch_vjp`."""
        return self._session.request(Kind.VJP, (self._ref, args, kwargs, wrt, cotangent))


def _operator(name: str, *, swapped: bool = False) -> Callable:
    def method(self: Object, *args: object) -> object:
        operands = (*args, self) if swapped else (self, *args)
        return self._session.request(Kind.OPERATE, (name, operands))

    return method


for _name in "add sub mul truediv floordiv mod pow matmul".split():
    setattr(Object, f"__{_name}__", _operator(_name))
    setattr(Object, f"__r{_name}__", _operator(_name, swapped=True))


def _comparison(name: str) -> Callable:
    """Objects of the implementation may be compared with each other. A value that is due is never shown to them."""

    def method(self: Object, other: object) -> bool:
        if not isinstance(other, Object):
            text = "an object of your own came back instead of a value"
            raise Mismatch(Difference("type", text, text))
        return self._session.request(Kind.OPERATE, (name, (self, other))) is True

    return method


for _name in "eq ne lt le gt ge".split():
    setattr(Object, f"__{_name}__", _comparison(_name))
for _name in "neg pos abs getitem setitem delitem contains len iter next bool float int str".split():
    setattr(Object, f"__{_name}__", _operator(_name))
