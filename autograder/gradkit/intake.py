"""From whatever an instructor points at to folders that can be graded. Submissions are data here, never run.

`discover` finds the submissions and gives each a name of its own; `materialise` unpacks one of them into a fresh
folder, under caps, and finds the module in it. What can't be graded is refused in one line, and the batch goes on.
Reading archives is `archives`' part, reading notebooks that of `notebooks`.
"""

from __future__ import annotations

import ast
import codecs
import contextlib
import difflib
import os
import re
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from gradkit.archives import (
    CAPS,
    Caps,
    Entry,
    Record,
    Span,
    file_chunks,
    is_noise,
    looks_like,
    over_cap,
    read_member,
    safe_parts,
    shown,
    size_text,
    tar_entries,
    too_many_entries,
    zip_directory,
    zip_entries,
    zip_records,
)
from gradkit.errors import InputError
from gradkit.exports import METADATA, ChunkReader, Submitter, Who, read_metadata
from gradkit.manifest import Manifest
from gradkit.notebooks import NotebookSource, read_notebook
from gradkit.sourcetext import SyntaxProblem, read_module, what_it_is

TAKEN_NAMES = ("report", "grades.csv", "run.json")  # what a batch writes beside its submissions' folders

_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip", ".py", ".ipynb")
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_KEPT_BY_STAFF = (".csv", ".tsv", ".xlsx", ".json", ".yml", ".yaml", ".toml", ".md", ".log", ".html")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Submission:
    """One submission, not yet opened.

    Attributes:
        name: Unique in the batch and fit for a file's name. It may begin with `=`: a CSV writer must guard that.
        source: The file, folder or archive that holds it.
        submitters: Who handed it in, where an export says so.
        created_at: When, as the export writes it.
        folder: For a submission of an export zip: its folder there, with a slash at the end.
        spans: And where the zip's directory lists its files, so that no one else's are looked at.
        shift: What was put before that zip.
    """

    name: str
    source: Path
    submitters: tuple[Submitter, ...] = ()
    created_at: str = ""
    folder: str = ""
    spans: tuple[Span, ...] = ()
    shift: int = 0


@dataclass(frozen=True)
class Refused:
    """A submission that can't be graded: a row of the table with one line saying why."""

    name: str
    reason: str
    submitters: tuple[Submitter, ...] = ()


@dataclass(frozen=True)
class Discovery:
    """What the arguments hold. `notes` are lines for whoever runs the batch: names told apart, what was passed over."""

    submissions: tuple[Submission, ...]
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()


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


# --- what the arguments hold ----------------------------------------------------------------------------------


def discover(paths: Sequence[Path], manifest: Manifest, *, caps: Caps = CAPS) -> Discovery:
    """Find the submissions that the arguments of a command stand for.

    An argument is a submission (a .py, an .ipynb, a .zip, a .tar.gz, or a folder that holds the module or a
    notebook), a folder of submissions, or a Gradescope export. Nothing but listings is read.

    Args:
        paths: As given on the command line.
        manifest: Of the assignment: its module's name tells a submission from a folder of submissions.
        caps: Limits on what is read.

    Raises:
        InputError: For no argument at all, or one that is not there.
    """
    if not paths:
        raise InputError("no submission given: name a .py, .ipynb, .zip or .tar.gz, a folder, or a Gradescope export")
    arguments = [_Argument.read(Path(path), manifest, caps) for path in _without_repeats(paths)]
    # A student's archive that looks like an export could hand in under the names of others, so an export is only
    # taken for one when it doesn't stand among single submissions
    mixed = any(one.export for one in arguments) and not all(one.export for one in arguments)
    items: list[Submission | Refused] = []
    notes: list[str] = []
    for argument in arguments:
        if argument.export and mixed:
            reason = f"holds a {METADATA}, as a Gradescope export does: grade an export by itself"
            items.append(Refused(_label(argument.path), reason))
        else:
            items += argument.items
            notes += argument.notes
    return _named(items, notes)


