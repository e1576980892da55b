"""Writes a working assignment to start from: one of two tasks, or one with tasks of given names."""

from __future__ import annotations

import keyword
import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path

from gradkit.errors import InputError
from gradkit.examine.faults import reserved_name
from gradkit.manifest import load_assignment
from gradkit.notebooks.write import build_notebook
from gradkit.stubs import build_stub, write_if_changed

MOST_TASKS = 20
_TEMPLATES = Path(__file__).parent / "templates"


def new_assignment(root: Path, id: str, *, tasks: Sequence[str] = ()) -> list[Path]:
    """Create `assignments/ID` and `solutions/ID`, and cut the stub and the notebook.

    Args:
        root: The kit.
        id: The assignment's name, and its module's.
        tasks: Its tasks, each with a function of the same name; without any, the two of the tutorial. With them comes
            `tests/oracles/test_ID.py` and `tests/handouts/test_ID.py`, where the kit has these folders.

    Returns:
        The files written.

    Raises:
        InputError: When the id or a task is not a Python name in lower case, or is taken.
    """
    _check_id(id)
    _check_tasks(id, tasks)
    public, hidden = root / "assignments" / id, root / "solutions" / id
    beside = {kind: root / "tests" / f"{kind}s" / f"test_{id}.py" for kind in ("oracle", "handout") if tasks}
    for path in (public, hidden, *beside.values()):
        if path.exists():
            raise InputError(f"{path} is there already: choose another id, or remove it")
    texts = _filled(id, tasks) if tasks else _copied(id)
    for side, target in (("assignment", public), ("solution", hidden)):
        new = target.with_name(f".{id}.new")
        shutil.rmtree(new, ignore_errors=True)
        for name, text in texts[side].items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text, encoding="utf-8", newline="\n")
        target.parent.mkdir(exist_ok=True)
        new.rename(target)
    written = []
    for kind, path in beside.items():
        if path.parent.is_dir():
            write_if_changed(path, texts[kind][path.name])
            written.append(path)
    assignment = load_assignment(root, id)
    write_if_changed(assignment.stub, build_stub(assignment))
    write_if_changed(assignment.notebook, build_notebook(assignment))
    return written + sorted(path for folder in (public, hidden) for path in folder.rglob("*") if path.is_file())


def _check_id(id: str) -> None:
    if not _is_name(id):
        raise InputError(f"an assignment's id is a Python name in lower case such as layer_norm, got {id!r}")
    if reason := reserved_name(id) or _installed(id):
        raise InputError(f"an assignment can't be called {id}: {reason}; choose another id such as my_{id}")


def _is_name(text: str) -> bool:
    return text.isascii() and text.isidentifier() and text == text.lower() and not text.startswith("_")


def _installed(id: str) -> str:
    """Why a module of this name is in the way here; a folder without code, such as `docs`, is not."""
    spec = PathFinder.find_spec(id)
    if spec is None or not spec.has_location:
        return ""
    return f"{id} is a module installed here, and the two would hide each other"


def _check_tasks(id: str, tasks: Sequence[str]) -> None:
    for number, task in enumerate(tasks):
        if not _is_name(task) or keyword.iskeyword(task):
            raise InputError(f"--tasks are Python names in lower case such as encode,decode, got {task!r}")
        if task in tasks[:number] or task in (id, "np", "x", "draw"):
            why = "stands twice" if task in tasks[:number] else "is a name that the new files use for something else"
            raise InputError(f"--tasks: {task} {why}; give each task a name of its own")
    if len(tasks) > MOST_TASKS:
        raise InputError(f"--tasks: at most {MOST_TASKS}, got {len(tasks)}")


def _named(id: str) -> Callable[[str], str]:
    places = {"test_public.py": f"test_{id}.py", "reference.py": f"{id}.py"}
    return lambda name: places.get(name, name)


def _copied(id: str) -> dict[str, dict[str, str]]:
    """The texts of the assignment of the tutorial, by side and by name."""
    named = _named(id)
    texts: dict[str, dict[str, str]] = {}
    for side in ("assignment", "solution"):
        folder = _TEMPLATES / "new" / side
        texts[side] = {
            str(path.relative_to(folder).with_name(named(path.name))): path.read_text(encoding="utf-8")
            .replace("{module}", f"{id}.py")
            .replace("{id}", id)
            for path in _files(folder)
        }
    return texts


def _filled(id: str, tasks: Sequence[str]) -> dict[str, dict[str, str]]:
    """The same for an assignment with these tasks, and the tests of its reference and of its handout."""
    import jinja2

    filler = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES / "tasks"), trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    plans = [_plan(task, number, len(tasks)) for number, task in enumerate(tasks)]
    values = {"id": id, "module": f"{id}.py", "title": id.replace("_", " ").capitalize(), "tasks": plans}
    named = _named(id)
    texts: dict[str, dict[str, str]] = {
        kind: {f"test_{id}.py": filler.get_template(f"{kind}.py.j2").render(values)} for kind in ("oracle", "handout")
    }
    for side in ("assignment", "solution"):
        folder = _TEMPLATES / "tasks" / side
        texts[side] = {}
        for path in _files(folder):
            name = path.relative_to(folder).with_name(named(path.stem))
            template = filler.get_template(path.relative_to(_TEMPLATES / "tasks").as_posix())
            if name.stem == "task":
                for plan in plans:
                    texts[side][str(name.with_stem(plan["id"]))] = template.render(values, task=plan)
            else:
                texts[side][str(name)] = template.render(values)
    return texts


def _plan(task: str, number: int, count: int) -> dict[str, object]:
    """What the templates say about one task: its share of 100 points, and what it computes."""
    factor = number + 2  # how often its function takes the mean off
    points = 100 // count + (number < 100 % count)
    public = max(1, points // 4)
    return {
        "id": task,
        "title": task.replace("_", " ").capitalize(),
        "points": points,
        "public": public,
        "hidden": points - public,
        "factor": factor,
        "by_hand": [[float(x - factor * mean) for x, mean in ((a, 2), (b, 20))] for a, b in ((1, 10), (3, 30))],
    }


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path
