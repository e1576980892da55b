"""Zips, tar archives and folders, read as data and under caps: a file at a time, with nothing written.

Own readers, not zipfile and tarfile, for three reasons. zipfile turns the whole directory of an archive into
objects before any of it can be counted, and again for each of the thousands of submissions of one export.
tarfile reads an extended header of any size into memory. And both have had faults that only a newer Python
mends, such as a negative size that reads for ever. What is understood here is what submissions are packed
with: stored and deflated zip entries (zip64 too), and plain or gzipped tar in its ustar, pax and GNU forms.

Declared sizes are never trusted: whoever takes an `Entry` counts its bytes, and the readers hold them against
what was declared once the last has come. Whatever is wrong with an archive is an InputError of one line.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gradkit.errors import InputError
from gradkit.safetext import error_text, one_line, size_text

MIB = 2**20
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Caps:
    """How much one submission may hold. Sizes in bytes.

    Attributes:
        compressed: The archive as it was handed in.
        unpacked: All its files together, notebooks apart.
        file: One file.
        notebook: Notebooks together: their outputs are large and are never kept.
        module: The text of the module that is graded, or of a notebook's code cells.
        tokens: Words and signs of that text. Parsing takes about a kilobyte of memory for each.
        files: Files that count.
        entries: Entries of an archive or a folder, with those that are passed over.
        depth: Folders within folders, with the file.
        path: Characters of a path.
        metadata: A Gradescope export's submission_metadata.yml, which is read as a stream.
    """

    compressed: int = 50 * MIB
    unpacked: int = 50 * MIB
    file: int = 20 * MIB
    notebook: int = 60 * MIB
    module: int = 2 * MIB
    tokens: int = 250_000
    files: int = 2_000
    entries: int = 20_000
    depth: int = 12
    path: int = 240
    metadata: int = 512 * MIB


CAPS = Caps()

_NOISE = frozenset(
    "__macosx .ds_store thumbs.db desktop.ini __pycache__ .ipynb_checkpoints .git .hg .svn .idea .vscode"
    " .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis".split()
)


class Entry(NamedTuple):
    """One file: where it would lie, and its bytes, to be taken at most once and before the next entry."""

    parts: tuple[str, ...]
    chunks: Iterator[bytes]


class Span(NamedTuple):
    """A stretch of a zip's directory: position in the file and length, in bytes."""

    start: int
    length: int


def over_cap(what: str, number: str, of: str, advice: str) -> InputError:
    """The refusal for a submission that holds more than it may."""
    return InputError(f"{what} more than {number}, the cap for {of}; {advice}")


def too_many_entries(caps: Caps) -> InputError:
    """The refusal for an archive with more entries than a submission may have."""
    return over_cap(
        "it lists",
        f"{caps.entries:,} entries",
        "a submission",
        "leave out environments such as .venv, and data",
    )


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

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_RECORD = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_BAD_ZIP = "pack the files again as an ordinary .zip"
_METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    12: "bzip2",
    14: "LZMA",
    93: "Zstandard",
    95: "xz",
    98: "PPMd",
    99: "AES encryption",
}


class Record(NamedTuple):
    """One entry of a zip's directory. `span` is where the record stands, `offset` where its file begins."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    mode: int
    offset: int
    span: Span

    @property
    def is_folder(self) -> bool:
        return self.name.endswith(("/", "\\")) or stat.S_ISDIR(self.mode)


@dataclass(frozen=True)
class ZipDirectory:
    """Where a zip's list of entries stands. `shift` is what was put before the archive."""

    span: Span
    count: int
    shift: int


def _corrupt(what: str) -> InputError:
    return InputError(f"the zip is damaged ({what}); {_BAD_ZIP}")


