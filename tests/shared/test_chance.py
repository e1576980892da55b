"""`coursekit.chance`: the exact distribution of a function that draws, and what is told of one that draws wrongly."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from coursekit.chance import UNFINISHED, law, luck, mean, replayed_calls
from coursekit.compare import Mismatch, compare


def two_dice(*, draw):
    return draw([1 / 6] * 6) + draw([1 / 6] * 6) + 2


def first_success(p, *, flip):
    n = 1
    while not flip(p):
        n += 1
    return n


def fisher_yates(items, *, draw):
    """Every order equally likely: each place takes one of those not yet placed."""
    for last in range(len(items) - 1, 0, -1):
        other = draw([1 / (last + 1)] * (last + 1))
        items[last], items[other] = items[other], items[last]
    return items


def biased_shuffle(items, *, draw):
    """Exchanges each place with any: n to the n ways on n! orders, so some are likelier."""
    for place in range(len(items)):
        other = draw([1 / len(items)] * len(items))
        items[place], items[other] = items[other], items[place]
    return items


def test_the_sum_of_two_dice_is_a_triangle():
    """P(s) = (6 - |s - 7|) / 36."""
    found = law(two_dice, given=("draw",))

    assert found == pytest.approx({s: (6 - abs(s - 7)) / 36 for s in range(2, 13)})
    assert mean(found) == pytest.approx(7)
    assert mean(found, lambda s: (s - 7) ** 2) == pytest.approx(35 / 6)


@pytest.mark.parametrize("p", [0.5, 0.1, 1.0])
def test_a_geometric_law_is_exact_down_to_its_cut(p):
    """P(n) = (1 - p)^(n - 1) p for n up to the cut, and what is left is unfinished."""
    found = law(first_success, p, given=("flip",), cut=6)

    due = {n: (1 - p) ** (n - 1) * p for n in range(1, 7)} if p < 1 else {1: 1.0}
    left = found.pop(UNFINISHED, 0.0)
    assert found == pytest.approx(due, abs=1e-15)
    assert left == pytest.approx((1 - p) ** 6, abs=1e-15)


def test_a_fair_shuffle_is_told_from_a_biased_one():
    """Fisher-Yates gives 24 orders of 1/24 each; exchanging with any place gives some of them 15/256, some 8/256."""
    fair = law(fisher_yates, [0, 1, 2, 3], given=("draw",))
    biased = law(biased_shuffle, [0, 1, 2, 3], given=("draw",))

    assert fair == pytest.approx({order: 1 / 24 for order in itertools.permutations(range(4))})
    assert set(biased) == set(fair) and max(biased.values()) == pytest.approx(15 / 256)
    difference = compare(biased, fair)
    assert difference.kind == "distribution"
    assert difference.summary == (
        "output has another distribution: all its results are possible, but 24 of 24 have the wrong probabilities."
    )
    assert compare(fair, dict(fair)) is None


def test_replays_are_one_for_each_branch_that_can_occur():
    """Results of probability 0 are not followed: three flips that depend on each other have four branches, not eight."""
    runs = []

    def staircase(*, flip):
        runs.append(None)
        return next((n for n in range(3) if not flip(0.5)), 3)

    found = law(staircase, given=("flip",))
    certain = law(lambda *, draw: (draw([0.0, 1.0]), draw([0.0, 0.5, 0.5])), given=("draw",))

    assert found == {0: 0.5, 1: 0.25, 2: 0.125, 3: 0.125} and len(runs) == 4
    assert certain == {(1, 1): 0.5, (1, 2): 0.5}


def test_a_run_changes_no_other_runs_arguments():
    """A shuffle in place starts from the same order each time."""
    items = [0, 1, 2]

    law(fisher_yates, items, given=("draw",))
    law(lambda table, *, flip: table.__setitem__(0, flip(0.5)), table := np.zeros(2), given=("flip",))

    assert items == [0, 1, 2] and not table.any()


def test_results_that_differ_by_rounding_are_one():
    """0.1 + 0.2 and 0.3 are the same result, and so are -0.0 and 0.0."""
    found = law(lambda *, flip: np.array([0.1 + 0.2, -0.0]) if flip(0.5) else np.array([0.3, 0.0]), given=("flip",))

    assert found == {(0.3, 0.0): 1.0}


def test_a_difference_names_what_never_occurs_and_what_can_not():
    """The summary counts, and the detail has the probabilities, the worst first."""
    difference = compare(law(lambda *, draw: draw([0.25, 0.75]) * 2, given=("draw",)), {0: 0.5, 1: 0.25, 3: 0.25})

    assert difference.summary == (
        "output has another distribution: 2 of the 3 possible results never occur, and 1 result occurs that is impossible."
    )
    assert difference.detail.splitlines()[0] == "P(2): got 0.75, want 0"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda *, draw, flip: draw([0.5, 0.4]), "do not add up to 1"),
        (lambda *, draw, flip: draw([1.5, -0.5]), "negative or NaN"),
        (lambda *, draw, flip: draw([math.nan, 1.0]), "negative or NaN"),
        (lambda *, draw, flip: draw(0.5), "something else than a list"),
        (lambda *, draw, flip: draw([]), "do not add up to 1"),
        (lambda *, draw, flip: flip(1.2), "not between 0 and 1"),
        (lambda *, draw, flip: flip(math.nan), "not between 0 and 1"),
        (lambda *, draw, flip: flip([0.5]), "something else than a probability"),
        (lambda *, draw, flip: object() if flip(0.5) else 0, "returns something else than numbers, .*: object"),
        (lambda *, draw, flip: [flip(0.5) for _ in range(1001)], "more than 1,000 draws in one run"),
        (lambda *, draw, flip: [flip(0.5) for _ in range(13)], "more than 5,000 different ways"),
    ],
)
def test_what_is_no_draw_is_told(function, text):
    """Each fault of the function that draws has its own sentence, which says what was handed over."""
    with pytest.raises(Mismatch, match=text):
        law(function)


def test_a_fault_can_not_be_swallowed():
    """A function that catches the error of its draw fails all the same."""

    def swallows(*, flip):
        try:
            return flip(7)
        except Exception:
            return 0

    with pytest.raises(Mismatch, match="not between 0 and 1"):
        law(swallows, given=("flip",))


def test_other_random_numbers_are_noticed():
    """Draws that depend on anything but the draws before can't be replayed."""
    asked = itertools.count()
    rng = np.random.default_rng(0)

    with pytest.raises(Mismatch, match="when the earlier ones come out the same"):
        law(lambda *, flip: [flip(rng.random()), flip(0.5)], given=("flip",))
    with pytest.raises(Mismatch, match="fewer draws when the earlier ones come out the same"):
        law(lambda *, flip: [flip(0.5) for _ in range(3 if next(asked) == 0 else 1)], given=("flip",))


