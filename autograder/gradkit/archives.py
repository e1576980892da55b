"""Zips, tar archives and folders, read as data and under caps: a file at a time, with nothing written.

zipfile lists and inflates, gzip unpacks, tarfile reads headers. Declared sizes are never trusted: whoever takes an
`Entry` counts its bytes, and they are held against what was declared. Whatever is wrong with an archive is an
InputError of one line. That holds on Python 3.11.0 and later, patched or not, so three things that the library also
does are done here. The tests in tests/intake/test_archives.py that decide it:

- `test_a_list_of_files_is_capped`: zipfile makes an object of each entry before anyone can count them, so the list is
  capped first. A submission of an export keeps its part of the list, and no one lists the whole of it again.
- `test_entries_that_share_their_bytes_are_capped`: some versions read such entries, some warn on the terminal, some
  refuse them. Here an entry is opened without `ZipFile.open`, and caps decide.
- `test_extended_headers_cost_little`: tarfile keeps the extended headers of an entry in memory together, of any size.
  Before 3.11.10 and 3.12.6 it takes half an hour over one of a MiB. So they are taken apart here, one by one.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
import struct
import tarfile
import unicodedata
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gradkit.caps import CAPS, MIB, NO_DATA, NO_ENVIRONMENTS, Caps, over_cap, too_many_entries
from gradkit.errors import InputError
from gradkit.safetext import error_text, one_line, size_text

CHUNK = 64 * 1024
_NOISE = frozenset(
    "__macosx .ds_store thumbs.db desktop.ini __pycache__ .ipynb_checkpoints .git .hg .svn .idea .vscode"
    " .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis".split()
)


class Entry(NamedTuple):
    """One file: where it would lie, and its bytes, to be taken at most once and before the next entry."""

    parts: tuple[str, ...]
    chunks: Iterator[bytes]


def safe_parts(name: str, caps: Caps = CAPS) -> tuple[str, ...]:
    """The folders and the file that an archive's name stands for; empty for the archive's own folder.

    A backslash separates, as on the systems that write one.

    Raises:
        InputError: For a name that would leave its folder, can't be a file's, or is too long or deep.
    """
    plain = name.replace("\\", "/")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in plain):
        raise InputError(
            f"{one_line(name)}: the name is not text or holds control characters; rename it and pack again"
        )
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        raise InputError(f"{one_line(name)}: an absolute path; pack the files from inside their folder")
    parts = tuple(part for part in plain.split("/") if part not in ("", "."))
    # Windows reads "..  " as "..", so a part of nothing but dots and spaces is refused as well
    if any(not part.strip(" .") for part in parts):
        raise InputError(f"{one_line(name)}: '..' would leave the submission's folder; pack the files from inside it")
    if len(parts) > caps.depth:
        raise over_cap(
            f"{one_line(name)}: folders go", f"{caps.depth} deep", "a path", "pack only the assignment's folder"
        )
    if len(plain) > caps.path or any(len(part.encode()) > 255 for part in parts):
        raise over_cap(f"{one_line(name)}: the path has", f"{caps.path} characters", "a path", "shorten it")
    return parts


def is_noise(parts: Sequence[str]) -> bool:
    """Whether a path is what systems and editors leave behind, which is passed over unread."""
    return bool(parts) and (any(part.lower() in _NOISE for part in parts) or parts[-1].startswith("._"))


def looks_like(head: bytes) -> str:
    """What the first 512 bytes of a file are: `zip`, `gzip`, `tar` or empty for anything else."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    return "tar" if head[257:262] == b"ustar" else ""


# --- folders ------------------------------------------------------------------------------------------------


def open_regular(path: Path) -> BinaryIO:
    """Open a file of the submission's for reading, following no link and waiting on no pipe.

    Raises:
        InputError: For anything but a regular file, and for one that can't be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise InputError(f"{one_line(path.name)}: can't be read ({error_text(error)})") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{one_line(path.name)}: not a regular file; hand in the file itself")
    return os.fdopen(descriptor, "rb")


def folder_entries(folder: Path, caps: Caps) -> Iterator[Entry]:
    """The files of a folder and of the folders in it, as if it had been packed.

    Raises:
        InputError: For a name, kind or number of entries that is refused.
        OSError: For a folder that can't be listed.
    """
    count = 0
    pending: list[tuple[str, ...]] = [()]
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
                raise InputError(f"{one_line(name)}: a symbolic link; hand in the file itself")
            if entry.is_dir(follow_symlinks=False):
                pending.append((*above, entry.name))
            elif entry.is_file(follow_symlinks=False):
                yield Entry(parts, _chunks_of(Path(entry.path)))
            else:
                raise InputError(f"{one_line(name)}: a device or a pipe, not a file; leave it out")


def _chunks_of(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        yield from file_chunks(file)


def file_chunks(file: BinaryIO) -> Iterator[bytes]:
    """A file's bytes from where it stands, a piece at a time."""
    while chunk := file.read(CHUNK):
        yield chunk