def zip_directory(file: BinaryIO) -> ZipDirectory:
    """Find a zip's list of entries, from its end.

    Raises:
        InputError: For a file that is cut short, split over several, or no zip.
    """
    size = file.seek(0, 2)
    tail_start = max(0, size - _END.size - 0xFFFF)
    file.seek(tail_start)
    tail = file.read(size - tail_start)
    found = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - _END.size + 4))
    if found < 0:
        raise InputError("not a zip, or cut short (it has no end); send it again")
    _, disk, first_disk, here, count, length, offset, _ = _END.unpack_from(tail, found)
    end = tail_start + found
    if 0xFFFF in (here, count) or 0xFFFFFFFF in (length, offset):
        end, disk, first_disk, here, count, length, offset = _end64(file, end) or (
            end,
            disk,
            first_disk,
            here,
            count,
            length,
            offset,
        )
    if disk or first_disk or here != count:
        raise InputError("one part of a zip split into several; pack the files into one")
    shift = end - length - offset
    if shift < 0 or length < count * _RECORD.size:
        raise _corrupt("its list of files lies outside it")
    return ZipDirectory(Span(end - length, length), count, shift)


def _end64(file: BinaryIO, end: int) -> tuple[int, ...] | None:
    """What the zip64 end record says, which stands before the ordinary one; None where there is none."""
    if end < _LOCATOR.size + _END64.size:
        return None
    file.seek(end - _LOCATOR.size - _END64.size)
    block = file.read(_LOCATOR.size + _END64.size)
    if not block[_END64.size :].startswith(b"PK\x06\x07"):
        return None
    if not block.startswith(b"PK\x06\x06"):
        raise _corrupt("its zip64 end is not where it should be")
    _, _, _, _, disk, first_disk, here, count, length, offset = _END64.unpack_from(block)
    return end - _LOCATOR.size - _END64.size, disk, first_disk, here, count, length, offset


def zip_records(file: BinaryIO, span: Span, shift: int) -> Iterator[Record]:
    """The entries listed in a stretch of a zip's directory, in its order; only one is held at a time.

    Raises:
        InputError: Where the list is damaged.
    """
    size = file.seek(0, 2)
    position, end = span.start, span.start + span.length
    while position < end:
        file.seek(position)
        record = _record(file, position, shift, size)
        position += record.span.length
        if position > end:
            raise _corrupt("its list of files is cut short")
        yield record


def _record(file: BinaryIO, position: int, shift: int, size: int) -> Record:
    head = file.read(_RECORD.size)
    if not head.startswith(b"PK\x01\x02") or len(head) < _RECORD.size:
        raise _corrupt("its list of files is cut short or holds something else")
    fields = _RECORD.unpack(head)
    _, made_by, _, flags, method, _, _, crc, packed, unpacked, n_name, n_extra, n_comment = fields[:13]
    disk, _, attributes, offset = fields[13:]
    raw_name, extra_block = file.read(n_name), file.read(n_extra)
    if not raw_name:
        raise _corrupt("an entry has no name")
    extra = dict(_extra_fields(extra_block))
    name = _zip_name(raw_name, flags, extra.get(0x7075, b""))
    wide = extra.get(1, b"")
    unpacked, wide = _widen(unpacked, wide, name)
    packed, wide = _widen(packed, wide, name)
    offset, wide = _widen(offset, wide, name)
    if offset + shift + _LOCAL.size + packed > size or disk not in (0, 0xFFFF):
        raise _corrupt(f"{one_line(name)} is said to lie outside it")
    # the upper half is a Unix mode when a Unix system packed it, and whenever it says what kind of file it is
    mode = attributes >> 16 if (made_by >> 8) in (3, 19) or attributes >> 28 else 0
    span = Span(position, _RECORD.size + n_name + n_extra + n_comment)
    return Record(name, raw_name, flags, method, crc, packed, unpacked, mode, offset + shift, span)


def _extra_fields(block: bytes) -> Iterator[tuple[int, bytes]]:
    while len(block) >= 4:
        tag, length = struct.unpack_from("<HH", block)
        yield tag, block[4 : 4 + length]
        block = block[4 + length :]


