"""Leaves modules called numpy and torch where it runs."""

NUMBER, NAME, BY = 29, "shadow-module", "C"
OUTCOMES = ("failed",)

import importlib
import sys

for name in ("numpy", "torch", "json", "coursekit"):
    with open(f"{name}.py", "w") as file:
        file.write("print('ESCAPED: a shadow was imported')\n")


def centre(x):
    for name in ("json",):
        sys.modules.pop(name, None)
        importlib.import_module(name)
    return x * 0
