"""What only staff may see, loaded into the judge: the reference, and the known mistakes on top of it."""

from __future__ import annotations

import ast
import sys
import types
from dataclasses import dataclass
from pathlib import Path

from gradkit.errors import AuthoringError
from gradkit.judge.subjects import LocalSubject
from gradkit.manifest import Assignment
from gradkit.vandals import vandalize

VANDAL = "vandal:"


@dataclass(frozen=True)
class Mistake:
    """A known misconception: the reference with the names of its file replaced.

    Attributes:
        name: The file's stem, which names the behaviour.
        task: Id of the task it belongs to.
        hint: What a student who has it reads.
        replaces: The functions, classes and constants it defines.
        subject: Answers as a submission with this mistake would.
    """

    name: str
    task: str
    hint: str
    replaces: tuple[str, ...]
    subject: LocalSubject


class Staff:
    """The reference and the mistakes of one assignment, loaded once."""

    def __init__(self, assignment: Assignment) -> None:
        self._source = read_source(assignment.reference)
        self._name = assignment.module_name
        self._path = assignment.reference
        self._module = self._execute([(self._path, self._source)])
        self._uses = uses(self._source)
        self.reference = LocalSubject(self._module)
        self._functions = [name for task in assignment.manifest.tasks for name in task.functions]
        tasks = [task.id for task in assignment.manifest.tasks]
        self.mistakes = [self._load(path, tasks) for path in assignment.mistakes()]
        self._subjects = {mistake.name: mistake.subject for mistake in self.mistakes}

    def subject(self, name: str) -> LocalSubject:
        """The code of the mistake called `name`, of a vandal for `vandal:KIND`, or the reference's for nothing."""
        if name.startswith(VANDAL):
            module = self._execute([(self._path, self._source)])
            vandalize(module, self._functions, name.removeprefix(VANDAL))
            return LocalSubject(module)
        return self._subjects[name] if name else self.reference

    def reach(self, name: str) -> set[str]:
        """The reference's names that `name` uses, directly or not, itself among them."""
        return reach({name}, self._uses)

    def reference_module(self) -> types.ModuleType:
        return self._module

    def concerned(self, names: set[str]) -> list[Mistake]:
        """The mistakes that can change what the functions `names` answer: those in a function that they use."""
        reached = reach(names, self._uses)
        return [mistake for mistake in self.mistakes if reached & set(mistake.replaces)]

    def _load(self, path: Path, tasks: list[str]) -> Mistake:
        text = read_source(path)
        task, hint = mistake_header(path, text, tasks)
        module = self._execute([(self._path, self._source), (path, text)])
        return Mistake(path.stem, task, hint, replaced_names(text), LocalSubject(module))

    def _execute(self, sources: list[tuple[Path, str]]) -> types.ModuleType:
        """A module made by running the given texts one after the other in the same namespace."""
        module = types.ModuleType(self._name)
        module.__file__ = str(sources[0][0])
        # dataclasses and pickling look their module up by name while a class is being made
        sys.modules[self._name] = module
        for path, text in sources:
            before = dict(vars(module))
            try:
                exec(compile(text, str(path), "exec", dont_inherit=True), vars(module))
            except Exception as error:
                line = getattr(error, "lineno", None) or _line_of(error, path)
                raise AuthoringError(
                    f"{path}:{line}: does not load: {type(error).__name__}: {error}"
                ) from error
            _rebind_defaults(vars(module), before)
        return module


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
                function.__defaults__ = tuple(
                    replaced.get(id(value), value) for value in function.__defaults__
                )
            if function.__kwdefaults__:
                function.__kwdefaults__ = {
                    name: replaced.get(id(value), value) for name, value in function.__kwdefaults__.items()
                }


def read_source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AuthoringError(f"{path}: missing") from None


def mistake_header(path: Path, text: str, tasks: list[str]) -> tuple[str, str]:
    """TASK and HINT of a mistake file.

    Raises:
        AuthoringError: When either is missing or empty, or TASK is no task.
    """
    values = {}
    for node in ast.parse(text).body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.targets[0], ast.Name)
        ):
            values[node.targets[0].id] = node.value.value
    task, hint = values.get("TASK"), values.get("HINT")
    if task not in tasks:
        raise AuthoringError(f"{path}: TASK must be one of {', '.join(tasks)}, got {task!r}")
    if not isinstance(hint, str) or not hint.strip():
        raise AuthoringError(f"{path}: HINT is missing: it is what a student with this mistake reads")
    return task, " ".join(hint.split())


def replaced_names(text: str) -> tuple[str, ...]:
    """The functions, classes and constants that a mistake's file puts in place of the reference's."""
    return tuple(name for name in _definitions(text) if name not in ("TASK", "HINT"))


def uses(text: str) -> dict[str, set[str]]:
    """For each function, class and constant of a module, the others that its definition names."""
    definitions = _definitions(text)
    return {
        name: {
            part.id
            for part in ast.walk(node)
            if isinstance(part, ast.Name) and part.id in definitions and part.id != name
        }
        for name, node in definitions.items()
    }


def reach(names: set[str], uses: dict[str, set[str]]) -> set[str]:
    """The names, and all that their definitions use, directly or not."""
    reached, left = set(names), list(names)
    while left:
        new = uses.get(left.pop(), set()) - reached
        reached |= new
        left += new
    return reached


def _definitions(text: str) -> dict[str, ast.AST]:
    found: dict[str, ast.AST] = {}
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found |= {part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)}
    return found


def _line_of(error: BaseException, path: Path) -> int:
    traceback, line = error.__traceback__, 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