def _without_repeats(paths: Sequence[Path]) -> list[Path]:
    """The arguments with each file or folder once, in order."""
    seen: dict[str, Path] = {}
    for path in paths:
        seen.setdefault(os.path.abspath(path), path)
    return list(seen.values())


@dataclass(frozen=True)
class _Argument:
    path: Path
    items: list[Submission | Refused]
    notes: list[str]
    export: bool = False

    @classmethod
    def read(cls, path: Path, manifest: Manifest, caps: Caps) -> _Argument:
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError) as error:
            raise InputError(f"{shown(str(path), 200)}: {_reason(error)}; check the path") from None
        if stat.S_ISDIR(mode):
            return _folder_argument(path, manifest, caps)
        if stat.S_ISREG(mode) and _suffix(path.name) == ".zip" and (export := _zip_export(path, caps)):
            return export
        return cls(path, [_one(path)], [])


def _reason(error: Exception) -> str:
    return shown(getattr(error, "strerror", None) or str(error))


def _suffix(name: str) -> str:
    """Which of the suffixes of a submission `name` ends in, or empty."""
    return next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")


def _label(path: Path) -> str:
    """What a submission is called before names are made safe and unique: its folder's name or its file's stem."""
    name = path.name or path.resolve().name
    return name[: len(name) - len(_suffix(name))] if not path.is_dir() else name


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts submission_9 before submission_10."""
    pieces = re.split(r"(\d+)", name.lower(), flags=re.ASCII)
    return [(1, int(piece), "") if i % 2 and len(piece) < 30 else (0, 0, piece) for i, piece in enumerate(pieces)]


def _listing(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not is_noise((entry.name,))), key=lambda entry: (_natural(entry.name), entry.name))


def _folder_argument(path: Path, manifest: Manifest, caps: Caps) -> _Argument:
    """A folder is an export, one submission, one folder deeper, or a folder of submissions: tried in this order."""
    label = _label(path)
    try:
        entries = _listing(path)
    except OSError as error:
        return _Argument(path, [Refused(label, f"the folder can't be read ({_reason(error)})")], [])
    if not entries:
        return _Argument(path, [Refused(label, "the folder is empty")], [])
    folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    if METADATA in files:
        return _folder_export(path, folders, files, caps)
    if _is_one_submission(files, folders, manifest):
        return _Argument(path, [Submission(label, path)], [])
    if len(entries) == 1 and folders:
        inner = _folder_argument(path / folders[0], manifest, caps)
        if len(inner.items) == 1 and not inner.export:
            return _Argument(path, [replace(inner.items[0], name=label)], inner.notes)
        return inner
    if len(entries) == 1 and files and _suffix(files[0]) == ".zip":
        return _Argument.read(path / files[0], manifest, caps)
    left_out = [name for name in files if name.lower().endswith(_KEPT_BY_STAFF) or name.lower().startswith("readme")]
    items = [_one(path / entry.name) for entry in entries if entry.name not in left_out]
    notes = [f"{shown(str(path / name), 200)} is not a submission and was passed over" for name in left_out]
    if not items:
        return _Argument(path, [Refused(label, f"holds no submission, only {_some(left_out)}")], [])
    return _Argument(path, items, notes)


def _is_one_submission(files: Sequence[str], folders: Sequence[str], manifest: Manifest) -> bool:
    """Whether a folder with these entries is what one student handed in."""
    wanted = {manifest.module.lower(), _notebook_name(manifest).lower()}
    if any(name.lower() in wanted for name in files):
        return True
    if any(name.lower().endswith(_ARCHIVES) for name in files):
        return False
    notebooks = [name for name in files if name.lower().endswith(".ipynb")]
    modules = [name for name in files if name.lower().endswith(".py")]
    if len(notebooks) == 1 and not modules and not folders:
        return True
    return len([name for name in modules if _near(name, manifest)]) == 1


def _one(path: Path) -> Submission | Refused:
    """A single entry as a submission."""
    label = _label(path)
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            # inside a folder that students filled, a link could lead to the reference
            return Refused(label, "is a symbolic link; point at the file or folder itself")
        if stat.S_ISDIR(mode):
            entries = _listing(path)
            # Moodle puts each student's archive into a folder with the student's name
            if len(entries) == 1 and entries[0].is_file(follow_symlinks=False) and entries[0].name.lower().endswith(_ARCHIVES):
                return Submission(label, path / entries[0].name)
            return Submission(label, path)
    except OSError as error:
        return Refused(label, f"can't be read ({_reason(error)})")
    if not stat.S_ISREG(mode):
        return Refused(label, "is a device or a pipe, not a file")
    if not _suffix(path.name):
        return Refused(path.name, "is not a submission: hand in a .py, .ipynb, .zip or .tar.gz, or a folder")
    return Submission(label, path)


# --- Gradescope exports ---------------------------------------------------------------------------------------


def _folder_export(path: Path, folders: list[str], files: list[str], caps: Caps) -> _Argument:
    found = {name: Submission(name, path / name) for name in folders}
    try:
        with open_regular(path / METADATA) as file:
            known, problem = read_metadata(ChunkReader(file_chunks(file), caps.metadata))
    except InputError as error:
        known, problem = {}, str(error)
    return _export(path, found, [name for name in files if name != METADATA], known, problem)


def _zip_export(path: Path, caps: Caps) -> _Argument | None:
    """The submissions of a Gradescope export zip, or None for any other zip, and for one that can't be listed."""
    try:
        with open_regular(path) as file:
            directory = zip_directory(file)
            metadata = _find_metadata(file, directory.span, directory.shift)
            if metadata is None:
                return None
            root = metadata.name.replace("\\", "/")[: -len(METADATA)]
            spans, files = _spans_by_folder(file, directory.span, directory.shift, root)
            known, problem = read_metadata(ChunkReader(read_member(file, metadata), caps.metadata))
    except (InputError, OSError):
        return None  # it is told where the submission is opened
    found = {
        name: Submission(name, path, folder=f"{root}{name}/", spans=tuple(held), shift=directory.shift)
        for name, held in sorted(spans.items(), key=lambda pair: _natural(pair[0]))
        if not is_noise((name,))
    }
    return _export(path, found, [name for name in files if name != METADATA and not is_noise((name,))], known, problem)


