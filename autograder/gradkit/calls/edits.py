"""Small edits of a submission's own functions, tried in the worker that has them.

When no known mistake explains an answer, the judge looks for the line that is wrong: it has a worker put one edit after
another in place and runs the checks again. An edit changes one node of the syntax tree: an operator, a comparison, a
constant, a sign, a bound, two arguments, one variable for another. The function's code is exchanged where it stands, so
whoever holds the function calls the edited one.

The kinds follow Singh, Gulwani and Solar-Lezama, *Automated feedback generation for introductory programming assignments*,
2013; unlike there, an edit is never shown to the student, only its line.
"""

from __future__ import annotations

import ast
import copy
import gc
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

MOST = 4000  # edits of one submission
LONGEST = 50_000  # lines run that are noted; then the case is broken off
LAST = 1_000  # of these, the ones that are then told
SHOWN = 60  # characters of what was there, and of what comes there

OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult, ast.Div, ast.Pow),
    ast.Sub: (ast.Add, ast.Mult, ast.Div),
    ast.Mult: (ast.Div, ast.Add, ast.Sub, ast.Pow, ast.MatMult),
    ast.Div: (ast.Mult, ast.FloorDiv, ast.Sub),
    ast.FloorDiv: (ast.Div, ast.Mod, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult, ast.Add, ast.Div),
    ast.MatMult: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.GtE, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.LtE, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
RELATED = (  # names that stand for each other by mistake
    "sum mean", "max min", "amax amin", "maximum minimum", "argmax argmin", "floor ceil round", "zeros ones", "cumsum cumprod",
    "exp log sqrt abs square", "sum prod", "tril triu", "std var", "any all", "softmax log_softmax", "exp expm1", "log log1p log2 log10", "sin cos", "append extend",
    "zeros_like ones_like", "sum logsumexp", "dot outer", "searchsorted digitize", "argsort sort", "most_common keys", "items keys values",
    "matmul mul", "row_stack column_stack", "hstack vstack", "sqrt square", "ceil trunc", "max sum",
)  # fmt: skip
ALTERNATIVES: dict[str, tuple[str, ...]] = {}
for _group in RELATED:
    for _name in _group.split():
        _others = tuple(other for other in _group.split() if other != _name)
        ALTERNATIVES[_name] = ALTERNATIVES.get(_name, ()) + _others
LIBRARIES = frozenset({"np", "numpy", "torch", "math", "F", "nn", "itertools", "functools", "collections", "heapq"})
REDUCTIONS = frozenset("sum mean amax amin max min prod logsumexp norm std var any all argmax argmin softmax".split())
STRUCTURE = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)


@dataclass(frozen=True)
class Edit:
    """One small change.

    Attributes:
        line: Of the file, where it is made.
        statement: First line of the statement that it is in.
        text: Says the change in words, for staff.
        rank: Likelier ones are lower, and tried first.
        apply: Changes the tree.
        undo: Changes it back.
    """

    line: int
    text: Callable[[], str]
    rank: int
    apply: Callable[[], None]
    undo: Callable[[], None]
    statement: int = 0


