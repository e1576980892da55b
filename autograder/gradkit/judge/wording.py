"""Says in a sentence how a case ended, in words that are safe for a hidden check.

What a submission raises has a text of its own, which may hold an input. Only texts whose every word is one of a few are
shown: the names of built-in types, or a name in the line that raised.
"""

from __future__ import annotations

import inspect
import re
import textwrap
import types
from collections.abc import Callable

from coursekit.describe import describe
from coursekit.gradcheck import positions_of

from gradkit.calls.frames import Kind
from gradkit.calls.runtime import Raised
from gradkit.errors import WorkerError, WorkerTimeout
from gradkit.judge.subjects import Asked, Handed, Object, SubmissionRaised

MOST_ARGUMENTS = 4  # of a call that are described
MOST_LINE = 90  # characters of a student's line that are shown

_TYPE = (
    r"(?:bool|int|float|complex|str|bytes|list|tuple|dict|set|NoneType|function|type|range|generator|module|Tensor|"
    r"numpy\.(?:ndarray|bool|int32|int64|float32|float64))"
)
_OF_TYPES = (  # texts of TypeError and AttributeError, as Python and torch write them
    re.compile(rf"argument '\w+' \(position \d+\) (must be Tensor, not {_TYPE})$"),
    re.compile(rf"^.*?(must be (?:real number|Tensor|str|int|float), not {_TYPE})$"),
    re.compile(rf"^(unsupported operand type\(s\) for [-+*/%@&|^<>=]{{1,3}}: '{_TYPE}' and '{_TYPE}')$"),
    re.compile(rf"^('{_TYPE}' object is not (?:subscriptable|iterable|callable))$"),
    re.compile(rf"^('{_TYPE}' object has no attribute '(\w+)')$"),
)
_SIGNATURE = re.compile(
    r"takes .{1,60} positional arguments? but|takes no arguments|takes no keyword arguments|missing \d+ required|"
    r"got an unexpected keyword argument|got multiple values for|got some positional-only arguments"
)
_REFUSED = frozenset({"PermissionError", "gaierror"})  # by the sandbox; without a network no name has an address
_REFUSAL = re.compile(r"\[Errno (?:-[23]|30|101)\]")  # an unknown host, a read-only file system, an unreachable network
_UNCONNECTED = re.compile(r"output does not depend on .* through autograd")
_OPERATIONS = {
    "len": "len()", "iter": "a loop over it", "next": "next()", "getitem": "indexing", "contains": "`in`",
    "setitem": "assigning to an index", "delitem": "deleting an index", "bool": "bool()", "float": "float()", "int": "int()",
    "str": "str()",
}  # fmt: skip


def raised_at_import(info: Raised) -> str:
    """What a file raised while it was imported: its own text, since no input was there to be told."""
    where = f"{info.file}:{info.line}" if info.line else "an unknown line"
    text = f"importing your file raised {info.type_name} at {where}" + (
        f": {info.message[:200]}" if info.message else ""
    )
    return (
        f"{text}; this is a notebook's line: delete it, or hand in the .ipynb"
        if "get_ipython" in info.message
        else text
    )


def broken_off_at_import(error: WorkerError) -> str:
    """How the worker ended before the file was imported."""
    return str(error) if isinstance(error, WorkerTimeout) else f"while importing your file, {error}"


def raised(error: SubmissionRaised, reference: types.ModuleType, line: Callable[[str, int], str]) -> str:
    """What a submission raised, and where.

    Args:
        error: With what was asked.
        reference: For the names of its functions' parameters.
        line: Gives the text of a line of the submission's file.
    """
    info = error.info
    if not info.line:
        return _raised_elsewhere(error, reference)
    text = f"your code raised {info.type_name} at {info.file}:{info.line}"
    if _is_refused(info):
        text += " (where this is graded, your code can't start processes, write other files or use the network)"
    if source := textwrap.shorten(line(info.file, info.line), MOST_LINE, placeholder=" ..."):
        text += f": {source}"
        if types_named := _types_in(info.message, source):
            text += f" ({types_named})"
    return text


def _is_refused(info: Raised) -> bool:
    """Whether what was raised is how the sandbox refuses something. Of the text only the error's number is looked at."""
    return not _REFUSED.isdisjoint(info.bases) or (
        "OSError" in info.bases and _REFUSAL.search(info.message) is not None
    )


def _types_in(message: str, source: str) -> str:
    """The types that a message is about, where it says nothing else but a name that stands in the line."""
    for form in _OF_TYPES:
        found = form.search(message)
        if found and (form.groups == 1 or found[2] in re.findall(r"\w+", source)):
            return found[1]
    return ""