def _find_metadata(file: BinaryIO, span: Span, shift: int) -> Record | None:
    """The metadata's entry: at the zip's root, else in its one folder that holds it."""
    nested: list[Record] = []
    for record in zip_records(file, span, shift):
        name = record.name.replace("\\", "/")
        if name == METADATA:
            return record
        if name.endswith("/" + METADATA) and name.count("/") == 1 and not is_noise(name.split("/")):
            nested.append(record)
    return nested[0] if len(nested) == 1 else None


def _spans_by_folder(file: BinaryIO, span: Span, shift: int, root: str) -> tuple[dict[str, list[Span]], list[str]]:
    """Where each folder under `root` is listed, neighbours joined: a zip lists a folder's files together."""
    spans: dict[str, list[Span]] = {}
    files: list[str] = []
    for record in zip_records(file, span, shift):
        name = record.name.replace("\\", "/")
        if not name.startswith(root):
            continue
        first, slash, _ = name[len(root) :].partition("/")
        if not slash:
            files.append(first)
            continue
        held = spans.setdefault(first, [])
        if held and held[-1].start + held[-1].length == record.span.start:
            held[-1] = Span(held[-1].start, held[-1].length + record.span.length)
        else:
            held.append(record.span)
    spans.pop("", None)
    return spans, [name for name in files if name]


