"""How long a submission is waited for, and what it costs when it does not answer."""

from __future__ import annotations

import math
import time

import pytest

from gradkit.judge import deadlines
from gradkit.judge.deadlines import Patience

USES = {"whole": {"whole", "part"}, "part": {"part"}}


def patience(cap_s: float = 10.0) -> Patience:
    return Patience(cap_s, lambda name: USES.get(name, {name}))


@pytest.mark.parametrize(
    ("fresh", "reference_s", "limit_s"),
    [(False, 0.0, 1.0), (True, 0.0, 4.0), (False, 0.1, 2.0), (True, 0.3, 6.0), (True, 2.0, 10.0)],
)
def test_a_case_has_time_by_what_the_reference_takes(fresh, reference_s, limit_s):
    """A floor, twenty times the reference's, and never more than the manifest allows."""
    assert patience().case_s(fresh=fresh, reference_s=reference_s) == pytest.approx(limit_s)


def test_a_function_that_does_not_return_is_called_in_two_checks():
    """It has less the second time, and is not called a third time; others have theirs as before."""
    waited = patience()

    limits = []
    for _ in range(3):
        limits.append(waited.call_s("part"))
        waited.missed("part")

    assert limits == [math.inf, deadlines.AGAIN_S, None]
    assert waited.call_s("other") == math.inf


def test_what_uses_a_function_that_does_not_return_is_given_up_after_one_check():
    """It may not use it in this submission, so it is called; but it has little time."""
    waited = patience()
    waited.missed("part")

    before = waited.call_s("whole")
    waited.missed("whole")

    assert (before, waited.call_s("whole")) == (deadlines.USER_S, None)


def test_a_method_is_waited_for_by_its_own_name():
    """That `Cache.append` does not return says nothing of `Cache.reset`."""
    waited = patience()
    waited.missed("Cache.append"), waited.missed("Cache.append")

    assert waited.call_s("Cache.append") is None and waited.call_s("Cache.reset") == math.inf


# ---- in the sandbox

LOOP = "\n\ndef {name}(*args, **kwargs):\n    while True:\n        pass\n"


def told(graded, task):
    return [case.summary for result in graded.results if result.check.task == task for case in result.cases]


def test_an_endless_loop_costs_seconds_and_its_own_checks(grade_source, reference_source):
    """The student reads which function did not return; the other task keeps its points; the class waits a little."""
    grade_source(reference_source)
    begun = time.monotonic()

    graded = grade_source(reference_source + LOOP.format(name="centre"))

    lines = told(graded, "centre")
    assert any("centre did not return within" in line for line in lines)
    assert lines[-1] == "centre did not return in earlier checks, so it was not called again"
    assert sum(result.score for result in graded.results if result.check.task == "standardise") == 60
    assert time.monotonic() - begun < 8 * 3  # 8 s, and a machine as busy as it may be


def test_an_import_that_does_not_end_is_told_as_one(grade_source, reference_source):
    """Every check says that the file's import took too long, and it is tried twice, not once a check."""
    begun = time.monotonic()

    graded = grade_source(reference_source + "\n\nwhile True:\n    pass\n")

    assert graded.score == 0
    assert {case.summary for result in graded.results for case in result.cases} == {
        "importing your file took longer than 5 s, and was stopped"
    }
    assert time.monotonic() - begun < 3 * 2 * deadlines.IMPORT_S


def test_a_slow_import_is_not_the_checks_time(grade_source, reference_source):
    """Two seconds are more than a case has at first, and cost nothing."""
    assert grade_source(reference_source + "\n\nimport time\ntime.sleep(2)\n").score == 100


# ---- what a worker keeps from one case to the next

KEPT = {
    "answers that go wrong later": "def centre(x, calls=[]):\n    calls.append(1)\n    return x * 0 if len(calls) > 1 else right(x)",
    "a library changed in passing": "def centre(x):\n    out = right(x)\n    np.asarray = None\n    np.mean = None\n    return out",
    "memory used up": "def centre(x, kept=[]):\n    kept.append(np.ones(2**26))\n    return right(x)",
    "files left open": "def centre(x, kept=[]):\n    kept += [open(__file__) for _ in range(40)]\n    return right(x)",
    "a crash the second time": "def centre(x, calls=[]):\n    calls.append(1)\n    if len(calls) > 1:\n        import os; os._exit(1)\n    return right(x)",
    "an exception the second time": "def centre(x, calls=[]):\n    calls.append(1)\n    if len(calls) > 1:\n        raise ValueError\n    return right(x)",
    "an endless loop the second time": "def centre(x, calls=[]):\n    calls.append(1)\n    while len(calls) > 1:\n        pass\n    return right(x)",
}


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
def test_what_a_submission_keeps_costs_it_nothing(grade_source, reference_source, body):
    """A case that fails in a worker that was used before is judged by a second run in a fresh one."""
    assert grade_source(f"{reference_source}\n\nright = centre\n\n\n{body}\n").score == 100