def _widen(value: int, wide: bytes, name: str) -> tuple[int, bytes]:
    """A size or an offset, from the zip64 field where 32 bits are not enough; and the rest of the field."""
    if value != 0xFFFFFFFF:
        return value, wide
    if len(wide) < 8:
        raise _corrupt(f"the zip64 sizes of {one_line(name)} are missing")
    return int.from_bytes(wide[:8], "little"), wide[8:]


def _zip_name(raw: bytes, flags: int, unicode_field: bytes) -> str:
    """An entry's name. Bit 11 promises UTF-8; without it macOS writes UTF-8 too, and others code page 437."""
    # version 1 of the field, which holds good while its checksum is that of the name
    if unicode_field[:5] == b"\1" + zlib.crc32(raw).to_bytes(4, "little"):
        raw, flags = unicode_field[5:], flags | 0x800
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & 0x800:
            raise InputError(
                f"{one_line(repr(raw)[2:-1])}: the name is not UTF-8, as it says; rename it and pack again"
            ) from None
        return raw.decode("cp437")


def read_member(file: BinaryIO, record: Record) -> Iterator[bytes]:
    """The bytes of one zip entry, a chunk at a time, held against its declared size and checksum.

    Raises:
        InputError: For an encrypted entry, a method not understood, a damaged or untrue entry.
    """
    name = one_line(record.name)
    if record.flags & (0x1 | 0x40 | 0x2000):
        raise InputError(f"{name}: the zip is encrypted; pack the files again without a password")
    if record.method not in (0, 8):
        method = _METHODS.get(record.method, f"method {record.method}")
        raise InputError(f"{name}: packed with {method}, which is not read here; {_BAD_ZIP}")
    file.seek(record.offset)
    local = file.read(_LOCAL.size)
    if len(local) < _LOCAL.size or not local.startswith(b"PK\x03\x04"):
        raise _corrupt(f"{name} is not where the list says")
    n_name, n_extra = _LOCAL.unpack(local)[9:]
    if file.read(n_name) != record.raw_name:
        raise _corrupt(f"{name} has another name in its place than in the list")
    file.seek(n_extra, 1)
    crc = total = 0
    for chunk in _inflated(file, record) if record.method else _stored(file, record):
        crc, total = zlib.crc32(chunk, crc), total + len(chunk)
        if total > record.unpacked:
            break
        yield chunk
    if total != record.unpacked:
        raise _corrupt(f"{name} is not of the size declared, {record.unpacked:,} bytes")
    if crc != record.crc:
        raise _corrupt(f"the checksum of {name} is wrong")


def _stored(file: BinaryIO, record: Record) -> Iterator[bytes]:
    left = record.packed
    while left:
        chunk = file.read(min(CHUNK, left))
        if not chunk:
            raise _corrupt(f"{one_line(record.name)} is cut short")
        left -= len(chunk)
        yield chunk


def _inflated(file: BinaryIO, record: Record) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-15)
    try:
        for packed in _stored(file, record):
            while packed and not inflate.eof:
                if chunk := inflate.decompress(packed, CHUNK):
                    yield chunk
                packed = inflate.unconsumed_tail
        yield from _held_back(inflate)
    except zlib.error:
        raise _corrupt(f"{one_line(record.name)} does not unpack") from None
    if not inflate.eof:
        raise _corrupt(f"{one_line(record.name)} is cut short")


def _held_back(inflate) -> Iterator[bytes]:
    """What zlib still has to give once it has been given everything."""
    while not inflate.eof and (chunk := inflate.decompress(b"", CHUNK)):
        yield chunk