def _export(path: Path, found: dict[str, Submission], files: list[str], known: dict[str, Who], problem: str) -> _Argument:
    """Folders and metadata of an export brought together; what stands in only one of them is told."""
    items: list[Submission | Refused] = []
    notes: list[str] = []
    if problem:
        notes.append(f"{METADATA}: {problem}; graded all the same, without all students' names")
    for name, submission in found.items():
        who = known.get(name)
        if who is None and not name.startswith("submission_"):
            notes.append(f"{shown(name)} in the export is not a submission and was passed over")
            continue
        if who is None and not problem:
            notes.append(f"{shown(name)} is not in {METADATA}; graded all the same, without a student's name")
        who = who or Who()
        items.append(replace(submission, submitters=who.submitters, created_at=who.created_at))
    for name, who in known.items():
        if name not in found:
            items.append(Refused(name, f"{METADATA} lists it, but the export has no such folder; export it again", who.submitters))
    loose = [name for name in files if name not in known]
    if loose:
        notes.append(f"files in the export outside of any submission were passed over: {_some(loose)}")
    notes.insert(0, f"{shown(path.name)} is a Gradescope export of {len(items):,} submissions")
    return _Argument(path, items, notes, export=True)


# --- names ----------------------------------------------------------------------------------------------------


def safe_name(raw: str) -> str:
    """`raw` as the name of a file: no separators, no control or direction characters, no leading dot or dash."""
    text = unicodedata.normalize("NFC", raw[:1000])
    text = "".join("_" if char in '/\\:*?"<>|' else char for char in text)
    text = "".join(" " if char.isspace() else char for char in text if char.isspace() or unicodedata.category(char)[0] != "C")
    text = re.sub(" +", " ", text).lstrip("-. ")[:_LONGEST_NAME]
    while len(text.encode()) > 200:
        text = text[:-1]
    text = text.rstrip(". ") or "submission"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", text):
        text = f"_{text}"
    return text


def _named(items: list[Submission | Refused], notes: list[str]) -> Discovery:
    """Give every item a name of its own. Names that differ in case alone count as one, as some disks have it."""
    taken: dict[str, str] = {name.casefold(): "the batch's own files" for name in TAKEN_NAMES}
    named: list[Submission | Refused] = []
    for item in items:
        wanted = name = safe_name(item.name)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted}~{number}"
        source = _source_text(item)
        if number > 1:
            notes.append(f"{shown(wanted)} is the name of {taken[wanted.casefold()]}; {source} is called {shown(name)}")
        elif name != item.name:
            notes.append(f"{source} is called {shown(name)}")
        taken[name.casefold()] = source
        named.append(replace(item, name=name))
    return Discovery(
        tuple(item for item in named if isinstance(item, Submission)),
        tuple(item for item in named if isinstance(item, Refused)),
        tuple(notes),
    )


def _source_text(item: Submission | Refused) -> str:
    if isinstance(item, Refused):
        return f"{shown(item.name)} (refused)"
    return shown(f"{item.source}/{item.folder}".rstrip("/"), 200)


# --- one submission -------------------------------------------------------------------------------------------

_DROPPED_FILES = ("conftest.py", "sitecustomize.py", "usercustomize.py")
_DROPPED_SUFFIXES = re.compile(r"(?i)\.(pth|pyc|pyo|pyd|dll|dylib|so(\.\d+)*)$")

_Parts = tuple[str, ...]


def materialise(
    submission: Submission, manifest: Manifest, dest: Path, *, names: Collection[str] = (), caps: Caps = CAPS
) -> Prepared:
    """Lay out one submission in the fresh folder `dest`, with the module at its top.

    A submission whose module does not parse is laid out too, with `syntax_error`: it is a grade of 0, no refusal.

    Args:
        submission: As found by `discover`.
        manifest: Of the assignment.
        dest: Where to; must not exist yet, or be empty. Its parent folders are made.
        names: Names besides the manifest's functions that checks use; they are looked for in a notebook.
        caps: Limits on what is unpacked.

    Raises:
        InputError: When it can't be graded, in one line. Nothing is left at `dest` then.
    """
    dest = Path(dest)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(dest):
            if dest.is_symlink() or not dest.is_dir() or any(dest.iterdir()):
                raise InputError(f"{shown(str(dest), 200)}: already there; remove it first")
            dest.rmdir()
        beside = Path(tempfile.mkdtemp(prefix=".intake-", dir=dest.parent))
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(str(dest), 200)}: can't be made ({_reason(error)})") from None
    try:
        return _lay_out(submission, manifest, dest, beside, names, caps)
    except OSError as error:
        raise InputError(_os_line(error, beside)) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _os_line(error: OSError, beside: Path) -> str:
    name = shown(str(error.filename or "").replace(str(beside), "").strip("/\\"))
    if name and isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
        return f"{name}: is there twice, or both as a file and as a folder; rename one"
    return f"{name or 'the submission'}: can't be read or unpacked ({_reason(error)})"


