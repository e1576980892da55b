"""Folders: removing what a submission may have left, however it was built; and writing one, whole or not at all."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gradkit.errors import InputError

_HEAD = 4096  # bytes of a page within which its generator stands


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


def generator(kind: str) -> str:
    """What pages of a kind, such as "report", name as their generator; `replaced` knows them by it."""
    return f'<meta name="generator" content="gradkit {kind}">'


@contextlib.contextmanager
def replaced(out: Path, kind: str) -> Iterator[Path]:
    """A new folder to fill with pages, which then takes the place of an earlier one at `out`.

    Args:
        out: Not there yet, an empty folder, or one that holds pages of this kind and nothing else.
        kind: Of the pages: "report" or "gallery". Each of them has `generator(kind)` in its head.

    Raises:
        InputError: When there is something else at `out`, or it can't be written. What was there is left as it was.
    """
    out = out.resolve()  # a link stays one
    try:
        if out.exists() and (foreign := _foreign(out, generator(kind).encode())) is not None:
            what = (
                f"{out} is there already and is not a {kind}"
                if foreign == out
                else f"{foreign} is not part of a {kind}"
            )
            raise InputError(f"{what}: choose another --out")
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}; choose another --out") from None
    try:
        new = beside / "new"
        new.mkdir()
        yield new
        with contextlib.suppress(FileNotFoundError):
            out.rename(beside / "old")
        try:
            new.rename(out)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                (beside / "old").rename(out)
            raise
    except OSError as error:
        raise InputError(f"{out}: can't be written: {error.strerror}; choose another --out") from None
    finally:
        remove_tree(beside)


def _foreign(out: Path, mark: bytes) -> Path | None:
    """A file that is no page with this mark; `out` itself where it is no folder or none of its files is one."""
    if not out.is_dir():
        return out
    files = sorted(path for path in out.rglob("*") if path.is_symlink() or not path.is_dir())
    others = [path for path in files if not _has(path, mark)]
    return None if not others else out if len(others) == len(files) else others[0]


def _has(path: Path, mark: bytes) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return mark in file.read(_HEAD)


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
