"""What staff's code answers is kept from one submission to the next, and changes no grade."""

from __future__ import annotations

import numpy as np
import pytest

from gradkit.judge.repeats import Repeat, Repeats


def transcript(n: int) -> list[tuple]:
    return [("answered", {"x": [np.zeros(n)]})]


def test_the_first_failure_of_a_case_keeps_nothing():
    """Only from the second on is it known that repetitions pay."""
    repeats = Repeats()

    assert [repeats.again("case", 1), repeats.again("case", 1), repeats.again("other", 1)] == [
        False,
        True,
        False,
    ]


def test_another_seed_starts_anew():
    """Answers depend on the seed."""
    repeats = Repeats()
    repeats.again("case", 1)
    repeats.keep("case", "mistake", Repeat(transcript(1), True))

    assert not repeats.again("case", 2)
    assert repeats.get("case", "mistake") is None


def test_what_does_not_fit_is_not_kept():
    """Memory stays below the limit, whatever the answers' size."""
    repeats = Repeats(limit=10_000)
    repeats.again("case", 1)
    repeats.keep("case", "small", Repeat(transcript(100), True))
    repeats.keep("case", "large", Repeat(transcript(10_000), True))

    assert repeats.get("case", "small") is not None and repeats.get("case", "large") is None


@pytest.mark.parametrize("name", ["unbiased_variance", "centre_over_examples"])
def test_the_third_of_a_class_reads_what_the_first_did(grade_source, mistaken, name):
    """Broken off, run to the end, or kept: the same hint in the same checks."""
    grades = [grade_source(mistaken(name), seed=77) for _ in range(3)]

    told = [[(case.outcome, case.mistake, case.summary) for result in graded.results for case in result.cases] for graded in grades]  # fmt: skip
    assert told[0] == told[1] == told[2]
    assert name in {mistake for _, mistake, _ in told[0]}
