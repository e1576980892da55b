"""Student code out of a notebook: what counts, what is left out, and where each line came from."""

import ast
import json
import time

import pytest
from intake_zoo import code, markdown, notebook

from gradkit.errors import InputError
from gradkit.notebooks.read import read_notebook

SOFTMAX = "def softmax(x):\n    return x"


def read(*cells, wanted=("softmax",), **fields):
    source = read_notebook(notebook(*cells, **fields), "hw.ipynb", wanted=wanted, module="attention.py")
    if source.text:
        ast.parse(source.text)
    assert len(source.lines) == source.text.count("\n")
    return source


# --- which statements ---------------------------------------------------------------------------------------


def test_definitions_are_kept_and_what_looks_at_them_is_not():
    """Plots, prints, checks, loops and trial runs would run, and could fail, when the module is imported."""
    source = read(
        "import torch\nimport matplotlib.pyplot as plt\nimport seaborn",
        "SCALE = torch.tensor(2.0)\ntrial = torch.randn(10 ** 9)",
        "def softmax(x):\n    return helper(x) * SCALE\n\nsoftmax(trial)\nassert True",
        "def helper(x):\n    return x\nfor i in range(3):\n    print(softmax(i))\nplt.plot(softmax(trial))",
        "with open('x') as f:\n    f.read()\nwhile True:\n    pass\ndel trial",
    )

    assert source.text == (
        "import torch\nSCALE = torch.tensor(2.0)\ndef softmax(x):\n    return helper(x) * SCALE\n"
        "def helper(x):\n    return x\n"
    )
    assert source.notes == ()


def test_each_line_maps_back_to_its_cell():
    """Cells are code cells that hold something, numbered from 1; lines count as they stand in the cell."""
    source = read(
        "import math\n\n\nprint(1)\nimport os",
        markdown("# Softmax"),
        "",
        "   \n",
        "%matplotlib inline\n\n@property\ndef softmax(x):\n    '''Text\n\n    lines.'''\n    return math, os",
    )

    assert [source.lines[i] for i in (0, 1, 2)] == [(1, 1), (1, 5), (2, 3)]
    assert source.place(5) == (2, 5) and source.text.split("\n")[4] == "    '''Text"
    assert source.place(99) == (2, 8) and source.place(0) == (1, 1)
    assert read("print(1)").place(5) == (1, 1)


def test_statements_on_one_line_are_parted():
    """Semicolons, continuations, accents before a statement, comments after one."""
    source = read('é = "é"; print(é); b = 2; \\\n\nc = (é,\n  b); d()  # out\ndef softmax(x): return c  # kept')

    assert source.text == 'é = "é"\nb = 2\nc = (é,\n  b)\ndef softmax(x): return c\n'
    assert source.lines == ((1, 1), (1, 1), (1, 3), (1, 4), (1, 5))


def test_the_last_definition_wins_in_order():
    """As in Jupyter: of repeated and reordered cells the last one counts, nbgrader's cell or a plain one."""
    source = read(
        code("def softmax(x):\n    return 1", solution=True, grade=False, locked=False),
        "def softmax(x):\n    return 2",
        "def softmax(x):\n    return 2",
    )
    namespace = {}
    exec(source.text, namespace)

    assert namespace["softmax"](0) == 2


def test_nbgraders_test_cells_are_dropped():
    """Locked tests may be changed by a student, and are never the work; solution and given cells are."""
    source = read(
        code("def given():\n    pass", solution=False, grade=False, locked=True),
        code("def softmax(x):\n    return given()", solution=True, grade=False, locked=False),
        code("def manual():\n    pass", solution=True, grade=True, locked=False),
        code("def softmax(x):\n    return 'from a test'", solution=False, grade=True, locked=True),
        code("not python at all", solution=False, grade=True, locked=True),
    )

    assert source.text.count("def ") == 3 and "from a test" not in source.text
    assert source.syntax_error is None and source.notes == ()


