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
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import msgspec
from coursekit.costs import not_python

from gradkit.archives import CAPS, Caps, over_cap, shown, size_text
from gradkit.errors import InputError
from gradkit.notebooks.names import names_of
from gradkit.sourcetext import SyntaxProblem, check_size, defined_by_look, no_warnings, parse

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
    cells = _cells(raw, name, caps)
    wanted = frozenset(wanted)
    units: list[_Unit] = []
    broken: list[tuple[SyntaxProblem, frozenset[str]]] = []
    notes: list[str] = []
    for cell in cells:
        if cell.is_test:
            continue
        lines = _without_cell_magic(cell, wanted, notes)
        tree = parse("\n".join(lines), name, caps)
        if isinstance(tree, SyntaxProblem):
            lines = _without_line_magics(lines)
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


@dataclass(frozen=True)
class Cell:
    """A cell of any kind, for people to look at: nothing of it is checked, and outputs are never read.

    Attributes:
        kind: `code`, `markdown` or `raw`.
        text: What stands in it.
        grade_id: The name that nbgrader's metadata give it, or empty.
        images: Pictures pasted into it: file name, MIME type, and base64 text.
    """

    kind: str
    text: str
    grade_id: str = ""
    images: tuple[tuple[str, str, str], ...] = ()


def read_cells(raw: bytes, name: str = "the notebook", *, caps: Caps = CAPS) -> list[Cell]:
    """Every cell of a notebook of format 3 or 4, in order.

    Raises:
        InputError: When it is no notebook, or too large.
    """
    cells = []
    size = 0
    for cell in _all_cells(raw, name, caps)[0]:
        kind = {"code": "code", "markdown": "markdown", "heading": "markdown", "html": "markdown"}.get(
            cell.cell_type, "raw"
        )
        text = _cell_text(cell)
        images = tuple(_images(cell.attachments)) if kind == "markdown" else ()
        size += len(text) + sum(len(data) for _, _, data in images)
        if size > caps.file:
            raise over_cap(f"{name}: its text holds", size_text(caps.file), "a notebook", "leave out pictures")
        cells.append(Cell(kind, text, _nbgrader_id(cell.metadata), images))
    return cells


# --- the file -----------------------------------------------------------------------------------------------


class _RawCell(msgspec.Struct):
    cell_type: str
    source: msgspec.Raw = msgspec.Raw(b'""')
    input: msgspec.Raw = msgspec.Raw(b'""')  # format 3's name for it
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    attachments: msgspec.Raw = msgspec.Raw(b"{}")


class _Worksheet(msgspec.Struct):
    cells: list[_RawCell]


class _RawNotebook(msgspec.Struct):
    cells: list[_RawCell] | None = None
    worksheets: list[_Worksheet] | None = None
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


@dataclass(frozen=True)
class _Cell:
    """A code cell. `given`: nbgrader's mark of code that staff wrote."""

    number: int
    text: str
    is_test: bool = False
    given: bool = False


def _all_cells(raw: bytes, name: str, caps: Caps) -> tuple[list[_RawCell], msgspec.Raw]:
    """The cells of the file, and its metadata."""
    if len(raw) > caps.notebook:
        raise over_cap(f"{name}: holds", size_text(caps.notebook), "a notebook", "clear its outputs and save it")
    if raw.count(b'"cell_type"') > caps.entries:
        raise over_cap(f"{name}: holds", f"{caps.entries:,} cells", "a notebook", "hand in the assignment's notebook")
    notebook = _decoded(raw.removeprefix(b"\xef\xbb\xbf"), name)
    if notebook.cells is not None:
        return notebook.cells, notebook.metadata
    if notebook.worksheets is not None:
        return [cell for sheet in notebook.worksheets for cell in sheet.cells], notebook.metadata
    raise InputError(f"{name}: is not a notebook (it has no cells); save it from Jupyter as .ipynb")


