"""What decides how a part of a module behaves: its statements and what they use, read from the text.

Nothing is executed. In doubt a statement counts as used: names are matched as words, whether they stand there as variables,
attributes, parameters or in quotes, and where a text puts names together at run time, all names count. What functions leave
behind for one another while checks run is not seen; a check that relied on it would give no grade twice.
"""

from __future__ import annotations

import ast
import copy
import functools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gradkit.stubs import parse_python, read_authored

_NAMES = re.compile(r"[\w.]+(\s*,\s*[\w.]+)*")  # a text that could name something: `name`, `Class.method`, `a, b`
_LOOKUPS = {
    "getattr": 1,
    "hasattr": 1,
    "setattr": 1,
    "delattr": 1,
    "attrgetter": 0,
    "methodcaller": 0,
    "agree": 0,
    "vjp": 0,
}
_COMPUTES = frozenset(
    "capitalize format join lower lstrip partition removeprefix removesuffix replace rpartition rsplit rstrip split strip "
    "title translate upper".split()
)  # methods that make a name out of other texts
_OPAQUE_NAMES = frozenset("__import__ dir eval exec globals locals vars".split())
_OPAQUE_ATTRIBUTES = frozenset("__dict__ __globals__ getmembers import_module".split())
_HOOKS = ("pytest_", "setup", "teardown", "__")  # names that pytest or Python look for by themselves
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Use:
    """What a piece of text may name.

    Attributes:
        names: The words in it.
        patterns: Of names that it puts together: f"{kind}_loss" is `.*_loss`.
        looks_up: It looks a name up that does not stand there.
        computes: It makes texts of others, which may be names.
        opaque: It can get at any name.
    """

    names: frozenset[str] = frozenset()
    patterns: frozenset[str] = frozenset()
    looks_up: bool = False
    computes: bool = False
    opaque: bool = False

    def __or__(self, other: Use) -> Use:
        return Use(
            self.names | other.names,
            self.patterns | other.patterns,
            self.looks_up or other.looks_up,
            self.computes or other.computes,
            self.opaque or other.opaque,
        )

    @property
    def anything(self) -> bool:
        """Whether no one can read off which names it uses."""
        return self.opaque or (self.looks_up and self.computes)

    def may_name(self, names: Iterable[str]) -> bool:
        patterns = self.patterns if self.looks_up else ()
        return self.anything or any(
            name in self.names or any(re.fullmatch(pattern, name) for pattern in patterns) for name in names
        )


@dataclass(frozen=True)
class Statement:
    """A statement at the top of a module.

    Attributes:
        node: Without docstrings, comments and layout.
        binds: The names that it gives a value to.
        use: What it may name.
    """

    node: ast.stmt
    binds: frozenset[str]
    use: Use

    @functools.cached_property
    def text(self) -> str:
        """The same for two statements that differ in comments, docstrings and layout alone."""
        return ast.dump(self.node)


