"""A student reads of the file that they handed in, in sentences, and why what is right elsewhere fails where it is graded."""

from __future__ import annotations

import json
import types

import nbformat
import pytest

from gradkit import results
from gradkit.judge.endings import describe
from gradkit.judge.subjects import LocalSubject
from gradkit.model import Outcome

STANDARDISE = "\n\ndef standardise(x, *, eps=1e-5):\n    "
WHERE = "(where this is graded, your code can't start processes, write other files or use the network)"
IN_A_NOTEBOOK = {
    "raises": "raise ValueError(__file__)",
    "prints": "import traceback\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        traceback.print_exc()\n    return x",
    "imports": "from scaling import nothing",
    "missing": None,
    "fails at import": "return x * VALUE\n\nVALUE = np.load(__file__ + '.npy')",
}


@pytest.fixture(scope="module")
def told(gradkit, sandboxed, small_kit, reference_source, tmp_path_factory) -> dict[str, str]:
    """What results.json tells the students of notebooks that go wrong in different ways."""
    folder = tmp_path_factory.mktemp("notebooks")
    for name, body in IN_A_NOTEBOOK.items():
        source = reference_source.replace("def standardise", "def _other")
        cells = [*source.split("\n\n\n"), *([STANDARDISE + body] if body else [])]
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        (folder / name).mkdir()
        nbformat.write(notebook, folder / name / "scaling.ipynb")
    done = gradkit("grade", "scaling", folder, "--out", folder / "out", "--root", small_kit)
    assert done.returncode == 0, done.stderr
    read = {name: json.loads((folder / "out" / name / "results.json").read_text()) for name in IN_A_NOTEBOOK}
    return {
        name: "\n".join([result["output"], *(test["output"] for test in result["tests"])])
        for name, result in read.items()
    }


@pytest.mark.parametrize("name", IN_A_NOTEBOOK)
def test_of_a_notebook_no_text_names_the_module(told, name):
    """Nor where it was laid out: a traceback that it prints names its cells."""
    assert "scaling.ipynb" in told[name]
    assert "scaling.py" not in told[name] and "/tmp" not in told[name] and "gradkit-scratch" not in told[name]


def test_a_printed_traceback_names_cell_and_line(told):
    """The line counts in the cell."""
    assert "File scaling.ipynb, cell " in told["prints"] and ", line 6, in standardise\n    1 / 0" in told["prints"]


@pytest.mark.parametrize(
    "body",
    [
        "import os\n    return x if os.fork() else x",
        "import multiprocessing\n    return multiprocessing.Pool(2).map(abs, x)",
        "import subprocess\n    subprocess.run(['true'])",
        "import concurrent.futures as futures\n    return futures.ProcessPoolExecutor(2).submit(abs, x).result()",
        "open('/tmp/kept', 'w')",
        "import urllib.request\n    urllib.request.urlopen('http://example.com')",
        "import socket\n    socket.create_connection(('192.0.2.1', 80))",
    ],
)
def test_what_is_refused_where_it_is_graded_is_told(grade_source, reference_source, body):
    """In hidden checks too: processes, files and connections work at home."""
    graded = grade_source(reference_source + STANDARDISE + body + "\n    return x\n")

    hidden = next(result for result in graded.results if result.check.number == "2.1")
    assert WHERE in results.explain(hidden)


def test_an_error_of_ones_own_is_not_blamed_on_the_sandbox(grade_source, reference_source):
    """A file that is missing is missing at home as well."""
    graded = grade_source(reference_source + STANDARDISE + "open('no/such/file')\n")

    said = " ".join(results.explain(result) for result in graded.results)
    assert "FileNotFoundError" in said and WHERE not in said


def test_another_dtype_is_a_wrong_answer_that_names_both(grade_source, reference_source):
    """No "answer of the wrong kind": it holds the numbers that were asked for, in float32."""
    graded = grade_source(reference_source + STANDARDISE + "return (x * 0).astype('float32')\n")

    hidden = next(result for result in graded.results if result.check.number == "2.1")
    assert hidden.outcome is Outcome.FAILED and results.WORDS[hidden.outcome] == "wrong"
    assert "has dtype float32 instead of float64" in results.explain(hidden)


def test_a_failed_assertion_is_told_without_python():
    """Its values, for a public check, in a sentence; a hidden one tells nothing but that the claim does not hold."""
    length = 2
    with pytest.raises(AssertionError) as raised:
        assert length == 3
    module = types.ModuleType("reference")

    case = describe(raised.value, LocalSubject(module), [], "scaling.py", module)

    assert (case.outcome, case.summary) == (Outcome.FAILED, "the claim does not hold")
    assert case.detail == "2 == 3 is not true"
