"""Student code out of a notebook, as data: which cells and statements count, and where each line came from.

A notebook mixes the work with what looks at it: plots, prints, checks, trial runs. Importing all of it would
run all of it, and one trial that fails would cost every point. So the module made here holds

- every import, definition and assignment that the wanted functions need, directly or through one another;
- every other definition, as long as nothing it does while being defined could fail for want of a name;
- plain constants, and imports of the assignment's libraries;

in the notebook's order, so that the last definition of a name wins, as it does in Jupyter. All else is left
out: expressions, loops, `with` blocks, IPython's magics and shell lines, and nbgrader's locked test cells.
Nothing is executed, and outputs are never looked at.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from coursekit.costs import not_python

from gradkit.caps import CAPS, Caps
from gradkit.notebooks.cells import CodeCell, code_cells
from gradkit.notebooks.magics import without_cell_magic, without_line_magics
from gradkit.notebooks.names import names_of
from gradkit.safetext import one_line
from gradkit.sourcetext import SyntaxProblem, defined_by_look, no_warnings, parse

_Place = tuple[int, int]  # cell and line in it, both from 1


@dataclass(frozen=True)
class NotebookSource:
    """A notebook's code as a module.

    Cells are numbered as Jupyter does on Restart & Run All: code cells that hold something, from 1.

    Attributes:
        text: The module, with a newline at its end.
        lines: Cell and line in that cell of each line of `text`.
        syntax_error: Where a cell stops being Python that should define a wanted name, if no cell defines any. A cell that
            stops being Python is left out otherwise, as Jupyter does, and its functions are missing.
        notes: Lines for the student on what is not run.
    """

    text: str
    lines: tuple[_Place, ...]
    syntax_error: SyntaxProblem | None = None
    notes: tuple[str, ...] = ()

    def place(self, line: int) -> _Place:
        """Cell and line in it of a line of `text`, from 1; the nearest one for a line outside of it."""
        if not self.lines:
            return (1, 1)
        return self.lines[min(max(line, 1), len(self.lines)) - 1]


def read_notebook(
    raw: bytes,
    name: str = "the notebook",
    *,
    wanted: Collection[str] = (),
    module: str = "",
    libraries: Collection[str] = ("numpy", "torch"),
    caps: Caps = CAPS,
) -> NotebookSource:
    """The module that a notebook's code cells stand for.

    Args:
        raw: The file, of notebook format 3 or 4.
        name: What messages call it.
        wanted: Functions and classes that will be graded. With none, or none found, every definition is.
        module: File name of the module; the notebook's imports from it are left out, for it is that module.
        libraries: What the module may import besides the standard library.
        caps: Limits on what is read.

    Raises:
        InputError: When it is no notebook, one of another language, or too large.
    """
    cells = code_cells(raw, name, caps)
    wanted = frozenset(wanted)
    units: list[_Unit] = []
    broken: list[tuple[SyntaxProblem, frozenset[str]]] = []
    notes: list[str] = []
    for cell in cells:
        if cell.is_test:
            continue
        lines = without_cell_magic(cell, wanted, notes)
        tree = parse("\n".join(lines), name, caps)
        if isinstance(tree, SyntaxProblem):
            lines = without_line_magics(lines)
            tree = parse("\n".join(lines), name, caps)
        if isinstance(tree, SyntaxProblem):
            broken.append((tree._replace(file=f"{name}, cell {cell.number}"), defined_by_look(cell.text, wanted)))
            continue
        with no_warnings():
            units += _units(tree, lines, cell, PurePath(module).stem)
    units = list(_without_results(units, notes))
    kept = _kept(units, wanted, frozenset(libraries))
    defined = {bound for unit in kept for bound in unit.binds}
    lost = [problem for problem, defines in broken if defines - defined]
    syntax_error = lost[0] if lost and not defined & wanted else None
    notes += [_left_out_cell(problem, defines - defined) for problem, defines in broken if problem is not syntax_error]
    notes += _left_out(units, kept, wanted)
    return _assembled(kept, syntax_error, notes)


# --- statements ---------------------------------------------------------------------------------------------


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_NAMED_IN_NOTES = {
    ast.For: "a loop",
    ast.While: "a loop",
    ast.With: "a with block",
    ast.If: "an if block",
    ast.Try: "a try block",
}
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, *filter(None, [getattr(ast, "TypeAlias", None)]))


@dataclass(eq=False)
class _Unit:
    """One statement at the top level of a cell.

    Attributes:
        kind: `import`, `definition`, `assignment`, `block` (an `if` or `try` made of those), or empty: never
            kept.
        binds: Names it gives a value to.
        extends: Names whose object it changes, as `cache["x"] = 1` does, or `@add_to(Layer)` over a function.
        now: Names it needs while it is executed.
        later: Names that its functions need when they are called.
    """

    node: ast.stmt
    kind: str
    lines: list[tuple[str, _Place]]
    given: bool
    binds: frozenset[str] = frozenset()
    extends: frozenset[str] = frozenset()
    now: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    star: bool = False

    @property
    def text(self) -> str:
        return "\n".join(piece for piece, _ in self.lines)


def _units(tree: ast.Module, lines: Sequence[str], cell: CodeCell, own: str) -> Iterator[_Unit]:
    """The statements of a cell, each with its lines, without imports of the module `own`."""
    for node in tree.body:
        if own and own in _modules(node):
            continue
        line, column = _start(node)
        text = [lines[number] for number in range(line - 1, node.end_lineno)]
        # cut to the statement: what follows on its last line may be another one, or a continuation
        text[-1] = text[-1].encode()[: node.end_col_offset].decode()
        text[0] = text[0].encode()[column:].decode()
        places = [(piece, (cell.number, line + k)) for k, piece in enumerate(text)]
        try:
            yield _described(node, places, cell.given)
        except RecursionError:  # thousands of branches of one `if`
            yield _Unit(node, "", places, cell.given)


def _start(node: ast.stmt) -> _Place:
    """First line, and the byte in it where a statement begins; its decorators belong to it."""
    first = min((decorator.lineno for decorator in getattr(node, "decorator_list", ())), default=node.lineno)
    return first, 0 if first != node.lineno else node.col_offset


def _described(node: ast.stmt, places: list[tuple[str, _Place]], given: bool) -> _Unit:
    kind = _kind(node)
    if not kind and type(node) not in _NAMED_IN_NOTES:
        return _Unit(node, kind, places, given)
    extends = frozenset(_extended(node))
    try:
        names = names_of("\n".join(piece for piece, _ in places))
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        # such as two arguments of one name: kept if it defines something, so that it is told on import
        mentioned = frozenset(inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name))
        bound = frozenset([node.name]) if isinstance(node, _DEFINITIONS) else mentioned
        return _Unit(node, kind, places, given, bound, extends, frozenset(), mentioned)
    star = any(
        alias.name == "*" for inner in ast.walk(node) if isinstance(inner, ast.ImportFrom) for alias in inner.names
    )
    return _Unit(
        node,
        kind,
        places,
        given,
        names.binds,
        extends,
        names.now,
        names.later,
        frozenset(_modules(node)),
        star,
    )


def _kind(node: ast.stmt) -> str:
    if isinstance(node, _IMPORTS):
        return "import"
    if isinstance(node, _DEFINITIONS):
        return "definition"
    if isinstance(node, _ASSIGNMENTS):
        return "" if any(isinstance(inner, ast.Await) for inner in ast.walk(node)) else "assignment"
    if isinstance(node, (ast.If, ast.Try)) and not _is_guard(node) and all(map(_fits_block, _inner(node))):
        return "block"
    return ""


def _is_guard(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == ...` or `if TYPE_CHECKING`, neither of which an imported module runs."""
    test = getattr(node, "test", None)
    names = {inner.id for inner in ast.walk(test) if isinstance(inner, ast.Name)} if test else set()
    names |= {inner.attr for inner in ast.walk(test) if isinstance(inner, ast.Attribute)} if test else set()
    return not names.isdisjoint(("__name__", "TYPE_CHECKING"))