class Edits:
    """The edits of some lines of a submission's functions.

    Args:
        path: The submission's file.
        module: What was imported from it.
        lines: Those to edit.
    """

    def __init__(self, path: Path, module: types.ModuleType, lines: frozenset[int]) -> None:
        self._module = module
        live = _live_functions(str(path))
        self._original = {function: function.__code__ for some in live.values() for function in some}
        torch = "torch" in vars(module)
        edits = [
            (edit, owner)
            for owner in _units(ast.parse(path.read_bytes()))
            if lines & set(range(owner.lineno, owner.end_lineno + 1))
            for edit in _edits_of(owner, torch=torch)
            if edit.line in lines or edit.statement in lines
        ]
        self._edits = sorted(edits, key=lambda pair: pair[0].rank)[:MOST]  # stable: in a rank they stand as in the file
        self._live = live
        self._path = str(path)

    def put(self, number: int) -> tuple[int, int, int, str]:
        """Put the edit with this number in place of any other; the number below 0 stands for none.

        Returns:
            How many there are, this one's line, its statement's first line, and what it is. Both lines are 0 where the
            edit can't be made.
        """
        for function, code in self._original.items():
            if function.__code__ is not code:
                function.__code__ = code
        for value in list(vars(self._module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()  # of answers that another edit gave
        if not 0 <= number < len(self._edits):
            return len(self._edits), 0, 0, ""
        edit, owner = self._edits[number]
        text = edit.text()
        edit.apply()
        try:
            with warnings.catch_warnings(action="ignore"):
                codes = dict(_codes(compile(ast.Module([owner], []), self._path, "exec", dont_inherit=True)))
            for name, functions in self._live.items():
                if name in codes:
                    for function in functions:
                        function.__code__ = codes[name]
        except (SyntaxError, ValueError, TypeError, RecursionError):
            return len(self._edits), 0, 0, ""
        finally:
            edit.undo()
        return len(self._edits), edit.line, edit.statement, text


def _units(tree: ast.Module) -> Iterator[ast.stmt]:
    """What is compiled at a time: a function, or a method alone in its class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.copy_location(ast.ClassDef(node.name, [], [], [part], []), part)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


class LinesRun:
    """Notes which lines of a file's functions are run, from now until the end is asked for.

    A loop that never ends is broken off. Then the lines noted are its own: those that were run last.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: set[int] = set()
        self._left = LONGEST
        sys.settrace(self._call)

    def _call(self, frame: types.FrameType, event: str, argument: object) -> Callable | None:
        return self._line if frame.f_code.co_filename == self._file else None

    def _line(self, frame: types.FrameType, event: str, argument: object) -> Callable:
        self._lines.add(frame.f_lineno)
        self._left -= 1
        if self._left == LAST:
            self._lines.clear()
        if self._left < 0:
            raise TimeoutError("enough lines were run")
        return self._line

    def end(self) -> tuple[int, ...]:
        sys.settrace(None)
        return tuple(sorted(self._lines))


def _live_functions(file: str) -> dict[str, list[types.FunctionType]]:
    """The file's functions and methods that there are, wrapped or not, by qualified name."""
    found: dict[str, list[types.FunctionType]] = {}
    for value in gc.get_objects():
        if type(value) is types.FunctionType and value.__code__.co_filename == file:
            name = value.__code__.co_qualname
            if "<" not in name:  # what stands in a function comes with it
                found.setdefault(name, []).append(value)
    return found


def _codes(code: types.CodeType) -> Iterator[tuple[str, types.CodeType]]:
    """The functions' and methods' code in a compiled module."""
    for part in code.co_consts:
        if isinstance(part, types.CodeType) and "<" not in part.co_qualname:
            yield part.co_qualname, part
            yield from _codes(part)


# ---- what can be edited


def _edits_of(owner: ast.stmt, *, torch: bool) -> Iterator[Edit]:
    """All edits of a function's or a class's code, in the order of its lines."""
    for function in ast.walk(owner):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _Function(function, torch=torch).edits()


class _Function:
    """One function's edits. Functions inside it have their own."""

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef, *, torch: bool) -> None:
        self._node = node
        self._torch = torch
        arguments = node.args
        own = [part.arg for part in arguments.posonlyargs + arguments.args + arguments.kwonlyargs]
        assigned = [part.id for part in self._walk() if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        self._variables = list(dict.fromkeys([*own, *assigned]))

    def _walk(self) -> Iterator[ast.AST]:
        """The function's nodes, without those of functions inside it and of its checks of arguments, which are given."""
        left: list[ast.AST] = list(reversed(self._node.body))
        while left:
            node = left.pop()
            if isinstance(node, ast.If) and all(isinstance(part, ast.Raise) for part in node.body):
                left += reversed(node.orelse)
                continue
            yield node
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                left += reversed(list(ast.iter_child_nodes(node)))

    def edits(self) -> Iterator[Edit]:
        documented = ast.get_docstring(self._node, clean=False) is not None
        yield from self._statements(self._node.body, first=int(documented))
        statement = 0
        for node in self._walk():
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            if isinstance(node, ast.stmt):  # its expressions come before the next statement does
                statement = node.lineno
            yield from (replace(edit, statement=edit.statement or statement) for edit in self._of(node))

    def _of(self, node: ast.AST) -> Iterator[Edit]:
        """Edits at one node."""
        for name in ("body", "orelse", "finalbody"):
            part = getattr(node, name, None)
            if isinstance(part, list) and part and isinstance(part[0], ast.stmt):
                yield from self._statements(part)
        for slot in _slots(node):
            for rank, new in self._instead_of(slot.value, node, slot):
                yield slot.edit(new, rank)
        yield from self._inside(node)

    def _statements(self, body: list[ast.stmt], first: int = 0) -> Iterator[Edit]:
        """A statement dropped; a branch taken always, or never; an assignment that adds, or one that doesn't."""
        for edit in self._of_statements(body, first):
            yield replace(edit, statement=edit.line)

    def _of_statements(self, body: list[ast.stmt], first: int) -> Iterator[Edit]:
        for index, node in enumerate(body):
            if index < first or isinstance(node, ast.Raise):
                continue
            if isinstance(node, ast.If) and all(isinstance(part, ast.Raise) for part in node.body):
                continue
            slot = _Slot(body, index, node)
            if isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Assert, ast.Delete)):
                yield slot.edit(ast.Pass(), 1)
            if isinstance(node, ast.If):
                yield slot.edit(ast.If(ast.Constant(True), node.body, []), 1)
                yield slot.edit(ast.If(ast.Constant(True), node.orelse or [ast.Pass()], []), 1)
            if isinstance(node, (ast.Break, ast.Continue)):
                yield slot.edit(ast.Pass(), 1)
                yield slot.edit(ast.Break() if isinstance(node, ast.Continue) else ast.Continue(), 1)
            if isinstance(node, ast.AugAssign):
                yield slot.edit(ast.Assign([node.target], node.value), 0)
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, (ast.Subscript, ast.Attribute, ast.Name)):
                    yield slot.edit(ast.AugAssign(target, ast.Add(), node.value), 1)
            if index + 1 < len(body) and not isinstance(node, (ast.Return, ast.FunctionDef)):
                following = body[index + 1]
                if not isinstance(following, (ast.Return, ast.FunctionDef)):
                    yield _swapped(body, index, index + 1, node, 2)

    def _inside(self, node: ast.AST) -> Iterator[Edit]:
        """Edits of a node's own parts: its operator, the order of its operands, its arguments."""
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            for other in OPERATORS.get(type(node.op), ()):
                yield _set(node, "op", other(), 0)
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow, ast.FloorDiv, ast.Mod)
        ):
            yield _exchanged(node, "left", "right", 0)
        if isinstance(node, ast.Compare):
            for index, op in enumerate(node.ops):
                for other in COMPARISONS.get(type(op), ()):
                    yield _Slot(node.ops, index, op, node).edit(other(), 0)
        if isinstance(node, ast.BoolOp):
            yield _set(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And(), 0)
        if isinstance(node, ast.IfExp):
            yield _exchanged(node, "body", "orelse", 0)
        if isinstance(node, ast.Attribute) and node.attr in ALTERNATIVES:
            for other in ALTERNATIVES[node.attr]:
                yield _set(node, "attr", other, 0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in ALTERNATIVES:
            for other in ALTERNATIVES[node.id]:
                yield _set(node, "id", other, 0)
        if isinstance(node, ast.keyword) and node.arg in ALTERNATIVES:
            for other in ALTERNATIVES[node.arg]:
                yield _set(node, "arg", other, 0)
        for name in ("args", "elts"):
            some = getattr(node, name, None)
            if isinstance(some, list) and isinstance(node, (ast.Call, ast.Tuple, ast.List)) and len(some) <= 6:
                for index in range(len(some) - 1):
                    yield _swapped(some, index, index + 1, node, 1)
        if isinstance(node, ast.Call):
            yield from self._of_call(node)
        if isinstance(node, ast.Slice):
            for name in ("lower", "upper", "step"):
                bound = getattr(node, name)
                if bound is not None:
                    yield _set(node, name, None, 1)
                elif name != "step":
                    for value in (1, -1):
                        yield _set(node, name, ast.Constant(value), 1)
            if node.step is None:
                yield _set(node, "step", ast.Constant(-1), 2)

    def _of_call(self, node: ast.Call) -> Iterator[Edit]:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for index, word in enumerate(node.keywords):
            if word.arg is not None:
                yield _without(node, "keywords", index, 1)
        if len(node.args) > 1:
            yield _without(node, "args", len(node.args) - 1, 1)
        given = {word.arg for word in node.keywords}
        if name in REDUCTIONS and not given & {"keepdim", "keepdims"} and (given & {"dim", "axis"} or node.args):
            yield _with(node, ast.keyword("keepdim" if self._torch else "keepdims", ast.Constant(True)), 1)
        if name in ("std", "var") and "unbiased" not in given and "correction" not in given and "ddof" not in given:
            yield _with(
                node, ast.keyword("correction" if self._torch else "ddof", ast.Constant(0 if self._torch else 1)), 1
            )
        if (
            name in ("sum", "mean", "amax", "amin", "max", "min", "std", "var", "prod", "any", "all")
            and not node.args
            and not given & {"dim", "axis"}
        ):
            yield _with(node, ast.keyword("dim" if self._torch else "axis", ast.Constant(-1)), 2)
        if name in ("argsort", "sort", "topk") and not given & {"descending"} and self._torch:
            yield _with(node, ast.keyword("descending", ast.Constant(True)), 2)
        if name == "sorted" and "reverse" not in given:
            yield _with(node, ast.keyword("reverse", ast.Constant(True)), 2)

    def _instead_of(self, node: ast.AST, parent: ast.AST, slot: _Slot) -> Iterator[tuple[int, ast.AST]]:
        """Whole expressions to put in place of one."""
        if not isinstance(node, ast.expr) or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return
        if slot.name in ("annotation", "returns", "decorator_list", "format_spec") or isinstance(
            parent, (ast.JoinedStr, ast.FormattedValue)
        ):
            return
        if isinstance(node, ast.Constant) and not (node.value is None and isinstance(parent, ast.Compare)):
            yield from ((0, ast.Constant(value)) for value in _neighbors(node.value))
        if isinstance(node, ast.UnaryOp):
            yield 0, node.operand
        elif _may_be_negated(node, parent, slot):
            yield 1, ast.UnaryOp(ast.USub(), node)
        if isinstance(node, ast.BinOp):
            yield 0, node.left
            yield 0, node.right
        if isinstance(node, ast.BoolOp):
            for index in range(len(node.values)):
                rest = [value for other, value in enumerate(node.values) if other != index]
                yield 0, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
        if isinstance(node, ast.IfExp):
            yield 1, node.body
            yield 1, node.orelse
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") not in LIBRARIES:
                yield 1, node.func.value
            if len(node.args) >= 1 and not isinstance(node.args[0], ast.Starred):
                yield 1, node.args[0]
        if isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "H"):
            yield 0, node.value
        if isinstance(node, (ast.Name, ast.BinOp, ast.Call, ast.Subscript)):
            if _is_count(parent, slot):
                yield 1, ast.BinOp(node, ast.Add(), ast.Constant(1))
                yield 1, ast.BinOp(node, ast.Sub(), ast.Constant(1))
            if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.MatMult):
                call = ast.Attribute(node, "swapaxes", ast.Load())
                yield (
                    1,
                    ast.Call(
                        call, [ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.UnaryOp(ast.USub(), ast.Constant(2))], []
                    ),
                )
        if isinstance(parent, (ast.If, ast.While, ast.IfExp)) and slot.name == "test":
            yield 0, ast.UnaryOp(ast.Not(), node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in self._variables:
                for other in self._variables:
                    if other != node.id:
                        yield 2, ast.Name(other, ast.Load())
                if self._torch and isinstance(parent, (ast.Call, ast.BinOp, ast.Assign, ast.Return)):
                    yield 3, ast.Call(ast.Attribute(node, "detach", ast.Load()), [], [])


def _may_be_negated(node: ast.expr, parent: ast.AST, slot: _Slot) -> bool:
    """Whether a minus in front is worth a try: of a value returned, assigned, computed with, or handed over."""
    if not isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Attribute, ast.Subscript)):
        return False
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, (ast.Mult, ast.MatMult, ast.Div))
    return isinstance(parent, (ast.Return, ast.Assign, ast.AugAssign, ast.Call)) and slot.name in ("value", "args")