# --- zip ----------------------------------------------------------------------------------------------------

_LOCAL = struct.Struct("<4s22x2H")  # an entry's own header: its signature, and the lengths of its name and extra field
# the zip's end, or its zip64 end: two numbers of parts, and how many entries this part and all parts list
_END, _END64 = struct.Struct("<4s4H"), struct.Struct("<4s12x2L2Q")
_UNICODE_NAME = 0x7075
_UTF8, _ENCRYPTED = 0x800, 0x1 | 0x40 | 0x2000  # bits of an entry's flags
_BAD_ZIP = "pack the files again as an ordinary .zip"

# newer versions say so of an entry; its name is read here
warnings.filterwarnings("ignore", "Empty unicode path extra field", UserWarning)


def _corrupt(what: str) -> InputError:
    return InputError(f"the zip is damaged ({what}); {_BAD_ZIP}")


class _Bounded:
    """A file that gives no more than `most` bytes at once, which is how the library asks for a zip's list of files."""

    def __init__(self, file: BinaryIO, most: int):
        self._file, self._most = file, most
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._most + 1 if size < 0 else min(size, self._most + 1))
        if len(data) > self._most:
            raise over_cap("its list of files holds", size_text(self._most), "a zip", NO_ENVIRONMENTS)
        return data


def zip_records(file: BinaryIO, most: int = CAPS.listing) -> list[zipfile.ZipInfo]:
    """A zip's list of entries. Their `filename` is the name that was meant, with `/` between folders.

    Args:
        file: The zip; something may stand before it.
        most: Bytes that the list may take.

    Raises:
        InputError: For a file that is cut short or no zip, and for a list that is damaged or too long.
    """
    try:
        with zipfile.ZipFile(_Bounded(file, most)) as archive:
            records = archive.infolist()
        # the list stands right before the end, and a length in it that lies would swallow entries unnoticed
        end = file.read(_END64.size)
        _, part, first_part, here, count = (_END if end.startswith(b"PK\5\6") else _END64).unpack_from(end)
        if part or first_part or here != count:
            raise InputError("one part of a zip split into several; pack the files into one")
        if count not in (len(records), len(records) % 2**16):  # some packers write the last 16 bits
            raise zipfile.BadZipFile(f"its end states {count:,} entries, its list has {len(records):,}")
        for record in records:
            record.filename = _name_meant(record).replace("\\", "/")
    except UnicodeDecodeError as error:
        name = one_line(repr(error.object)[2:-1])
        raise InputError(f"{name}: the name is not UTF-8, as it says; rename it and pack again") from None
    except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
        why = one_line(str(error))
        raise InputError(f"not a zip, or cut short or damaged ({why}); send it again, or {_BAD_ZIP}") from None
    return records


def _raw_name(record: zipfile.ZipInfo) -> bytes:
    return record.orig_filename.encode("utf-8" if record.flag_bits & _UTF8 else "cp437")


