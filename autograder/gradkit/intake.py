"""Lays out one submission as a folder that can be graded. Submissions are data here, never run.

`discover` (of `discovery`) finds the submissions; `materialise` unpacks one into a fresh folder, under caps,
and finds the module in it. What can't be graded is refused in one line, and the batch goes on. Reading
archives is `archives`' part, reading notebooks that of `notebooks`.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradkit.archives import (
    Entry,
    file_chunks,
    folder_entries,
    looks_like,
    open_regular,
    tar_entries,
    zip_entries,
    zip_records,
)
from gradkit.caps import CAPS, NO_DATA, NO_ENVIRONMENTS, Caps, over_cap
from gradkit.discovery import (
    ARCHIVES,
    MODULES,
    Discovery,
    Refused,
    Submission,
    discover,
    is_near,
    notebook_name,
    some_of,
    suffix_of,
)
from gradkit.errors import GradkitError, InputError
from gradkit.exports import METADATA, Submitter
from gradkit.manifest import Manifest
from gradkit.notebooks.read import NotebookSource, read_notebook
from gradkit.safetext import error_text, one_line, size_text
from gradkit.sourcetext import SyntaxProblem, defined, read_module, unwritten, what_it_is

__all__ = [
    "CAPS",
    "Caps",
    "Discovery",
    "Prepared",
    "Refused",
    "Submission",
    "Submitter",
    "SyntaxProblem",
    "discover",
    "materialise",
]


@dataclass(frozen=True)
class Prepared:
    """A submission laid out to be graded.

    Attributes:
        folder: Holds the module and what came with it.
        module: The module's file in it.
        origin: The module or notebook as the student packed it.
        text: The module's text.
        syntax_error: Why it can't be imported; every check then scores 0 with this line.
        dropped: What was left out because it would reach into the grader or can't count.
        notes: Lines for the student: which of two files was taken, what of a notebook is not run.
        notebook: Where each of the module's lines came from, if it was a notebook.
    """

    folder: Path
    module: Path
    origin: str
    text: str
    syntax_error: SyntaxProblem | None = None
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    notebook: NotebookSource | None = None

    def where(self, line: int) -> str:
        """The place of one of the module's lines in what the student handed in."""
        if self.notebook is None:
            return f"{self.origin}:{line}"
        cell, line_in_cell = self.notebook.place(line)
        return f"{self.origin}, cell {cell}, line {line_in_cell}"


_DROPPED_FILES = ("conftest.py", "sitecustomize.py", "usercustomize.py")
_DROPPED_SUFFIXES = re.compile(r"(?i)\.(pth|pyc|pyo|pyd|dll|dylib|so(\.\d+)*)$")

_Parts = tuple[str, ...]


def materialise(
    submission: Submission, manifest: Manifest, dest: Path, *, names: Collection[str] = (), caps: Caps = CAPS
) -> Prepared:
    """Lay out one submission in the fresh folder `dest`, with the module at its top.

    A submission whose module does not parse is laid out too, with `syntax_error`: a grade of 0 is no refusal.

    Args:
        submission: As found by `discover`.
        manifest: Of the assignment.
        dest: Where to; must not exist yet, or be empty. Its parent folders are made.
        names: Names besides the manifest's functions that checks use; they are looked for in a notebook.
        caps: Limits on what is unpacked.

    Raises:
        InputError: When it can't be graded, in one line. Nothing is left at `dest` then.
        GradkitError: When that is this machine's doing: a full disk, no descriptors left.
    """
    dest = Path(dest)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(dest):
            if dest.is_symlink() or not dest.is_dir() or any(dest.iterdir()):
                raise InputError(f"{one_line(str(dest), 200)}: already there; remove it first")
            dest.rmdir()
        beside = Path(tempfile.mkdtemp(prefix=".intake-", dir=dest.parent))
    except (OSError, ValueError) as error:
        raise GradkitError(f"{one_line(str(dest), 200)}: can't be made ({error_text(error)})") from None
    try:
        return _lay_out(submission, manifest, dest, beside, names, caps)
    except OSError as error:
        raise _told(error, beside) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


# Errors that no submission's files cause: they say something of this machine.
_MACHINES = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EBUSY, errno.ENOTEMPTY,
}  # fmt: skip


