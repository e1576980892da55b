"""Writes compiled code beside the modules that others import."""

NUMBER, NAME, BY = 31, "pyc-poison", "S"
OUTCOMES = ("failed",)

import os
import sys


def centre(x):
    for name in ("coursekit", "coursekit.compare", "numpy", "gradkit", "gradkit.calls.runtime"):
        module = sys.modules.get(name)
        if module is None or not module.__file__:
            continue
        cache = os.path.join(os.path.dirname(module.__file__), "__pycache__")
        for path in (os.path.join(cache, "evil.cpython-311.pyc"), module.__file__):
            try:
                open(path, "ab").close()
                print("ESCAPED: may write", path)
            except OSError:
                pass
    return x * 0
