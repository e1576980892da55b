"""Trivial answers earn nothing, in no case of any check: what the vandals do, and what verify says of a case that pays them."""

from __future__ import annotations

import math
import types

import numpy as np
import pytest

from gradkit.manifest import load_assignment
from gradkit.vandals import TRIVIAL, VANDALS, vandalize
from gradkit.verify import Only, verify

HIDDEN = "solutions/scaling/test_hidden.py"


class Counter:
    """Counts from a start."""

    def __init__(self, start: int) -> None:
        if start < 0:
            raise ValueError("start must not be negative")
        self.n = start

    def add(self, amount: int, *, times: int = 1) -> int:
        self.n += amount * times
        return self.n


def module(ran: list) -> types.ModuleType:
    made = types.ModuleType("made")

    def f(x, y=0, *, scale=1):
        ran.append("f")
        if y < 0:
            raise ValueError("y must not be negative")
        return {"sum": [x + y], "name": "f", "flag": True, "empty": []}

    made.f, made.Counter = f, type("Counter", (Counter,), dict(vars(Counter)))
    return made


@pytest.mark.parametrize(
    ("kind", "answer", "runs"),
    [
        ("zeros", {"sum": [0], "name": "", "flag": False, "empty": []}, True),
        ("none", None, False),
        ("first_argument", 4, False),
        ("second_argument", 5, False),
        ("third_argument", 6, False),
    ],
)
def test_a_trivial_answer_stands_in_place_of_the_functions_own(kind, answer, runs):
    """Zeros have its structure; for None and an argument handed back it is not even called."""
    ran: list = []
    made = module(ran)
    vandal = vandalize(made, ["f"], kind)

    assert made.f(4, 5, scale=6) == answer
    assert vandal.touched and bool(ran) == runs


def test_not_a_number_stands_for_whole_numbers_and_text_too():
    """A function whose answers are counts can be answered with NaN as well."""
    made = module([])
    vandalize(made, ["f"], "nan")

    answer = made.f(4)

    assert math.isnan(answer["sum"][0]) and math.isnan(answer["name"])


def test_an_argument_that_is_not_there_leaves_the_answer():
    """And says that nothing was touched; the instance that a method belongs to is no argument."""
    ran: list = []
    made = module(ran)
    vandal = vandalize(made, ["f", "Counter"], "second_argument")

    assert made.f(4)["sum"] == [4] and not vandal.touched and ran
    counter = made.Counter(3)
    assert counter.add(2) == 5 and not vandal.touched
    assert counter.add(2, times=7) == 7 and vandal.touched
    assert counter.n == 5  # the second time it did not run


@pytest.mark.parametrize("kind", TRIVIAL)
def test_a_trivial_answer_never_raises(kind):
    """So it fails every check of a refusal."""
    made = module([])
    vandal = vandalize(made, ["f"], kind)

    made.f(1, -1, scale=2)

    assert vandal.touched


def test_an_empty_array_holds_no_zero():
    """Where nothing is due there is nothing to put in its place."""
    made = types.ModuleType("made")
    made.f = lambda: np.zeros((0, 3))
    vandal = vandalize(made, ["f"], "zeros")

    made.f()

    assert not vandal.touched


# ---- what verify says


def test_a_case_that_pays_for_a_trivial_answer_has_its_line(kit, sandboxed):
    """Of a check's three cases two pay: zeros are right in one, the argument itself in the other."""
    path = kit / HIDDEN
    text = path.read_text(encoding="utf-8")
    text = text.replace('parametrize("n", [2, 3, 7])', 'parametrize("n", [1, 2, 3])')
    text = text.replace(
        '    agree("centre", rng.normal(size=(n, 3)) + 5.0)',
        '    x = rng.normal(size=(n, 3))\n    agree("centre", x - x.mean(axis=0) if n == 2 else x)',
    )
    path.write_text(text, encoding="utf-8")

    report = verify(kit, load_assignment(kit, "scaling"), seeds=1, only=Only(checks="by_itself"))

    place = f"{HIDDEN}::test_each_feature_is_centred_by_itself"
    assert [line for line in report.problems if HIDDEN in line] == [
        f"{place}[1] gives 10 points for zeros",
        f"{place}[2] gives 10 points for first_argument",
    ]


def test_every_vandal_is_caught_in_the_scaffold(kit, sandboxed):
    """Each has a row, and no case pays."""
    report = verify(kit, load_assignment(kit, "scaling"), seeds=1)

    assert report.holds, report.problems
    assert set(VANDALS) <= set(report.rows)
    assert all(report.rows[kind][1].score < 100 for kind in TRIVIAL[:4])