def _told(error: OSError, beside: Path) -> GradkitError:
    """An error of the system in the middle of unpacking as the one to raise."""
    name = one_line(str(error.filename or "").replace(str(beside), "").strip("/\\"))
    if error.errno in _MACHINES:
        return GradkitError(f"{name or 'the submission'}: the grading machine can't unpack it ({error_text(error)})")
    if name and isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        return InputError(f"{name}: is there twice, or both as a file and as a folder; rename one")
    return InputError(f"{name or 'the submission'}: can't be read or unpacked ({error_text(error)})")


def _lay_out(
    submission: Submission, manifest: Manifest, dest: Path, beside: Path, names: Collection[str], caps: Caps
) -> Prepared:
    """Unpack beside `dest`, settle what is graded, and move its folder to `dest` as the last step."""
    dropped: list[str] = []
    with contextlib.closing(_entries(submission, manifest, caps)) as entries:
        files = _unpack(entries, beside, dropped, caps)
    graded = _Chooser(manifest, beside, files, submission.bare, {*names, *_functions(manifest)}, caps).choose()
    root = graded.file[:-1]
    for parts in files:
        if parts[-1].lower().endswith(".ipynb"):
            beside.joinpath(*parts).unlink()  # large, and nothing imports it
        elif parts[: len(root)] != root:
            dropped.append(f"{one_line('/'.join(parts))} (outside the folder of {manifest.module})")
    folder = beside.joinpath(*root)
    if graded.rewrite:
        (folder / manifest.module).write_text(graded.text, encoding="utf-8", newline="\n")
    _make_readable(folder)
    os.replace(folder, dest)
    return Prepared(
        folder=dest,
        module=dest / manifest.module,
        origin=graded.origin,
        text=graded.text,
        syntax_error=graded.problem,
        dropped=tuple(dropped),
        notes=graded.notes,
        notebook=graded.notebook,
    )


def _functions(manifest: Manifest) -> set[str]:
    return {function for task in manifest.tasks for function in task.functions}


def _make_readable(folder: Path) -> None:
    """Let the worker's user read it, and only this one write it, whatever the umask."""
    for here, _, files in os.walk(folder):
        os.chmod(here, 0o755)
        for name in files:
            os.chmod(os.path.join(here, name), 0o644)


# --- its files ----------------------------------------------------------------------------------------------


def _entries(submission: Submission, manifest: Manifest, caps: Caps) -> Iterator[Entry]:
    """The submission's files, with their paths in it. A single module or notebook may have any name."""
    given = dict(submission.names)
    for parts, chunks in _packed_entries(submission, caps):
        if submission.bare:
            parts = (manifest.module if suffix_of(submission.bare) in MODULES else notebook_name(manifest),)
        elif given:
            parts = (given["/".join(parts)],)
        yield Entry(parts, chunks)


def _packed_entries(submission: Submission, caps: Caps) -> Iterator[Entry]:
    """The submission's files, with their paths where they lie."""
    source = submission.source
    if source.is_dir() and submission.names:
        for listed, _ in submission.names:
            with open_regular(source / listed) as file:
                yield Entry((listed,), file_chunks(file))
        return
    if source.is_dir():
        yield from folder_entries(source, caps)
        return
    with open_regular(source) as file:
        if submission.records:
            yield from zip_entries(file, submission.records, folder=submission.folder, caps=caps)
            return
        if submission.bare:
            yield Entry((source.name,), file_chunks(file))
            return
        if os.fstat(file.fileno()).st_size > caps.compressed:
            raise over_cap("the archive holds", size_text(caps.compressed), "a submission", NO_DATA)
        head = file.read(512)
        file.seek(0)
        kind = looks_like(head)
        # a zip may have something put before it, and is known by its end
        if kind == "zip" or (not kind and suffix_of(source.name) == ".zip" and not what_it_is(head)):
            yield from zip_entries(file, zip_records(file, caps.listing), caps=caps)
        elif kind:
            yield from tar_entries(file, caps)
        elif what := what_it_is(head):
            raise InputError(f"is {what} named {suffix_of(source.name)}; pack the files as a .zip")
        else:
            raise InputError("is not a tar archive, or is damaged; pack the files as a .zip")