def test_a_split_cell_is_whole_again():
    """A function and its helpers may stand in any number of cells, in any order."""
    source = read("def softmax(x):\n    return _sum(x)", "def _sum(x):\n    return np.sum(x)", "import numpy as np")
    namespace = {}
    exec(source.text, namespace)

    assert source.text.startswith("import numpy as np\n")
    assert namespace["softmax"]([1, 2]) == 3


def test_future_imports_come_first():
    """They hold for the whole notebook, and may stand nowhere else in a module."""
    source = read("x = 1", "from __future__ import annotations", SOFTMAX)

    assert source.text.startswith("from __future__ import annotations\n")
    compile(source.text, "x", "exec")


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("CACHE = {}\nCACHE['x'] = 1\nOTHER = f()\nOTHER['x'] = 1", ["CACHE = {}", "CACHE['x'] = 1"]),
        ("CACHE: dict = dict()\nCACHE |= {}", ["CACHE: dict = dict()", "CACHE |= {}"]),
        ("CACHE = OTHER = f()", ["CACHE = OTHER = f()"]),
        ("(CACHE, OTHER) = f()", ["(CACHE, OTHER) = f()"]),
        (
            "if cuda():\n    CACHE = 1\nelse:\n    CACHE = 2",
            ["if cuda():", "    CACHE = 1", "else:", "    CACHE = 2"],
        ),
        (
            "try:\n    CACHE = g()\nexcept E:\n    print(1)",
            ["try:", "    CACHE = g()", "except E:", "    print(1)"],
        ),
        ("from helpers import *", ["from helpers import *"]),
        ("from helpers import CACHE, x", ["from helpers import CACHE, x"]),
        ("from matplotlib.pyplot import *", []),
        ("import attention\nfrom attention import CACHE", []),
        ("if __name__ == '__main__':\n    CACHE = 1", []),
        ("if TYPE_CHECKING:\n    from x import CACHE", []),
        ("if typing.TYPE_CHECKING:\n    from x import CACHE", []),
        ("CACHE = await f()", []),
        ("softmax.name = 'x'\nnp.name = 'x'", ["softmax.name = 'x'"]),
        (
            "WORD = 'kept'\nSIZE = -3\nSIZES = [1, (2, 3)]",
            ["WORD = 'kept'", "SIZE = -3", "SIZES = [1, (2, 3)]"],
        ),
        ("y = softmax(1)\nz = np.zeros(3)\nw = WORD", []),
        ("import seaborn\nimport torchvision\nfrom google.colab import drive", []),
        ("import math\nfrom torch import nn", ["import math", "from torch import nn"]),
    ],
)
def test_assignments_and_imports_are_kept_where_they_are_needed(cell, kept):
    """Needed by a wanted function, through however many names; plain constants can do no harm."""
    source = read("def softmax(x):\n    return CACHE", cell)

    assert sorted(source.text.splitlines()) == sorted(["def softmax(x):", "    return CACHE", *kept])


def test_a_local_name_needs_nothing():
    """A trial's `y` is not the `y` inside a function, a class or a comprehension."""
    source = read(
        "def softmax(x, y):\n    z = [w for w in y]\n    return z\nclass A:\n    v = 1",
        "y = softmax(1, 2)\nz = f()\nw = f()\nv = f()",
    )

    assert "f()" not in source.text and "softmax(1" not in source.text


def test_definitions_that_could_not_be_made_are_left_out():
    """A trial's default, decorator or base class that is not there would cost the whole module."""
    source = read(
        "y = softmax(1)\n" + SOFTMAX,
        "def plot(data=y):\n    pass\nclass B(Unknown):\n    pass\n@unknown\ndef g():\n    pass",
        "def fine(data=None):\n    return unknown",
    )

    assert source.text == SOFTMAX + "\ndef fine(data=None):\n    return unknown\n"


