"""Reads the known mistakes of an assignment, and makes of each the text that has it.

Most mistakes are edits: entries of `solutions/ID/mistakes/TASK.toml`, each with the few words that it changes in one
function of the reference. Everything else of the function stays, its checks of arguments too. What edits can't say is a
whole function in `mistakes/NAME.py`.
"""

from __future__ import annotations

import ast
import difflib
import functools
import re
import tomllib
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradkit.errors import AuthoringError, InputError
from gradkit.manifest import Assignment
from gradkit.staffiles import not_toml
from gradkit.stubs import parse_python, read_authored

_FUTURE = "from __future__ import annotations"


@dataclass(frozen=True)
class MistakeSource(ABC):
    """A known misconception, as its author wrote it down.

    Attributes:
        name: Names the behavior.
        task: Id of the task it belongs to.
        why: What is wrong, in a sentence for staff.
        hint: What a student who has it reads. Empty for a decoy, and where it only ever crashes: a crash alone names no mistake.
        raises: It is meant to crash where the reference answers.
        costly: Why it may cost more than a third of its task's points, or empty.
        decoy: Wrong code that looks like other mistakes, to hold hints to: its student must read nobody's.
        replaces: The functions, classes and constants of the module that it puts others in place of.
        path: The file it stands in.
    """

    name: str
    task: str
    why: str
    hint: str
    raises: bool
    costly: str
    decoy: bool
    replaces: tuple[str, ...]
    path: Path

    @property
    @abstractmethod
    def place(self) -> str:
        """File and name, for messages."""

    @abstractmethod
    def patch(self) -> str:
        """What to run on top of the reference.

        Raises:
            AuthoringError: When it is not Python, or changes nothing.
        """

    @abstractmethod
    def submission(self, reference: str) -> str:
        """The whole module as a student with this mistake would hand it in.

        Args:
            reference: Text of the reference, or what another mistake's `submission` returned.

        Raises:
            AuthoringError: As `patch`.
        """

    @abstractmethod
    def code(self) -> types.CodeType:
        """The patch, compiled. Its lines are numbered as those of `file`."""

    @property
    @abstractmethod
    def file(self) -> Path:
        """The file that tracebacks into the patch name."""


@dataclass(frozen=True)
class EditedMistake(MistakeSource):
    """Edits of one function of the reference, from an entry of a TOML file."""

    function: str
    edits: tuple[tuple[str, str], ...]
    reference: ModuleText

    @property
    def place(self) -> str:
        return f"{self.path}: {self.name}"

    @property
    def file(self) -> Path:
        return self.reference.path

    def patch(self) -> str:
        owner = self.replaces[0]
        first, last = self.reference.span(owner)
        start, end = self.reference.span(self.function)
        before, after = self.reference.text_of(first, start - 1), self.reference.text_of(end + 1, last)
        text = before + self._edited(self.reference) + after
        # blank lines above keep the reference's numbers; annotations are read as they are there
        top = f"{_FUTURE}\n" if self.reference.future and first > 1 else "\n" * (first > 1)
        text = top + "\n" * (first - 2) + text
        self._check(text, owner)
        return text

    def submission(self, reference: str) -> str:
        self.patch()
        module = module_text(reference, self.reference.path)
        if self.function not in module.spans:
            raise AuthoringError(f"{self.place}: {self.function} is not in the text to edit")
        first, last = module.span(self.function)
        return module.text_of(1, first - 1) + self._edited(module) + module.text_of(last + 1, len(module.lines))

    def code(self) -> types.CodeType:
        return compile(self.patch(), str(self.file), "exec", dont_inherit=True)

    def places(self, text: str) -> list[tuple[int, int, str]]:
        """Where each edit stands in the function's text, from and to, and what comes there, in order.

        Raises:
            AuthoringError: When one occurs not at all or more than once, changes nothing, or overlaps another.
        """
        found = []
        for number, (old, new) in enumerate(self.edits, start=1):
            count = text.count(old) if old else 0
            if count != 1:
                advice = (
                    "take in more of the text around it, until it occurs once"
                    if count
                    else f"copy it as it stands in {self.reference.path}"
                )
                raise AuthoringError(f"{self.place}: edit {number} occurs {count} times in {self.function}; {advice}")
            begin = text.index(old)
            found.append((*_fitted(text, begin, begin + len(old), new), number))
            if text[found[-1][0] : found[-1][1]] == found[-1][2]:
                raise AuthoringError(f"{self.place}: edit {number} changes nothing; write what the mistake says")
        found.sort()
        for (_, end, _, one), (begin, _, _, other) in zip(found, found[1:], strict=False):
            if begin < end:
                one, other = sorted((one, other))
                raise AuthoringError(f"{self.place}: edits {one} and {other} overlap; make one of them")
        return [(begin, end, new) for begin, end, new, _ in found]

    def _edited(self, module: ModuleText) -> str:
        text = module.text_of(*module.span(self.function))
        for begin, end, new in reversed(self.places(text)):
            text = text[:begin] + new + text[end:]
        return text

    def _check(self, text: str, owner: str) -> None:
        """The edited text is Python, still defines what it did, and differs in more than comments."""
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            line = text.splitlines()[error.lineno - 1].strip() if error.lineno else ""
            raise AuthoringError(
                f"{self.place}: {self.function} is not Python after the edits: line {error.lineno}, "
                f"{line!r}: {error.msg}"
            ) from None
        if owner not in definitions(tree):
            raise AuthoringError(f"{self.place}: {owner} is not defined any more after the edits; keep its name")
        untouched = ast.parse(self.reference.text_of(*self.reference.span(owner)))
        if ast.dump(tree.body[-1]) == ast.dump(untouched.body[-1]):
            raise AuthoringError(f"{self.place}: the edits change only comments or spaces; write what the mistake says")