def _cells(raw: bytes, name: str, caps: Caps) -> list[_Cell]:
    """The code cells that hold something, in order."""
    found, metadata = _all_cells(raw, name, caps)
    _check_language(metadata, name)
    cells: list[_Cell] = []
    # text in JSON may be six times as long as what it stands for
    left = 6 * caps.module
    size = 0
    for cell in found:
        if cell.cell_type != "code":
            continue
        left -= len(cell.source) + len(cell.input)
        text = _cell_text(cell) if left >= 0 else ""
        size += len(text)
        if left < 0 or size > caps.module:
            raise over_cap(f"{name}: its code holds", size_text(caps.module), "a module", "leave out tables of data")
        if text.strip():
            test, given = _nbgrader_marks(cell.metadata)
            cells.append(_Cell(len(cells) + 1, text, test, given))
    check_size("\n".join(cell.text for cell in cells), name, caps)
    return cells


def _decoded(raw: bytes, name: str) -> _RawNotebook:
    """A notebook's JSON, without building anything of its outputs."""
    if not raw.lstrip():
        raise InputError(f"{name}: is empty; save the notebook and hand it in again")
    try:
        try:
            return msgspec.json.decode(raw, type=_RawNotebook)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeError):
            return msgspec.json.decode(_strict_json(raw), type=_RawNotebook)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{name}: is not a notebook ({shown(str(error), 120)}); save it from Jupyter as .ipynb"
        ) from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InputError(
            f"{name}: is not a notebook ({shown(str(error), 120)}); save it again and hand that in"
        ) from None
    except RecursionError:
        raise InputError(
            f"{name}: is not a notebook (it is nested too deeply); save it from Jupyter as .ipynb"
        ) from None


# possessive, so that a string of megabytes costs no memory to pass over
_JSON_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?\bInfinity\b|\bNaN\b', re.DOTALL)
_SURROGATE = re.compile(rb"(?i)\\ud[89a-f][0-9a-f]{2}")


def _strict_json(raw: bytes) -> bytes:
    """`raw` without what Python writes and JSON forbids: NaN, infinities, halves of surrogate pairs."""

    def strict(match: re.Match[bytes]) -> bytes:
        token = match[0]
        if not token.startswith(b'"'):
            return b"null"
        return _SURROGATE.sub(rb"\\ufffd", token) if b"\\u" in token else token

    return _JSON_TOKENS.sub(strict, raw.decode("utf-8", "replace").encode())


def _cell_text(cell: _RawCell) -> str:
    """A cell's source: one text, or its lines."""
    for block in (cell.source, cell.input):
        try:
            value = msgspec.json.decode(block, type=str | list[str])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        if text := value if isinstance(value, str) else "".join(value):
            # half a surrogate pair can stand in a string of JSON, and in no file
            text = text.encode("utf-8", "replace").decode()
            return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
    return ""


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    language: str = ""


class _Metadata(msgspec.Struct):
    kernelspec: _Named = _Named()
    language_info: _Named = _Named()


def _check_language(raw: msgspec.Raw, name: str) -> None:
    try:
        metadata = msgspec.json.decode(raw, type=_Metadata)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    language = metadata.language_info.name or metadata.kernelspec.language or "python"
    if not language.lower().startswith(("python", "ipython", "xpython")):
        raise InputError(
            f"{name}: is a notebook for {shown(language, 40)}, not Python; hand in one with a Python kernel"
        )


class _Nbgrader(msgspec.Struct):
    grade: bool = False
    solution: bool = False
    locked: bool = False


class _CellMetadata(msgspec.Struct):
    nbgrader: _Nbgrader | None = None


def _nbgrader_marks(raw: msgspec.Raw) -> tuple[bool, bool]:
    """Whether nbgrader's metadata make a cell one of its tests; and whether they make it given code."""
    try:
        marks = msgspec.json.decode(raw, type=_CellMetadata).nbgrader
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False, False
    if marks is None or marks.solution:
        return False, False
    return marks.grade, marks.locked and not marks.grade


class _NbgraderId(msgspec.Struct):
    grade_id: str = ""


class _IdMetadata(msgspec.Struct):
    nbgrader: _NbgraderId | None = None


def _nbgrader_id(raw: msgspec.Raw) -> str:
    try:
        marks = msgspec.json.decode(raw, type=_IdMetadata).nbgrader
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return marks.grade_id if marks is not None else ""


_PICTURES = ("image/png", "image/jpeg", "image/gif")


