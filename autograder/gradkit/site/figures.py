"""An assignment's figures, drawn from its reference in a process of their own, and kept until something that they show changes."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import coursekit
from PIL import Image

from gradkit.errors import GradkitError
from gradkit.files import remove_tree
from gradkit.manifest import Assignment
from gradkit.safetext import one_line

LIMIT_S = 300
_DREW = re.compile(r"^drew .*?(?P<name>[\w-]+)\.svg and \.png(?P<waits> \(without .*?\))?: (?P<caption>.*)$")
_MISSED = re.compile(r"^(failed|skipped|nothing to draw)\b")
_CAPTIONS = "captions.txt"
_DRAWN_WITH = ("numpy", "torch", "matplotlib")


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
        cache: Keeps them from one time to the next: a folder for each assignment and state.

    Raises:
        GradkitError: When one can't be drawn, with what its script says of it.
    """
    script = assignment.public / "figures.py"
    if not script.is_file():
        return []
    folder = cache.absolute() / f"{assignment.id}-{_digest(script, assignment.reference)}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".new.", dir=cache)).absolute()
        try:
            captions = _draw(assignment, script, beside)
            for picture in beside.glob("*.png"):
                picture.write_bytes(_small(picture.read_bytes()))
            (beside / _CAPTIONS).write_text(captions, encoding="utf-8")
            for old in [*beside.glob("*.svg"), *cache.glob(f"{assignment.id}-*")]:
                old.unlink() if old.is_file() else remove_tree(old)
            beside.rename(folder)
        finally:
            remove_tree(beside)
    lines = (folder / _CAPTIONS).read_text(encoding="utf-8").splitlines()
    drawn = [match for line in lines if (match := _DREW.match(line))]
    return [Figure(one["name"], one["caption"], folder / f"{one['name']}.png") for one in drawn]


def _draw(assignment: Assignment, script: Path, folder: Path) -> str:
    """Draw into a folder; what the script printed."""
    path = os.pathsep.join(filter(None, [str(Path(coursekit.__file__).parent.parent), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, str(script.absolute()), "--module", str(assignment.reference.absolute())]
    environment = {**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            [*command, "--out", str(folder)],
            env=environment,
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        raise GradkitError(f"{script}: the figures were not drawn within {LIMIT_S} s") from None
    lines = done.stdout.splitlines()
    drawn = [match for line in lines if (match := _DREW.match(line))]
    missed = [line for line in lines if _MISSED.match(line)] + [one[0] for one in drawn if one["waits"]]
    if missed or done.returncode or not drawn:
        said = missed or (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it said nothing"]
        more = f" (and {len(missed) - 1} more)" if len(missed) > 1 else ""
        raise GradkitError(f"{script}: the reference's figures can't be drawn: {one_line(said[0], 300)}{more}")
    if lost := [one["name"] for one in drawn if not (folder / f"{one['name']}.png").is_file()]:
        raise GradkitError(f"{script}: said that it drew {lost[0]}, and there is no {lost[0]}.png")
    return done.stdout


def _small(picture: bytes) -> bytes:
    """The same picture in a third of the bytes: 256 colors are more than a figure has, blends at edges apart."""
    with Image.open(io.BytesIO(picture)) as image:
        packed = io.BytesIO()
        few = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(packed, "PNG", optimize=True)
    return min(packed.getvalue(), picture, key=len)


def _digest(script: Path, reference: Path) -> str:
    """Of all that a figure shows: the script, the reference, coursekit, which draws, and the libraries."""
    total = hashlib.blake2b(digest_size=8)
    total.update(repr([importlib.metadata.version(name) for name in _DRAWN_WITH]).encode())
    kit = Path(coursekit.__file__).parent
    for path in (script, reference, *sorted([*kit.rglob("*.py"), *(kit / "data").iterdir()])):
        total.update(path.read_bytes() + b"\0")
    return total.hexdigest()
