"""What a student is told of their file before it costs points, in the grader's words."""

import sys
import tomllib
from pathlib import Path

import pytest
from coursekit.costs import OLDEST_PYTHON, _newer_python, another_python, costs_of, graded_with

from gradkit.lint import find_banned
from gradkit.manifest import load_all, load_manifest

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = {
    "tasks": [{"id": "a", "functions": ["softmax", "Head"], "banned": ["torch.softmax", ".exp"]}],
    "libraries": ["torch"],
}
RIGHT = "import torch\n\ndef softmax(x): ...\n\nclass Head: ...\n"


@pytest.mark.parametrize(
    ("text", "costs"),
    [
        (RIGHT, []),
        (RIGHT.replace("...", "return torch.softmax(x, 0)", 1), ["x.py:3 uses torch.softmax, which this assignment asks you to write yourself"]),
        (RIGHT.replace("...", "return x.exp()", 1), ["x.py:3 uses x.exp, which this assignment asks you to write yourself"]),
        (RIGHT.replace("class Head", "class head"), ["x.py defines no Head: is it deleted, renamed or inside another function?"]),
        (RIGHT + "import scipy.stats, json, regex\nfrom coursekit import data\n", ["x.py imports scipy: not there when it is graded."]),
        ("def softmax(:", []),
        ("import torch\n" + "torch.softmax\n" * 9, 4),
    ],
)  # fmt: skip
def test_each_cost_is_a_line(text, costs):
    """A right file has none; a text that is no Python is told where it is imported; of many, the first few and their number."""
    found = costs_of(Path("x.py"), text, MANIFEST)

    if isinstance(costs, int):
        assert len(found) == 5 and found[-1] == "... and 7 more"
    else:
        assert found == costs


def test_a_file_for_a_newer_python_is_told():
    """Here with one that is older than the syntax: what the grader would say of the place, and with which Python."""
    text = "x = 1\nmatch x:\n    case 1: pass\n"

    (line,) = _newer_python(text, Path("x.py"), oldest=(3, 9))

    assert line.startswith("x.py, line 3: not valid Python 3.9, which grades: Pattern matching is only supported in")
    assert _newer_python(text, Path("x.py"), oldest=OLDEST_PYTHON) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="this Python can't read such f-strings at all")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a = 1\nx = f"{d["a"]}"\n', 2),
        ('x = f"{f"{1}"}"\n', 1),
        ('x = f"{d[\'a\']}" + "b"\n', 0),
        ('x = f"""{d["a"]}"""\n', 0),
        ('x = f"{1:{2}}" f"{3!r}"\n', 0),
    ],
)
def test_an_f_string_for_a_newer_python_is_told(text, line):
    """One that holds its own quotes is read from Python 3.12 on."""
    found = _newer_python(text, Path("x.py"), oldest=(3, 11))

    assert found == [
        f"x.py, line {line}: not valid Python 3.11, which grades: an f-string holds its own quotes in its braces"
    ] * bool(line)
    assert _newer_python(text, Path("x.py"), oldest=(3, 12)) == []


def test_a_student_reads_which_python_grades():
    """Where the bundle says so and theirs is another one."""
    here = "{}.{}".format(*sys.version_info[:2])

    assert another_python({"python": "3.9"}) == f"You run Python {here}; your file is graded with Python 3.9."
    assert another_python({"python": here}) == another_python({}) == ""
    assert graded_with({"python": "3.13"}) == (3, 13) and graded_with({}) == OLDEST_PYTHON


@pytest.mark.parametrize("assignment", load_all(ROOT), ids=lambda assignment: assignment.id)
def test_no_stub_and_no_reference_costs_anything(assignment):
    """A student who has changed nothing, or solved all, reads nothing of it."""
    manifest = tomllib.loads((assignment.public / "assignment.toml").read_text(encoding="utf-8"))

    for path in (assignment.stub, assignment.reference):
        assert costs_of(assignment.stub, path.read_text(encoding="utf-8"), manifest) == []


def test_both_sides_find_the_same_banned_calls(tmp_path):
    """Under aliases, from imports and on anything, with the same words."""
    text = "from torch import softmax as s\nimport torch as t\nt.softmax\n(1).exp\ngetattr(t, 'softmax')\n"
    manifest = tmp_path / "assignment.toml"
    manifest.write_text(
        'title = "T"\norder = 1\nsummary = "S"\nbanned = ["torch.softmax", ".exp"]\n'
        '[[tasks]]\nid = "a"\ntitle = "A"\npoints = 100\nminutes = 1\nfunctions = ["s"]\n',
        encoding="utf-8",
    )

    here = costs_of(Path("x.py"), text, tomllib.loads(manifest.read_text(encoding="utf-8")))

    there = [found.text(f"x.py:{found.line}") for found in find_banned(text, load_manifest(manifest)) if found.banned]
    assert here == there and len(here) == 3