@dataclass(frozen=True)
class WrittenMistake(MistakeSource):
    """Whole functions, from a Python file of its own."""

    text: str

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def file(self) -> Path:
        return self.path

    def patch(self) -> str:
        return self.text

    def submission(self, reference: str) -> str:
        return f"{reference}\n\n{self.text}"

    def code(self) -> types.CodeType:
        return compile(self.text, str(self.path), "exec", dont_inherit=True)


def _fitted(text: str, begin: int, end: int, new: str) -> tuple[int, int, str]:
    """Where an edit goes: one that begins a line keeps the indentation; without new text it takes the line away."""
    line = text.rfind("\n", 0, begin) + 1
    if text[line:begin].strip(" "):
        return begin, end, new
    begin += len(text[begin:end]) - len(text[begin:end].lstrip(" "))
    rest = re.compile(r"[ \t]*(#[^\n]*)?(\n|$)").match(text, end)
    if not new.strip() and rest:
        return line, rest.end(), ""
    return begin, end, new.lstrip(" ")


# ---- the reference's text


@dataclass(frozen=True)
class ModuleText:
    """A module's lines, and where its functions, methods, classes and constants stand."""

    path: Path
    lines: tuple[str, ...]
    spans: dict[str, tuple[int, int]]
    future: bool  # whether annotations are left unread

    def span(self, name: str) -> tuple[int, int]:
        """First and last line, decorators included."""
        return self.spans[name]

    def text_of(self, first: int, last: int) -> str:
        return "".join(self.lines[first - 1 : last])


@functools.lru_cache(maxsize=8)
def module_text(text: str, path: Path) -> ModuleText:
    """The text with its definitions found; parsed once for all mistakes.

    Raises:
        AuthoringError: When it is not Python.
    """
    tree = parse_python(text, path)
    spans = {}
    for name, node in definitions(tree).items():
        spans[name] = _span(node)
        if isinstance(node, ast.ClassDef):
            spans |= {f"{name}.{part}": _span(found) for part, found in definitions(node).items()}
    future = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
    lines = text if text.endswith("\n") else f"{text}\n"
    return ModuleText(path, tuple(lines.splitlines(keepends=True)), spans, future)


def definitions(tree: ast.Module | ast.ClassDef) -> dict[str, ast.AST]:
    """The functions, classes and constants that stand in a module or a class, by name."""
    found: dict[str, ast.AST] = {}
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                found |= {part.id: node for part in ast.walk(target) if isinstance(part, ast.Name)}
    return found


def _span(node: ast.AST) -> tuple[int, int]:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(part.lineno for part in decorators)]), node.end_lineno


