"""The house keeps its shape: imports point one way, and only the command line prints."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = ROOT / "autograder" / "gradkit"


def order() -> list[str]:
    """All modules as the architecture's map has them, dotted: `judge.engine`."""
    text = (ROOT / "autograder" / "README.md").read_text(encoding="utf-8")
    found: list[str] = []
    for where, what in re.findall(r"^\| (`[^|]*?) \| ([^|]*) \|", text, re.MULTILINE):
        for name in re.findall(r"`([\w/]+/|[\w/]+\.py)`", where):
            if name.endswith("/"):
                found += [f"{name[:-1]}.{module}" for module in re.findall(r"`(\w+)`", what)]
            else:
                found.append(name.removesuffix(".py").replace("/", "."))
    return found


ORDER = order()
MODULES = {
    ".".join(path.relative_to(ENGINE).with_suffix("").parts): path
    for path in sorted(ENGINE.rglob("*.py"))
    if "templates" not in path.parts and path.name != "__init__.py"
}


def imported(path: Path) -> set[str]:
    """Modules that a file imports when it runs, dotted; relative imports are written out nowhere in the engine."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_map_names_every_module_once():
    """A newcomer finds each file in the table of autograder/README.md."""
    assert sorted(ORDER) == sorted(MODULES)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_the_map_has_before_it(name):
    """No circle, and no layer that looks up: also inside packages, and also where an import waits in a function."""
    before = set(ORDER[: ORDER.index(name)])
    for module in imported(MODULES[name]):
        dotted = module.removeprefix("gradkit.")
        known = [part for part in (dotted, dotted.rpartition(".")[0]) if part in MODULES]
        if module.startswith("gradkit.") and known:
            assert known[0] in before, f"{name} imports {known[0]}, which the map names after it"


@pytest.mark.parametrize("path", sorted((ROOT / "shared" / "coursekit").rglob("*.py")), ids=lambda path: path.name)
def test_coursekit_never_imports_the_engine(path):
    """Students have coursekit alone."""
    assert not any(module.split(".")[0] == "gradkit" for module in imported(path))


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_only_the_command_line_prints(path):
    """Everything else returns or raises."""
    if path.parent.name == "cli" or "templates" in path.parts:
        return
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def test_no_top_level_folder_is_a_package():
    """An `__init__.py` there would shadow installed packages such as `docker`."""
    for name in ("assignments", "solutions", "autograder", "shared", "tests", "docker"):
        assert not (ROOT / name / "__init__.py").exists()
