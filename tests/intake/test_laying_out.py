"""One submission laid out: which file is graded, how its text is read, what is left when it is refused."""

import os
import stat
import sys
from dataclasses import replace

import pytest
from intake_zoo import SOLUTION, notebook, zipped

from gradkit.errors import GradkitError, InputError
from gradkit.intake import CAPS, discover, materialise

STUB = 'def softmax(x):\n    raise NotImplementedError("task softmax is not written yet")\n'


# --- the module ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "origin"),
    [
        (["attention.py"], "attention.py"),
        (["hw/attention.py"], "hw/attention.py"),
        (["a/b/attention.py", "a/b/helpers.py"], "a/b/attention.py"),
        (["attention.py", "old/attention.py"], "attention.py"),
        (["hw/attention.py", "hw/old/attention.py", "hw/older/attention.py"], "hw/attention.py"),
        (["README.md", "src/attention.py"], "src/attention.py"),
        (["attention.ipynb"], "attention.ipynb"),
        (["attention.ipynb", "old/attention.py"], "attention.ipynb"),
        (["my homework.ipynb", "helpers.py"], "my homework.ipynb"),
        (["attention.ipynb", "scratch.ipynb"], "attention.ipynb"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_the_module_is_found(lay_out, tmp_path, names, origin):
    """At the top of what was packed, else wherever there is only one; a notebook stands for the module."""
    files = {name: notebook(SOLUTION) if name.endswith(".ipynb") else SOLUTION for name in names}

    prepared = lay_out(zipped(tmp_path / "a.zip", files))

    assert prepared.origin == origin and prepared.syntax_error is None
    assert prepared.module == prepared.folder / "attention.py"
    assert prepared.module.read_text() == prepared.text == SOLUTION
    assert not list(prepared.folder.rglob("*.ipynb"))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["atention.py", "notes.txt"], "found: atention.py, notes.txt (is atention.py it? rename it)"),
        (["Attention.py"], "found: Attention.py (Attention.py differs in case: rename it)"),
        (["attention (1).py"], "found: attention (1).py (is attention (1).py it? rename it)"),
        (["attention.py.txt"], "(is attention.py.txt it? rename it)"),
        (["solution.py", "a.txt"], "found: solution.py, a.txt (is solution.py it? rename it)"),
        (["a.py", "b.py"], "found: a.py, b.py (hand in attention.py or attention.ipynb)"),
        (["a.ipynb", "b.ipynb"], "(2 notebooks: name the one that counts attention.ipynb)"),
        (["hw.zip"], "found: hw.zip (hw.zip inside is not opened: unpack it)"),
        (["hw.rar"], "found: hw.rar (hw.rar inside is not opened: unpack it)"),
        ([f"{i}.txt" for i in range(9)], "found: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 4 more (hand in"),
        (["x\u202ey.txt"], "found: x\\u202ey.txt"),
        ([], "the submission holds no files"),
        (["__MACOSX/attention.py"], "the submission holds no files"),
        (["attention.py/x"], "found: attention.py/x"),
    ],
    ids=range(14),
)
def test_a_missing_module_says_what_was_found(refusal, tmp_path, names, says):
    """And what may have been meant, so that the answer is one rename away."""
    message = refusal(zipped(tmp_path / "a.zip", dict.fromkeys(names, "x = 1")))

    assert message.startswith("attention.py is missing; ") and says in message


@pytest.mark.parametrize("second", ["b/attention.py", "b/attention.ipynb"])
def test_two_modules_are_refused_by_name(refusal, tmp_path, second):
    """Neither is at the top, so neither can be meant more than the other."""
    path = zipped(tmp_path / "a.zip", {"a/attention.py": SOLUTION, second: SOLUTION, "c/attention.py": ""})

    message = refusal(path)

    assert f"more than one candidate: a/attention.py and {second} (and 1 more)" in message


