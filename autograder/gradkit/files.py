"""Removes what a submission may have left, however it was built."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder and everything in it.

    Python's own removal recurses, and a submission may nest folders deeper than that goes or than a path can name; then
    `rm` does it, which knows no such limits.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and shutil.which("rm"):
        subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True)
