"""The house keeps its shape: imports point one way, and only one module prints."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ENGINE = ROOT / "autograder" / "gradkit"

LAYERS = [
    {"errors", "model"},
    {"manifest", "markers", "protocol", "lint", "archives", "exports", "sourcetext"},
    {"mistakes", "stubs", "notebooks", "discovery", "intake", "results"},
    {"uploads", "devices"},
    {"worker"},
    {"judge"},
    {"grading", "batch", "cluster", "merge", "verify", "bundle", "scaffold", "examine", "doctor", "gradescope", "gradebook", "report"},
    {"cli", "__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported(path: Path) -> set[str]:
    """Modules that a file imports, dotted."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def part(module: str) -> str:
    """`judge` for `gradkit.judge.engine.Judge`."""
    return module.split(".")[1]


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_imports_point_up(path):
    """A module imports from its own layer or from those before it."""
    relative = path.relative_to(ENGINE)
    if relative.parts[0] in ("templates", "__init__.py"):
        return
    own = relative.parts[0].removesuffix(".py")
    for module in imported(path):
        if module.startswith("gradkit.") and part(module) in LEVEL:
            assert LEVEL[part(module)] <= LEVEL[own], f"{relative} imports {module}"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "shared" / "coursekit").glob("*.py")), ids=lambda path: path.name
)
def test_coursekit_never_imports_the_engine(path):
    """Students have coursekit alone."""
    assert not any(module.split(".")[0] == "gradkit" for module in imported(path))


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE)))
def test_only_the_command_line_prints(path):
    """Everything else returns or raises."""
    if path.name == "cli.py" or "templates" in path.parts:
        return
    calls = [
        node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
    ]
    assert not any(isinstance(call.func, ast.Name) and call.func.id == "print" for call in calls)


def test_no_top_level_folder_is_a_package():
    """An `__init__.py` there would shadow installed packages such as `docker`."""
    for name in ("assignments", "solutions", "autograder", "shared", "tests", "docker"):
        assert not (ROOT / name / "__init__.py").exists()