@pytest.mark.parametrize(
    ("module", "cells", "origin"),
    [
        (STUB, [SOLUTION], "attention.ipynb"),
        (SOLUTION, [STUB], "attention.py"),
        (STUB, [STUB], "attention.py"),
        (SOLUTION, [SOLUTION], "attention.py"),
        (STUB, ["x = 1"], "attention.py"),
    ],
)
def test_of_module_and_notebook_the_one_worked_in_counts(lay_out, tmp_path, module, cells, origin):
    """The kit hands out both, and a student sends the whole folder back."""
    files = {"attention.py": module, "attention.ipynb": notebook(*cells)}

    prepared = lay_out(zipped(tmp_path / "a.zip", files))

    assert prepared.origin == origin
    assert len(prepared.notes) == 1 and f"{origin} was graded" in prepared.notes[0]


def test_a_broken_notebook_beside_the_module_is_passed_over(lay_out, tmp_path):
    """The module is what can be graded."""
    prepared = lay_out(zipped(tmp_path / "a.zip", {"attention.py": STUB, "attention.ipynb": "{"}))

    assert prepared.text == STUB and "attention.ipynb was passed over" in prepared.notes[0]


def test_what_lies_outside_the_modules_folder_is_left_out_and_said(lay_out, tmp_path):
    """The module's folder becomes the submission's."""
    files = {"README.md": "", "src/attention.py": SOLUTION, "src/lib/x.py": "", "data/x.csv": ""}

    prepared = lay_out(zipped(tmp_path / "a.zip", files))

    assert sorted(os.listdir(prepared.folder)) == ["attention.py", "lib"]
    assert prepared.dropped == tuple(
        f"{name} (outside the folder of attention.py)" for name in ("README.md", "data/x.csv")
    )


# --- text ---------------------------------------------------------------------------------------------------

ACCENT = 'def softmax(x):\n    return "é"\n'


@pytest.mark.parametrize(
    "raw",
    [
        ACCENT.encode(),
        ACCENT.encode("utf-8-sig"),
        ACCENT.encode("utf-16"),
        b"\xfe\xff" + ACCENT.encode("utf-16-be"),
        ACCENT.encode("utf-32"),
        ACCENT.replace("\n", "\r\n").encode(),
        ACCENT.replace("\n", "\r").encode(),
    ],
    ids=["utf-8", "bom", "utf-16-le", "utf-16-be", "utf-32", "crlf", "cr"],
)
def test_every_usual_encoding_is_read_and_can_be_imported(lay_out, tmp_path, raw):
    """The text is the same, and Python reads the file that is laid out."""
    prepared = lay_out(zipped(tmp_path / "a.zip", {"attention.py": raw}))

    assert prepared.text == ACCENT and prepared.syntax_error is None
    namespace = {}
    exec(compile(prepared.module.read_bytes(), "x", "exec"), namespace)
    assert namespace["softmax"](1) == "é"


@pytest.mark.parametrize("cookie", ["latin-1", "iso-8859-15", "cp1252", "mac-roman", "utf8", "gbk"])
def test_a_coding_cookie_is_honoured(lay_out, tmp_path, cookie):
    """On the first line or the second, as PEP 263 has it."""
    for head in (f"# -*- coding: {cookie} -*-\n", f"#!/usr/bin/python\n# vim: set fileencoding={cookie} :\n"):
        raw = (head + ACCENT).encode(cookie)

        assert lay_out(zipped(tmp_path / "a.zip", {"attention.py": raw})).text == head + ACCENT


@pytest.mark.parametrize(
    ("raw", "line", "message"),
    [
        (b"x = 1\ny = (\n", 2, "'(' was never closed"),
        (b"x = 1\n\ny = '\xe9'\n", 3, "byte 0xe9 is not utf-8; save the file as UTF-8"),
        (b"# coding: rot13\nx = 1\n", 1, "unknown encoding rot13; save the file as UTF-8"),
        (b"#\n# coding: nonsense\nx = 1\n", 2, "unknown encoding nonsense"),
        (b"# coding: ascii\nx = '\xc3\xa9'\n", 2, "byte 0xc3 is not ascii"),
        (b"x = 1\r\r\r= 2\n", 4, "invalid syntax"),
        (b"if x:\ny = 1\n", 2, "expected an indented block"),
        ("x = 1 \u2014 2\n".encode(), 1, "invalid character"),
        (b"x = " + b"(" * 500, 1, "too many nested parentheses"),
        (b"x = " + b"-" * 50_000 + b"1", 1, "nested too deeply"),
        (b"x = " + b"not " * 50_000 + b"a", 1, "nested too deeply"),
        (b"x = " + b"9" * 10_000, 1, "Exceeds the limit"),
        (b"if a: 0\n" + b"elif a: 0\n" * 20_000, 1, "nested too deeply"),
    ],
    ids=range(13),
)
def test_what_does_not_parse_is_a_grade_of_0_with_its_line(lay_out, tmp_path, raw, line, message):
    """It is laid out all the same, and the problem names file, line and what is wrong."""
    prepared = lay_out(zipped(tmp_path / "a.zip", {"hw/attention.py": raw}))

    assert prepared.syntax_error.file == "hw/attention.py"
    assert prepared.syntax_error.line == line
    assert message in prepared.syntax_error.message and prepared.syntax_error.message.isprintable()
    assert prepared.module.is_file()


