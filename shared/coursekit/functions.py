"""Which functions an assignment asks for, which checks are about each, and whether it is written.

A public check is about the functions that it names as `impl.NAME`, itself or through helpers of its file. Whether a function is
written is read from the student's code: the line of the stub that raises NotImplementedError is gone. Nothing is run here.
"""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

SUBJECT = "impl"  # what a check calls the student's module
_STUB = re.compile(r"task (\w+) is not written yet")  # the message of an unwritten function


class Function(NamedTuple):
    """A function, a class or a method that a task asks for. A class may be asked for by several tasks, a part by each."""

    task: str
    name: str


def functions_of(manifest: Mapping) -> list[Function]:
    """All functions of an `assignment.toml`, in its order."""
    return [Function(task["id"], name) for task in manifest["tasks"] for name in task["functions"]]


def command(function: Function, known: Sequence[Function]) -> str:
    """What runs the checks about it."""
    several = sum(other.name == function.name for other in known) > 1
    return f"pytest --task {function.task} -k {function.name}" if several else f"pytest -k {function.name}"


# ---- what a check is about --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class About:
    """What a check names.

    Attributes:
        names: Of the submission: `impl.NAME`, and `getattr(impl, "NAME")`.
        parameters: Parameters of the check that hold such a name: `getattr(impl, parameter)`.
        attributes: Of anything, for the methods of a class.
    """

    names: frozenset[str] = frozenset()
    parameters: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()

    def of_case(self, values: Mapping[str, object]) -> About:
        """The same for one case of a check with parameters."""
        given = {values[name] for name in self.parameters if isinstance(values.get(name), str)}
        return About(self.names | given, frozenset(), self.attributes)

    def functions(self, known: Sequence[Function], task: str) -> list[Function]:
        """Those of `known` that a check of this task is about."""
        found = []
        for function in known:
            owner, _, method = function.name.partition(".")
            if owner in self.names and (not method or method in self.attributes or method.startswith("__")):
                found.append(function)
        here = {function.name for function in found if function.task == task}
        return [function for function in found if function.task == task or function.name not in here]