def _is_count(parent: ast.AST, slot: _Slot) -> bool:
    """Whether an expression is a bound, an index, or an argument of `range`, for which one more or less is a likely slip."""
    if isinstance(parent, ast.Call):
        return (
            getattr(parent.func, "id", getattr(parent.func, "attr", "")) in ("range", "arange") and slot.name == "args"
        )
    return (
        isinstance(parent, (ast.Slice, ast.Compare))
        or (isinstance(parent, ast.Subscript) and slot.name == "slice")
        or (isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Div, ast.FloorDiv, ast.Mult)))
    )


def _neighbors(value: object) -> list[object]:
    """Constants that stand for this one by mistake."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        some = [value + 1, value - 1, -value, 0, 1, -1, 2, 0.5, value * 2, value / 2]
    elif isinstance(value, float):
        some = [
            -value,
            0.0,
            1.0,
            -1.0,
            0.5,
            2.0,
            value * 2,
            value / 2,
            value * 10,
            value / 10,
            1 - value,
            value * value,
            value**0.5 if value > 0 else 0.0,
        ]
    elif value is None:
        return [-1, 0, 1]
    else:
        return []
    return [
        other for other in dict.fromkeys(some) if not (other == value and type(other) is type(value)) and other != value
    ]


# ---- places in a tree


@dataclass(frozen=True)
class _Slot:
    """A place in a tree: a node's field, or an item of a list."""

    holder: ast.AST | list
    key: str | int
    value: ast.AST
    parent: ast.AST | None = None
    name: str = ""

    def put(self, value: object) -> None:
        if isinstance(self.holder, list):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)

    def edit(self, new: ast.AST, rank: int) -> Edit:
        old = self.value
        near = old if hasattr(old, "lineno") else self.parent

        def apply() -> None:
            self.put(_placed(new, near))

        return Edit(
            getattr(near, "lineno", 0), lambda: f"{_shown(old)} -> {_shown(new)}", rank, apply, lambda: self.put(old)
        )


