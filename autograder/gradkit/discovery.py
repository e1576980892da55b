"""Finds the submissions that the arguments of a command stand for, and gives each a name of its own.

Only listings are read here, and an export's metadata; what a submission holds is `intake`'s to look at.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import ZipInfo

from gradkit.archives import file_chunks, is_noise, open_regular, read_member, zip_records
from gradkit.caps import CAPS, Caps
from gradkit.errors import InputError
from gradkit.exports import METADATA, CanvasFile, ChunkReader, Submitter, Who, canvas_files, read_metadata
from gradkit.manifest import Manifest
from gradkit.safetext import error_text, file_name, one_line

TAKEN_NAMES = (
    "report",
    "grades.csv",
    "run.json",
    "roster.csv",
    "submitted_at.csv",
    "overrides.csv",
)  # what a batch writes beside its submissions' folders

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
MODULES = (".py", ".py.txt")  # browsers and mail programs add a suffix to what they don't know
NOTEBOOKS = (".ipynb", ".ipynb.txt", ".ipynb.json")
_SUFFIXES = (*ARCHIVES, *MODULES, *NOTEBOOKS)
_KEPT_BY_STAFF = (".csv", ".tsv", ".xlsx", ".ods", ".toml", ".yml", ".yaml")  # which no one hands in for a program
_NOT_GRADED = {
    (".html", ".htm"): "is a web page, as a notebook's export is",
    (".pdf",): "is a PDF",
    (".doc", ".docx", ".odt", ".rtf"): "is a text document",
    (".rar", ".7z", ".gz", ".bz2", ".xz"): "is an archive of a kind that is not opened",
    (".txt", ".md", ".log", ".json"): "is a text, neither a module nor a notebook",
    (".pyc",): "is compiled Python",
}


@dataclass(frozen=True)
class Submission:
    """One submission, not yet opened.

    Attributes:
        name: Unique in the batch and fit for a file. It may begin with `=`, which a CSV writer must guard.
        source: The file, folder or archive that holds it.
        submitters: Who handed it in, where an export says so.
        created_at: When, as the export writes it.
        late: The platform marks it so.
        folder: For a submission of an export zip: its folder there, with a slash at the end.
        records: And what the zip lists of its files, so that no one else's are looked at.
        names: For a student's files among those of a class, in one folder or zip: what each is called there, and what
            the student called it.
    """

    name: str
    source: Path
    submitters: tuple[Submitter, ...] = ()
    created_at: str = ""
    late: bool = False
    folder: str = ""
    records: tuple[ZipInfo, ...] = ()
    names: tuple[tuple[str, str], ...] = ()

    @property
    def bare(self) -> str:
        """What the student called the one file that was handed in, a module or a notebook; else empty."""
        if len(self.names) == 1:
            name = self.names[0][1]
        else:
            name = "" if self.names or self.source.is_dir() else self.source.name
        return name if suffix_of(name) in (*MODULES, *NOTEBOOKS) else ""


@dataclass(frozen=True)
class Refused:
    """A submission that can't be graded: a row of the table with one line saying why."""

    name: str
    reason: str
    submitters: tuple[Submitter, ...] = ()


@dataclass(frozen=True)
class Discovery:
    """What the arguments hold. `notes`, for whoever runs the batch, say which names were changed and what was
    passed over.
    """

    submissions: tuple[Submission, ...]
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()


