"""What staff's code answers is computed once for a run, for all its judges, and changes no grade."""

from __future__ import annotations

import numpy as np
import pytest

from gradkit.calls.values import encode
from gradkit.judge.answers import Repeat, StaffAnswers
from gradkit.judge.subjects import same_entry


def transcript(n: int) -> list[tuple[str, bytes]]:
    return [("answered", bytes(n)), ("raised", b"S")]


class Counted:
    """Computes what a mistake answers, and says how often it did."""

    def __init__(self, n: int = 1) -> None:
        self.asked: list[str] = []
        self.n = n

    def __call__(self, name: str) -> Repeat:
        self.asked.append(name)
        return Repeat(transcript(self.n), failed=True)


def test_an_answer_is_computed_once_for_a_seed():
    """Only names that nobody asked for are computed; another seed begins anew."""
    answers, compute = StaffAnswers(), Counted()

    answers.of("case", 1, ["a", "b"], compute)
    known = answers.of("case", 1, ["b", "c"], compute)
    answers.of("other", 1, ["a"], compute)
    answers.of("case", 2, ["a"], compute)

    assert compute.asked == ["a", "b", "c", "a", "a"]
    assert {"b", "c"} <= set(known)


def test_judges_of_one_run_share_what_they_know(tmp_path):
    """What one has computed the others read, whole."""
    first, second = Counted(), Counted()
    StaffAnswers(tmp_path).of("case", 1, ["a"], first)

    known = StaffAnswers(tmp_path).of("case", 1, ["a", "b"], second)

    assert (first.asked, second.asked) == (["a"], ["b"])
    assert known["a"].transcript == transcript(1) and known["a"].failed and known["a"].ended


@pytest.mark.parametrize("broken", [b"GKF", b"\xff" * 100])
def test_what_a_killed_judge_half_wrote_is_computed_again(tmp_path, broken):
    """A file that can't be read is no answer, and is replaced by one that can."""
    StaffAnswers(tmp_path).of("case", 1, ["a"], Counted())
    (file,) = tmp_path.iterdir()
    file.write_bytes(broken)
    again, then = Counted(), Counted()

    StaffAnswers(tmp_path).of("case", 1, ["a"], again)
    StaffAnswers(tmp_path).of("case", 1, ["a"], then)

    assert (again.asked, then.asked) == (["a"], [])


def test_what_does_not_fit_is_computed_again():
    """Memory stays below the limit, whatever the answers' size."""
    answers, small, large = StaffAnswers(limit=10_000), Counted(10), Counted(10_000)

    for _ in range(2):
        answers.of("one", 1, ["small"], small)
        answers.of("other", 1, ["large"], large)

    assert (small.asked, large.asked) == (["small"], ["large", "large"])


@pytest.mark.parametrize("name", ["unbiased_variance", "centre_over_examples"])
def test_the_third_of_a_class_reads_what_the_first_did(grade_source, mistaken, name):
    """Computed or kept: the same hint in the same checks."""
    grades = [grade_source(mistaken(name), seed=77) for _ in range(3)]

    told = [[(case.outcome, case.mistake, case.summary) for result in graded.results for case in result.cases] for graded in grades]  # fmt: skip
    assert told[0] == told[1] == told[2]
    assert name in {mistake for _, mistake, _ in told[0]}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1.0, 1, True),
        ([1, 2.5], [1.0, 2.5], True),
        (np.array([1, 2]), np.array([1.0, 2.0]), True),
        ({"grad": [1.0]}, {"grad": [1]}, True),
        (1, 1.5, False),
        (1, True, False),
        ([1, 2.5], [1.0, 2.6], False),
        (10**8 + 1, 10**8, False),
        (np.float32([1.5]), np.float64([1.5]), False),
    ],
)
def test_a_whole_number_is_the_same_answer_as_a_float(one, other, same):
    """Whichever of the two a mistake gives, and a submission in its place."""
    entries = [("answered", bytes(encode(value))) for value in (one, other)]

    assert same_entry(*entries) == same
    assert same_entry(*reversed(entries)) == same