def _inner(node: ast.If | ast.Try) -> list[ast.stmt]:
    handlers = [stmt for handler in getattr(node, "handlers", ()) for stmt in handler.body]
    return [*node.body, *handlers, *node.orelse, *getattr(node, "finalbody", ())]


def _fits_block(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Pass, ast.Raise)) or (
        isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Call))
    ):
        return True
    return bool(_kind(node))


def _extended(node: ast.stmt) -> Iterator[str]:
    """Names whose object a statement changes: by setting attributes or items, or through a decorator."""
    for decorator in getattr(node, "decorator_list", ()):
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        owner = called.value if isinstance(called, ast.Attribute) else None  # as in `@total.register(int)`
        for inner in (owner, *getattr(decorator, "args", ())):
            if isinstance(inner, ast.Name):
                yield inner.id
    pending: list[ast.AST] = [node]
    while pending:
        inner = pending.pop()
        if isinstance(inner, (*_DEFINITIONS, ast.Lambda)):
            continue
        if isinstance(inner, (ast.Attribute, ast.Subscript)) and isinstance(inner.ctx, (ast.Store, ast.Del)):
            base = inner.value
            while isinstance(base, (ast.Attribute, ast.Subscript)):
                base = base.value
            if isinstance(base, ast.Name):
                yield base.id
        pending += ast.iter_child_nodes(inner)


def _modules(node: ast.stmt) -> set[str]:
    """The modules that an import names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {"." * node.level + (node.module or "")}
    return set()


# --- what is kept -------------------------------------------------------------------------------------------


# imported without being needed only where that can't fail or take long
_HARMLESS = frozenset(
    "__future__ abc collections collections.abc copy dataclasses enum functools heapq itertools json math"
    " operator random re statistics string time types typing warnings".split()
)
_FOR_SHOW = frozenset("matplotlib.pyplot pylab matplotlib.pylab IPython.display ipywidgets".split())
_IN_LIBRARIES = frozenset("numpy torch torch.nn torch.nn.functional".split())


def _without_results(units: list[_Unit], notes: list[str]) -> Iterator[_Unit]:
    """The statements without those like `loss = loss(x)`, which put a result in the function's place."""
    defined: set[str] = set()
    for unit in units:
        if unit.kind == "definition":
            defined |= unit.binds
        value = getattr(unit.node, "value", None)
        called = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if unit.kind == "assignment" and called in unit.binds & defined:
            cell, line = unit.lines[0][1]
            notes.append(f"cell {cell}, line {line}: {called} = {called}(...) would replace it and was left out")
            continue
        yield unit