class ModuleParts:
    """A module's text, cut into the statements at its top.

    Args:
        path: A file of staff's.
        drop: Names of decorators that don't matter.
        labels: Names of decorators that do, and whose texts name nothing of a module.

    Raises:
        AuthoringError: When it can't be read or is not Python.
    """

    def __init__(self, path: Path, *, drop: frozenset[str] = frozenset(), labels: frozenset[str] = frozenset()) -> None:
        tree = parse_python(read_authored(path), path)
        trees = zip(tree.body, bared(tree, drop), bared(tree, drop | labels), strict=True)
        self.statements = tuple(
            Statement(bare, _binds(node), use_of(plain)) for node, bare, plain in trees if not _is_docstring(node)
        )
        self._of_all = self._in_effect()

    def reached(self, use: Use) -> tuple[frozenset[int], Use]:
        """The numbers of the statements that `use` is about, with all that they use in turn, and what they may name."""
        found: set[int] = set()
        new = set(self._of_all)
        theirs = Use()  # a name is put together where it is looked up, in this module or where `use` comes from
        while True:
            found |= new
            theirs = functools.reduce(Use.__or__, (self.statements[number].use for number in new), theirs)
            new = {
                number
                for number, statement in enumerate(self.statements)
                if number not in found and (use.may_name(statement.binds) or theirs.may_name(statement.binds))
            }
            if not new:
                return frozenset(found), theirs

    def imported(self) -> set[str]:
        """The packages that it imports, inside its functions too."""
        nodes = [node for statement in self.statements for node in ast.walk(statement.node)]
        names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
        names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
        return {name.partition(".")[0] for name in names}

    def defined(self, numbers: Iterable[int]) -> frozenset[str]:
        """The functions, classes and values among these statements."""
        kept = [self.statements[number] for number in numbers]
        imports = (ast.Import, ast.ImportFrom)
        return frozenset().union(*(one.binds for one in kept if not isinstance(one.node, imports)))

    # ---- what is in effect whatever is asked for

    def _in_effect(self) -> frozenset[int]:
        """The statements that do something while the module is imported, or that pytest finds by itself."""
        named = Counter(name for part in self.statements for name in part.use.names)
        found = set()
        for number, part in enumerate(self.statements):
            nobody_names_it = not any(named[name] > (name in part.use.names) for name in part.binds)
            if self._acts(part) or (nobody_names_it and self._is_for_its_effect(part)):
                found.add(number)
        return frozenset(found)

    def _acts(self, part: Statement) -> bool:
        node = part.node
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if any(name.startswith(_HOOKS) or name == "pytestmark" for name in part.binds):
            return True
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return False
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            if not set(_changed(node)) <= self._functions | self._values:  # of another module's, or of no name at all
                return True
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            return True
        if any(_is_autouse(decorator) for decorator in getattr(node, "decorator_list", ())):
            return True
        return self._leaves_something(part)

    def _is_for_its_effect(self, part: Statement) -> bool:
        """Whether a statement whose names nobody uses can only stand there for what it does: `_ = np.seterr(all="raise")`."""
        if isinstance(part.node, (ast.Import, ast.ImportFrom)):
            return True
        calls = [inner for inner in ast.walk(part.node) if isinstance(inner, ast.Call)]
        assigned = isinstance(part.node, (ast.Assign, ast.AnnAssign))
        return assigned and any(_root(call) not in self._functions for call in calls)

    def _leaves_something(self, part: Statement) -> bool:
        """Whether it calls, at import, what may change a value of this module: a registry that its decorators fill."""
        values, functions = self._values, self._functions
        for call in _called_at_import(part.node):
            if _root(call) in values - part.binds:
                return True
            handed = {inner.id for inner in ast.walk(call) if isinstance(inner, ast.Name)} & functions - part.binds
            if handed and self._may_change_values(handed):
                return True
        return False

    def _may_change_values(self, functions: Iterable[str]) -> bool:
        """Whether these functions, or what they use, name a value that can be changed."""
        found, left = set(functions), list(functions)
        while left:
            name = left.pop()
            for part in self.statements:
                if name in part.binds:
                    if part.use.names & self._values or any(isinstance(n, ast.Global) for n in ast.walk(part.node)):
                        return True
                    new = (part.use.names & self._functions) - found
                    found |= new
                    left += new
        return False

    @functools.cached_property
    def _functions(self) -> frozenset[str]:
        return frozenset().union(
            *(part.binds for part in self.statements if isinstance(part.node, (*_FUNCTIONS, ast.ClassDef)))
        )

    @functools.cached_property
    def _values(self) -> frozenset[str]:
        """Names of what can be changed: no function, no import, no number or text, nor another name for an import."""
        assigned = [part for part in self.statements if isinstance(part.node, (ast.Assign, ast.AnnAssign))]
        imports = (ast.Import, ast.ImportFrom)
        imported = frozenset().union(*(part.binds for part in self.statements if isinstance(part.node, imports)))
        return frozenset().union(*(part.binds for part in assigned if not _is_constant(part.node.value, imported)))


def _root(node: ast.expr) -> str:
    """`table` for `table.rows[0].add(x)`; empty for what begins with no name."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _changed(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    """What an assignment gives a part to, or an attribute: `table` for `table["a"] = 1`, empty for what has no name."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for inner in ast.walk(target):
            if isinstance(inner, (ast.Attribute, ast.Subscript)) and isinstance(inner.ctx, ast.Store):
                yield _root(inner)


def _is_constant(value: ast.expr | None, imported: frozenset[str]) -> bool:
    mutable = (ast.List, ast.Dict, ast.Set, ast.Call, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp)
    inner = list(ast.walk(value)) if value is not None else []
    names = {part.id for part in inner if isinstance(part, ast.Name)}
    return names <= imported and not any(isinstance(part, mutable) for part in inner)