# ---- reading


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A `[[mistakes]]` entry."""

    name: str
    function: str
    why: str
    hint: str = ""
    edits: list[tuple[str, str]]
    raises: bool = False
    costly: str | None = None
    decoy: bool = False


def read_mistakes(assignment: Assignment) -> list[MistakeSource]:
    """All known mistakes of an assignment, by name. Nothing is compiled.

    Raises:
        AuthoringError: For a file or an entry that is not as it must be, or edits that do not fit the reference.
    """
    found, faults = try_mistakes(assignment)
    if faults:
        raise faults[0]
    return found


def try_mistakes(assignment: Assignment) -> tuple[list[MistakeSource], list[AuthoringError]]:
    """The mistakes that can be read, by name, and what is wrong with each of the others."""
    faults: list[AuthoringError] = []
    files = assignment.mistakes()
    if not files:
        return [], faults
    reference = module_text(read_authored(assignment.reference), assignment.reference)
    tasks = [task.id for task in assignment.manifest.tasks]
    found: dict[str, MistakeSource] = {}
    for path in files:
        for read in _readers(path, tasks, reference, faults):
            try:
                mistake = read()
                if mistake.name in found:
                    other = found[mistake.name].path
                    where = "twice" if other == path else f"also in {other.name}"
                    raise AuthoringError(f"{path}: {mistake.name} stands {where}; give each mistake a name of its own")
            except AuthoringError as error:
                faults.append(error)
            else:
                found[mistake.name] = mistake
    return [found[name] for name in sorted(found)], faults


def _readers(
    path: Path, tasks: list[str], reference: ModuleText, faults: list[AuthoringError]
) -> list[Callable[[], MistakeSource]]:
    """What reads each mistake of a file."""
    if path.suffix != ".toml":
        return [functools.partial(_read_python, path, tasks)]
    try:
        entries = _entries(path, tasks)
    except AuthoringError as error:
        faults.append(error)
        return []
    return [
        functools.partial(_read_entry, path, number, entry, reference) for number, entry in enumerate(entries, start=1)
    ]


def find_mistake(mistakes: list[MistakeSource], name: str, folder: Path) -> MistakeSource:
    """The mistake called `name`.

    Raises:
        InputError: For an unknown name, with the nearest one there is.
    """
    by_name = {mistake.name: mistake for mistake in mistakes}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{folder}: no mistake is called {name!r}{advice}")
    return by_name[name]


def _entries(path: Path, tasks: list[str]) -> list[object]:
    if path.stem not in tasks:
        raise AuthoringError(f"{path}: named after no task; name it {_one_of(tasks, '.toml')}")
    try:
        content = tomllib.loads(read_authored(path))
    except tomllib.TOMLDecodeError as error:
        raise AuthoringError(not_toml(path, error)) from None
    entries = content.get("mistakes", [])
    if set(content) - {"mistakes"} or not isinstance(entries, list):
        raise AuthoringError(f"{path}: only [[mistakes]] entries may stand here, got {', '.join(content)}")
    return entries


def _read_entry(path: Path, number: int, content: object, reference: ModuleText) -> MistakeSource:
    name = content.get("name") if isinstance(content, dict) else None
    place = f"{path}: {name}" if isinstance(name, str) and name else f"{path}: entry {number}"
    try:
        entry = msgspec.convert(content, _Entry)
    except msgspec.ValidationError as error:
        allowed = f"; allowed: {', '.join(_Entry.__struct_fields__)}" if "unknown field" in str(error) else ""
        raise AuthoringError(f"{place}: {error}{allowed}") from None
    if not entry.name.isidentifier():
        raise AuthoringError(f"{place}: name must be a word such as mask_inverted, got {entry.name!r}")
    needed = [key for key in ("why", "hint", "costly") if key != "hint" or not (entry.raises or entry.decoy)]
    for key in needed:
        text = getattr(entry, key)
        if text is not None and not text.strip():
            raise AuthoringError(f"{place}: {key} is empty: {_MEANING[key]}")
    if entry.decoy and entry.hint.strip():
        raise AuthoringError(f"{place}: a decoy has no hint: it is wrong code for which no hint may be shown")
    if not entry.edits:
        raise AuthoringError(f'{place}: edits is empty; write [["old text", "new text"]]')
    if entry.function not in reference.spans:
        near = difflib.get_close_matches(entry.function, reference.spans, n=1)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        raise AuthoringError(f"{place}: function {entry.function!r} is not in {reference.path}{advice}")
    mistake = EditedMistake(
        name=entry.name,
        task=path.stem,
        why=" ".join(entry.why.split()),
        hint=" ".join(entry.hint.split()),
        raises=entry.raises,
        costly=" ".join((entry.costly or "").split()),
        decoy=entry.decoy,
        replaces=(entry.function.partition(".")[0],),
        path=path,
        function=entry.function,
        edits=tuple(entry.edits),
        reference=reference,
    )
    mistake.places(reference.text_of(*reference.span(entry.function)))
    return mistake


_MEANING = {
    "why": "say in a sentence what is wrong",
    "hint": "it is what a student with this mistake reads",
    "costly": "say in a sentence why the mistake may cost more than a third of its task's points, or leave it out",
}
_SETTINGS = ("TASK", "HINT", "RAISES", "COSTLY", "DECOY")


def _read_python(path: Path, tasks: list[str]) -> MistakeSource:
    text = read_authored(path)
    tree = parse_python(text, path)
    found = definitions(tree)
    values = {
        name: node.value.value
        for name, node in found.items()
        if name in _SETTINGS and isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    task, hint = values.get("TASK"), values.get("HINT")
    if task not in tasks:
        raise AuthoringError(f"{path}: TASK must be {_one_of(tasks)}, got {task!r}")
    raises, decoy = (values.get(key, False) is True for key in ("RAISES", "DECOY"))
    hint = hint if isinstance(hint, str) else ""
    if not hint.strip() and not raises and not decoy:
        raise AuthoringError(f"{path}: HINT is missing: {_MEANING['hint']}")
    costly = values.get("COSTLY", "")
    if "COSTLY" in found and not (isinstance(costly, str) and costly.strip()):
        raise AuthoringError(f"{path}: COSTLY is no text: {_MEANING['costly']}")
    replaces = tuple(name for name in found if name not in _SETTINGS)
    if not replaces:
        raise AuthoringError(f"{path}: defines nothing; write the functions that the mistake gets wrong")
    why = " ".join((ast.get_docstring(tree) or "").split())
    texts = [" ".join(each.split()) for each in (hint, costly)]
    return WrittenMistake(path.stem, task, why, texts[0], raises, texts[1], decoy, replaces, path, text)


def _one_of(tasks: list[str], suffix: str = "") -> str:
    names = [f"{task}{suffix}" for task in tasks]
    return " or ".join(names) if len(names) < 3 else f"one of {', '.join(names)}"