def _lay_out(
    submission: Submission, manifest: Manifest, dest: Path, beside: Path, names: Collection[str], caps: Caps
) -> Prepared:
    """Unpack beside `dest`, settle what is graded, and move its folder to `dest` as the last step."""
    dropped: list[str] = []
    with contextlib.closing(_entries(submission, manifest, caps)) as entries:
        files = _unpack(entries, beside, dropped, caps)
    bare = submission.source.name if _is_bare(submission) else ""
    graded = _Chooser(manifest, beside, files, bare, {*names, *_functions(manifest)}, caps).choose()
    root = graded.file[:-1]
    for parts in files:
        if parts[-1].lower().endswith(".ipynb"):
            beside.joinpath(*parts).unlink()  # large, and nothing imports it
        elif parts[: len(root)] != root:
            dropped.append(f"{shown('/'.join(parts))} (outside the folder of {manifest.module})")
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


def _notebook_name(manifest: Manifest) -> str:
    return f"{Path(manifest.module).stem}.ipynb"


def _make_readable(folder: Path) -> None:
    """Let the worker's user read it, and no one write it, whatever the umask."""
    for here, _, files in os.walk(folder):
        os.chmod(here, 0o755)
        for name in files:
            os.chmod(os.path.join(here, name), 0o644)


# --- its files ------------------------------------------------------------------------------------------------


def open_regular(path: Path) -> BinaryIO:
    """Open a file of the submission's for reading, following no link and waiting on no pipe.

    Raises:
        InputError: For anything but a regular file, and for one that can't be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise InputError(f"{shown(path.name)}: can't be read ({_reason(error)})") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{shown(path.name)}: not a regular file; hand in the file itself")
    return os.fdopen(descriptor, "rb")


def _is_bare(submission: Submission) -> bool:
    """Whether the submission is one .py or .ipynb, whatever its name."""
    return _suffix(submission.source.name) in (".py", ".ipynb") and not submission.source.is_dir()


def _entries(submission: Submission, manifest: Manifest, caps: Caps) -> Iterator[Entry]:
    """The submission's files, with their paths in it."""
    source = submission.source
    if source.is_dir():
        yield from _folder_entries(source, caps)
        return
    with open_regular(source) as file:
        if submission.spans:
            yield from zip_entries(file, submission.spans, submission.shift, folder=submission.folder, caps=caps)
            return
        if _is_bare(submission):
            name = manifest.module if _suffix(source.name) == ".py" else _notebook_name(manifest)
            yield Entry((name,), file_chunks(file))
            return
        if os.fstat(file.fileno()).st_size > caps.compressed:
            raise over_cap("the archive holds", size_text(caps.compressed), "a submission", "leave out data and weights")
        head = file.read(512)
        file.seek(0)
        kind = looks_like(head)
        # a zip may have something put before it, and is known by its end
        if kind == "zip" or (not kind and _suffix(source.name) == ".zip" and not what_it_is(head)):
            directory = zip_directory(file)
            yield from zip_entries(file, (directory.span,), directory.shift, caps=caps)
        elif kind:
            yield from tar_entries(file, caps)
        elif what := what_it_is(head):
            raise InputError(f"is {what} named {_suffix(source.name)}; pack the files as a .zip")
        else:
            raise InputError("is not a tar archive, or is damaged; pack the files as a .zip")


