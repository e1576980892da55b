"""Compiles a submission beside its checks, so that not every worker does it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_COMPILE = """
import py_compile, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
py_compile.compile(sys.argv[1], invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, quiet=2)
"""


class Bytecode:
    """Leaves a submission's bytecode beside it, where Python looks.

    Only compiled, not run, in a process of its own with limits: a kilobyte of source can compile to gigabytes. Workers
    can't write there. What can't be compiled fails in the worker, with its message.

    Args:
        module: The submission's file.
    """

    def __init__(self, module: Path) -> None:
        self._module = module
        self._process: subprocess.Popen | None = None

    def begin(self) -> None:
        """Start compiling, once. A submission that needs one worker only does without."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _COMPILE, str(self._module)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End it: nothing may write into the submission's folder any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