def discover(paths: Sequence[Path], manifest: Manifest, *, caps: Caps = CAPS) -> Discovery:
    """Find the submissions that the arguments of a command stand for.

    An argument is a submission (a .py, an .ipynb, a .zip, a .tar.gz, or a folder that holds the module or a
    notebook), a folder of submissions, a Gradescope export, or a download from Canvas. Nothing but listings is read.

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
    # A student's archive that looks like an export could hand in under the names of others, so it is taken
    # for one only when it doesn't stand among single submissions
    mixed = any(one.export for one in arguments) and not all(one.export for one in arguments)
    items: list[Submission | Refused] = []
    notes: list[str] = []
    for argument in arguments:
        if argument.export and mixed:
            items.append(Refused(_label(argument.path), f"looks like {argument.export}: grade an export by itself"))
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
    export: str = ""  # what holds a whole class, as a platform writes it

    @classmethod
    def read(cls, path: Path, manifest: Manifest, caps: Caps) -> _Argument:
        try:
            mode = path.lstat().st_mode
        except (OSError, ValueError) as error:
            raise InputError(f"{one_line(str(path), 200)}: {error_text(error)}; check the path") from None
        if stat.S_ISDIR(mode):
            return _folder_argument(path, manifest, caps)
        if stat.S_ISREG(mode) and suffix_of(path.name) == ".zip" and (export := _zip_argument(path, caps)):
            return export
        return cls(path, [_one(path)], [])


def suffix_of(name: str) -> str:
    """Which of the suffixes of a submission `name` ends in, or empty."""
    return next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")


def _label(path: Path) -> str:
    """A name not yet made safe and unique: the folder's, or the file's without its suffix."""
    name = path.name if path.name not in ("", "..") else path.resolve().name
    return name[: len(name) - len(suffix_of(name))] if not path.is_dir() else name


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts submission_9 before submission_10."""
    pieces = re.split(r"(\d+)", name.lower(), flags=re.ASCII)
    return [(1, int(piece), "") if i % 2 and len(piece) < 30 else (0, 0, piece) for i, piece in enumerate(pieces)]


def _listing(folder: Path) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return sorted(
            (entry for entry in entries if not is_noise((entry.name,))),
            key=lambda entry: (_natural(entry.name), entry.name),
        )


def _folder_argument(path: Path, manifest: Manifest, caps: Caps, depth: int = 1) -> _Argument:
    """A folder is an export, one submission, a folder around one of these, or many: tried in this order."""
    label = _label(path)
    try:
        entries = _listing(path)
        folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except OSError as error:
        return _Argument(path, [Refused(label, f"the folder can't be read ({error_text(error)})")], [])
    if not entries:
        return _Argument(path, [Refused(label, "the folder is empty")], [])
    if METADATA in files:
        return _folder_export(path, folders, files, caps)
    left_out = [name for name in files if name.lower().endswith(_KEPT_BY_STAFF) or name.lower().startswith("readme")]
    handed_in = [name for name in files if name not in left_out]
    if len(files) == len(entries) and handed_in and (theirs := canvas_files(handed_in)):
        found = _canvas(path, theirs)
        return replace(found, notes=[*found.notes, *_passed_over(path, left_out)])
    if _is_one_submission(path, files, folders, manifest):
        return _Argument(path, [Submission(label, path)], [])
    if len(entries) == 1 and folders and depth < caps.depth:
        inner = _folder_argument(path / folders[0], manifest, caps, depth + 1)
        if len(inner.items) == 1 and not inner.export:
            return _Argument(path, [replace(inner.items[0], name=label)], inner.notes)
        return inner
    if len(entries) == 1 and files and suffix_of(files[0]) == ".zip":
        return _Argument.read(path / files[0], manifest, caps)
    items = [_one(path / entry.name) for entry in entries if entry.name not in left_out]
    if not items:
        return _Argument(path, [Refused(label, f"holds no submission, only {some_of(left_out)}")], [])
    return _Argument(path, items, _passed_over(path, left_out))


def _passed_over(path: Path, names: Sequence[str]) -> list[str]:
    return [f"{one_line(str(path / name), 200)} is not a submission and was passed over" for name in names]


def _is_one_submission(path: Path, files: Sequence[str], folders: Sequence[str], manifest: Manifest) -> bool:
    """Whether a folder with these entries is what one student handed in."""
    names = (manifest.module, notebook_name(manifest))
    if any(name.lower() in map(str.lower, names) for name in files):
        # a stray file among the folders of a class does not make it one submission
        return sum(any(os.path.lexists(path / folder / name) for name in names) for folder in folders) < 2
    if any(name.lower().endswith(ARCHIVES) for name in files):
        return False
    notebooks = [name for name in files if name.lower().endswith(".ipynb")]
    modules = [name for name in files if name.lower().endswith(".py")]
    if len(notebooks) == 1 and not modules and not folders:
        return True
    return len([name for name in modules if is_near(name, manifest)]) == 1


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
            if (
                len(entries) == 1
                and entries[0].is_file(follow_symlinks=False)
                and entries[0].name.lower().endswith(ARCHIVES)
            ):
                return Submission(label, path / entries[0].name)
            return Submission(label, path)
    except OSError as error:
        return Refused(label, f"can't be read ({error_text(error)})")
    if not stat.S_ISREG(mode):
        return Refused(label, "is a device or a pipe, not a file")
    if not suffix_of(path.name):
        what = next(
            (what for ends, what in _NOT_GRADED.items() if path.name.lower().endswith(ends)), "is not a submission"
        )
        return Refused(path.name, f"{what}: hand in a .py, .ipynb, .zip or .tar.gz, or a folder")
    return Submission(label, path)