def _images(raw: msgspec.Raw) -> Iterator[tuple[str, str, str]]:
    """The pictures among a cell's attachments, as far as they are what they say: plain names, types and base64."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, dict[str, str]])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    for name, kinds in found.items():
        for kind, data in kinds.items():
            if (
                kind in _PICTURES
                and re.fullmatch(r"[\w .()-]{1,100}", name)
                and re.fullmatch(r"[A-Za-z0-9+/=\s]*+", data)
            ):
                yield name, kind, data


# --- IPython's own syntax -----------------------------------------------------------------------------------

_BODY_RUNS = (
    "time",
    "timeit",
    "capture",
    "prun",
    "memit",
    "mprun",
    "lprun",
)  # cell magics around ordinary code
_MAGIC_LINE = re.compile(r"\s*(?:[%!]|\?{1,2}[\w.*]|[\w.*\[\]]+\?{1,2}\s*$)")
_MAGIC_VALUE = re.compile(r"\s*[A-Za-z_][\w.,\s\[\]]*=\s*[%!]")


def _without_cell_magic(cell: _Cell, wanted: Collection[str], notes: list[str]) -> list[str]:
    """A cell's lines without a `%%` line; all blank where the cell's body is no Python for this kernel."""
    lines = cell.text.split("\n")
    first = next(i for i, line in enumerate(lines) if line.strip())
    if not lines[first].startswith("%%"):
        return lines
    magic = re.match(r"%%(\w*)", lines[first])[1]
    if magic in _BODY_RUNS:
        return ["" if i == first else line for i, line in enumerate(lines)]
    if defines := defined_by_look(cell.text, wanted):
        written = ", ".join(sorted(defines))
        notes.append(f"cell {cell.number} is a %%{magic} cell and was not read, though it writes {written}")
    return [""] * len(lines)


def _without_line_magics(lines: Sequence[str]) -> list[str]:
    """A cell's lines with what only IPython understands made blank, so that each line keeps its number."""
    lines = list(lines)
    # IPython accepts a cell that is indented as a whole
    first = next((line for line in lines if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    lines = [line.removeprefix(indent) for line in lines]
    for i in _statement_starts(lines):
        if _MAGIC_LINE.match(lines[i]) or _MAGIC_VALUE.match(lines[i]):
            pad = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
            while lines[i].endswith("\\") and i + 1 < len(lines):
                lines[i], i = "", i + 1
            lines[i] = f"{pad}pass" if pad else ""
    return lines


def _statement_starts(lines: list[str]) -> Iterator[int]:
    """Which lines begin a statement: those outside of strings, brackets and continuations.

    A line is looked at after it has been given, so that a magic made blank in between opens no quote.
    """
    quote, depth, continued = "", 0, False
    for i in range(len(lines)):
        if not quote and not depth and not continued:
            yield i
        quote, depth, continued = _scan(lines[i], quote, depth)


_TOKEN = re.compile(r"""\\.|'{3}|"{3}|['"#()\[\]{}]|\\$""")


def _scan(line: str, quote: str, depth: int) -> tuple[str, int, bool]:
    """What is open after `line`: a quote, brackets, a continuation."""
    for match in _TOKEN.finditer(line):
        token = match[0]
        if quote:
            if token == quote or (len(token) == 3 and token[0] == quote):
                quote = ""
        elif token == "#":
            return "", depth, False
        elif token[0] in "'\"":
            quote = token
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth = max(0, depth - 1)
    continued = line.endswith("\\")
    if len(quote) == 1 and not continued:
        quote = ""  # an unclosed string ends with its line
    return quote, depth, continued


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


def _units(tree: ast.Module, lines: Sequence[str], cell: _Cell, own: str) -> Iterator[_Unit]:
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
            names = shown(", ".join(sorted(changed)))
            yield f"cell {cell}, line {line}: {what} outside of any function is not run; it sets {names}"


def _assembled(kept: list[_Unit], syntax_error: SyntaxProblem | None, notes: list[str]) -> NotebookSource:
    pairs = [pair for unit in kept for pair in unit.lines]
    return NotebookSource(
        "".join(f"{piece}\n" for piece, _ in pairs),
        tuple(place for _, place in pairs),
        syntax_error,
        tuple(notes),
    )