def _kept(units: list[_Unit], wanted: frozenset[str], libraries: frozenset[str]) -> list[_Unit]:
    """The statements of the module, with imports that nothing else rebinds at its head."""
    usable = [unit for unit in units if unit.kind]
    needed = _needed(usable, _roots(usable, wanted))
    imported = {name for unit in usable if unit.kind == "import" for name in unit.binds}
    keep: set[int] = set()
    for unit in usable:
        from_all = unit.star and not unit.modules & _FOR_SHOW  # what it binds is not known
        if (unit.binds | (unit.extends - imported)) & needed or from_all or "__future__" in unit.modules:
            keep.add(id(unit))
    available = set(dir(builtins)) | {"__name__", "__file__", "__doc__"}
    available |= {name for unit in usable if id(unit) in keep or _is_harmless(unit, libraries) for name in unit.binds}
    for unit in usable:
        if unit.kind == "definition" and unit.now - unit.binds <= available:
            keep.add(id(unit))
            available |= unit.binds
        elif _is_harmless(unit, libraries):
            keep.add(id(unit))
    kept = [unit for unit in usable if id(unit) in keep]
    texts: dict[str, set[str]] = {}
    for unit in kept:
        for name in unit.binds:
            texts.setdefault(name, set()).add(unit.text)

    def rank(unit: _Unit) -> int:
        if "__future__" in unit.modules:
            return 0
        # a cell of imports that stands below the cell that uses them has been run first all the same
        alone = all(len(texts[name]) == 1 for name in unit.binds)
        return 1 if unit.kind == "import" and alone and not unit.star else 2

    return sorted(kept, key=rank)


def _roots(units: list[_Unit], wanted: frozenset[str]) -> set[str]:
    """Where need begins: the wanted names and what staff defined; without any wanted, every definition."""
    definitions = [unit for unit in units if unit.kind == "definition"]
    bound = {name for unit in units for name in unit.binds}
    if wanted & bound:
        return set(wanted) | {name for unit in definitions if unit.given for name in unit.binds}
    return {name for unit in definitions for name in unit.binds}


def _needed(units: list[_Unit], roots: set[str]) -> set[str]:
    """The roots, and all names that they need, through one another."""
    changing: dict[str, list[_Unit]] = {}
    for unit in units:
        for name in unit.binds | unit.extends:
            changing.setdefault(name, []).append(unit)
    needed = set(roots)
    pending = list(roots)
    while pending:
        for unit in changing.pop(pending.pop(), ()):
            more = (unit.now | unit.later) - needed
            needed |= more
            pending += more
    return needed


def _is_harmless(unit: _Unit, libraries: frozenset[str]) -> bool:
    """Whether it can be kept without need: an import that can't fail, or a constant."""
    if unit.kind == "import":
        allowed = _HARMLESS | {module for module in _IN_LIBRARIES if module.partition(".")[0] in libraries}
        return bool(unit.modules) and unit.modules <= allowed
    value = getattr(unit.node, "value", None)
    return (
        isinstance(unit.node, (ast.Assign, ast.AnnAssign))
        and not unit.now
        and not unit.extends
        and value is not None
        and _is_literal(value)
    )


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _left_out_cell(problem: SyntaxProblem, lost: Collection[str]) -> str:
    """A note for a cell that is no Python, and what is missing because of it."""
    text = f"{not_python(problem.place, problem.message, note=', which grades here')}; the cell was left out"
    return f"{text}, so {' and '.join(sorted(lost))} can't be graded" if lost else text


def _left_out(units: list[_Unit], kept: list[_Unit], wanted: frozenset[str]) -> Iterator[str]:
    """A note for each statement left out that would change a name the module uses."""
    used = wanted | {name for unit in kept for name in unit.now | unit.later}
    bound = {name for unit in kept for name in unit.binds if unit.kind != "import"}
    for unit in units:
        what = _NAMED_IN_NOTES.get(type(unit.node))
        if unit.kind or what is None or _is_guard(unit.node):
            continue
        if changed := (unit.binds | (unit.extends & bound)) & used:
            cell, line = unit.lines[0][1]
            names = one_line(", ".join(sorted(changed)))
            yield f"cell {cell}, line {line}: {what} outside of any function is not run; it sets {names}"


def _assembled(kept: list[_Unit], syntax_error: SyntaxProblem | None, notes: list[str]) -> NotebookSource:
    pairs = [pair for unit in kept for pair in unit.lines]
    return NotebookSource(
        "".join(f"{piece}\n" for piece, _ in pairs),
        tuple(place for _, place in pairs),
        syntax_error,
        tuple(notes),
    )
