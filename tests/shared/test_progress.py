"""What a run says about each function: whose fault a failed check is, and what is left."""

from dataclasses import replace

import pytest
from coursekit.functions import Function, functions_of, written_in_text
from coursekit.progress import Progress, Ran, State, figure_needs, left_to_see

MANIFEST = {
    "tasks": [{"id": "one", "functions": ["f", "g"]}, {"id": "two", "functions": ["h"]}],
    "questions": [{"id": "why", "title": "Why?", "text": "Why?"}],
}
WRITTEN = "def f(): ...\ndef g(): return f()\ndef h(): ...\n"
PASSED = Ran("check", "one", "passed")
WRONG = Ran("check", "one", "wrong")


def states(*checks, text=WRITTEN, untried=()):
    progress = Progress(MANIFEST, checks, written_in_text(text), [Function("two", "h")] if untried else ())
    return {function.name: state for function, state in progress.states.items()}, progress


def unwritten(text, name, task):
    return text.replace(
        f"def {name}(): ...", f'def {name}(): raise NotImplementedError("task {task} is not written yet")'
    )


def test_a_function_passes_when_a_check_about_it_does():
    """Whatever the others of its task do."""
    text = unwritten(WRITTEN, "h", "two").replace("def g(): return f()", "def g(): ...")
    text = unwritten(text, "g", "one")
    fails = Ran("check", "one", "not written", names=["f", "g"], frames=[("g", "x.py:2")])

    found, progress = states(replace(PASSED, names=["f"]), fails, text=text)

    assert found == {"f": State("passes"), "g": State("not written"), "h": State("not written")}
    assert progress.next() == Function("one", "g")


def test_without_a_check_of_its_own_a_function_waits_for_the_unwritten_one():
    """It is written, and nothing is held against it."""
    text = unwritten(WRITTEN.replace("def g(): return f()", "def g(): ..."), "g", "one")
    fails = Ran("check", "one", "not written", names=["f", "g"], frames=[("g", "x.py:2")])

    found, _ = states(fails, text=text)

    assert found["f"] == State("waits", "for g")


def test_a_check_fails_because_of_the_one_that_raised():
    """The innermost function under way, helpers of the student's apart, with its line."""
    frames = [("g", "x.py:2"), ("f", "x.py:1"), ("helper", "x.py:9")]

    found, _ = states(replace(WRONG, names=["f", "g", "h"], raised="TypeError", frames=frames))

    assert found["f"] == State("raises", "TypeError at x.py:1")
    assert found["g"] == found["h"] == State("waits", "for f")


def test_a_confirmed_function_that_raises_was_called_wrongly():
    """Its own check passes, so the one that called it is at fault."""
    frames = [("g", "x.py:2"), ("f", "x.py:1")]

    found, _ = states(replace(PASSED, names=["f"]), replace(WRONG, names=["g"], raised="ValueError", frames=frames))

    assert found["f"] == State("passes") and found["g"] == State("raises", "ValueError at x.py:2")


def test_a_wrong_answer_is_not_held_against_confirmed_functions():
    """Only against the others behind the statement that failed."""
    joint = replace(WRONG, names=["f", "g", "h"], suspects=["f", "g"])

    found, _ = states(replace(PASSED, names=["f"]), joint)

    assert found["f"] == State("passes") and found["g"] == State("wrong") and found["h"] == State("waits", "for g")


def test_if_all_are_confirmed_those_of_the_checks_task_are_at_fault():
    """Something is wrong, and a check of its own did not notice."""
    own = [replace(PASSED, names=[name]) for name in ("f", "g", "h")]

    found, _ = states(*own, replace(WRONG, task="two", names=["f", "g", "h"]))

    assert found == {"f": State("passes"), "g": State("passes"), "h": State("wrong")}


def test_its_own_check_that_fails_confirms_nothing():
    """One case passes, another doesn't."""
    found, _ = states(replace(PASSED, names=["f"]), replace(WRONG, names=["f"]))

    assert found["f"] == State("wrong")


def test_what_is_deleted_is_missing():
    """And a check that could not call it is held against nothing else."""
    found, progress = states(
        replace(WRONG, names=["f", "g"], raised="AttributeError"), text="def f(): ...\ndef h(): ...\n"
    )

    assert found["g"] == State("missing") and found["f"] == State("waits", "for g")
    assert progress.next() == Function("one", "g")


def test_a_written_function_that_no_check_is_about_is_told():
    """It neither passes nor fails; with a part of the checks asked for it is not tried."""
    assert states()[0]["h"] == State("no check") and states(untried=["h"])[0]["h"] == State("not tried")


def test_a_loop_without_end_is_stopped_at_its_line():
    """With the place, and no exception's name."""
    found, _ = states(replace(WRONG, names=["f"], raised="stopped", frames=[("f", "x.py:1")]))

    assert found["f"] == State("stopped", "at x.py:1")


FIGURES = """
from coursekit.drawing import figure

def line(student, ax):
    return student.g()

@figure("early", caption="")
def early(student):
    return student.h()

@figure("late", caption="")
def late(pupil):
    return line(pupil, 3)
"""


def test_figures_are_left_to_see_once_their_functions_pass(tmp_path):
    """Through helpers, and through what the student's functions call; until they are drawn."""
    (tmp_path / "figures.py").write_text(FIGURES, encoding="utf-8")
    written = written_in_text(WRITTEN)
    g, h = replace(PASSED, names=["g"]), replace(PASSED, names=["h"])
    f_is_wrong = replace(WRONG, names=["f"])

    def left(*checks):
        return left_to_see(tmp_path, MANIFEST, Progress(MANIFEST, checks, written), written)

    assert figure_needs(FIGURES) == {"early": {"h"}, "late": {"g"}}
    assert left(g, h, f_is_wrong).figures == ("early",), "late needs g, which calls f"
    assert left(g, h, f_is_wrong).questions == ()
    assert left(g, h, replace(PASSED, names=["f"])).figures == ("early", "late")
    assert left(g, h, replace(PASSED, names=["f"])).questions == ("Why?",)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "early.png").write_bytes(b"")
    assert left(g, h, replace(PASSED, names=["f"])).figures == ("late",)


def test_a_part_of_the_checks_is_enough_for_its_figures(tmp_path):
    """What the run didn't try and is written is waited for by no figure; nor is one listed of which nothing was tried."""
    (tmp_path / "figures.py").write_text(FIGURES, encoding="utf-8")
    written = written_in_text(WRITTEN)
    known = {function.name: function for function in functions_of(MANIFEST)}

    def left(name):
        others = [function for other, function in known.items() if other != name]
        progress = Progress(MANIFEST, [replace(PASSED, names=[name])], written, others)
        return left_to_see(tmp_path, MANIFEST, progress, written).figures

    assert left("g") == ("late",) and left("h") == ("early",)


@pytest.mark.parametrize("text", ["", "def figure(:"])
def test_no_figures_are_no_fault(text):
    """An assignment may have none, or one that is being written."""
    assert figure_needs(text) == {}