def _is_autouse(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and any(key.arg == "autouse" for key in decorator.keywords)


def _called_at_import(node: ast.stmt) -> Iterator[ast.expr]:
    """The calls and decorators that are executed with a definition, without those inside its functions."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        yield from node.decorator_list
        left: list[ast.AST] = [*node.decorator_list]
        if isinstance(node, ast.ClassDef):
            left += [*node.bases, *(key.value for key in node.keywords)]
            for inner in node.body:
                yield from _called_at_import(inner)
        else:
            left += [*node.args.defaults, *(value for value in node.args.kw_defaults if value is not None)]
    else:
        left = [node]
    yield from (inner for one in left for inner in ast.walk(one) if isinstance(inner, ast.Call))


def _binds(node: ast.stmt) -> frozenset[str]:
    """The names that a statement gives a value to, a fixture's other name included."""
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        given = [
            key.value for part in node.decorator_list for key in getattr(part, "keywords", ()) if key.arg == "name"
        ]
        return frozenset({node.name, *(str(value.value) for value in given if isinstance(value, ast.Constant))})
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return frozenset(alias.asname or alias.name.partition(".")[0] for alias in node.names)
    found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        found.update(_changed(node))
    inner = {part.name for part in ast.walk(node) if isinstance(part, (*_FUNCTIONS, ast.ClassDef))}
    aliases = {
        alias.asname or alias.name.partition(".")[0]
        for part in ast.walk(node) if isinstance(part, (ast.Import, ast.ImportFrom)) for alias in part.names
    }  # fmt: skip
    return frozenset(found | inner | aliases)


def bared(tree: ast.Module, drop: frozenset[str] = frozenset()) -> list[ast.stmt]:
    """A module's statements without docstrings, and without the decorators in `drop`.

    A docstring that the module's own code reads is no comment, and stays.
    """
    read = bool({"__doc__", "getdoc"} & use_of(tree).names)
    return [_Bare(drop, keep=read).visit(copy.deepcopy(node)) for node in tree.body]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)


class _Bare(ast.NodeTransformer):
    def __init__(self, drop: frozenset[str], *, keep: bool) -> None:
        self._drop, self._keep = drop, keep

    def _definition(self, node: ast.stmt) -> ast.stmt:
        self.generic_visit(node)
        node.decorator_list = [part for part in node.decorator_list if _called(part) not in self._drop]
        if not self._keep and _is_docstring(node.body[0]):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _definition


def _called(node: ast.expr) -> str:
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def use_of(tree: ast.AST) -> Use:
    """What a piece of text may name."""
    names: set[str] = set()
    patterns: set[str] = set()
    looks_up = computes = opaque = False
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                names.add(name)
                opaque |= name in _OPAQUE_NAMES
            case ast.Attribute(value=value, attr=name):
                names.add(name)
                opaque |= name in _OPAQUE_ATTRIBUTES
                opaque |= name == "modules" and isinstance(value, ast.Name) and value.id == "sys"
            case ast.arg(arg=name) | ast.keyword(arg=name):
                names.add(name or "")
            case ast.alias(name=name):
                names.update(name.split("."))
            case ast.Constant(value=str(text)) if _NAMES.fullmatch(text):
                names.update(re.findall(r"\w+", text))
            case ast.JoinedStr(values=values):
                patterns.add(
                    "".join(re.escape(part.value) if isinstance(part, ast.Constant) else ".*" for part in values)
                )
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                computes |= any(_is_text(side) for side in (left, right))
            case ast.Call():
                computes |= isinstance(node.func, ast.Attribute) and node.func.attr in _COMPUTES
                if (place := _LOOKUPS.get(_called(node))) is not None:
                    found, plain = _looked_up(node, place)
                    looks_up |= found
                    opaque |= not plain
    return Use(frozenset(names), frozenset(patterns), looks_up, computes, opaque)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _looked_up(call: ast.Call, place: int) -> tuple[bool, bool]:
    """Whether a name is looked up that does not stand in the call, and whether it stands elsewhere as it is."""
    if any(isinstance(argument, ast.Starred) for argument in call.args[: place + 1]):
        return True, True  # the names are those of the texts around
    if len(call.args) <= place:
        return False, True
    wanted = call.args[place]
    if isinstance(wanted, (ast.Constant, ast.Lambda)):
        return False, True
    if isinstance(wanted, ast.IfExp):
        return True, all(
            isinstance(side, (ast.Constant, ast.Name, ast.JoinedStr, ast.Lambda))
            for side in (wanted.body, wanted.orelse)
        )
    made = _called(call) in ("agree", "vjp") and isinstance(
        wanted, (ast.Call, ast.Attribute)
    )  # a scenario, or a function
    return True, made or isinstance(wanted, (ast.Name, ast.JoinedStr)) or _is_part_of_a_case(wanted)


def _is_part_of_a_case(node: ast.expr) -> bool:
    """`case.name`, `case[0]`: a text that stands somewhere as it is."""
    return isinstance(node, ast.Attribute) or (
        isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice)
    )