def _slots(node: ast.AST) -> Iterator[_Slot]:
    """The places of a node that hold expressions."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for index, part in enumerate(value):
                if isinstance(part, ast.expr):
                    yield _Slot(value, index, part, node, name)
        elif isinstance(value, ast.expr):
            yield _Slot(node, name, value, node, name)


def _set(node: ast.AST, name: str, new: object, rank: int) -> Edit:
    """Put something else into a node's field."""
    old = getattr(node, name)

    def apply() -> None:
        setattr(node, name, _placed(new, _located(node)))

    line = getattr(_located(node), "lineno", 0)
    return Edit(
        line, lambda: f"{_shown(old)} -> {_shown(new)} in {_shown(node)}", rank, apply, lambda: setattr(node, name, old)
    )


def _exchanged(node: ast.AST, one: str, other: str, rank: int) -> Edit:
    def exchange() -> None:
        first, second = getattr(node, one), getattr(node, other)
        setattr(node, one, second)
        setattr(node, other, first)

    return Edit(node.lineno, lambda: f"{_shown(node)}: operands exchanged", rank, exchange, exchange)


def _swapped(some: list, one: int, other: int, node: ast.AST, rank: int) -> Edit:
    def swap() -> None:
        some[one], some[other] = some[other], some[one]

    return Edit(node.lineno, lambda: f"{_shown(node)}: {one + 1} and {other + 1} exchanged", rank, swap, swap)


