"""Reads `assignment.toml`, and finds the assignments of a checkout."""

from __future__ import annotations

import difflib
import graphlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from gradkit.errors import AuthoringError, InputError
from gradkit.staffiles import not_toml


class Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of an assignment: what the student writes, and what it is worth."""

    id: str
    title: str
    points: int
    minutes: int
    functions: list[str]
    banned: list[str] = []


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question that a person reads the answer to. It stands in the notebook and in the handout that students get; its
    points are beside the tasks'."""

    id: str
    title: str
    text: str
    points: int = 5

    @property
    def worth(self) -> str:
        """Its points, in words."""
        return f"{self.points} point{'s' if self.points != 1 else ''}"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An `assignment.toml`. `id` and `module` are filled in from the folder's name."""

    title: str
    order: int
    summary: str
    tasks: list[Task]
    id: str = ""
    module: str = ""
    devices: tuple[str, ...] = ("cpu",)
    libraries: tuple[str, ...] = ("numpy", "torch")
    timeout_s: float = 10.0
    memory_mib: int = 2048
    banned: list[str] = []
    questions: list[Question] = []
    needs: list[str] = []  # ids of assignments that this one builds on; each comes before it
    python: str = (
        ""  # the version that grades, such as 3.11; a student bundle names the bundling machine's if it is empty
    )
    draft: bool = False  # not for release yet: what a whole assignment has may be missing

    @property
    def points(self) -> int:
        """Of the tasks: what checks give, 100 in all."""
        return sum(task.points for task in self.tasks)

    def task(self, id: str) -> Task:
        return next(task for task in self.tasks if task.id == id)


DEVICES = ("cpu", "cuda")
LIBRARIES = (
    "numpy",
    "torch",
    "torch.optim",
)  # the last is part of torch; naming it has it loaded before the fork


@dataclass(frozen=True)
class Assignment:
    """Where the files of one assignment lie. Nothing is read until asked for."""

    manifest: Manifest
    public: Path  # assignments/ID
    hidden: Path  # solutions/ID

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def module_name(self) -> str:
        return Path(self.manifest.module).stem

    @property
    def reference(self) -> Path:
        return self.hidden / self.manifest.module

    @property
    def stub(self) -> Path:
        return self.public / self.manifest.module

    @property
    def notebook(self) -> Path:
        return self.public / f"{self.module_name}.ipynb"

    @property
    def public_tests(self) -> Path:
        return self.public / f"test_{self.module_name}.py"

    @property
    def hidden_tests(self) -> Path:
        return self.hidden / "test_hidden.py"

    def mistakes(self) -> list[Path]:
        """Files with known mistakes, `TASK.toml` or `NAME.py`; `gradkit.mistakes.read_mistakes` reads them."""
        folder = self.hidden / "mistakes"
        return sorted([*_python_files(folder), *folder.glob("*.toml")])

    def alternatives(self) -> list[Path]:
        return _python_files(self.hidden / "alternatives")


def _python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds `assignments/` and `solutions/`."""
    for folder in (start, *start.parents):
        if (folder / "assignments").is_dir() and (folder / "solutions").is_dir():
            return folder
    raise InputError(
        f"no assignments/ and solutions/ at or above {start}: run inside a checkout of the kit, which holds the assignments "
        "(the installed package does not), or give --root"
    )


def load_manifest(path: Path) -> Manifest:
    """Read and check one `assignment.toml`.

    Raises:
        AuthoringError: Naming the file, the key and what is allowed.
    """
    try:
        manifest = msgspec.toml.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise AuthoringError(f"{path}: the manifest is missing; `gradkit new` writes one to start from") from None
    except msgspec.ValidationError as error:
        raise AuthoringError(f"{path}: {_allowed(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AuthoringError(not_toml(path, error)) from None
    id = path.parent.name
    if manifest.id not in ("", id):
        raise AuthoringError(f"{path}: id is {manifest.id!r} but the folder is {id!r}; leave id out")
    manifest = msgspec.structs.replace(manifest, id=id, module=manifest.module or f"{id}.py")
    _check(manifest, path)
    return manifest


def _allowed(message: str) -> str:
    """Add to msgspec's message for an unknown key the keys there are."""
    if "unknown field" not in message:
        return message
    struct = Task if "$.tasks" in message else Question if "$.questions" in message else Manifest
    return f"{message}; allowed: {', '.join(struct.__struct_fields__)}"


