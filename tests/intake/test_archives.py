"""Archives that are refused, with one line naming what is wrong, and odd ones that are read all the same."""

import contextlib
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from dataclasses import replace

import pytest
from intake_zoo import SOLUTION, overlapping_zip, raw_zip, tar_entry, tar_header, tarred, zip_entry, zipped

from gradkit.caps import CAPS

ONE = {"name": b"attention.py", "body": SOLUTION.encode()}


def write(path, data):
    path.write_bytes(data)
    return path


@contextlib.contextmanager
def memory_peak():
    """Gives a function: the most bytes that were taken at once inside the block, on top of what was there."""
    tracemalloc.start()
    before, peak = tracemalloc.get_traced_memory()[0], 0
    try:
        yield lambda: peak
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


# --- zips that are refused ----------------------------------------------------------------------------------


def test_a_bomb_is_stopped_at_the_cap(refusal, tmp_path):
    """300 KB that unpack to 300 MB are refused, naming the file and the cap."""
    path = zipped(tmp_path / "bomb.zip", {"attention.py": SOLUTION, "data.bin": bytes(300_000_000)})

    assert path.stat().st_size < 310_000
    assert "data.bin: holds more than 20 MiB, the cap for one file" in refusal(path)


def test_a_bomb_that_declares_less_is_stopped_by_what_comes(refusal, tmp_path):
    """A declared size of 3 bytes does not let through more than 3."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(5_000_000)) + packer.flush()
    entry = {**ONE, "body": body, "method": 8, "unpacked": 3, "crc": zlib.crc32(bytes(3))}

    assert "not of the size declared, 3 bytes" in refusal(write(tmp_path / "a.zip", raw_zip([entry])))


def test_many_files_that_are_each_small_enough_are_stopped_together(refusal, tmp_path):
    """The cap on all files counts bytes over entries, also where entries share the same packed bytes."""
    path = zipped(tmp_path / "a.zip", {f"{i}.bin": bytes(400_000) for i in range(5)})

    message = refusal(path, caps=replace(CAPS, unpacked=2**20))

    assert message == "it holds more than 1 MiB, the cap for a submission; leave out data and weights"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../attention.py", "would leave"),
        ("a/../../attention.py", "would leave"),
        ("a\\..\\..\\attention.py", "would leave"),
        ("a/.. /b.py", "would leave"),
        ("/etc/passwd", "an absolute path"),
        ("\\\\host\\share\\x.py", "an absolute path"),
        ("C:\\attention.py", "an absolute path"),
        ("c:attention.py", "an absolute path"),
        ("a\nb.py", "control characters"),
        ("x" * 300 + ".py", "240 characters, the cap for a path"),
        ("é" * 130 + ".py", "240 characters, the cap for a path"),
        ("/".join("abcdefghijklm") + "/attention.py", "12 deep, the cap for a path"),
    ],
    ids=lambda value: ascii(value)[1:12],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_no_place_in_a_folder_is_refused(refusal, tmp_path, name, says, kind):
    """Zip slip in all its spellings, and names that are too long or deep."""
    if kind == "zip":
        path = zipped(tmp_path / "a.zip", [("attention.py", SOLUTION), (name, "x")])
    else:
        path = tarred(tmp_path / "a.tar.gz", [("attention.py", SOLUTION), (name, "x")])

    assert says in refusal(path)


@pytest.mark.parametrize(
    ("mode", "says"),
    [(0o120777, "a symbolic link"), (0o020666, "a device or a pipe"), (0o010644, "a device or a pipe")],
)
def test_a_zip_entry_that_is_no_file_is_refused(refusal, tmp_path, mode, says):
    """Links, devices and pipes are refused by the mode that Unix packers store."""
    path = zipped(tmp_path / "a.zip", [("attention.py", SOLUTION), (zip_entry("x.py", mode=mode), "/etc/passwd")])

    assert f"x.py: {says}" in refusal(path)


def test_more_entries_than_the_cap_are_refused(refusal, tmp_path):
    """3,000 files are over the cap of 2,000; and entries are counted even where each is passed over."""
    many = zipped(tmp_path / "many.zip", {f"{i}.txt": "" for i in range(3000)})
    noise = zipped(tmp_path / "noise.zip", {f"__MACOSX/{i}": "" for i in range(3000)})

    assert "2,000 files, the cap for a submission" in refusal(many)
    message = refusal(noise, caps=replace(CAPS, entries=2500))
    assert "2,500 entries, the cap for a submission" in message


def test_a_list_of_files_is_capped(refusal, tmp_path):
    """A list of a hundred thousand files is refused before there is an object for each, whatever number it states."""
    record = raw_zip([{"name": b"x", "body": b""}])[31:78]
    data = record * 100_000 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 100_000 * len(record), 0, 0)
    path = write(tmp_path / "a.zip", b"PK\3\4" + data)
    caps = replace(CAPS, listing=100_000, class_listing=100_000)

    with memory_peak() as peak:
        message = refusal(path, caps=caps)

    assert message.startswith(
        "its list of files holds more than 100,000 bytes, the cap for a zip; leave out environments"
    )
    assert peak() < 2_000_000


def test_entries_that_share_their_bytes_are_capped(refusal, tmp_path):
    """A bomb without nesting, whose entries quote one another, is stopped by what is read and by what comes."""
    path = write(tmp_path / "a.zip", overlapping_zip(40, 2**20))
    assert path.stat().st_size < 6000

    comes = refusal(path, caps=replace(CAPS, unpacked=10 * 2**20))
    read = refusal(path, caps=replace(CAPS, compressed=20_000))

    assert comes.startswith("it holds more than 10 MiB, the cap for a submission")
    assert read.startswith("the files are packed in more than 20,000 bytes, the cap for a submission")


def test_a_name_that_stands_twice_is_refused(refusal, tmp_path):
    """Which of two files of one name would count is no one's to guess, not even with two spellings of é."""
    with pytest.warns(UserWarning):
        path = zipped(tmp_path / "a.zip", [("attention.py", SOLUTION), ("attention.py", "x = 1")])
    accents = zipped(tmp_path / "b.zip", [("\u00e9.py", "x = 1"), ("e\u0301.py", "x = 2")])

    assert "attention.py: is there twice" in refusal(path)
    assert "is there twice" in refusal(accents)


