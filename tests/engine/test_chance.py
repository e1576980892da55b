"""Random functions are graded by their exact distribution, whatever the order in which they draw."""

from __future__ import annotations

import shutil

import pytest

CHECKS = '''"""The graded checks."""

from coursekit.chance import law
from gradescope_utils.autograder_utils.decorators import number, tags, weight


@number("1.1")
@weight(60)
@tags("mask")
def test_law(agree):
    """Each place is masked on its own."""
    agree(lambda impl: law(impl.mask, [7, 8, 9], 0.25, most_runs=200))


@number("1.2")
@weight(40)
@tags("mask")
def test_certain(impl, agree):
    """With p = 1 all places are masked: a check of its own answers."""
    found = law(impl.mask, [1, 2], 1.0)
    assert found == {(0, 0): 0.5, (-1, -1): 0.5} or len(found) > 2
    agree(lambda impl: law(impl.mask, [1, 2], 1.0))
'''
REFERENCE = '''"""Masking."""


# BEGIN SOLUTION mask
def mask(tokens, p, *, draw, flip):
    """Hide each token with probability p, all behind one of two marks."""
    mark = [0, -1][draw([0.5, 0.5])]
    return [mark if flip(p) else token for token in tokens]
# END SOLUTION mask
'''
MISTAKES = '''[[mistakes]]
name = "inverted"
function = "mask"
why = "Keeps with probability p."
edits = [["mark if flip(p) else token", "token if flip(p) else mark"]]
hint = """Which of the two happens with probability p?"""

[[mistakes]]
name = "mark_for_each"
function = "mask"
why = "Draws a mark for each token."
edits = [["mark if flip(p) else token", "[0, -1][draw([0.5, 0.5])] if flip(p) else token"]]
hint = """How many marks does one text have?"""
'''


@pytest.fixture(scope="module")
def grade(grading_in, small_kit, tmp_path_factory):
    """Grade the text of a submission, by number of the check."""
    root = tmp_path_factory.mktemp("chance") / "kit"
    shutil.copytree(small_kit, root)
    (root / "solutions").chmod(0o700)
    manifest = root / "assignments/scaling/assignment.toml"
    text = manifest.read_text(encoding="utf-8")
    tasks = '[[tasks]]\nid = "mask"\ntitle = "All"\npoints = 100\nminutes = 5\nfunctions = ["mask"]\n'
    manifest.write_text(text[: text.index("[[tasks]]")] + tasks, encoding="utf-8")
    (root / "assignments/scaling/test_scaling.py").write_text('"""None."""\n', encoding="utf-8")
    hidden = root / "solutions/scaling"
    (hidden / "test_hidden.py").write_text(CHECKS, encoding="utf-8")
    (hidden / "scaling.py").write_text(REFERENCE, encoding="utf-8")
    shutil.rmtree(hidden / "mistakes")
    (hidden / "mistakes").mkdir()
    (hidden / "mistakes/mask.toml").write_text(MISTAKES, encoding="utf-8")
    with grading_in(root) as grade:
        yield lambda source: {result.check.number: result.cases[0] for result in grade(source).results}


@pytest.mark.parametrize(
    "source",
    [
        REFERENCE,
        "def mask(t, p, *, draw, flip):\n    hide = [flip(p) for _ in t][::-1]\n    mark = -flip(0.5)\n"
        "    return [mark if h else token for h, token in zip(hide, t)]",
        "def mask(t, p, *, draw, flip):\n    return tuple(([0, -1][m] if draw([1 - p, p]) else x) for m in [draw((.5, .5))] for x in t)",
    ],
)
def test_any_way_to_draw_the_right_distribution_passes(grade, source):
    """Other orders, one primitive for the other, draws that are not used: only the distribution counts."""
    if "tuple(" in source:
        source = source.replace("return tuple(", "return list(")

    assert {case.outcome.value for case in grade(source).values()} == {"passed"}


def test_a_wrong_distribution_is_described_and_its_cause_found(grade):
    """A student who draws in another order than the reference still reads the hint of the known mistake."""
    source = (
        "def mask(t, p, *, draw, flip):\n    keep = [flip(p) for _ in t]\n    mark = -flip(0.5)\n"
        "    return [x if k else mark for k, x in zip(keep, t)]"
    )
    law, certain = grade(source)["1.1"], grade(source)["1.2"]

    assert law.outcome.value == certain.outcome.value == "failed"
    assert "all its results are possible, but 15 of 15 have the wrong probabilities" in law.summary
    assert law.hint == certain.hint == "Which of the two happens with probability p?"


def test_results_that_can_not_occur_are_counted(grade):
    """A mark for each token makes texts with both marks."""
    source = "def mask(t, p, *, draw, flip):\n    return [-draw([.5, .5]) if flip(p) else x for x in t]"
    case = grade(source)["1.1"]

    assert "12 results occur that are impossible" in case.summary
    assert case.hint == "How many marks does one text have?"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "def mask(t, p, *, draw, flip):\n    return [t[draw([p, p])]]",
            "hands probabilities to draw that do not add up to 1",
        ),
        (
            "def mask(t, p, *, draw, flip):\n    return [flip(2)]",
            "hands a probability to flip that is not between 0 and 1",
        ),
        (
            "def mask(t, p, *, draw, flip):\n    try:\n        flip(2)\n    except Exception:\n        pass\n    return t",
            "hands a probability to flip that is not between 0 and 1",
        ),
        (
            "import random\ndef mask(t, p, *, draw, flip):\n    return [flip(random.random()), flip(.5)]",
            "uses other random numbers",
        ),
        (
            "seen = []\ndef mask(t, p, *, draw, flip):\n    seen.append(1)\n    return [flip(.9 / len(seen))]",
            "remembers earlier calls",
        ),
        ("def mask(t, p, *, draw, flip):\n    while True:\n        flip(.5)", "makes more than 1,000 draws in one run"),
        ("def mask(t, p, *, draw, flip):\n    return [flip(.5) for _ in range(8)]", "more than 200 different ways"),
    ],
)
def test_what_is_no_draw_is_told(grade, source, said):
    """The same sentences as on the student's own machine."""
    assert said in grade(source)["1.1"].summary


def test_an_exception_on_one_branch_is_the_submissions(grade):
    """It is told with its line, like any other."""
    case = grade("def mask(t, p, *, draw, flip):\n    return 1 // flip(p)")["1.1"]

    assert case.outcome.value == "failed" and "ZeroDivisionError" in case.summary
