"""Loads staff's modules for tests of what they say: references, and figures, which students have too."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def reference(id: str) -> types.ModuleType:
    """The reference of an assignment, under a name that no submission has."""
    return _load(ROOT / "solutions" / id / f"{id}.py", f"{id}_reference")


def figures(id: str) -> types.ModuleType:
    """The module that draws an assignment's figures. It leaves `sys.path` as it was."""
    path = sys.path.copy()
    try:
        return _load(ROOT / "assignments" / id / "figures.py", f"{id}_figures")
    finally:
        sys.path[:] = path


def _load(path: Path, name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and figures look their module up by name
    spec.loader.exec_module(module)
    return module
