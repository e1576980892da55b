"""Folders: removing what a submission may have left, however it was built; and writing a new one, whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gradkit.errors import InputError


def remove_tree(folder: Path) -> None:
    """Remove a folder and everything in it.

    Python's own removal recurses, and a submission may nest folders deeper than that goes or than a path can name; then
    `rm` does it, which knows no such limits.
    """
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and shutil.which("rm"):
        subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True)


@contextlib.contextmanager
def fresh(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to fill; it is gone afterwards, whatever `pack` did not move.

    Raises:
        InputError: When `out` is there already, or can't be written.
    """
    if out.exists():
        raise InputError(f"{out} is there already: remove it, or choose another --out")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}") from None
    try:
        folder = beside / out.stem
        folder.mkdir()
        yield folder
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def pack(folder: Path, out: Path, *, inside: bool = True) -> list[Path]:
    """Make `out` of a filled folder: a zip, its files inside a folder of its name or not, or the folder itself."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if out.suffix == ".zip":
        packed = folder.parent / out.name
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder.parent if inside else folder))
        packed.replace(out)
    else:
        folder.chmod(0o755)
        folder.replace(out)
    return files