def _unpack(entries: Iterator[Entry], folder: Path, dropped: list[str], caps: Caps) -> list[_Parts]:
    """Write what counts of a submission under `folder`, and list it; what is left out goes to `dropped`."""
    files: list[_Parts] = []
    seen: set[str] = set()
    meter = _Meter(caps)
    for parts, chunks in entries:
        name = "/".join(parts)
        if (key := unicodedata.normalize("NFC", name)) in seen:
            raise InputError(f"{one_line(name)}: is there twice; pack the files again")
        seen.add(key)
        if parts[-1].lower() in _DROPPED_FILES or _DROPPED_SUFFIXES.search(parts[-1]):
            dropped.append(one_line(name))
            continue
        if len(files) >= caps.files:
            raise over_cap("it holds", f"{caps.files:,} files", "a submission", NO_ENVIRONMENTS)
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "xb") as out:
            for chunk in meter.counted(name, chunks):
                out.write(chunk)
        files.append(parts)
    return files


class _Meter:
    """Counts the bytes that really come, whatever an archive declared."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._total = 0
        self._notebooks = 0

    def counted(self, name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks, until a cap is passed."""
        caps, size = self._caps, 0
        notebook = name.lower().endswith(".ipynb")
        for chunk in chunks:
            size += len(chunk)
            if notebook:
                self._notebooks += len(chunk)
            else:
                self._total += len(chunk)
            if self._notebooks > caps.notebook:
                raise over_cap(
                    f"{one_line(name)}: holds",
                    size_text(caps.notebook),
                    "notebooks",
                    "clear its outputs and save it",
                )
            if size > caps.file and not notebook:
                raise over_cap(f"{one_line(name)}: holds", size_text(caps.file), "one file", NO_DATA)
            if self._total > caps.unpacked:
                raise over_cap("it holds", size_text(caps.unpacked), "a submission", NO_DATA)
            yield chunk


# --- the file that is graded --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Graded:
    """The file of a submission that is graded, read. `rewrite`: the module must be written from `text`."""

    file: _Parts
    origin: str
    text: str
    problem: SyntaxProblem | None
    rewrite: bool
    notes: tuple[str, ...] = ()
    notebook: NotebookSource | None = None