# --- Gradescope exports -------------------------------------------------------------------------------------


def _folder_export(path: Path, folders: list[str], files: list[str], caps: Caps) -> _Argument:
    found = {name: Submission(name, path / name) for name in folders}
    try:
        with open_regular(path / METADATA) as file:
            known, problem = read_metadata(ChunkReader(file_chunks(file), caps.metadata))
    except InputError as error:
        known, problem = {}, str(error)
    return _export(path, found, [name for name in files if name != METADATA], known, problem)


def _zip_argument(path: Path, caps: Caps) -> _Argument | None:
    """The submissions of a class in one zip; None for any other zip, and for one that can't be listed."""
    try:
        with open_regular(path) as file:
            records = zip_records(file, caps.class_listing)
            if metadata := _find_metadata(records):
                known, problem = read_metadata(ChunkReader(read_member(file, metadata), caps.metadata))
                return _zip_export(path, records, metadata.filename[: -len(METADATA)], known, problem)
    except (InputError, OSError):
        return None  # it is told where the submission is opened
    records = [record for record in records if not is_noise((record.filename,))]
    by_name = {record.filename: record for record in records}
    files = canvas_files(list(by_name))
    return _canvas(path, files, by_name) if files and len(by_name) == len(records) else None


def _find_metadata(records: Sequence[ZipInfo]) -> ZipInfo | None:
    """The metadata's entry: at the zip's root, else in its one folder that holds it."""
    nested: list[ZipInfo] = []
    for record in records:
        folder, _, name = record.filename.rpartition("/")
        if name == METADATA and not folder:
            return record
        if name == METADATA and "/" not in folder and not is_noise((folder,)):
            nested.append(record)
    return nested[0] if len(nested) == 1 else None


def _zip_export(path: Path, records: Sequence[ZipInfo], root: str, known: dict[str, Who], problem: str) -> _Argument:
    """The folders of an export under `root`; what the zip lists of one need not stand together."""
    theirs: dict[str, list[ZipInfo]] = {}
    files: list[str] = []
    for record in records:
        if not record.filename.startswith(root):
            continue
        first, slash, _ = record.filename[len(root) :].partition("/")
        if is_noise((first,)) or first in ("", METADATA):
            continue
        if slash:
            theirs.setdefault(first, []).append(record)
        else:
            files.append(first)
    found = {
        name: Submission(name, path, folder=f"{root}{name}/", records=tuple(theirs[name]))
        for name in sorted(theirs, key=_natural)
    }
    return _export(path, found, files, known, problem)


def _export(
    path: Path, found: dict[str, Submission], files: list[str], known: dict[str, Who], problem: str
) -> _Argument:
    """Folders and metadata of an export brought together; what stands in only one of them is told."""
    items: list[Submission | Refused] = []
    notes: list[str] = []
    if problem:
        notes.append(f"{METADATA}: {problem}; graded all the same, without all students' names")
    for name, submission in found.items():
        who = known.get(name)
        if who is None and not name.startswith("submission_"):
            notes.append(f"{one_line(name)} in the export is not a submission and was passed over")
            continue
        if who is None and not problem:
            notes.append(f"{one_line(name)} is not in {METADATA}; graded all the same, without a student's name")
        who = who or Who()
        items.append(replace(submission, submitters=who.submitters, created_at=who.created_at))
    for name, who in known.items():
        if name not in found:
            items.append(
                Refused(
                    name,
                    f"{METADATA} lists it, but the export has no such folder; export it again",
                    who.submitters,
                )
            )
    loose = [name for name in files if name not in known]
    if loose:
        notes.append(f"files in the export outside of any submission were passed over: {some_of(loose)}")
    if not items:
        items.append(Refused(_label(path), "is a Gradescope export without submissions; export it again"))
    notes.insert(0, f"{one_line(path.name)} is a Gradescope export of {len(items):,} submissions")
    return _Argument(path, items, notes, export="a Gradescope export")