def _without(node: ast.Call, name: str, index: int, rank: int) -> Edit:
    some = getattr(node, name)
    part = some[index]
    line = getattr(part, "lineno", node.lineno)
    return Edit(
        line,
        lambda: f"{_shown(node)} without {_shown(part)}",
        rank,
        lambda: some.pop(index) and None,
        lambda: some.insert(index, part),
    )


def _with(node: ast.Call, word: ast.keyword, rank: int) -> Edit:
    def apply() -> None:
        node.keywords.append(_placed(word, node))

    return Edit(
        node.lineno, lambda: f"{_shown(node)} with {_shown(word)}", rank, apply, lambda: node.keywords.pop() and None
    )


def _placed(new: object, near: ast.AST) -> object:
    """New code, with lines for the compiler: those of what it stands for."""
    if isinstance(new, ast.AST) and hasattr(near, "lineno"):
        ast.copy_location(new, near)
        ast.fix_missing_locations(new)
    return new


def _located(node: ast.AST) -> ast.AST:
    """The node itself, or one of its parts that has a line."""
    if hasattr(node, "lineno"):
        return node
    return next((part for part in ast.walk(node) if hasattr(part, "lineno")), node)


def _shown(value: object) -> str:
    if isinstance(value, STRUCTURE):
        return type(value).__name__
    if not isinstance(value, ast.AST):
        return str(value)
    try:
        # a copy: it is given lines, which it needs to be written out
        text = " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(value))).split())
    except (ValueError, AttributeError, RecursionError, TypeError):
        return type(value).__name__
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