def test_a_name_that_is_file_and_folder_is_refused(refusal, tmp_path):
    """`a` and `a/b.py` can't both be, in either order."""
    for number, names in enumerate((["a", "a/b.py"], ["a/b.py", "a"])):
        path = zipped(tmp_path / f"{number}.zip", [(name, "x") for name in names])
        assert "as a file and as a folder" in refusal(path)


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        ({"flags": 1}, "attention.py: the zip is encrypted"),
        ({"method": 14}, "attention.py: packed with lzma"),
        ({"method": 77}, "attention.py: packed with method 77"),
        ({"method": 8}, "attention.py does not unpack"),
        ({"crc": 5}, "the checksum of attention.py is wrong"),
        ({"unpacked": 99}, "not of the size declared, 99 bytes"),
        ({"unpacked": 28}, "not of the size declared, 28 bytes"),
        ({"packed": 2**31}, "attention.py is said to lie outside it"),
        ({"offset": 2**31}, "attention.py is said to lie outside it"),
        ({"offset": 7}, "attention.py is not where the list says"),
        ({"offset": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 2**64 - 1)}, "is said to lie outside it"),
        ({"packed": 0xFFFFFFFF}, "attention.py is said to lie outside it"),
        ({"packed": 0xFFFFFFFF, "extra": struct.pack("<HHL", 1, 4, 29)}, "Corrupt zip64 extra field"),
        ({"unpacked": 0xFFFFFFFF, "extra": struct.pack("<HHQ", 1, 8, 2**63)}, "not of the size declared"),
        ({"extra": struct.pack("<HH", 1, 9)}, "Corrupt extra field"),
        ({"needed": 99}, "zip file version 9.9"),
        ({"local_name": b"other.py"}, "attention.py has another name in its place"),
        ({"name": b"\xff\xfe.py", "flags": 0x800}, "the name is not UTF-8"),
        ({"name": b""}, "an entry has no name"),
        ({"name": b"a\0b.py"}, "control characters"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_zip_that_lies_is_refused(refusal, tmp_path, lie, says):
    """Every field that contradicts another, or says what is not read here, is told in one line."""
    assert says in refusal(write(tmp_path / "a.zip", raw_zip([{**ONE, **lie}])))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a zip, or cut short"),
        (b"PK\3\4 and then nothing", "not a zip, or cut short"),
        (raw_zip([ONE])[:-30], "not a zip, or cut short"),
        (raw_zip([ONE])[10:], "attention.py is said to lie outside it"),
        (raw_zip([ONE], count=60_000), "its end states 60,000 entries, its list has 1"),
        (raw_zip([ONE], directory_size=2**31), "not a zip, or cut short or damaged"),
        (raw_zip([ONE], directory_size=50), "not a zip, or cut short or damaged"),
        (raw_zip([]), "attention.py is missing; the submission holds no files"),
        (b"%PDF-1.7 ...", "is a PDF named .zip; pack the files as a .zip"),
        (b"Rar!\x1a\7\0" + bytes(40), "is a RAR archive named .zip"),
        (b"<!DOCTYPE html><html>Log in</html>", "is a web page named .zip"),
    ],
    ids=range(11),
)
def test_what_is_no_whole_zip_is_refused(refusal, tmp_path, data, says):
    """Empty, cut short at either end, with an end that lies, or something else under the name of a zip."""
    assert says in refusal(write(tmp_path / "a.zip", data))


