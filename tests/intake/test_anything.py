"""Whatever is handed in is laid out or refused in one line: no other exception, nothing half-written."""

import ast
import gzip
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_zoo import SOLUTION, code, metadata, notebook, raw_zip, tarred, zipped

from gradkit.errors import InputError
from gradkit.intake import CAPS, Prepared, discover, materialise

SMALL = replace(CAPS, files=20, entries=50, file=5000, unpacked=8000, notebook=8000, compressed=9000)
bounded = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@st.composite
def mutated(draw, original):
    """`original` with a few bytes changed, taken out, put in, repeated, or cut off."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.integers(0, 4))
        if kind == 0 and data:
            data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1, data[at] ^ 0x20]))
        elif kind == 1:
            del data[at : at + draw(st.integers(1, 40))]
        elif kind == 2:
            data[at:at] = draw(st.binary(max_size=20))
        elif kind == 3:
            data[at:at] = data[at : at + draw(st.integers(1, 100))]
        elif kind == 4 and draw(st.booleans()):
            del data[at:]
    return bytes(data)


def samples():
    """Small whole submissions of every kind, to start from."""
    folder = Path(tempfile.mkdtemp())
    try:
        files = {"hw/attention.py": SOLUTION, "hw/é.txt": "x" * 300, "__MACOSX/x": ""}
        entry = {"name": b"attention.py", "body": SOLUTION.encode()}
        cells = [
            "%matplotlib inline\nimport torch\n!ls",
            code(SOLUTION, solution=True),
            "x = softmax(1); x?",
            "for",
        ]
        export = {"submission_metadata.yml": metadata("submission_1"), "submission_1/attention.py": SOLUTION}
        long = [("attention.py", SOLUTION), ("n" * 120 + "/é", "x" * 600)]
        return {
            ".zip": [
                zipped(folder / "a.zip", files).read_bytes(),
                raw_zip([entry, {"name": b"x", "body": b"y"}]),
                zipped(folder / "e.zip", export).read_bytes(),
            ],
            ".tar": [tarred(folder / f"{form}.tar", long, mode="w", format=form).read_bytes() for form in (0, 1, 2)],
            ".tgz": [tarred(folder / "a.tgz", long).read_bytes()],
            ".ipynb": [notebook(*cells)],
            ".py": [SOLUTION.encode(), ("# coding: latin-1\n" + SOLUTION).encode("utf-16")],
        }
    finally:
        shutil.rmtree(folder)


SAMPLES = samples()


def hand_in(manifest, name, data):
    """Hand in `data` under `name`; all submissions found in it are laid out, or refused as they should be."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / name).write_bytes(data)
        found = discover([place / name], manifest, caps=SMALL)
        assert found.submissions or found.refused
        for number, one in enumerate(found.submissions):
            check_one(manifest, one, place / f"out {number}")
        assert not list(place.glob(".intake-*"))


def check_one(manifest, submission, dest):
    assert submission.name.isprintable() and "/" not in submission.name
    try:
        prepared = materialise(submission, manifest, dest, caps=SMALL)
    except InputError as refused:
        assert str(refused).isprintable() and len(str(refused)) < 500
        assert not dest.exists()
    else:
        assert isinstance(prepared, Prepared) and prepared.module.is_file()
        assert all(path.resolve().is_relative_to(dest.resolve()) for path in dest.rglob("*"))
        assert prepared.where(1)
        if prepared.syntax_error is None:
            ast.parse(prepared.text)


@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_sample_with_changed_bytes_is_laid_out_or_refused(manifest, suffix):
    """Flipped, missing, repeated and added bytes in archives, notebooks and modules."""

    @bounded
    @given(st.sampled_from(SAMPLES[suffix]).flatmap(mutated))
    def check(data):
        hand_in(manifest, f"a{suffix}", data)

    check()


@pytest.mark.parametrize("suffix", SAMPLES)
def test_any_bytes_are_laid_out_or_refused(manifest, suffix):
    """Noise under every suffix, with and without a beginning that promises more."""
    heads = st.sampled_from([b"", b"PK\3\4", b"PK\5\6", b"\x1f\x8b\x08", b'{"cells":[', b"\xff\xfe", b"# coding: "])

    @bounded
    @given(heads, st.binary(max_size=600))
    def check(head, data):
        hand_in(manifest, f"a{suffix}", head + data)

    check()


def test_a_gzip_of_a_changed_tar_is_laid_out_or_refused(manifest):
    """The tar reader behind a gzip that is whole."""

    @bounded
    @given(st.sampled_from(SAMPLES[".tar"]).flatmap(mutated))
    def check(data):
        hand_in(manifest, "a.tar.gz", gzip.compress(data, 1))

    check()


PIECES = """x = 1|def softmax(x):|    return x|%magic (|!ls '|y = !x|'''|"|(|)|\\|# '|class A(B):|    pass
import x|from a import *|if x:|for i in x:|x[0] = 1|%%time|%%bash|@d|; |?x
x?|é = 'é'; z = 2|try:|except: pass|  y = (|    %x|\x0c|x = 1; y = 2|async def f():|    await x"""
TEXTS = st.text(max_size=60) | st.lists(st.sampled_from(re.split(r"[|\n]", PIECES)), max_size=9).map("\n".join)


def test_any_cells_are_laid_out_or_refused(manifest):
    """Cells of noise, and of pieces of code and IPython in any order."""

    @bounded
    @given(st.lists(TEXTS, max_size=5))
    def check(cells):
        hand_in(manifest, "a.ipynb", notebook(*cells))

    check()


@pytest.mark.parametrize("name", ["", "é", "a\n", "-x", "=1+1", "x" * 200, "\u202e"])
def test_any_file_name_becomes_a_name(manifest, name):
    """What the file system lets through is made printable."""
    hand_in(manifest, f"{name}.py", SOLUTION.encode())
