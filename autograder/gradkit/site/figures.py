"""An assignment's figures, drawn from its reference in a process of their own, and kept until something that they show changes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import coursekit

from gradkit.errors import GradkitError
from gradkit.files import remove_tree
from gradkit.manifest import Assignment

LIMIT_S = 300
_DREW = re.compile(r"^drew .*?(?P<name>\w+)\.svg and \.png: (?P<caption>.*)$", re.MULTILINE)
_CAPTIONS = "captions.txt"


@dataclass(frozen=True)
class Figure:
    """A picture, and what it shows."""

    name: str
    caption: str
    path: Path


def draw_figures(assignment: Assignment, cache: Path) -> list[Figure]:
    """The figures of an assignment, in order; none where it has none.

    Args:
        assignment: Whose.
        cache: Keeps them from one time to the next.

    Raises:
        GradkitError: When the script fails or draws nothing, with its last line.
    """
    script = assignment.public / "figures.py"
    if not script.is_file():
        return []
    folder = cache / f"{assignment.id}-{_digest(script, assignment.reference)}"
    if not (folder / _CAPTIONS).is_file():
        for old in cache.glob(f"{assignment.id}-*"):
            remove_tree(old)
        folder.mkdir(parents=True)
        captions = _draw(assignment, script, folder)
        (folder / _CAPTIONS).write_text(captions, encoding="utf-8")
    drawn = (folder / _CAPTIONS).read_text(encoding="utf-8")
    return [Figure(one["name"], one["caption"], folder / f"{one['name']}.png") for one in _DREW.finditer(drawn)]


def _draw(assignment: Assignment, script: Path, folder: Path) -> str:
    path = os.pathsep.join([str(Path(coursekit.__file__).parent.parent), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(script), "--module", str(assignment.reference), "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        raise GradkitError(f"{script}: the figures were not drawn within {LIMIT_S} s") from None
    if done.returncode or not _DREW.search(done.stdout):
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise GradkitError(f"{script}: drew nothing from the reference: {said[-1][:300]}")
    return done.stdout


def _digest(script: Path, reference: Path) -> str:
    """Of all that a figure shows: the script, the reference, and coursekit, which draws."""
    total = hashlib.blake2b(digest_size=8)
    for path in (script, reference, *sorted(Path(coursekit.__file__).parent.rglob("*.py"))):
        total.update(path.read_bytes() + b"\0")
    return total.hexdigest()