def test_a_zip_in_several_parts_is_refused(refusal, tmp_path):
    """A part of a split zip lacks the others."""
    data = bytearray(raw_zip([ONE]))
    data[-18:-16] = b"\1\0"

    assert "split into several" in refusal(write(tmp_path / "a.zip", bytes(data)))


def test_a_length_that_swallows_a_file_is_noticed(refusal, tmp_path):
    """A comment that is said to go on over the list's next entries can't make a file vanish."""
    data = bytearray(raw_zip([ONE, {"name": b"helpers.py", "body": b"x = 1"}]))
    record = data.index(b"PK\1\2")
    data[record + 32 : record + 34] = b"\xff\x7f"  # the length of the first one's comment

    assert "its end states 2 entries, its list has 1" in refusal(write(tmp_path / "a.zip", bytes(data)))


def test_a_zip_packed_in_more_than_the_cap_is_refused(refusal, tmp_path):
    """The archive's own size is looked at before anything in it."""
    path = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "data.bin": os.urandom(3000)})

    message = refusal(path, caps=replace(CAPS, compressed=2000))

    assert message.startswith("the archive holds more than 2,000 bytes, the cap for a submission")


# --- zips that are read -------------------------------------------------------------------------------------


def test_systems_leavings_are_passed_over(lay_out, tmp_path):
    """What macOS, editors and git add is neither laid out nor counted, nor hides the folder."""
    names = ["__MACOSX/hw/._attention.py", "hw/.DS_Store", "hw/._x", "hw/__pycache__/a.pyc", ".git/HEAD"]
    files = [(name, "x") for name in names] + [("hw/attention.py", SOLUTION), ("hw/helpers.py", "x = 1")]
    link = (zip_entry("hw/.venv/bin/python", mode=0o120777), "/usr/bin/python3")

    prepared = lay_out(zipped(tmp_path / "a.zip", [*files, link]))

    assert sorted(path.name for path in prepared.folder.iterdir()) == ["attention.py", "helpers.py"]
    assert prepared.module.read_text() == SOLUTION and prepared.dropped == ()


def test_what_would_reach_into_the_grader_is_dropped_and_listed(lay_out, tmp_path):
    """Plugins, path hooks and compiled modules are left out; ordinary helpers are kept."""
    names = [
        "conftest.py",
        "x.pth",
        "sitecustomize.py",
        "UserCustomize.py",
        "sub/conftest.py",
        "lib.so.1",
        "a.pyd",
    ]
    path = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "sub/kept.py": "", **dict.fromkeys(names, "x")})

    prepared = lay_out(path)

    assert sorted(prepared.dropped) == sorted(names)
    assert sorted(p.name for p in prepared.folder.rglob("*.*")) == ["attention.py", "kept.py"]