def _name_meant(record: zipfile.ZipInfo) -> str:
    """An entry's name. A flag promises UTF-8; without it macOS writes UTF-8 too, and others code page 437."""
    raw, extra, start = _raw_name(record), record.extra, 0
    while start + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, start)
        start += 4 + length
        # version 1 of the field, which holds good while its checksum is that of the name
        if tag == _UNICODE_NAME and extra[start - length :][:5] == b"\1" + zlib.crc32(raw).to_bytes(4, "little"):
            return extra[start - length + 5 : start].decode("utf-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return record.orig_filename


def read_member(file: BinaryIO, record: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of one zip entry, a chunk at a time, held against its declared size and checksum.

    Raises:
        InputError: For an encrypted entry, a method not understood, a damaged or untrue entry.
    """
    name = one_line(record.filename)
    if record.flag_bits & _ENCRYPTED:
        raise InputError(f"{name}: the zip is encrypted; pack the files again without a password")
    if record.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = zipfile.compressor_names.get(record.compress_type, f"method {record.compress_type}")
        raise InputError(f"{name}: packed with {method}, which is not read here; {_BAD_ZIP}")
    if not 0 <= record.header_offset <= file.seek(0, os.SEEK_END) - _LOCAL.size - record.compress_size:
        raise _corrupt(f"{name} is said to lie outside it")
    file.seek(record.header_offset)
    signature, n_name, n_extra = _LOCAL.unpack(file.read(_LOCAL.size))
    if signature != b"PK\3\4":
        raise _corrupt(f"{name} is not where the list says")
    if file.read(n_name) != _raw_name(record):
        raise _corrupt(f"{name} has another name in its place than in the list")
    file.seek(n_extra, os.SEEK_CUR)
    # Asked for one byte more than declared, the library tells when there is more. Without a checksum to hold them
    # against, it gives all bytes that there are: of an export's metadata, what came before a fault is of use.
    asked = zipfile.ZipInfo()
    asked.compress_type, asked.compress_size = record.compress_type, record.compress_size
    asked.file_size = record.file_size + 1
    total = crc = 0
    try:
        with zipfile.ZipExtFile(file, "r", asked) as member:
            for chunk in file_chunks(member):
                total, crc = total + len(chunk), zlib.crc32(chunk, crc)
                if total > record.file_size:
                    break
                yield chunk
    except (zlib.error, EOFError):
        raise _corrupt(f"{name} does not unpack") from None
    if total != record.file_size:
        raise _corrupt(f"{name} is not of the size declared, {record.file_size:,} bytes")
    if crc != record.CRC:
        raise _corrupt(f"the checksum of {name} is wrong")


def zip_entries(
    file: BinaryIO, records: Sequence[zipfile.ZipInfo], *, folder: str = "", caps: Caps = CAPS
) -> Iterator[Entry]:
    """The files among `records` of a zip, with their paths from `folder`, with which all their names begin.

    Raises:
        InputError: For a name, kind or number of entries that is refused.
    """
    if len(records) > caps.entries:
        raise too_many_entries(caps)
    packed, size = 0, file.seek(0, os.SEEK_END)
    for record in records:
        name, attributes = record.filename, record.external_attr
        if not name:
            raise _corrupt("an entry has no name")
        parts = safe_parts(name[len(folder) :], caps)
        if is_noise(parts):
            continue
        # the upper half is a Unix mode when a Unix system packed it, and whenever it says what kind of file it is
        kind = stat.S_IFMT(attributes >> 16) if record.create_system in (3, 19) or attributes >> 28 else 0
        if kind == stat.S_IFLNK:
            raise InputError(f"{one_line(name)}: a symbolic link; pack the file itself")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InputError(f"{one_line(name)}: a device or a pipe, not a file; leave it out")
        if kind == stat.S_IFDIR or name.endswith("/") or not parts:
            continue
        packed += min(record.compress_size, size)
        if packed > caps.compressed:
            raise over_cap("the files are packed in", size_text(caps.compressed), "a submission", NO_DATA)
        yield Entry(parts, read_member(file, record))


# --- tar ----------------------------------------------------------------------------------------------------

_LONGEST_HEADER = MIB  # of an extended header; macOS puts a file's attributes there
_WITHOUT_BYTES = (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE)
_BAD_TAR = "pack the files again, as a .zip if you can"
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_EXTENDED = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, b"V")
_NOT_FILES = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    b"M": "a part of a file",
}
_PAX_LENGTH = re.compile(rb"([0-9]{1,8}) ")


def _bad_tar(what: str) -> InputError:
    return InputError(f"the tar archive is damaged ({what}); {_BAD_TAR}")


class _Stream:
    """A tar's bytes, taken forwards and never more than a cap in all, and gunzipped where they are gzipped."""

    def __init__(self, file: BinaryIO, caps: Caps):
        gzipped = looks_like(file.read(2)) == "gzip"
        file.seek(0)
        self._file = gzip.GzipFile(fileobj=file) if gzipped else file
        self._caps = caps
        # what the files may hold, and their headers: three blocks for each name, and padding
        self._left = caps.unpacked + caps.notebook + 4 * tarfile.BLOCKSIZE * caps.entries

    def some(self, most: int) -> bytes:
        """At least one byte and at most `most`, or none at the end."""
        try:
            part = self._file.read(min(most, CHUNK))
        except EOFError:
            raise InputError("the gzip is cut short; send it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"the gzip is damaged ({one_line(str(error))}); {_BAD_TAR}") from None
        self._left -= len(part)
        if self._left < 0:
            raise over_cap("it unpacks to", size_text(self._caps.unpacked), "a submission", NO_DATA)
        return part

    def chunks(self, size: int, what: str) -> Iterator[bytes]:
        """The next `size` bytes, which are those of `what`."""
        while size:
            part = self.some(size)
            if not part:
                raise _bad_tar(f"it is cut short in {what}")
            size -= len(part)
            yield part

    def take(self, size: int, what: str) -> bytes:
        """The same at once, for what is small."""
        return b"".join(self.chunks(size, what))


def tar_entries(file: BinaryIO, caps: Caps = CAPS) -> Iterator[Entry]:
    """The files of a tar archive, gzipped or not, in its order.

    Raises:
        InputError: For a name, kind or number of entries that is refused, or a damaged archive.
    """
    stream = _Stream(file, caps)
    told: dict[str, str] = {}  # what extended headers say of the entry that follows
    count = 0
    while any(block := stream.take(tarfile.BLOCKSIZE, "a header")):
        count += 1
        if count > caps.entries:
            raise too_many_entries(caps)
        header = _tar_header(block)
        if header.type in _EXTENDED:
            told |= _extended(header, stream)
            continue
        # the library calls a file a folder for a slash at the end of a name that may be cut short
        kind = block[156:157] if "path" in told else header.type
        name = told.get("path", header.name)
        size = 0 if kind in _WITHOUT_BYTES else _pax_size(told) if "size" in told else header.size
        parts = safe_parts(name, caps)
        wanted = bool(parts) and not is_noise(parts)
        if wanted and kind not in (*_FILES, tarfile.DIRTYPE):
            what = _NOT_FILES.get(kind, f"an entry of kind {one_line(repr(kind)[1:])}")
            raise InputError(f"{one_line(name)}: {what}; pack the file itself")
        if wanted and "sparse" in told:
            raise InputError(f"{one_line(name)}: a sparse file; pack the file itself")
        told = {}
        chunks = stream.chunks(size, one_line(name))
        if wanted and kind in _FILES and not name.endswith("/"):
            yield Entry(parts, chunks)
        for _ in chunks:  # what was not taken
            pass
        stream.take(-size % tarfile.BLOCKSIZE, one_line(name))
    while stream.some(CHUNK):  # to the end, so that a gzip's checksum is seen
        pass


def _tar_header(block: bytes) -> tarfile.TarInfo:
    """One block, read as a header."""
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise _bad_tar(f"a header: {error}") from None
    if header.size < 0:
        raise _bad_tar(f"the size of {one_line(header.name)} is negative")
    return header


def _extended(header: tarfile.TarInfo, stream: _Stream) -> dict[str, str]:
    """What a header that extends the next entry's says that is used: a path, a size, that it is sparse."""
    if header.size > _LONGEST_HEADER:
        raise over_cap("an extended tar header holds", size_text(_LONGEST_HEADER), "one", _BAD_TAR)
    block = stream.take(header.size, "an extended header")
    stream.take(-header.size % tarfile.BLOCKSIZE, "an extended header")
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": _tar_text(block.split(b"\0", 1)[0])}
    if header.type not in (tarfile.XHDTYPE, tarfile.XGLTYPE):  # a link's long name, the archive's label
        return {}
    told = _pax_pairs(block)
    if told and header.type == tarfile.XGLTYPE:
        # a name or a size for every entry that follows can only be meant to mislead
        raise _bad_tar(f"a global header sets {', '.join(sorted(told))}")
    return told


def _pax_pairs(block: bytes) -> dict[str, str]:
    """What is used of the lines `length key=value`, where the length counts the line."""
    told, start = {}, 0
    while start < len(block) and block[start]:
        length = _PAX_LENGTH.match(block, start)
        end = start + int(length[1]) if length else start
        key, equals, value = block[length.end() : end].partition(b"=") if length else (b"", b"", b"")
        if not equals or not value.endswith(b"\n"):
            raise _bad_tar("an extended header is not understood")
        # other keys, such as attributes, may be any bytes
        if key in (b"path", b"size"):
            told[key.decode()] = _tar_text(value[:-1])
        elif key.startswith(b"GNU.sparse"):
            told["sparse"] = "yes"
        start = end
    return told


def _tar_text(raw: bytes) -> str:
    """UTF-8, or what `safe_parts` refuses."""
    return raw.decode("utf-8", "surrogateescape")


def _pax_size(told: dict[str, str]) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", told["size"], re.ASCII):
        raise _bad_tar(f"a size is {one_line(told['size'])}")
    return int(told["size"])