@pytest.mark.parametrize(
    "answer",
    [None, (1, [[0.5, 0.5]]), (1, [[0.5, 0.4]], ""), (1, [(1.0,)], ""), (1, "draws", ""), (1, [], "over"), (1, [], 7)],
)
def test_what_a_process_forges_is_no_run(answer):
    """A submission's process can answer with anything; what is no run is not read as one."""

    class Forged:
        def __init__(self, answers):
            self.answers = answers

        def _replayed(self, *request):
            return self.answers

    for answers in ([answer], answer, []):
        with pytest.raises(TypeError, match="a replayed call answers with"):
            law(Forged(answers))


def test_runs_are_asked_for_many_at_a_time():
    """In the judge a request has a cost of its own: 256 branches take nine of them. What runs are given and return is theirs."""
    requests = []

    class Asked:
        def _replayed(self, *request):
            requests.append(request)
            return replayed_calls(pushes, *request)

    kept = []

    def pushes(items, *, flip):
        for _ in range(8):
            items[0].append(flip(0.5))
        kept[:] = items[0]
        return kept

    found = law(Asked(), ([],), given=("flip",))

    assert len(found) == 256 and set(found.values()) == {1 / 256}
    assert len(requests) == 9


@pytest.mark.parametrize("given", [(), ("roll",), ("draw", "roll")])
def test_only_draw_and_flip_can_be_given(given):
    """A check that names another tool is wrong, not the submission."""
    with pytest.raises(ValueError, match="given must name draw, flip or both"):
        law(two_dice, given=given)


def test_ordinary_luck_has_the_same_law():
    """4,000 seeded sums of two dice: each of the 11 shares lies within 4.5 standard deviations of its probability."""
    draw, _ = luck(0)
    counts = Counter(two_dice(draw=draw) for _ in range(4000))
    _, flip = luck(1)
    heads = sum(flip(0.2) for _ in range(4000))

    for result, p in law(two_dice, given=("draw",)).items():
        assert abs(counts[result] / 4000 - p) <= 4.5 * math.sqrt(p * (1 - p) / 4000)
    assert abs(heads / 4000 - 0.2) <= 4.5 * math.sqrt(0.16 / 4000)
    with pytest.raises(Mismatch, match="add up to 1"):
        draw([0.1])