@pytest.mark.parametrize(
    ("raw", "flags", "text"),
    [
        ("é.txt".encode(), 0x800, "é.txt"),
        ("é.txt".encode(), 0, "é.txt"),  # macOS writes UTF-8 without saying so
        (b"\x82.txt", 0, "é.txt"),  # code page 437
    ],
)
def test_names_in_all_three_customs_are_read(lay_out, tmp_path, raw, flags, text):
    """UTF-8 with its flag, UTF-8 without, and code page 437 give the same name."""
    data = raw_zip([ONE, {"name": raw, "body": b"x", "flags": flags}])

    assert (lay_out(write(tmp_path / "a.zip", data)).folder / text).is_file()


def test_a_unicode_extra_field_gives_the_name(lay_out, tmp_path):
    """Info-ZIP's field wins over the raw name while its checksum fits."""
    field = struct.pack("<HHBL", 0x7075, 5 + 6, 1, zlib.crc32(b"?.txt")) + "ж.txt".encode()
    data = raw_zip([ONE, {"name": b"?.txt", "body": b"x", "extra": field}])

    assert (lay_out(write(tmp_path / "a.zip", data)).folder / "ж.txt").is_file()


def test_an_empty_unicode_extra_field_is_told_in_the_refusal_alone(refusal, tmp_path):
    """Newer libraries warn of it, on whatever terminal there is."""
    field = struct.pack("<HHBL", 0x7075, 5, 1, zlib.crc32(b"x"))
    path = write(tmp_path / "a.zip", raw_zip([ONE, {"name": b"x", "body": b"x", "extra": field}]))
    program = "import sys; from gradkit.archives import zip_records; print(len(zip_records(open(sys.argv[1], 'rb'))))"

    listed = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)

    assert "an entry has no name" in refusal(path)
    assert (listed.stdout, listed.stderr) == ("2\n", "")


def test_backslashes_separate_folders(lay_out, tmp_path):
    """Old Windows packers write `hw\\attention.py`."""
    data = raw_zip([{**ONE, "name": b"hw\\attention.py"}, {"name": b"hw\\sub\\", "body": b""}])

    assert lay_out(write(tmp_path / "a.zip", data)).origin == "hw/attention.py"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 1_000_003])
def test_files_come_out_as_they_went_in(lay_out, tmp_path, method, size):
    """Stored and deflated, at lengths around the size of a chunk."""
    body = os.urandom(size // 2) + bytes(size - size // 2)
    prepared = lay_out(zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "b.bin": body}, method=method))

    assert (prepared.folder / "b.bin").read_bytes() == body


