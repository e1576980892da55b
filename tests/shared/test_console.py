"""Lines that are pasted into `python figures.py -i` run as they stand."""

import types

import pytest
from coursekit.console import Console

BLOCKS = {
    "a loop": ("for k in range(3):\n    seen.append(k)\nseen.append(9)", [0, 1, 2, 9]),
    "an else": ("if seen:\n    seen.append(1)\nelse:\n    seen.append(2)\nseen.append(3)", [2, 3]),
    "a function": ("def double(x):\n    return 2 * x\nseen.append(double(4))", [8]),
    "a decorated function": ("@str\ndef name():\n    return 0\nseen.append(name[:9])", ["<function"]),
    "two blocks": (
        "for k in (1, 2):\n    seen.append(k)\nfor k in (3, 4):\n    seen.append(k)\nseen.append(5)",
        [1, 2, 3, 4, 5],
    ),
    "open brackets": ("seen.extend([\n1,\n2])\nseen.append(3)", [1, 2, 3]),
    "a long string": ("seen.append('''a\nb''')", ["a\nb"]),
    "an error between": ("seen.append(1)\nseen.append(1 / 0)\nseen.append(2)", [1, 2]),
    "what is no Python": ("for k in (1, 2):\n    seen.append(k)\n1 +* 2\nseen.append(3)", [1, 2, 3]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_pasted_block_needs_no_blank_line(name, capsys):
    """A statement after a block runs the block first; `else`, brackets and strings go on; an error stops nothing."""
    text, seen = BLOCKS[name]
    module = types.ModuleType("student")
    module.seen = []
    console = Console(vars(module))

    more = [console.push(line) for line in text.split("\n")]

    assert module.seen == seen and not more[-1]
    assert ("Error" in capsys.readouterr().err) == (name in ("an error between", "what is no Python"))