def test_methods_added_later_belong_to_the_class():
    """By assignment, by a decorator with the class, or by registering."""
    source = read(
        "import functools",
        "SIZE = f(1)\nGAIN = f(2)\nRATE = f(3)",
        "def f(x):\n    return x\ndef add_to(cls):\n    return lambda g: setattr(cls, g.__name__, g)",
        "class softmax:\n    pass",
        "def forward(self):\n    return SIZE\nsoftmax.forward = forward",
        "@add_to(softmax)\ndef backward(self):\n    return GAIN",
    )

    assert "SIZE = f(1)" in source.text and "GAIN = f(2)" in source.text and "RATE" not in source.text
    assert "softmax.forward = forward" in source.text


def test_a_result_does_not_take_its_functions_place():
    """`softmax = softmax(x)` is a trial's slip; another name, a wrapper or a lambda is meant."""
    slip = read(SOFTMAX, "x = 1\nsoftmax = softmax(x)")
    meant = read(SOFTMAX, "better = lambda x: x\nsoftmax = better")

    assert slip.text == SOFTMAX + "\nx = 1\n"
    assert slip.notes == ("cell 2, line 2: softmax = softmax(...) would replace it and was left out",)
    assert meant.text.endswith("softmax = better\n")


def test_what_a_needed_name_loses_is_said():
    """A loop at the top level is not run; the student is told when it matters."""
    source = read("TABLE = {}\nfor i in range(3):\n    TABLE[i] = i", "def softmax(x):\n    return TABLE[x]")

    assert source.notes == ("cell 1, line 2: a loop outside of any function is not run; it sets TABLE",)


def test_without_wanted_names_every_definition_counts():
    """Nothing is known to be wanted, or none of it is there: what any definition needs is kept."""
    cells = ("SIZE = f()", "def f():\n    return g()", "def h():\n    return SIZE")

    for wanted in ((), ("softmax",)):
        assert "SIZE = f()" in read(*cells, wanted=wanted).text


# --- IPython ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "%matplotlib inline",
        "%timeit softmax(1)",
        "  %load_ext autoreload",
        "!pip install torch",
        '!echo "it\'s" (',
        "!ls \\\n  -l",
        "files = !ls",
        "a, b = %time 1",
        "softmax?",
        "softmax??",
        "?softmax",
        "??np.sum",
        "*int*?",
    ],
)
def test_ipythons_own_lines_are_taken_out(line):
    """Magics, shell lines and help, with no line moved."""
    if line.startswith(" "):
        line = "if x:\n" + line
    source = read(f"x = 1\n{line}\n{SOFTMAX}")

    assert SOFTMAX in source.text and source.syntax_error is None
    first = source.text.split("\n").index("def softmax(x):")
    assert source.lines[first] == (1, 3 + line.count("\n"))


def test_what_only_looks_like_a_magic_stays():
    """Inside a text, brackets or a continuation, `%` and `!` are the student's own."""
    body = (
        "def softmax(x):\n    '''\n%not a magic\n!nor this\n    '''\n    y = (x\n%2)\n"
        "    z = x \\\n%3\n    return f'{x!r}', y, '\"', \"it's\", '# %'  # ''' %\n"
    )

    source = read("%matplotlib inline\n" + body)

    assert source.text == body.replace("  # ''' %", "")


@pytest.mark.parametrize(
    ("magic", "kept"),
    [("time", True), ("timeit -n 1", True), ("capture out", True), ("prun", True)]
    + [(name, False) for name in ("bash", "html", "javascript", "writefile attention.py", "cython", "")],
)
def test_cell_magics_keep_or_drop_their_cell(magic, kept):
    """Around ordinary code the body counts; another language's does not, and that is said."""
    source = read(f"\n%%{magic}\n{SOFTMAX}")

    assert (source.text == SOFTMAX + "\n") is kept
    assert (source.lines[:1] == ((1, 3),)) is kept
    assert bool(source.notes) is not kept


def test_a_cell_that_is_indented_as_a_whole_is_read():
    """IPython accepts what was pasted out of a class."""
    assert read("    def softmax(x):\n        return x\n").text == SOFTMAX + "\n"


# --- cells that do not parse --------------------------------------------------------------------------------