def _folder_entries(folder: Path, caps: Caps) -> Iterator[Entry]:
    """The files of a folder and of those in it."""
    count = 0
    pending: list[_Parts] = [()]
    while pending:
        above = pending.pop()
        here: list[os.DirEntry] = []
        with os.scandir(folder.joinpath(*above)) as listing:
            for entry in listing:
                count += 1
                if count > caps.entries:
                    raise too_many_entries(caps)
                here.append(entry)
        for entry in sorted(here, key=lambda entry: entry.name):
            name = "/".join((*above, entry.name))
            parts = safe_parts(name, caps)
            if is_noise(parts):
                continue
            if entry.is_symlink():
                raise InputError(f"{shown(name)}: a symbolic link; hand in the file itself")
            if entry.is_dir(follow_symlinks=False):
                pending.append((*above, entry.name))
            elif entry.is_file(follow_symlinks=False):
                yield Entry(parts, _chunks_of(Path(entry.path)))
            else:
                raise InputError(f"{shown(name)}: a device or a pipe, not a file; leave it out")


def _chunks_of(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        yield from file_chunks(file)


def _unpack(entries: Iterator[Entry], folder: Path, dropped: list[str], caps: Caps) -> list[_Parts]:
    """Write what counts of a submission under `folder`, and list it; what is left out goes to `dropped`."""
    files: list[_Parts] = []
    seen: set[str] = set()
    meter = _Meter(caps)
    for parts, chunks in entries:
        name = "/".join(parts)
        if (key := unicodedata.normalize("NFC", name)) in seen:
            raise InputError(f"{shown(name)}: is there twice; pack the files again")
        seen.add(key)
        if parts[-1].lower() in _DROPPED_FILES or _DROPPED_SUFFIXES.search(parts[-1]):
            dropped.append(shown(name))
            continue
        if len(files) >= caps.files:
            raise over_cap("it holds", f"{caps.files:,} files", "a submission", "leave out environments such as .venv, and data")
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
                raise over_cap(f"{shown(name)}: holds", size_text(caps.notebook), "notebooks", "clear its outputs and save it")
            if size > caps.file and not notebook:
                raise over_cap(f"{shown(name)}: holds", size_text(caps.file), "one file", "leave out data and weights")
            if self._total > caps.unpacked:
                raise over_cap("it holds", size_text(caps.unpacked), "a submission", "leave out data and weights")
            yield chunk


# --- the file that is graded ----------------------------------------------------------------------------------


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
        if len(candidates) == 1:
            return self._read(candidates[0])
        return self._more_written(*candidates)

    def _candidates(self) -> list[_Parts]:
        """The module, the notebook of its name, or both, from one folder; or the only notebook there is."""
        module, notebook = self.manifest.module, _notebook_name(self.manifest)
        named = [parts for parts in self.files if parts[-1] in (module, notebook)]
        top = _common_folder(self.files)
        if at_top := [parts for parts in named if parts[:-1] == top]:
            return sorted(at_top, key=lambda parts: parts[-1] != module)
        folders = sorted({parts[:-1] for parts in named})
        if len(folders) > 1:
            first, second = ("/".join(parts) for parts in sorted(named)[:2])
            more = f" (and {len(named) - 2} more)" if len(named) > 2 else ""
            advice = "hand in one; a whole class is unpacked first and given as a folder"
            raise InputError(f"more than one candidate: {shown(first)} and {shown(second)}{more}; {advice}")
        if named:
            return sorted(named, key=lambda parts: parts[-1] != module)
        notebooks = [parts for parts in self.files if parts[-1].lower().endswith(".ipynb")]
        if len(notebooks) == 1 and not any(_near(parts[-1], self.manifest) for parts in self.files if parts[-1].endswith(".py")):
            return notebooks
        raise InputError(self._missing(notebooks))

    def _missing(self, notebooks: list[_Parts]) -> str:
        """What to say when there is neither module nor notebook: what was found, and what may have been meant."""
        module = self.manifest.module
        if not self.files:
            return f"{module} is missing; the submission holds no files"
        if any(parts[-1] == METADATA for parts in self.files):
            return f"{module} is missing; a Gradescope export in a tar archive: unpack it and point at the folder"
        names = ["/".join(parts) for parts in self.files]
        near = [name for name in names if _near(name.rpartition("/")[2], self.manifest)]
        archives = [name for name in names if name.lower().endswith((*_ARCHIVES, ".rar", ".7z"))]
        pythons = [name for name in names if name.lower().endswith(".py")]
        if len(notebooks) > 1 and not near:
            advice = f"{len(notebooks)} notebooks: name the one that counts {_notebook_name(self.manifest)}"
        elif near and near[0].rpartition("/")[2].lower() == module.lower():
            advice = f"{shown(near[0])} differs in case: rename it"
        elif near or len(pythons) == 1:
            advice = f"is {shown((near or pythons)[0])} it? rename it"
        elif archives:
            advice = f"{shown(archives[0])} inside is not opened: unpack it"
        else:
            advice = f"hand in {module} or {_notebook_name(self.manifest)}"
        first = sorted(names, key=lambda name: (name not in near, not name.lower().endswith((".py", ".ipynb")), name))
        return f"{module} is missing; found: {_some(first)} ({advice})"

    def _more_written(self, module: _Parts, notebook: _Parts) -> _Graded:
        """Of a module and a notebook side by side, as the kit hands them out, the one the student worked in."""
        in_module = self._read(module)
        try:
            in_notebook = self._read(notebook)
        except InputError as error:
            return replace(in_module, notes=(*in_module.notes, f"{shown(notebook[-1])} was passed over: {error}"))
        here, there = self._written(in_module), self._written(in_notebook)
        taken, other, less = (in_notebook, module, here) if there > here else (in_module, notebook, there)
        if not less:
            return taken
        note = f"{taken.origin} was graded; {shown(other[-1])} holds written work too, and was not"
        return replace(taken, notes=(*taken.notes, note))

    def _written(self, graded: _Graded) -> int:
        """How many of the wanted functions are no stubs. A file that does not parse has been worked on."""
        if graded.problem:
            return 1
        tree = ast.parse(graded.text)
        bodies = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        return sum(name in bodies and not _is_stub(bodies[name]) for name in self.wanted)

    def _read(self, parts: _Parts) -> _Graded:
        origin = shown(self.bare or "/".join(parts))
        raw = self.folder.joinpath(*parts).read_bytes()
        if not parts[-1].lower().endswith(".ipynb"):
            text, problem = read_module(raw, origin, self.caps)
            # Python can't import UTF-16; every other encoding read here it reads as well
            rewrite = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
            return _Graded(parts, origin, text, problem, rewrite)
        libraries = self.manifest.libraries
        notebook = read_notebook(raw, origin, wanted=self.wanted, module=self.manifest.module, libraries=libraries, caps=self.caps)
        notes = notebook.notes
        if parts[-1] != _notebook_name(self.manifest) and not self.bare:
            notes = (f"{origin} was taken for {_notebook_name(self.manifest)}", *notes)
        return _Graded(parts, origin, notebook.text, notebook.syntax_error, True, notes, notebook)


def _is_stub(node: ast.AST) -> bool:
    """Whether something in `node` still says that it is not written."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Raise) and inner.exc is not None:
            raised = inner.exc.func if isinstance(inner.exc, ast.Call) else inner.exc
            if isinstance(raised, ast.Name) and raised.id == "NotImplementedError":
                return True
    return False


def _common_folder(files: Sequence[_Parts]) -> _Parts:
    """The deepest folder that holds all files: a single folder around everything is no one's intention."""
    return tuple(os.path.commonprefix([parts[:-1] for parts in files]))


def _near(name: str, manifest: Manifest) -> bool:
    """Whether `name` may be the module misnamed: another case, a typing error, `attention (1).py`, `attention.py.txt`."""
    lower, wanted = name.lower(), manifest.module.lower()
    stem = wanted.removesuffix(".py")
    if lower == wanted or re.fullmatch(rf"{re.escape(stem)}[-_ ]?(\(?\d+\)?|copy|final|v\d+)?(\.py|\.py\.txt|\.txt)", lower):
        return True
    return lower.endswith(".py") and bool(difflib.get_close_matches(lower, [wanted], cutoff=0.75))


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more