def test_a_chain_without_end_is_read_or_told(lay_out, tmp_path):
    """Python 3.14 reads 50,000 attributes in a row, and earlier ones don't: either way the submission is laid out."""
    prepared = lay_out(zipped(tmp_path / "a.zip", {"attention.py": b"x = a" + b".b" * 50_000}))

    assert prepared.syntax_error is None or "nested too deeply" in prepared.syntax_error.message
    assert prepared.module.is_file()


def test_the_place_of_a_problem_reads_alike_for_modules_and_notebooks(lay_out, tmp_path):
    """File or cell, then the line; and an invalid escape is no problem and prints no warning."""
    module = lay_out(zipped(tmp_path / "a.zip", {"attention.py": "x = '\\d'\ny = ("}))
    cells = lay_out(zipped(tmp_path / "b.zip", {"hw.ipynb": notebook("x = '\\d'", "\ndef softmax(:")}))

    assert module.syntax_error.place == "attention.py, line 2"
    assert cells.syntax_error.place == "hw.ipynb, cell 2, line 2"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"PK\x03\x04" + bytes(100), "is a zip archive or an Office document, not Python"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "is an old Office document"),
        (b"\x89PNG\r\n" + bytes(100), "is an image"),
        (b"{\\rtf1\\ansi x = 1}", "is an RTF document"),
        (b"\n<html><body>x = 1", "is a web page"),
        (notebook(SOLUTION), "is a notebook, not Python; save it with the suffix .ipynb"),
        (b"x = 1\0", "holds NUL bytes"),
        ("x = 1\n".encode("utf-16-le"), "holds NUL bytes"),
        (bytes(range(1, 256)) * 10, "is not text, so not Python"),
        (b"x = 1\n" * 400_000, "holds more than 2 MiB, the cap for a module"),
        (b"a;" * 200_000, "holds more than 250,000 words and signs, the cap for a module"),
    ],
    ids=range(11),
)
def test_what_is_no_python_at_all_is_refused(refusal, tmp_path, raw, says):
    """A document under the module's name, binary data, or more than can be parsed in the grader's memory."""
    assert f"attention.py: {says}" in refusal(zipped(tmp_path / "a.zip", {"attention.py": raw}))


def test_a_module_that_only_begins_like_something_else_is_python(lay_out, tmp_path):
    """`MZ` and `BZh` begin names as well as programs."""
    for text in ("MZ = 1\n", "BZh = 1\n", "GIF8 = 1\n", "\n"):
        assert lay_out(zipped(tmp_path / "a.zip", {"attention.py": text + SOLUTION})).syntax_error is None


@pytest.mark.parametrize("text", ["", "x = 1\n", "import torch\n\ndef conformal_rank(n):\n    return n\n"])
def test_a_file_of_another_assignment_is_refused(refusal, tmp_path, text):
    """A 0 would be taken for this assignment's; so would it for a file that was emptied."""
    (tmp_path / "hw.py").write_text(text)

    assert refusal(tmp_path / "hw.py").startswith("hw.py: defines no function of this assignment (")


@pytest.mark.parametrize(
    "text", ["from helpers import softmax\n", "from helpers import *\n", "softmax = lambda x: x\n", "exec('...')\n"]
)
def test_a_function_may_be_defined_in_any_way(lay_out, tmp_path, text):
    """What no one can read off the text is run and seen."""
    (tmp_path / "hw.py").write_text(text)

    assert lay_out(tmp_path / "hw.py").text == text