# --- Canvas's downloads -------------------------------------------------------------------------------------


def _canvas(path: Path, files: Sequence[CanvasFile], records: Mapping[str, ZipInfo] | None = None) -> _Argument:
    """One submission for each student: of files with the same name the one that was handed in last."""
    latest: dict[str, dict[str, CanvasFile]] = {}
    notes = []
    for file in sorted(files, key=lambda file: -file.number):
        theirs = latest.setdefault(file.student, {})
        if (later := theirs.setdefault(file.name.casefold(), file)) is not file:
            notes.append(f"{one_line(file.listed)} was passed over: {one_line(later.listed)} was handed in later")
    late = {student for student, theirs in latest.items() if any(file.late for file in theirs.values())}
    if late:
        notes.append(f"Canvas marks as late, and they are graded all the same: {some_of(sorted(late), 20)}")
    items = []
    for student, theirs in sorted(latest.items(), key=lambda pair: _natural(pair[0])):
        names = tuple((file.listed, file_name(file.name)) for file in theirs.values())
        if records is not None:
            held = tuple(records[listed] for listed, _ in names)
            items.append(Submission(student, path, names=names, records=held, late=student in late))
        elif len(names) == 1 and suffix_of(names[0][1]) not in (*MODULES, *NOTEBOOKS):
            items.append(replace(_one(path / names[0][0]), name=student))
        else:
            items.append(Submission(student, path, names=names, late=student in late))
    students = "1 student" if len(items) == 1 else f"{len(items):,} students"
    notes.insert(0, f"{one_line(path.name)} is a Canvas download of {students}")
    return _Argument(path, items, notes, export="a Canvas download")


# --- names --------------------------------------------------------------------------------------------------


def _named(items: list[Submission | Refused], notes: list[str]) -> Discovery:
    """Give every item a name of its own. Names that differ in case alone are one, as some disks have it."""
    taken: dict[str, str] = {name.casefold(): "the batch's own files" for name in TAKEN_NAMES}
    used: dict[str, int] = {}  # the highest number given to each name so far
    named: list[Submission | Refused] = []
    for item in items:
        wanted = name = file_name(item.name)
        number = used.get(wanted.casefold(), 1)
        while name.casefold() in taken:
            number += 1
            name = f"{wanted}~{number}"
        used[wanted.casefold()] = number
        source = _source_text(item)
        if name != wanted:
            notes.append(
                f"{one_line(wanted)} is the name of {taken[wanted.casefold()]}; {source} is called {one_line(name)}"
            )
        elif name != item.name:
            notes.append(f"{source} is called {one_line(name)}")
        taken[name.casefold()] = source
        named.append(replace(item, name=name))
    return Discovery(
        tuple(item for item in named if isinstance(item, Submission)),
        tuple(item for item in named if isinstance(item, Refused)),
        tuple(notes),
    )


def _source_text(item: Submission | Refused) -> str:
    if isinstance(item, Refused):
        return f"{one_line(item.name)} (refused)"
    return one_line(f"{item.source}/{item.folder}".rstrip("/"), 200)


# --- words --------------------------------------------------------------------------------------------------


def notebook_name(manifest: Manifest) -> str:
    """What a notebook that stands for the assignment's module is called."""
    return f"{Path(manifest.module).stem}.ipynb"


def is_near(name: str, manifest: Manifest) -> bool:
    """Whether `name` may be the module misnamed: in case, by a typing error, `NAME (1).py`, `NAME.py.txt`."""
    lower, wanted = name.lower(), manifest.module.lower()
    stem = wanted.removesuffix(".py")
    if lower == wanted or re.fullmatch(
        rf"{re.escape(stem)}[-_ ]?(\(?\d+\)?|copy|final|v\d+)?(\.py|\.py\.txt|\.txt)", lower
    ):
        return True
    return lower.endswith(".py") and bool(difflib.get_close_matches(lower, [wanted], cutoff=0.75))


def some_of(names: Sequence[str], most: int = 5) -> str:
    """The first few names, fit to be shown, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(one_line(name) for name in names[:most]) + more