def zip_entries(
    file: BinaryIO, spans: Sequence[Span], shift: int, *, folder: str = "", caps: Caps = CAPS
) -> Iterator[Entry]:
    """The files listed in `spans` of a zip's directory, with their paths from `folder`, which all begin with.

    Raises:
        InputError: For a name, kind or number of entries that is refused.
    """
    count = packed = 0
    for span in spans:
        for record in zip_records(file, span, shift):
            name = record.name.replace("\\", "/")
            if not name.startswith(folder):
                raise InputError("the zip is not the one that was listed; run again")
            count += 1
            if count > caps.entries:
                raise too_many_entries(caps)
            parts = safe_parts(name[len(folder) :], caps)
            if is_noise(parts):
                continue
            kind = stat.S_IFMT(record.mode)
            if kind == stat.S_IFLNK:
                raise InputError(f"{one_line(name)}: a symbolic link; pack the file itself")
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(f"{one_line(name)}: a device or a pipe, not a file; leave it out")
            if record.is_folder or not parts:
                continue
            packed += record.packed
            if packed > caps.compressed:
                raise over_cap(
                    "the files are packed in",
                    size_text(caps.compressed),
                    "a submission",
                    "leave out data and weights",
                )
            yield Entry(parts, read_member(file, record))


# --- tar ----------------------------------------------------------------------------------------------------

_BLOCK = 512
_LONGEST_HEADER = MIB  # of an extended header; macOS puts a file's attributes there
_BAD_TAR = "pack the files again, as a .zip if you can"
_TAR_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
    b"S": "a sparse file",
    b"M": "a part of a file",
}


def _bad_tar(what: str) -> InputError:
    return InputError(f"the tar archive is damaged ({what}); {_BAD_TAR}")


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    """A gzip file's bytes, all its members one after the other; zlib holds each against its own checksum."""
    inflate = zlib.decompressobj(31)
    try:
        for packed in file_chunks(file):
            while packed:
                if inflate.eof:
                    if packed[:1] != b"\x1f":  # padding after the end, which is common and holds nothing
                        return
                    inflate = zlib.decompressobj(31)
                if chunk := inflate.decompress(packed, CHUNK):
                    yield chunk
                packed = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
        yield from _held_back(inflate)
    except zlib.error:
        raise InputError(f"the gzip is damaged (it does not unpack, or its checksum is wrong); {_BAD_TAR}") from None
    if not inflate.eof:
        raise InputError("the gzip is cut short; send it again")


class _Stream:
    """Bytes taken forwards from chunks, never more than a cap in all."""

    def __init__(self, chunks: Iterator[bytes], caps: Caps):
        self._chunks = chunks
        self._held = b""
        # what the files may hold, and their headers: three blocks for each name, and padding
        self._left = caps.unpacked + caps.notebook + 4 * _BLOCK * caps.entries
        self._caps = caps

    def some(self, most: int) -> bytes:
        """At least one byte and at most `most`, or none at the end."""
        if not self._held:
            self._held = next(self._chunks, b"")
            self._left -= len(self._held)
            if self._left < 0:
                raise over_cap(
                    "it unpacks to",
                    size_text(self._caps.unpacked),
                    "a submission",
                    "leave out data and weights",
                )
        taken, self._held = self._held[:most], self._held[most:]
        return taken

    def take(self, size: int, what: str) -> bytes:
        parts = []
        while size:
            part = self.some(size)
            if not part:
                raise _bad_tar(f"it is cut short in {what}")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def file(self, size: int, name: str) -> Iterator[bytes]:
        """The bytes of one file. Its padding is taken by whoever asked, with `take`."""
        while size:
            part = self.some(min(size, CHUNK))
            if not part:
                raise _bad_tar(f"it is cut short in {one_line(name)}")
            size -= len(part)
            yield part