def _check(manifest: Manifest, path: Path) -> None:
    def rule(holds: bool, key: str, text: str) -> None:
        if not holds:
            raise AuthoringError(f"{path}: {key}: {text}")

    rule(bool(manifest.tasks), "tasks", "at least one [[tasks]] is needed")
    rule(
        manifest.module.endswith(".py") and "/" not in manifest.module,
        "module",
        f"a file name such as {manifest.id}.py, got {manifest.module!r}",
    )
    rule(
        not manifest.python or re.fullmatch(r"3\.\d\d?", manifest.python) is not None,
        "python",
        f"a version such as 3.11, got {manifest.python!r}",
    )
    rule(manifest.timeout_s > 0, "timeout_s", f"must be above 0, got {manifest.timeout_s}")
    rule(manifest.memory_mib >= 256, "memory_mib", f"at least 256, got {manifest.memory_mib}")
    for device in manifest.devices:
        rule(device in DEVICES, "devices", f"allowed: {', '.join(DEVICES)}, got {device!r}")
    for library in manifest.libraries:
        rule(library in LIBRARIES, "libraries", f"allowed: {', '.join(LIBRARIES)}, got {library!r}")
    for id in manifest.needs:
        rule(manifest.needs.count(id) == 1, "needs", f"{id!r} stands twice")
    seen: set[str] = set()
    for task in manifest.tasks:
        rule(task.id.isidentifier() and task.id == task.id.lower(), "tasks.id", f"snake_case, got {task.id!r}")
        rule(task.id not in seen, "tasks.id", f"{task.id!r} stands twice")
        rule(task.points > 0, f"tasks.{task.id}.points", f"must be above 0, got {task.points}")
        rule(bool(task.functions), f"tasks.{task.id}.functions", "name at least one function or class")
        seen.add(task.id)
    asked: set[str] = set()
    for question in manifest.questions:
        key = f"questions.{question.id}"
        rule(
            question.id.isidentifier() and question.id == question.id.lower(),
            "questions.id",
            f"snake_case, got {question.id!r}",
        )
        rule(question.id not in asked, "questions.id", f"{question.id!r} stands twice")
        rule(bool(question.text.strip()), f"{key}.text", "what is asked is missing")
        rule(question.points > 0, f"{key}.points", f"must be above 0, got {question.points}")
        asked.add(question.id)


def load_assignment(root: Path, id: str) -> Assignment:
    """The assignment called `id` in the kit at `root`.

    Raises:
        InputError: For an unknown name, with the nearest one there is.
        AuthoringError: When one of its two folders or its manifest is wrong.
    """
    root = (
        root.absolute()
    )  # pytest tells the files of checks so, and which of the two a check is in decides who reads it
    known = assignment_ids(root)
    if id not in known:
        near = difflib.get_close_matches(id, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none yet'}"
        raise InputError(f"no assignment called {id!r}; {hint}")
    assignment = Assignment(
        load_manifest(root / "assignments" / id / "assignment.toml"),
        root / "assignments" / id,
        root / "solutions" / id,
    )
    if not assignment.hidden.is_dir():
        raise AuthoringError(
            f"{assignment.hidden}: missing; an assignment is a folder in assignments/ and one in solutions/"
        )
    return assignment


def assignment_ids(root: Path) -> list[str]:
    """Ids of the folders under `assignments/` that hold a manifest, by name."""
    return sorted(path.parent.name for path in (root / "assignments").glob("*/assignment.toml"))


def load_all(root: Path) -> list[Assignment]:
    """Every assignment, in course order."""
    found = [load_assignment(root, id) for id in assignment_ids(root)]
    found.sort(key=lambda assignment: (assignment.manifest.order, assignment.id))
    return found


def needs_faults(manifests: Iterable[Manifest]) -> dict[str, str]:
    """What is wrong with the `needs` of a whole course's manifests: a line by id, for those in which something is.

    What an assignment needs must be there and come before it. In a bundle of a single assignment the others are not there,
    so who grades does not ask.
    """
    course = {manifest.id: manifest for manifest in sorted(manifests, key=lambda one: (one.order, one.id))}
    places = {id: place for place, id in enumerate(course)}
    found: dict[str, str] = {}
    try:
        graphlib.TopologicalSorter({id: manifest.needs for id, manifest in course.items()}).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][::-1]
        said = f"needs: these need one another: {', '.join(circle[:-1])}; take one out"
        found = dict.fromkeys(circle, said if len(circle) > 2 else "needs: it can't need itself; take it out")
    for id, manifest in course.items():
        for need in manifest.needs:
            if need not in course:
                near = difflib.get_close_matches(need, course, n=1)
                hint = f"did you mean {near[0]!r}?" if near else "take it out"
                found.setdefault(id, f"needs: no assignment is called {need!r}; {hint}")
            elif places[need] > places[id]:
                found.setdefault(id, f"needs: {need} does not come before {id}; change the order of one of them")
    return found
