"""What only staff may see, loaded into the judge: the reference, and the known mistakes on top of it."""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Callable
from pathlib import Path

from coursekit.functions import reach

from gradkit.errors import AuthoringError
from gradkit.judge.subjects import LocalSubject
from gradkit.manifest import Assignment
from gradkit.mistakes import MistakeSource, definitions, read_mistakes
from gradkit.stubs import read_authored
from gradkit.vandals import vandalize

REFERENCE, VANDAL = "reference:", "vandal:"  # names of staff's code that no mistake can have


class Mistake:
    """A known misconception: the reference with what the mistake gets wrong put in place.

    Attributes:
        name: Names the behavior.
        task: Id of the task it belongs to.
        hint: What a student who has it reads.
        replaces: The functions, classes and constants that it puts others in place of.
    """

    def __init__(self, source: MistakeSource, load: Callable[[MistakeSource], types.ModuleType]) -> None:
        self.source = source
        self.name, self.task, self.hint, self.replaces = source.name, source.task, source.hint, source.replaces
        self._load = load

    @functools.cached_property
    def subject(self) -> LocalSubject:
        """Answers as a submission with this mistake would. Its module is made when it is first asked for.

        Raises:
            AuthoringError: When it does not load.
        """
        return LocalSubject(self._load(self.source))


class Staff:
    """The reference and the mistakes of one assignment, each read once."""

    def __init__(self, assignment: Assignment) -> None:
        self._source = read_authored(assignment.reference)
        self._name = assignment.module_name
        self._path = assignment.reference
        self._module = self._execute()
        self._uses = uses(self._source)
        self._reach: dict[str, set[str]] = {}
        self.reference = LocalSubject(self._module)
        self._functions = [name for task in assignment.manifest.tasks for name in task.functions]
        self._assignment = assignment

    @functools.cached_property
    def _by_name(self) -> dict[str, Mistake]:
        """The mistakes, read when they are first asked for: a check can be tried out before they fit."""
        return {source.name: Mistake(source, self._execute) for source in read_mistakes(self._assignment)}

    @property
    def mistakes(self) -> list[Mistake]:
        """All known mistakes, by name.

        Raises:
            AuthoringError: When one does not fit the reference.
        """
        return list(self._by_name.values())

    def mistake(self, name: str) -> Mistake:
        return self._by_name[name]

    def written_by_students(self, mistake: Mistake) -> str:
        """The function that a mistake is in, as students know it; empty for one that only staff's file has."""
        return next((name for name in mistake.replaces if name in self._functions), "")

    def subject(self, name: str) -> LocalSubject:
        """The code of the mistake called `name`, of several for `one+other`, of a vandal for `vandal:KIND`, or the reference's."""
        if "+" in name:
            return LocalSubject(self._execute(*(self._by_name[part].source for part in name.split("+"))))
        if name.startswith(VANDAL):
            module = self._execute()
            vandal = vandalize(module, self._functions, name.removeprefix(VANDAL))
            return LocalSubject(module, vandal=vandal)
        return self.reference if name in ("", REFERENCE) else self._by_name[name].subject

    def reach(self, name: str) -> set[str]:
        """The reference's names that `name` uses, directly or not, itself among them."""
        if name not in self._reach:  # asked for again in every case
            self._reach[name] = reach({name}, self._uses)
        return self._reach[name]

    def reference_module(self) -> types.ModuleType:
        return self._module

    def concerned(self, names: set[str]) -> list[Mistake]:
        """The mistakes with a hint that can change what the functions `names` answer: those in a function that they use."""
        reached = reach(names, self._uses)
        return [mistake for mistake in self.mistakes if mistake.hint and reached & set(mistake.replaces)]

    @functools.cached_property
    def _code(self) -> types.CodeType:
        return compile(self._source, str(self._path), "exec", dont_inherit=True)

    def _execute(self, *mistakes: MistakeSource) -> types.ModuleType:
        """A new module: the reference, and on top of it, in the same namespace, what mistakes get wrong."""
        module = types.ModuleType(self._name)
        module.__file__ = str(self._path)
        # dataclasses and pickling look their module up by name while a class is being made
        sys.modules[self._name] = module
        _run(lambda: self._code, module, self._path, str(self._path))
        for mistake in mistakes:
            before = dict(vars(module))
            _run(mistake.code, module, mistake.file, mistake.place)
            _rebind_defaults(vars(module), before)
        return module


def _run(code: Callable[[], types.CodeType], module: types.ModuleType, path: Path, place: str) -> None:
    try:
        exec(code(), vars(module))
    except AuthoringError:
        raise
    except Exception as error:
        line = getattr(error, "lineno", None) or _line_of(error, path)
        where = f"{place}:{line}" if place == str(path) else f"{place}: line {line} of {path.name}"
        raise AuthoringError(f"{where}: does not load: {type(error).__name__}: {error}") from error


def _rebind_defaults(names: dict[str, object], before: dict[str, object]) -> None:
    """Let default arguments that are functions be those defined last, as in a file that defines each of them once.

    Only where the function itself was there before: a mistake may keep what it replaces as a default of its own.
    """
    replaced = {
        id(old): names[name]
        for name, old in before.items()
        if callable(old) and name in names and names[name] is not old
    }
    for function in before.values():
        if isinstance(function, types.FunctionType):
            if function.__defaults__:
                function.__defaults__ = tuple(replaced.get(id(value), value) for value in function.__defaults__)
            if function.__kwdefaults__:
                function.__kwdefaults__ = {
                    name: replaced.get(id(value), value) for name, value in function.__kwdefaults__.items()
                }


def uses(text: str) -> dict[str, set[str]]:
    """For each function, class and constant of a module, the others that its definition names."""
    found = definitions(ast.parse(text))
    return {
        name: {
            part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in found and part.id != name
        }
        for name, node in found.items()
    }


def _line_of(error: BaseException, path: Path) -> int:
    traceback, line = error.__traceback__, 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