def tar_entries(file: BinaryIO, caps: Caps = CAPS) -> Iterator[Entry]:
    """The files of a tar archive, gzipped or not, in its order.

    Raises:
        InputError: For a name, kind or number of entries that is refused, or a damaged archive.
    """
    head = file.read(2)
    file.seek(0)
    stream = _Stream(_gunzipped(file) if looks_like(head) == "gzip" else file_chunks(file), caps)
    wide: dict[str, str] = {}  # what an extended header says of the entry that follows
    count = 0
    while True:
        header = stream.take(_BLOCK, "a header")
        if not any(header):
            break
        kind, name, size = _tar_header(header)
        count += 1
        if count > caps.entries:
            raise too_many_entries(caps)
        if kind in b"xgLKV":
            wide |= _extended(kind, stream, size, name)
            continue
        name, size = wide.get("path", name), 0 if kind in b"125" else _pax_size(wide, size)
        parts = safe_parts(name, caps)
        if is_noise(parts):
            kind, wide = b"5", {}
        if kind in _TAR_KINDS or kind not in (b"0", b"\0", b"7", b"5"):
            what = _TAR_KINDS.get(kind, f"an entry of kind {one_line(repr(kind)[1:])}")
            raise InputError(f"{one_line(name)}: {what}; pack the file itself")
        if any(key.startswith("GNU.sparse") for key in wide):
            raise InputError(f"{one_line(name)}: a sparse file; pack the file itself")
        wide = {}
        chunks = stream.file(size, name)
        if parts and kind != b"5" and not name.endswith("/"):
            yield Entry(parts, chunks)
        for _ in chunks:  # what was not taken
            pass
        stream.take(-size % _BLOCK, one_line(name))
    while stream.some(CHUNK):  # to the end, so that a gzip's checksum is seen
        pass


def _tar_header(header: bytes) -> tuple[bytes, str, int]:
    """Kind, name and size of one entry."""
    said = _tar_number(header[148:156], "a checksum")
    summed = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if said != summed:
        raise _bad_tar("a header's checksum is wrong")
    raw = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    name = _tar_text(prefix + b"/" + raw if prefix else raw)
    return header[156:157], name, _tar_number(header[124:136], f"the size of {one_line(name)}")


def _tar_number(field: bytes, what: str) -> int:
    """An octal number, or a binary one where the first bit is set."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise _bad_tar(f"{what} is negative")
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0") or b"0"
    if not re.fullmatch(rb"[0-7]+", digits):
        raise _bad_tar(f"{what} is not a number")
    return int(digits, 8)


def _tar_text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(
            f"{one_line(repr(raw)[2:-1])}: the name is not UTF-8; rename it and pack the files again"
        ) from None


def _extended(kind: bytes, stream: _Stream, size: int, name: str) -> dict[str, str]:
    """What a header that extends the next entry's says: its long name, or pax's key-value pairs."""
    if size > _LONGEST_HEADER:
        raise over_cap("an extended tar header holds", size_text(_LONGEST_HEADER), "one", _BAD_TAR)
    block = stream.take(size, "an extended header")
    stream.take(-size % _BLOCK, "an extended header")
    if kind == b"V":  # the archive's label
        return {}
    if kind in (b"L", b"K"):
        return {"path" if kind == b"L" else "linkpath": _tar_text(block.split(b"\0", 1)[0])}
    pairs = dict(_pax_pairs(block))
    told = {
        key: value
        for key, value in pairs.items()
        if key in ("path", "size", "linkpath") or key.startswith("GNU.sparse")
    }
    if kind == b"g":
        # a name or a size for every entry that follows can only be meant to mislead
        if told:
            raise _bad_tar(f"a global header sets {', '.join(sorted(told))}")
        return {}
    return told


def _pax_pairs(block: bytes) -> Iterator[tuple[str, str]]:
    """`length key=value` lines, where the length counts the line."""
    position = 0
    while position < len(block) and block[position : position + 1] != b"\0":
        space = block.find(b" ", position, position + 9)
        digits = block[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise _bad_tar("an extended header is not understood")
        line = block[space + 1 : position + int(digits)]
        key, equals, value = line.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise _bad_tar("an extended header is not understood")
        # only what is used must be text: attributes may be any bytes
        text = key.decode("utf-8", "replace")
        yield text, _tar_text(value[:-1]) if text in ("path", "size", "linkpath") else ""
        position += int(digits)


def _pax_size(wide: dict[str, str], size: int) -> int:
    if "size" not in wide:
        return size
    if not re.fullmatch(r"[0-9]{1,15}", wide["size"], re.ASCII):
        raise _bad_tar(f"a size is {one_line(wide['size'])}")
    return int(wide["size"])