class CheckFile:
    """A file of checks, read from its text.

    Args:
        text: Of the file. Text that is not Python has no checks: pytest says so.
        subject: The parameter of a function that stands for the student's module.
    """

    def __init__(self, text: str, *, subject: str = SUBJECT) -> None:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            tree = ast.Module([], [])
        self._subject = subject
        self._functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self._constants = {
            target.id: node.value
            for node in tree.body if isinstance(node, ast.Assign)
            for target in node.targets if isinstance(target, ast.Name)
        }  # fmt: skip
        self._subjects: dict[str, set[str]] = {}  # of a helper: its parameters that were given the module

    @property
    def checks(self) -> dict[str, str]:
        """The tests in it, each with its task: the first tag."""
        return {name: _task_of(node) for name, node in self._functions.items() if name.startswith("test_")}

    def needs_gpu(self, check: str) -> bool:
        """Whether it is marked so, and doesn't run on most machines."""
        return any(_ends_with(mark, "gpu") for mark in self._functions[check].decorator_list)

    def about(self, check: str, subject: str = "") -> About:
        """What the function called `check` names; nothing for one that is not there."""
        node = self._functions.get(check)
        return self._named(node, subject or self._subject, {check}) if node else About()

    def cases(self, check: str) -> list[About]:
        """The same for each of its cases, as far as its text shows which names they are about."""
        about = self.about(check)
        values = {value for name in about.parameters for value in self._parametrized(check, name)}
        return [About(about.names | {value}, frozenset(), about.attributes) for value in sorted(values)] or [about]

    def suspects(self, line: int) -> frozenset[str]:
        """The names behind the statement at a line: named there, or by what its variables were computed from."""
        for node in self._functions.values():
            if node.lineno <= line <= (node.end_lineno or node.lineno):
                return self._traced(node, line)
        return frozenset()

    # ---- reading

    def _named(self, node: ast.AST, subject: str, seen: set[str]) -> About:
        names: set[str] = set()
        parameters: set[str] = set()
        attributes: set[str] = set()
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute):
                attributes.add(inner.attr)
                if _is(inner.value, subject):
                    names.add(inner.attr)
            elif (
                isinstance(inner, ast.Call)
                and _is(inner.func, "getattr")
                and inner.args
                and _is(inner.args[0], subject)
            ):
                wanted = inner.args[1] if len(inner.args) > 1 else None
                if isinstance(wanted, ast.Constant):
                    names.add(str(wanted.value))
                elif isinstance(wanted, ast.Name):
                    parameters.add(wanted.id)
            further: list[tuple[str, str, ast.AST]] = []
            if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in self._functions:
                helper = self._functions[inner.func.id]
                further = [(helper.name, parameter, helper) for parameter in _given(inner, helper, subject)]
            elif isinstance(inner, ast.arg) and inner.arg in self._functions:  # a fixture of the file
                further = [(inner.arg, self._subject, self._functions[inner.arg])]
            elif isinstance(inner, ast.Name) and inner.id in self._constants:  # such as cases: lambda impl: impl.f(x)
                further = [(inner.id, self._subject, self._constants[inner.id])]
            for name, parameter, where in further:
                self._subjects.setdefault(name, set()).add(parameter)
                if name not in seen:
                    more = self._named(where, parameter, seen | {name})
                    names |= more.names
                    attributes |= more.attributes
        return About(frozenset(names), frozenset(parameters), frozenset(attributes))

    def _parametrized(self, check: str, parameter: str) -> Iterator[str]:
        """The texts that `parametrize` gives a parameter."""
        for call in self._functions[check].decorator_list:
            if isinstance(call, ast.Call) and len(call.args) > 1 and _ends_with(call.func, "parametrize"):
                names = [
                    name.strip()
                    for part in getattr(call.args[0], "elts", [call.args[0]])
                    for name in str(getattr(part, "value", "")).split(",")
                ]
                if parameter not in names:
                    continue
                place = names.index(parameter)
                for value in getattr(self._constants.get(getattr(call.args[1], "id", ""), call.args[1]), "elts", ()):
                    one = value.elts[place] if isinstance(value, (ast.Tuple, ast.List)) else value
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield one.value

    def _traced(self, function: ast.FunctionDef, line: int) -> frozenset[str]:
        """Follow the function's variables down to a line: which names was each computed with?"""
        came_from: dict[str, frozenset[str]] = {}
        subjects = self._subjects.get(function.name, {self._subject})

        def names(node: ast.AST) -> frozenset[str]:
            found = {name for subject in subjects for name in self._named(node, subject, {function.name}).names}
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                    found |= came_from.get(inner.id, frozenset())
            return frozenset(found)

        for statement in _statements(function.body):
            heads = _heads(statement)
            if heads[0].lineno <= line <= max(head.end_lineno or head.lineno for head in heads):
                return frozenset().union(*(names(head) for head in heads))
            if statement.lineno > line:
                break
            bound = frozenset().union(*(names(head) for head in heads))
            for head in heads:
                for target in ast.walk(head):
                    if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                        came_from[target.id] = bound
            if isinstance(statement, ast.FunctionDef):
                came_from[statement.name] = names(statement)
        return frozenset()


def _task_of(check: ast.FunctionDef) -> str:
    for call in check.decorator_list:
        if (
            isinstance(call, ast.Call)
            and _ends_with(call.func, "tags")
            and call.args
            and isinstance(call.args[0], ast.Constant)
        ):
            return str(call.args[0].value)
    return ""


