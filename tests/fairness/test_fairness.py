"""What is harmless costs nothing: a right answer gets full marks however it is dressed, and whatever runs beside it."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest

CORPUS = Path(__file__).parent.parent / "attacks" / "corpus"

# Each is put after the reference. `x` is the reference's own answer in the last group.
HABITS = {
    "warns": "import warnings\nwarnings.warn('deprecated', stacklevel=1)\n",
    "prints at import": "print('loading ...')\nimport sys\nprint('again', file=sys.stderr)\n",
    "prints a lot": "print('x' * 100_000)\n",
    "imports slowly": "import time\ntime.sleep(0.5)\n",
    "imports much": "import collections, decimal, fractions, json, random, statistics, unittest\n",
    "seeds and prints options": "np.random.seed(0)\nnp.set_printoptions(precision=2)\n",
    "raises numpy's warnings to errors": "np.seterr(all='warn')\n",
    "has a main": "if __name__ == '__main__':\n    raise SystemExit('not when imported')\n",
    "logs": "import logging\nlogging.basicConfig(level=logging.DEBUG)\nlogging.getLogger().debug('hello')\n",
    "reads its own file": "open(__file__, encoding='utf-8').read()\n",
    "writes a scratch file": "open('notes.txt', 'w').write('scratch')\n",
    "keeps a cache": "import functools\nhelper = functools.lru_cache(lambda n: n)\n",
    "defines more": "class Extra:\n    pass\n\ndef main():\n    return 1\n",
    "an exit handler": "import atexit\natexit.register(lambda: 1 / 0)\n",
    "a thread that ends": "import threading\nt = threading.Thread(target=lambda: None)\nt.start()\nt.join()\n",
}

DRESSES = {
    "Fortran order": "np.asfortranarray(x)",
    "a transposed view": "np.ascontiguousarray(x.T).T",
    "every second of a larger one": "np.repeat(x, 2, axis=0)[::2]",
    "a reversed view": "x[::-1].copy()[::-1]",
    "read-only": "(lambda y: (y.setflags(write=False), y)[1])(x.copy())",
    "a view of a larger buffer": "np.pad(x, 1)[1:-1, 1:-1]",
    "big-endian": "x.astype('>f8')",
    "a matrix's base class": "np.asarray(np.matrix(x))",
    "a masked array without a mask": "np.ma.masked_array(x).filled()",
}


@pytest.mark.parametrize("habit", HABITS)
def test_harmless_habits_cost_nothing(grade_source, reference_source, habit):
    """Full marks, whatever a module does besides."""
    graded = grade_source(f"{reference_source}\n\n{HABITS[habit]}")

    assert graded.score == 100, [case for result in graded.results for case in result.cases if case.summary]


@pytest.mark.parametrize("dress", DRESSES)
def test_the_same_numbers_count_alike(grade_source, reference_source, dress):
    """Memory layout is no part of an answer."""
    source = (
        f"{reference_source}\n\n_centre, _standardise = centre, standardise\n\n\n"
        f"def dressed(x):\n    return {DRESSES[dress]}\n\n\n"
        "def centre(x):\n    return dressed(_centre(x))\n\n\n"
        "def standardise(x, *, eps=1e-5):\n    return dressed(_standardise(x, eps=eps))\n"
    )

    assert grade_source(source).score == 100


ENCODINGS = {
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
    "old Mac line ends": lambda text: text.replace("\n", "\r").encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "Latin-1, declared": lambda text: ("# -*- coding: latin-1 -*-\n# caf\xe9\n" + text).encode("latin-1"),
    "tabs at line ends": lambda text: text.replace("\n\n", "\t\n\n").encode(),
    "no last line end": lambda text: text.rstrip("\n").encode(),
    "a form feed": lambda text: text.replace("\n\n\ndef ", "\n\n\f\ndef ", 1).encode(),
}


def test_encodings_cost_nothing(gradkit, small_kit, reference_source, sandboxed, tmp_path):
    """A file as editors on any system save it, each handed in by a student of its own."""
    for name, encode in ENCODINGS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "scaling.py").write_bytes(encode(reference_source))

    folders = [tmp_path / name for name in ENCODINGS]
    done = gradkit("grade", "scaling", *folders, "--out", tmp_path / "out", "--root", small_kit)

    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "out" / "grades.csv", encoding="utf-8", newline="") as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    assert scores == [100] * len(ENCODINGS), done.stdout


def test_twenty_times_the_same_submission_gets_the_same_score(grade_source, mistaken):
    """A half-right one, on twenty seeds: its mistake shows in the same checks each time."""
    source = mistaken("unbiased_variance")

    grades = [grade_source(source, seed=seed) for seed in range(20)]

    assert len({graded.score for graded in grades}) == 1
    assert all(graded.status == "graded" for graded in grades)


@pytest.mark.parametrize("neighbour", ["a57_fork_bomb", "a58_memory_hog", "a92_contention"])
def test_a_neighbour_costs_nothing(grade_source, grade_with_torch, reference_source, neighbour):
    """Graded again and again beside a hostile submission in another judge, the score stays."""
    attack = (CORPUS / f"{neighbour}.py").read_text(encoding="utf-8")
    beside = threading.Thread(target=grade_with_torch, args=(f"{reference_source}\n\n{attack}",))
    beside.start()

    scores = [grade_source(reference_source, seed=seed).score for seed in range(5)]

    beside.join()
    assert scores == [100] * 5
