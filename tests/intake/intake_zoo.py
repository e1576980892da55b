"""Builders of things that students hand in, and of things that only someone who means harm would."""

import io
import json
import struct
import tarfile
import zipfile
import zlib

SOLUTION = "def softmax(x):\n    return x\n"


def zipped(path, files, *, method=zipfile.ZIP_DEFLATED):
    """Write a zip of `files`: pairs of a name or a ZipInfo and a text or bytes, or a mapping."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, body in dict(files).items() if isinstance(files, dict) else files:
            archive.writestr(name, body)
    return path


def zip_entry(name, *, mode=0o100644, flags=None):
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = mode << 16
    return entry


def raw_zip(files, *, count=None, directory_size=None, comment=b""):
    """A zip built byte by byte, so that every field can lie.

    Each file is a mapping with `name` and `body` (bytes), and any of `local_name`, `flags`, `method`, `crc`,
    `packed`, `unpacked`, `offset`, `attributes`, `system`, `needed`, `extra`.
    """
    out = io.BytesIO()
    directory = io.BytesIO()
    for file in files:
        body = file["body"]
        offset = file.get("offset", out.tell())
        common = (
            file.get("flags", 0),
            file.get("method", 0),
            0,
            0,
            file.get("crc", zlib.crc32(body)),
            file.get("packed", len(body)),
            file.get("unpacked", len(body)),
        )
        local = file.get("local_name", file["name"])
        out.write(struct.pack("<4s5H3L2H", b"PK\3\4", 20, *common, len(local), 0) + local + body)
        extra = file.get("extra", b"")
        directory.write(
            struct.pack(
                "<4s6H3L5H2L",
                b"PK\1\2",
                file.get("system", 3) << 8 | 20,
                file.get("needed", 20),
                *common,
                len(file["name"]),
                len(extra),
                0,
                0,
                0,
                file.get("attributes", 0),
                offset,
            )
            + file["name"]
            + extra
        )
    block = directory.getvalue()
    count = len(files) if count is None else count
    size = len(block) if directory_size is None else directory_size
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, out.tell(), len(comment))
    return out.getvalue() + block + end + comment


def overlapping_zip(count, size):
    """A zip of `count` entries of at least `size` zeros, all of which unpack the same packed bytes.

    Each entry quotes the header of the next one, and goes on with what that one holds. (Fifield, "A better zip bomb")
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packer.compress(bytes(size)) + packer.flush()
    body, unpacked, crc, packed = kernel, size, zlib.crc32(bytes(size)), len(kernel)
    files, quoted = [], bytes(size)
    for number in reversed(range(count)):
        file = {"name": b"%d" % number, "body": body, "method": 8, "packed": packed, "unpacked": unpacked, "crc": crc}
        files.insert(0, file)
        fields = (0, 8, 0, 0, crc, packed, unpacked, len(file["name"]), 0)
        header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, *fields) + file["name"]
        body = struct.pack("<BHH", 0, len(header), len(header) ^ 0xFFFF)  # stored, and not the last block
        quoted = header + quoted
        unpacked, crc, packed = len(quoted), zlib.crc32(quoted), packed + len(header) + len(body)
    return raw_zip(files)


def tarred(path, files, *, mode="w:gz", **options):
    """Write a tar of `files`: pairs of a name or a TarInfo and a text or bytes."""
    with tarfile.open(path, mode, **options) as archive:
        for name, body in files:
            body = body.encode() if isinstance(body, str) else body
            entry = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if entry.isreg():
                entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return path


def tar_entry(name, kind, **fields):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    for key, value in fields.items():
        setattr(entry, key, value)
    return entry


def tar_header(name=b"attention.py", size=b"00000000003\0", kind=b"0"):
    """One header block, its checksum right whatever the fields say."""
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def code(source, **nbgrader):
    """A code cell; with keywords, marked as nbgrader marks cells."""
    metadata = {"nbgrader": {"grade_id": "x", "schema_version": 3, **nbgrader}} if nbgrader else {}
    return {"cell_type": "code", "execution_count": 1, "metadata": metadata, "outputs": [], "source": source}


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def notebook(*cells, **fields):
    """A notebook's bytes. Texts stand for code cells."""
    cells = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **fields}
    return json.dumps(whole).encode()


def metadata(*names):
    """A submission_metadata.yml in Gradescope's manner."""
    rows = [
        f"""{name}:
  :submitters:
  - :name: Ada {name[-1]}. Lovelace
    :sid: '00{name[-1]}'
    :email: ada{name[-1]}@example.edu
  :created_at: 2024-02-01 10:00:0{name[-1]}.000000000 Z
  :score: 1.0
  :results:
    output: |-
      submission_999:
        :submitters: none of these is data
  :history:
  - :submitters: []
    :created_at: 2020-01-01 00:00:00.000000000 Z
    :score: 0.0
"""
        for name in names
    ]
    return "---\n" + "".join(rows)