def test_a_broken_cell_without_a_wanted_name_is_left_out_and_said():
    """Notes to oneself in a code cell cost nothing."""
    source = read(SOFTMAX, "this isn't Python", "def other(:\n  pass")

    assert source.syntax_error is None and source.text == SOFTMAX + "\n"
    assert [note.split(":")[0] for note in source.notes] == ["hw.ipynb, cell 2, line 1", "hw.ipynb, cell 3, line 1"]
    assert all(note.endswith("; the cell was left out") for note in source.notes)


def test_a_broken_cell_costs_its_own_functions():
    """As in Jupyter, where the other cells run: what it should define is missing, and the student reads why."""
    source = read(SOFTMAX, "def attend(q:\n    pass", wanted=("softmax", "attend"))

    assert source.syntax_error is None and source.text == SOFTMAX + "\n"
    (note,) = source.notes
    assert note.startswith("hw.ipynb, cell 2, line 1: not valid Python 3.") and ", which grades here: " in note
    assert note.endswith("; the cell was left out, so attend can't be graded")


@pytest.mark.parametrize(
    "broken",
    [
        "import os\ndef softmax(x):\n    return (\n",
        "%time\n\nclass softmax(:\n",
        "\n\nsoftmax = = 1",
        "if 1:\n  def softmax(:\n",
    ],
)
def test_a_broken_cell_with_a_wanted_name_is_told_with_cell_and_line(broken):
    """The line counts in the cell, magics included."""
    source = read("import math", "print(1)", broken, "def helper():\n    pass")

    assert source.syntax_error.file == "hw.ipynb, cell 3"
    assert source.syntax_error.line in (2, 3)
    assert "def helper" in source.text


def test_a_broken_attempt_beside_a_whole_one_is_only_left_out():
    """In Jupyter the whole one would be defined, whichever comes first."""
    for cells in (("def softmax(:", SOFTMAX), (SOFTMAX, "def softmax(:")):
        source = read(*cells)

        assert source.syntax_error is None and source.text == SOFTMAX + "\n"


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "-" * 50_000 + "1",
        "x = a" + ".b" * 50_000,
        "x = '\0'",
        "if a: 0\n" + "elif a: 0\n" * 950,
        "\x0c",
        "return 1",
    ],
    ids=range(6),
)
def test_strange_cells_do_no_harm(source):
    """Nested too deeply, NUL, form feeds, thousands of branches, a return outside of any function."""
    assert read(source, SOFTMAX).text == SOFTMAX + "\n"


# --- files --------------------------------------------------------------------------------------------------


def test_format_3_is_read():
    """Worksheets, and `input` for the source."""
    cell = {"cell_type": "code", "input": [SOFTMAX[:16], SOFTMAX[16:]], "language": "python", "outputs": []}
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "worksheets": [{"cells": [cell, {"cell_type": "heading"}]}],
    }

    assert read_notebook(json.dumps(old).encode(), wanted=["softmax"]).text == SOFTMAX + "\n"


def test_a_source_may_be_text_or_lines():
    """And with any line ends, a mark of UTF-8, or half a surrogate pair, as Windows' editors leave them."""
    for source in (
        SOFTMAX,
        SOFTMAX.splitlines(keepends=True),
        SOFTMAX.replace("\n", "\r\n"),
        SOFTMAX.split("x"),
    ):
        raw = notebook(code(source)) if isinstance(source, str) or "x" in str(source) else None
        if isinstance(source, list) and "\n" not in source[0]:
            continue
        assert read_notebook(b"\xef\xbb\xbf" + raw, wanted=["softmax"]).text == SOFTMAX + "\n"

    assert read_notebook(notebook('x = "\ud800"\n' + SOFTMAX), wanted=["softmax"]).text.endswith(SOFTMAX + "\n")