def test_a_zip64_and_one_with_something_before_it_are_read(lay_out, tmp_path):
    """Streams are packed with zip64 fields and sizes that follow; some zips begin with a program."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("attention.py", "w", force_zip64=True) as file:
        file.write(SOLUTION.encode())
    data = b"#!/bin/sh\n" + stream.getvalue()

    assert lay_out(write(tmp_path / "a.zip", data)).text == SOLUTION


def test_a_zip64_end_gives_the_directory(lay_out, refusal, tmp_path):
    """What is too large for the ordinary end stands in the one before it, which must be in its place."""
    data = raw_zip([ONE])
    count, length, offset = struct.unpack("<HLL", data[-12:-2])
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(data) - 22, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    whole, displaced = data[:-22] + end64 + locator + end, data[:-22] + end64 + b"x" + locator + end

    assert lay_out(write(tmp_path / "a.zip", whole)).text == SOLUTION
    assert "not a zip, or cut short or damaged" in refusal(write(tmp_path / "b.zip", displaced))
    assert "not a zip, or cut short or damaged" in refusal(write(tmp_path / "c.zip", data[:-22] + end))


def test_an_archive_inside_is_only_a_file(lay_out, refusal, tmp_path):
    """A bomb in a zip in a zip is laid out packed, and never opened."""
    inner = zipped(tmp_path / "inner.zip", {"x": bytes(30_000_000)}).read_bytes()
    outer = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "inner.zip": inner})
    lone = zipped(tmp_path / "b.zip", {"inner.zip": inner})

    assert (lay_out(outer).folder / "inner.zip").read_bytes() == inner
    assert "inner.zip inside is not opened: unpack it" in refusal(lone)


# --- tar ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (tar_entry("x", tarfile.SYMTYPE, linkname="/etc/passwd"), "x: a symbolic link"),
        (tar_entry("x", tarfile.LNKTYPE, linkname="attention.py"), "x: a hard link"),
        (tar_entry("x", tarfile.CHRTYPE, devmajor=1, devminor=3), "x: a device"),
        (tar_entry("x", tarfile.BLKTYPE), "x: a device"),
        (tar_entry("x", tarfile.FIFOTYPE), "x: a pipe"),
        (tar_entry("x", tarfile.GNUTYPE_SPARSE), "x: a sparse file"),
        (tar_entry("x", b"Q"), "x: an entry of kind 'Q'"),
        (tar_entry("x", tarfile.REGTYPE, pax_headers={"GNU.sparse.major": "1"}), "x: a sparse file"),
        (tar_entry("x", tarfile.REGTYPE, pax_headers={"path": "../x"}), "../x: '..' would leave"),
        (tar_entry("x", tarfile.REGTYPE, pax_headers={"path": "/x"}), "/x: an absolute path"),
        (tar_entry("x", tarfile.REGTYPE, pax_headers={"size": "-1"}), "a size is -1"),
        (tar_entry("x", tarfile.REGTYPE, pax_headers={"size": "9" * 12}), "cut short in x"),
        (
            tar_entry("x", tarfile.REGTYPE, pax_headers={"x": "y" * 2_000_000}),
            "extended tar header holds more",
        ),
    ],
    ids=range(13),
)
def test_a_tar_entry_that_is_no_plain_file_is_refused(refusal, tmp_path, entry, says):
    """Links, devices, sparse files, and what extended headers may pretend."""
    path = tarred(tmp_path / "a.tar.gz", [("attention.py", SOLUTION), (entry, "abc")], format=tarfile.PAX_FORMAT)

    assert says in refusal(path)


def test_a_global_header_that_renames_is_refused(lay_out, refusal, tmp_path):
    """One path for all entries can only mislead; a comment, as git archive writes, is fine."""
    said = {"path": "elsewhere.py"}
    path = tarred(
        tmp_path / "a.tar",
        [("attention.py", SOLUTION)],
        mode="w",
        format=tarfile.PAX_FORMAT,
        pax_headers=said,
    )
    fine = {"comment": "1" * 40}
    other = tarred(
        tmp_path / "b.tar",
        [("attention.py", SOLUTION)],
        mode="w",
        format=tarfile.PAX_FORMAT,
        pax_headers=fine,
    )

    assert "a global header sets path" in refusal(path)
    assert lay_out(other).text == SOLUTION


END = bytes(1024)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (tar_header(size=b"\xff" + b"\xff" * 11) + END, "is negative"),
        (tar_header(size=b"-0000000001\0") + END, "is negative"),
        (tar_header(size=b"9999999999x\0") + END, "a header: invalid header"),
        (tar_header(size=b"\x80" + b"\x7f" * 11) + END, "cut short in attention.py"),
        (tar_header() + b"a=1" + bytes(509), "cut short in a header"),
        (tar_header() + b"a", "cut short in attention.py"),
        (b"x" + tar_header()[1:] + END, "a header: bad checksum"),
        (tar_header(name=b"\xff\xfe.py") + END, "the name is not text"),
        (tar_header(kind=b"x", size=b"00000000007\0") + b"9 a=b\n\0" + bytes(505) + END, "not understood"),
        (tar_header(kind=b"x", size=b"00000000007\0") + b"0 a=b\n\0" + bytes(505) + END, "not understood"),
        (tar_header()[:100], "is not a tar archive"),
        (gzip.compress(tar_header() + b"a=1" + bytes(509) + END)[:-5], "the gzip is cut short"),
        (gzip.compress(tar_header() + b"a=1" + bytes(509) + END)[:-8] + bytes(8), "the gzip is damaged"),
        (gzip.compress(b"x = 1\n"), "cut short in a header"),
        (b"\x1f\x8b", "the gzip is cut short"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(30), "is a 7z archive named .tar.gz"),
    ],
    ids=range(16),
)
def test_what_is_no_whole_tar_is_refused(refusal, tmp_path, data, says):
    """Sizes that are negative or huge, headers that are damaged, ends that are missing."""
    assert says in refusal(write(tmp_path / "a.tar.gz", data))


def pax(pairs):
    """An extended header of these lines, and the file that it says it of."""
    return tar_header(kind=b"x", size=b"%011o\0" % len(pairs)) + pairs + bytes(-len(pairs) % 512)


def test_extended_headers_cost_little(refusal, lay_out, tmp_path):
    """Each is taken apart by itself, in one pass, and only what is used is kept; the library would take 20 MB here."""
    lines = b"".join(b"22 GNU.sparse.%06d=\n" % number for number in range(40_000))
    long = pax(b"13 comment=x\n" * 80_000)
    file = tar_header(size=b"%011o\0" % len(SOLUTION)) + SOLUTION.encode() + bytes(-len(SOLUTION) % 512)

    with memory_peak() as peak:
        laid_out = lay_out(write(tmp_path / "a.tar", 2 * long + file + END))
        sparse = refusal(write(tmp_path / "b.tar", pax(lines) + file + END))
        digits = refusal(write(tmp_path / "c.tar", pax(b"1" * 2**20) + file + END))

    assert laid_out.text == SOLUTION
    assert sparse == "attention.py: a sparse file; pack the file itself"
    assert "an extended header is not understood" in digits
    assert peak() < 6_000_000


def test_a_tar_bomb_is_stopped_at_the_cap(refusal, tmp_path):
    """Also where the bytes are in an entry that is passed over, and come after the archive's end."""
    caps = replace(CAPS, file=10_000, unpacked=20_000, notebook=10_000, entries=10)
    body = tarred(tmp_path / "a.tar.gz", [("attention.py", SOLUTION), ("x.bin", bytes(30_000))])
    noise = tarred(tmp_path / "b.tar.gz", [(".git/x", bytes(5_000_000)), ("attention.py", SOLUTION)])
    plain = tarred(tmp_path / "c.tar", [("attention.py", SOLUTION)], mode="w").read_bytes()
    after = write(tmp_path / "d.tar.gz", gzip.compress(plain + bytes(5_000_000)))

    assert "x.bin: holds more than 10,000 bytes" in refusal(body, caps=caps)
    assert "unpacks to more than 20,000 bytes" in refusal(noise, caps=caps)
    assert "unpacks to more than 20,000 bytes" in refusal(after, caps=caps)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_all_forms_of_tar_are_read(lay_out, tmp_path, form, mode):
    """Long and foreign names, folders, files around the size of a block; gzipped or not under one suffix."""
    long = "folder/" + "n" * 90 + "/" + "m" * 60 + ".txt"
    files = [
        (tar_entry("folder", tarfile.DIRTYPE), ""),
        ("attention.py", SOLUTION),
        (long, "x"),
        ("é.txt", ""),
    ]
    files += [(f"{size}.bin", os.urandom(size)) for size in (0, 1, 511, 512, 513, 70_000)]

    prepared = lay_out(tarred(tmp_path / "a.tar.gz", files, mode=mode, format=form))

    assert (prepared.folder / long).read_text() == "x"
    for name, body in files[4:]:
        assert (prepared.folder / name).read_bytes() == body
    assert (prepared.folder / "é.txt").is_file()


def test_a_gzip_in_several_members_is_read(lay_out, tmp_path):
    """Members one after the other are one file, and padding after them is nothing."""
    plain = tarred(tmp_path / "c.tar", [("attention.py", SOLUTION), ("b", os.urandom(100_000))], mode="w").read_bytes()
    data = gzip.compress(plain[:700]) + gzip.compress(plain[700:]) + bytes(100)

    assert lay_out(write(tmp_path / "a.tgz", data)).text == SOLUTION


def test_a_zip_under_a_tars_name_is_read(lay_out, tmp_path):
    """What an archive is, its content says."""
    path = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION})

    assert lay_out(path.rename(tmp_path / "a.tar.gz")).text == SOLUTION