@pytest.mark.parametrize("line", ["%matplotlib inline", "!pip install torch", "%%time"])
def test_a_notebooks_line_in_a_module_is_told_as_that(lay_out, tmp_path, line):
    """Python itself says only that the syntax is invalid."""
    (tmp_path / "hw.py").write_text(f"import torch\n{line}\n{SOLUTION}")

    problem = lay_out(tmp_path / "hw.py").syntax_error

    assert problem == ("hw.py", 2, "this is a notebook's line: delete it, or hand in the .ipynb")


# --- folders ------------------------------------------------------------------------------------------------


def test_what_is_laid_out_can_be_read_by_the_worker_and_not_run(lay_out, tmp_path):
    """Whatever the umask or the archive's modes: folders 755, files 644."""
    old = os.umask(0o077)
    try:
        prepared = lay_out(zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "x/y.sh": "#!/bin/sh"}))
    finally:
        os.umask(old)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in prepared.folder.rglob("*")}
    assert modes == {"attention.py": 0o644, "x": 0o755, "y.sh": 0o644}
    assert stat.S_IMODE(prepared.folder.stat().st_mode) == 0o755


def test_a_folder_in_use_is_not_touched(manifest, tmp_path):
    """An empty one is taken; one that holds something, a file or a link is refused."""
    source = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION})
    submission = discover([source], manifest).submissions[0]
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "empty")

    assert materialise(submission, manifest, tmp_path / "empty").module.is_file()
    for name in ("full", "link", "a.zip"):
        with pytest.raises(InputError, match="already there; remove it first"):
            materialise(submission, manifest, tmp_path / name)
    with pytest.raises(GradkitError, match="can't be made"):
        materialise(submission, manifest, tmp_path / "a.zip" / "below")


def test_a_submission_that_is_gone_is_refused(manifest, tmp_path):
    """Files may vanish between finding and opening them."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "attention.py").write_text("")
    for path in (zipped(tmp_path / "a.zip", {"attention.py": ""}), tmp_path / "b"):
        submission = discover([path], manifest).submissions[0]
        path.rename(tmp_path / f"gone-{path.name}")

        with pytest.raises(InputError, match="can't be read"):
            materialise(submission, manifest, tmp_path / "out")


def test_a_full_disk_is_not_the_submissions_doing(manifest, tmp_path, monkeypatch):
    """An error of the machine in the middle of unpacking is told as such, and cleaned up; it refuses nobody."""
    import builtins

    path = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION})
    real = builtins.open

    def full(name, mode="r", *args, **kwargs):
        if mode == "xb":
            raise OSError(28, "No space left on device", str(name))
        return real(name, mode, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", full)

    submission = discover([path], manifest).submissions[0]

    with pytest.raises(
        GradkitError, match="attention.py: the grading machine can't unpack it .No space left"
    ) as raised:
        materialise(submission, manifest, tmp_path / "out")
    assert not isinstance(raised.value, InputError) and sorted(p.name for p in tmp_path.iterdir()) == ["a.zip"]


def test_nothing_of_a_submission_is_run(lay_out, tmp_path, monkeypatch):
    """Neither module, notebook nor helpers are imported or executed."""
    monkeypatch.setattr(sys, "intake_test_mark", [], raising=False)
    evil = f"import sys\nsys.intake_test_mark.append(1)\n{SOLUTION}"
    for files in (
        {"attention.py": evil, "__init__.py": evil, "conftest.py": evil},
        {"attention.ipynb": notebook(evil + "x = sys.intake_test_mark.append(2)\ndef softmax(a=x): pass")},
    ):
        lay_out(zipped(tmp_path / "a.zip", files))

    assert sys.intake_test_mark == []


def test_caps_are_one_object(lay_out, refusal, tmp_path):
    """Whoever grades larger work passes other caps; a file exactly at its cap is within it."""
    path = zipped(tmp_path / "a.zip", {"attention.py": SOLUTION, "x": bytes(1000)})

    assert lay_out(path, caps=replace(CAPS, file=1000, files=2, unpacked=1000 + len(SOLUTION)))
    assert "cap for one file" in refusal(path, caps=replace(CAPS, file=999))
    assert "1 files" in refusal(path, caps=replace(CAPS, files=1))
