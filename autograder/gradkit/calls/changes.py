"""Which small changes a function may get: another operator, constant, bound, argument or variable, a statement less."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from gradkit.calls.places import Edit, Slot, exchanged, set_to, slots, swapped, with_keyword, without_argument

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


def edits_of(owner: ast.stmt, *, torch: bool) -> Iterator[Edit]:
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
        for slot in slots(node):
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
            slot = Slot(body, index, node)
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
                    yield swapped(body, index, index + 1, node, 2)

    def _inside(self, node: ast.AST) -> Iterator[Edit]:
        """Edits of a node's own parts: its operator, the order of its operands, its arguments."""
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            for other in OPERATORS.get(type(node.op), ()):
                yield set_to(node, "op", other(), 0)
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, (ast.Sub, ast.Div, ast.MatMult, ast.Pow, ast.FloorDiv, ast.Mod)
        ):
            yield exchanged(node, "left", "right", 0)
        if isinstance(node, ast.Compare):
            for index, op in enumerate(node.ops):
                for other in COMPARISONS.get(type(op), ()):
                    yield Slot(node.ops, index, op, node).edit(other(), 0)
        if isinstance(node, ast.BoolOp):
            yield set_to(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And(), 0)
        if isinstance(node, ast.IfExp):
            yield exchanged(node, "body", "orelse", 0)
        if isinstance(node, ast.Attribute) and node.attr in ALTERNATIVES:
            for other in ALTERNATIVES[node.attr]:
                yield set_to(node, "attr", other, 0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in ALTERNATIVES:
            for other in ALTERNATIVES[node.id]:
                yield set_to(node, "id", other, 0)
        if isinstance(node, ast.keyword) and node.arg in ALTERNATIVES:
            for other in ALTERNATIVES[node.arg]:
                yield set_to(node, "arg", other, 0)
        for name in ("args", "elts"):
            some = getattr(node, name, None)
            if isinstance(some, list) and isinstance(node, (ast.Call, ast.Tuple, ast.List)) and len(some) <= 6:
                for index in range(len(some) - 1):
                    yield swapped(some, index, index + 1, node, 1)
        if isinstance(node, ast.Call):
            yield from self._of_call(node)
        if isinstance(node, ast.Slice):
            for name in ("lower", "upper", "step"):
                bound = getattr(node, name)
                if bound is not None:
                    yield set_to(node, name, None, 1)
                elif name != "step":
                    for value in (1, -1):
                        yield set_to(node, name, ast.Constant(value), 1)
            if node.step is None:
                yield set_to(node, "step", ast.Constant(-1), 2)

    def _of_call(self, node: ast.Call) -> Iterator[Edit]:
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for index, word in enumerate(node.keywords):
            if word.arg is not None:
                yield without_argument(node, "keywords", index, 1)
        if len(node.args) > 1:
            yield without_argument(node, "args", len(node.args) - 1, 1)
        given = {word.arg for word in node.keywords}
        if name in REDUCTIONS and not given & {"keepdim", "keepdims"} and (given & {"dim", "axis"} or node.args):
            yield with_keyword(node, ast.keyword("keepdim" if self._torch else "keepdims", ast.Constant(True)), 1)
        if name in ("std", "var") and "unbiased" not in given and "correction" not in given and "ddof" not in given:
            yield with_keyword(
                node, ast.keyword("correction" if self._torch else "ddof", ast.Constant(0 if self._torch else 1)), 1
            )
        if (
            name in ("sum", "mean", "amax", "amin", "max", "min", "std", "var", "prod", "any", "all")
            and not node.args
            and not given & {"dim", "axis"}
        ):
            yield with_keyword(node, ast.keyword("dim" if self._torch else "axis", ast.Constant(-1)), 2)
        if name in ("argsort", "sort", "topk") and not given & {"descending"} and self._torch:
            yield with_keyword(node, ast.keyword("descending", ast.Constant(True)), 2)
        if name == "sorted" and "reverse" not in given:
            yield with_keyword(node, ast.keyword("reverse", ast.Constant(True)), 2)

    def _instead_of(self, node: ast.AST, parent: ast.AST, slot: Slot) -> Iterator[tuple[int, ast.AST]]:
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


def _may_be_negated(node: ast.expr, parent: ast.AST, slot: Slot) -> bool:
    """Whether a minus in front is worth a try: of a value returned, assigned, computed with, or handed over."""
    if not isinstance(node, (ast.Name, ast.Call, ast.BinOp, ast.Attribute, ast.Subscript)):
        return False
    if isinstance(parent, ast.BinOp):
        return isinstance(parent.op, (ast.Mult, ast.MatMult, ast.Div))
    return isinstance(parent, (ast.Return, ast.Assign, ast.AugAssign, ast.Call)) and slot.name in ("value", "args")


def _is_count(parent: ast.AST, slot: Slot) -> bool:
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
