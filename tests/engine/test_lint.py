"""Banned calls are found under every name they can be imported by, and nothing else is."""

from __future__ import annotations

import pytest

from gradkit.lint import find_banned
from gradkit.manifest import Manifest, Task

MANIFEST = Manifest(
    "t", 1, "s", [Task("a", "A", 100, 1, ["softmax"], banned=["torch.softmax"])], banned=["torch.nn.functional.softmax", ".softmax", "torch.nn.MultiheadAttention"]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import torch\ntorch.softmax(x, 0)", "torch.softmax"),
        ("import torch as t\nt.softmax(x, 0)", "torch.softmax"),
        ("import torch.nn.functional as F\nF.softmax(x)", "torch.nn.functional.softmax"),
        ("from torch.nn import functional as F\nF.softmax(x)", "torch.nn.functional.softmax"),
        ("import x\nfrom torch.nn.functional import softmax as s", "torch.nn.functional.softmax"),
        ("x = 1\n(x + 1).softmax(-1)", "?.softmax"),
        ("import torch\ntorch.nn.MultiheadAttention(4, 2)", "torch.nn.MultiheadAttention"),
    ],
)
def test_a_banned_name_is_found_with_its_line(text, name):
    """Aliases and from-imports are seen through; a banned method is found on anything."""
    found = find_banned(text, MANIFEST)

    assert (found[0].line, found[0].name, found[0].banned) == (2, name, True)


def test_the_students_own_function_of_the_same_name_is_not_banned():
    """`softmax(x)` is what the assignment asks for."""
    assert find_banned("def softmax(x):\n    return x\n\ny = softmax(3)\n", MANIFEST) == []


@pytest.mark.parametrize(
    "text",
    [
        "getattr(torch, 'soft' + 'max')",
        "exec('x')",
        "import importlib\nimportlib.x",
        "import torch\ntorch.ops.aten",
    ],
)
def test_ways_around_are_flagged_but_not_called_banned(text):
    """They are for a person to look at."""
    found = find_banned(text, MANIFEST)

    assert found and not any(finding.banned for finding in found)


def test_names_without_end_are_not_kept():
    """A name of a megabyte, used a thousand times, would be gigabytes; what is called on it is found all the same."""
    bomb = f"import {'a' * 1_000_000} as z\n" + "z.softmax\n" * 1_000
    names = ", ".join(f"a{number}" for number in range(50_000))
    imports = f"from {'a' * 1_000_000} import {names}, softmax\n"
    many = "import torch\n" + "torch.softmax\n" * 1_000
    deep = "x" + ".a" * 900 + ".softmax\n"

    assert {finding.name for finding in find_banned(bomb, MANIFEST)} == {"?.softmax"}
    assert [finding.name for finding in find_banned(imports, MANIFEST)] == ["?.softmax"]
    assert len(find_banned(many, MANIFEST)) == 100
    assert find_banned(deep, MANIFEST)[0].name.endswith(".a.softmax")