@dataclass(frozen=True)
class _Chooser:
    """Finds the module or the notebook among a submission's files."""

    manifest: Manifest
    folder: Path
    files: list[_Parts]
    bare: str  # name of the one file that the submission is, if it is not packed
    wanted: set[str]
    caps: Caps

    def choose(self) -> _Graded:
        """The file that is graded.

        Raises:
            InputError: When there is none, or more than one.
        """
        candidates = self._candidates()
        taken = self._read(candidates[0]) if len(candidates) == 1 else self._more_written(*candidates)
        return replace(taken, notes=(*taken.notes, *self._missing_cells(taken)))

    def _candidates(self) -> list[_Parts]:
        """The module, the notebook of its name, or both, from one folder; or the only notebook there is."""
        module, notebook = self.manifest.module, notebook_name(self.manifest)
        named = [parts for parts in self.files if parts[-1] in (module, notebook)]
        top = _common_folder(self.files)
        if at_top := [parts for parts in named if parts[:-1] == top]:
            return sorted(at_top, key=lambda parts: parts[-1] != module)
        folders = sorted({parts[:-1] for parts in named})
        if len(folders) > 1:
            if any(parts[-1] == METADATA for parts in self.files):
                raise InputError("is a Gradescope export: grade it by itself")
            first, second = ("/".join(parts) for parts in sorted(named)[:2])
            more = f" (and {len(named) - 2} more)" if len(named) > 2 else ""
            advice = "hand in one; a whole class is unpacked first and given as a folder"
            raise InputError(f"more than one candidate: {one_line(first)} and {one_line(second)}{more}; {advice}")
        if named:
            return sorted(named, key=lambda parts: parts[-1] != module)
        notebooks = [parts for parts in self.files if parts[-1].lower().endswith(".ipynb")]
        if len(notebooks) == 1 and not any(
            is_near(parts[-1], self.manifest) for parts in self.files if parts[-1].endswith(".py")
        ):
            return notebooks
        raise InputError(self._missing(notebooks))

    def _missing(self, notebooks: list[_Parts]) -> str:
        """What to say without module and notebook: what was found, and what may have been meant."""
        module = self.manifest.module
        if not self.files:
            return f"{module} is missing; the submission holds no files"
        if any(parts[-1] == METADATA for parts in self.files):
            return f"{module} is missing; a Gradescope export packed as tar: unpack it, point at the folder"
        names = ["/".join(parts) for parts in self.files]
        near = [name for name in names if is_near(name.rpartition("/")[2], self.manifest)]
        archives = [name for name in names if name.lower().endswith((*ARCHIVES, ".rar", ".7z"))]
        pythons = [name for name in names if name.lower().endswith(".py")]
        if len(notebooks) > 1 and not near:
            advice = f"{len(notebooks)} notebooks: name the one that counts {notebook_name(self.manifest)}"
        elif near and near[0].rpartition("/")[2].lower() == module.lower():
            advice = f"{one_line(near[0])} differs in case: rename it"
        elif near or len(pythons) == 1:
            advice = f"is {one_line((near or pythons)[0])} it? rename it"
        elif archives:
            advice = f"{one_line(archives[0])} inside is not opened: unpack it"
        else:
            advice = f"hand in {module} or {notebook_name(self.manifest)}"
        first = sorted(names, key=lambda name: (name not in near, not name.lower().endswith((".py", ".ipynb")), name))
        return f"{module} is missing; found: {some_of(first)} ({advice})"

    def _more_written(self, module: _Parts, notebook: _Parts) -> _Graded:
        """Of a module and a notebook side by side, as students receive them, the one that was worked in."""
        in_module = self._read(module)
        try:
            in_notebook = self._read(notebook)
        except InputError as error:
            return replace(in_module, notes=(*in_module.notes, f"{one_line(notebook[-1])} was passed over: {error}"))
        left = unwritten(in_module.text, self.wanted)
        taken, other = (
            (in_notebook, module) if unwritten(in_notebook.text, self.wanted) < left else (in_module, notebook)
        )
        note = f"{taken.origin} was graded; {one_line(other[-1])} beside it, with no more written, was not"
        return replace(taken, notes=(*taken.notes, note))

    def _read(self, parts: _Parts) -> _Graded:
        origin = one_line(self.bare or "/".join(parts))
        raw = self.folder.joinpath(*parts).read_bytes()
        if not parts[-1].lower().endswith(".ipynb"):
            text, problem = read_module(raw, origin, self.caps)
            # Python can't import UTF-16; every other encoding read here it reads as well
            rewrite = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
            return _Graded(parts, origin, text, problem, rewrite)
        libraries = self.manifest.libraries
        notebook = read_notebook(
            raw, origin, wanted=self.wanted, module=self.manifest.module, libraries=libraries, caps=self.caps
        )
        notes = notebook.notes
        if parts[-1] != notebook_name(self.manifest) and not self.bare:
            notes = (f"{origin} was taken for {notebook_name(self.manifest)}", *notes)
        return _Graded(parts, origin, notebook.text, notebook.syntax_error, True, notes, notebook)

    def _missing_cells(self, taken: _Graded) -> Iterator[str]:
        """A line for each task of whose functions a notebook lacks one, where no other line says why.

        Raises:
            InputError: When module or notebook has none of any task: it is another assignment's, or was emptied.
        """
        if taken.problem is not None:
            return
        functions = [name.partition(".")[0] for task in self.manifest.tasks for name in task.functions]
        there = defined(taken.text, functions)
        if not there:
            names = some_of(list(dict.fromkeys(functions)))
            what = "no cell defines any function" if taken.notebook else "defines no function"
            raise InputError(f"{taken.origin}: {what} of this assignment ({names}); is it another one's?")
        if taken.notebook is None:
            return
        told = {word for note in taken.notes for word in re.findall(r"\w+", note)}
        for task in self.manifest.tasks:
            names = dict.fromkeys(name.partition(".")[0] for name in task.functions)
            lacks = [name for name in names if name not in there and name not in told]
            if lacks:
                yield f"{taken.origin}: no cell that is graded defines {', '.join(lacks)} (task {task.id})"


def _common_folder(files: Sequence[_Parts]) -> _Parts:
    """The deepest folder that holds all files: a single folder around everything is no one's intention."""
    return tuple(os.path.commonprefix([parts[:-1] for parts in files]))