def _raised_elsewhere(error: SubmissionRaised, reference: types.ModuleType) -> str:
    """What was raised on no line of the submission's: by the call itself, or by what was done with its answer."""
    info, asked = error.info, error.asked or Asked("", Kind.CALL, ())
    function, message = asked.function or "your code", info.message
    if (
        asked.kind in (Kind.CALL, Kind.WATCH, Kind.REPLAY, Kind.VJP)
        and "TypeError" in info.bases
        and _SIGNATURE.search(message)
    ):
        return f"{function} can't be called as the handout says (TypeError): compare the signature with the handout's"
    if asked.kind is Kind.VJP:
        if _UNCONNECTED.search(message):
            _, args, _, wrt, _ = asked.value
            names = " or ".join(parameter(reference, function, place) for place in positions_of(args, wrt))
            return (
                f"the result of {function} does not depend on {names} through autograd: "
                "is it detached, computed under no_grad, or made from numbers or NumPy arrays?"
            )
        if "modified by an inplace operation" in message:
            return f"autograd can't go back through {function}: a tensor that it needs was changed in place"
        if message.startswith(("cotangent has shape", "cotangent must fit")):
            return f"{function} returned the wrong shape or structure, so its gradient can't be taken"
        return f"taking the gradient of {function} raised {info.type_name}"
    if asked.kind is Kind.GET and "AttributeError" in info.bases:
        owner, _, name = asked.function.rpartition(".")
        if not owner:
            return f"an object of your own has no attribute {asked.value[1]}"
        is_class = isinstance(getattr(reference, owner, None), type)
        return f"your {owner} has no attribute {name}" if is_class else f"what {owner} returned has no attribute {name}"
    if asked.kind is Kind.OPERATE and "TypeError" in info.bases:
        operation = _OPERATIONS.get(asked.value[0], asked.value[0])
        return f"what {asked.function or 'your code'} returned does not support {operation}"
    return f"{function} raised {info.type_name} outside the lines of your file"


def parameter(reference: types.ModuleType, function: str, place: int) -> str:
    """What a function's parameter at this place is called."""
    target, bound = reference, False
    for name in function.split("."):
        bound = isinstance(target, type)
        target = getattr(target, name, None)
    try:
        names = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):  # nothing of that name, or none that Python can look into
        return f"argument {place + 1}"
    names = names[1:] if bound and names and names[0].name == "self" else names
    positional = [each for each in names if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return positional[place].name if place < len(positional) else f"argument {place + 1}"


def called_wrongly(error: BaseException, handed: Handed, reference: types.ModuleType) -> str:
    """What a submission did with a function that it was handed, where that function could do nothing with it."""
    place = handed.place
    if isinstance(place, int) and handed.function:
        place = parameter(reference, handed.function, place)
    name = f"{place}, which it was handed" if isinstance(place, str) else "a function that it was handed"
    try:
        inspect.signature(handed.callback).bind(*handed.args, **handed.kwargs)
    except TypeError:
        return f"your code called {name}, with {_arguments(handed)}; it takes {_takes(handed.callback)}"
    except ValueError:  # one that Python can't look into
        pass
    return f"your code called {name}, with {_arguments(handed)}, and that raised {type(error).__name__}"


def _takes(callback: Callable) -> str:
    """A signature without annotations and defaults, which may hold an input."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    names = [
        f"{stars.get(each.kind, '')}{each.name}{'' if each.default is each.empty else '=...'}"
        for each in inspect.signature(callback).parameters.values()
    ]
    return f"({', '.join(names)})"


def _arguments(handed: Handed) -> str:
    """The types of the first arguments, and the size of the very first: no values, no names that a submission chose."""
    shown = []
    for place, value in enumerate(handed.args[:MOST_ARGUMENTS]):
        kind = describe(value)
        if place:  # one size is enough to tell
            kind = kind.partition(" of ")[0]
        shown.append("an object of your own" if isinstance(value, Object) else kind)
    if len(handed.args) > MOST_ARGUMENTS:
        shown.append("more")
    if handed.kwargs:
        shown.append("a keyword argument" if len(handed.kwargs) == 1 else "keyword arguments")
    if len(shown) < 2:
        return shown[0] if shown else "no arguments"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def timed_out(error: WorkerTimeout) -> str:
    """What was waited for in vain: a function, what it returned, or all of them together."""
    text, name = str(error), error.asked_for
    if error.function or not name:
        return text
    if text == "the time limit passed":
        return f"what {name} returned did not answer within the time limit"
    if text == "the time limit of all checks together is used up":
        return f"{text}, so {name} was not called"
    return text
