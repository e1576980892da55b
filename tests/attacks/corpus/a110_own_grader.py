"""Puts a grader of its own where Python looks, in the folder, in sys.path and in sys.modules."""

NUMBER, NAME, BY = 110, "own-grader", "C"
OUTCOMES = ("failed",)

import pathlib
import sys
import types


def centre(x):
    for name in ("gradkit", "coursekit", "pytest", "conftest", "sitecustomize"):
        folder = pathlib.Path(name)
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("def compare(*args, **kwargs): return None\n")
        sys.modules[f"{name}.compare"] = types.ModuleType(f"{name}.compare")
    sys.path.insert(0, ".")
    return x * 0