def _is(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _ends_with(node: ast.expr, name: str) -> bool:
    return getattr(node, "attr", getattr(node, "id", "")) == name


def _given(call: ast.Call, helper: ast.FunctionDef, subject: str) -> Iterator[str]:
    """The parameters of a helper to which a call hands the module."""
    places = [*helper.args.posonlyargs, *helper.args.args]
    for place, value in zip(places, call.args, strict=False):
        if _is(value, subject):
            yield place.arg
    yield from (keyword.arg for keyword in call.keywords if keyword.arg and _is(keyword.value, subject))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function in the order of its lines; those of functions inside it stay with them."""
    for statement in body:
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            for block in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, block, None) or [])


def _heads(statement: ast.stmt) -> list[ast.AST]:
    """What a statement itself says: of a loop its first line, of anything else all of it."""
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return [statement.target, statement.iter]
    if isinstance(statement, (ast.If, ast.While)):
        return [statement.test]
    if isinstance(statement, ast.With):
        return [item.context_expr for item in statement.items]
    return [statement]


# ---- what is written --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """What a student's code holds.

    Attributes:
        names: All that it defines, methods as `Class.method`; None where that can't be known.
        stubs: Tasks whose stub lines a function or a method still reaches, by its name.
        uses: The global names that each function uses.
    """

    names: frozenset[str] | None = None
    stubs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def lacks(self, function: Function) -> bool:
        """Whether the code does not define it at all."""
        return self.names is not None and function.name not in self.names

    def holds_stub(self, function: Function) -> bool:
        """Whether its line of the stub can still be reached."""
        for name, tasks in self.stubs.items():
            if (name == function.name or name.startswith(f"{function.name}.")) and function.task in tasks:
                return True
        return False

    def needs(self, names: Iterable[str]) -> set[str]:
        """These names, and all that they use, through one another."""
        return reach(names, self.uses)


def reach(names: Iterable[str], uses: Mapping[str, Set[str]]) -> set[str]:
    """The names, and all that their definitions use, directly or not."""
    found = set(names)
    pending = list(found)
    while pending:
        more = uses.get(pending.pop(), frozenset()) - found
        found |= more
        pending += more
    return found


def written_in_text(text: str) -> Written:
    """What a module's text holds; nothing is known of text that is not Python."""
    try:
        tree = ast.parse(text)
        code = compile(tree, "module", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Written()
    names: set[str] | None = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            names = None
    if names is not None:
        names |= set(_bound(tree.body))
    stubs, uses = _looked_through(code.co_consts)
    return Written(None if names is None else frozenset(names), stubs, uses)


def written_in_namespace(namespace: Mapping[str, object]) -> Written:
    """What a notebook has defined."""
    names: set[str] = set()
    codes: list[types.CodeType] = []
    for name, value in list(namespace.items()):
        names.add(name)
        if isinstance(value, type):
            names |= {f"{name}.{part}" for part in vars(value)}
        codes += codes_of(value)
    stubs, uses = _looked_through(codes)
    return Written(frozenset(names), stubs, uses)


def codes_of(value: object) -> list[types.CodeType]:
    """The code of a function, or of a class's methods; nothing for any other object."""
    parts = vars(value).values() if isinstance(value, type) else [value]
    return [code for part in parts if (code := _code_of(part))]


def _code_of(value: object) -> types.CodeType | None:
    """The code of a function or a method, below decorators that say what they wrap."""
    if isinstance(value, (classmethod, staticmethod)):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    while isinstance(value, types.FunctionType) and isinstance(
        inner := vars(value).get("__wrapped__"), types.FunctionType
    ):
        value = inner
    return value.__code__ if isinstance(value, types.FunctionType) else None


def _bound(body: Sequence[ast.stmt], owner: str = "") -> Iterator[str]:
    """The names that statements bind where they stand, and those of methods."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield owner + node.name
            if isinstance(node, ast.ClassDef) and not owner:
                yield from _bound(node.body, f"{node.name}.")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (owner + (alias.asname or alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, (ast.If, ast.Try, ast.With, ast.For, ast.While)):
            for block in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(node, block, None) or [], owner)
            for handler in getattr(node, "handlers", ()):
                yield from _bound(handler.body, owner)
        else:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield owner + inner.id


def _looked_through(constants: Iterable[object]) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """The stub's lines and the global names in functions' code; code that can't be reached is in no code object."""
    stubs: dict[str, frozenset[str]] = {}
    uses: dict[str, frozenset[str]] = {}
    pending = [code for code in constants if isinstance(code, types.CodeType)]
    while pending:
        code = pending.pop()
        name = owner_of(code.co_qualname)
        texts = [match[1] for text in code.co_consts if isinstance(text, str) and (match := _STUB.fullmatch(text))]
        if texts:
            stubs[name] = stubs.get(name, frozenset()) | frozenset(texts)
        for user in {name, name.partition(".")[0]}:
            uses[user] = uses.get(user, frozenset()) | frozenset(code.co_names)
        pending += [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
    return stubs, uses


def owner_of(qualname: str) -> str:
    """The function or method at the top of a module that code belongs to: `fit` for `fit.<locals>.<lambda>`."""
    return qualname.partition(".<locals>")[0]