def test_fifty_megabytes_of_output_are_passed_over():
    """A training log or a thousand images: read in a moment, and without building anything of it."""
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["x" * 1000 + "\n"] * 50_000}]
    raw = notebook({**code(SOFTMAX), "outputs": outputs})

    begun = time.perf_counter()
    source = read_notebook(raw, wanted=["softmax"])

    assert len(raw) > 50_000_000 and source.text == SOFTMAX + "\n"
    # 0.1 s here; building the objects would take ten times as long
    assert time.perf_counter() - begun < 5


def test_outputs_that_are_no_strict_json_are_read():
    """Python writes NaN and infinities, and halves of surrogate pairs, which JSON does not know."""
    outputs = [{"data": [float("nan"), float("inf"), -float("inf"), "NaN", '"NaN', "\ud83d", "\\", "é"]}]
    raw = notebook({**code("x = 'NaN \u2603 Infinity'\n" + SOFTMAX), "outputs": outputs})

    assert read_notebook(raw, wanted=["softmax"]).text == "x = 'NaN \u2603 Infinity'\n" + SOFTMAX + "\n"


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"not json", "is not a notebook"),
        (notebook(SOFTMAX)[:-10], "is not a notebook"),
        (b"[1, 2]", "is not a notebook"),
        (b"{}", "it has no cells"),
        (b'{"cells": 3}', "is not a notebook"),
        (b'{"cells": [{}]}', "is not a notebook"),
        (b'{"cells": [3]}', "is not a notebook"),
        (b"[" * 1_000_000, "is not a notebook"),
        (b'{"x": ' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", "it is nested too deeply"),
        (b'{"cells": ' * 100_000, "is not a notebook"),
        (b"\xff\xfe" + notebook(SOFTMAX), "is not a notebook"),
        (notebook(SOFTMAX).decode().encode("utf-16"), "is not a notebook"),
        (notebook(*["x"] * 20_001), "20,000 cells, the cap for a notebook"),
        (notebook("x = 1\n" * 400_000), "2 MiB, the cap for a module"),
        (notebook(*["x = 1\n" * 10_000] * 40), "2 MiB, the cap for a module"),
        (notebook("a;" * 130_000), "250,000 words and signs"),
        (b" " * (60 * 2**20 + 1), "60 MiB, the cap for a notebook"),
        (notebook("x <- 1", metadata={"kernelspec": {"language": "R"}}), "is a notebook for R, not Python"),
        (notebook("x", metadata={"language_info": {"name": "julia"}}), "is a notebook for julia"),
    ],
    ids=range(21),
)
def test_what_is_no_python_notebook_is_refused(raw, says):
    """One line that names the file and what is wrong."""
    with pytest.raises(InputError) as refused:
        read_notebook(raw, "hw.ipynb")

    message = str(refused.value)
    assert message.startswith("hw.ipynb: ") and says in message
    assert message.isprintable() and len(message) < 300


@pytest.mark.parametrize(
    "cell",
    [
        {"cell_type": "code", "source": 3},
        {"cell_type": "code", "source": [1, 2]},
        {"cell_type": "code", "source": None},
        {"cell_type": "code"},
        {"cell_type": "chart", "source": "x = f()"},
        {"cell_type": "code", "source": SOFTMAX, "metadata": []},
        {"cell_type": "code", "source": SOFTMAX, "metadata": {"nbgrader": 3}},
        {"cell_type": "code", "source": SOFTMAX, "metadata": {"nbgrader": {"grade": "yes"}}},
        {"cell_type": "code", "source": SOFTMAX, "metadata": {"nbgrader": None}},
    ],
    ids=range(9),
)
def test_cells_with_odd_fields_cost_nothing_else(cell):
    """A field of the wrong kind counts as absent."""
    assert read(cell, SOFTMAX).text.endswith(SOFTMAX + "\n")


def test_odd_metadata_say_nothing_of_the_language():
    """Only a notebook that names another language is refused."""
    for metadata in (
        {"kernelspec": 3},
        {"language_info": {"name": None}},
        {"language_info": {"name": "ipython"}},
        {},
    ):
        assert read(SOFTMAX, metadata=metadata).text == SOFTMAX + "\n"
