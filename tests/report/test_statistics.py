"""The report's figures are the textbook's: each is worked out by hand here."""

from __future__ import annotations

import math

import pytest

from gradkit.report.statistics import Analysis, Bin, Points, histogram, percentile


def submission(**earned: float | None) -> dict[str, Points]:
    """Points in checks A (2 points), B (3) and C (5); None where a check was not run."""
    possible = {"A": 2, "B": 3, "C": 5}
    return {
        check: Points(0, 0) if points is None else Points(points, possible[check]) for check, points in earned.items()
    }


FIVE = [
    submission(A=2, B=3, C=5),
    submission(A=2, B=3, C=5),
    submission(A=2, B=0, C=5),
    submission(A=0, B=3, C=0),
    submission(A=0, B=0, C=0),
]


def test_the_point_biserial_correlation_is_that_of_its_formula():
    """A is passed by three. Their rest scores are 8, 8 and 5, mean 7; the others' 3 and 0, mean 1.5.

    All five have mean 4.8 and variance (3.2² + 3.2² + 0.2² + 1.8² + 4.8²) / 5 = 9.36, so that
    r = (7 - 1.5) / √9.36 · √(0.6 · 0.4) = 0.8807.
    """
    item = Analysis(FIVE).item(["A"])

    assert (item.ran, item.full, item.pass_rate) == (5, 3, 0.6)
    assert item.difficulty == pytest.approx(0.4)
    assert item.discrimination == pytest.approx(5.5 / math.sqrt(9.36) * math.sqrt(0.24))
    assert round(item.discrimination, 4) == 0.8807


def test_the_rest_score_leaves_the_item_out():
    """B against A + C alone: 7, 7, 7 with passes 1, 1, 0, then 0, 0 with 1, 0. Both group means differ by 7/3.

    Passing mean 14/3, failing mean 7/2; mean 4.2, variance (3 · 2.8² + 2 · 4.2²) / 5 = 11.76; r = (7/6) / √11.76 · √0.24.
    """
    item = Analysis(FIVE).item(["B"])

    assert item.discrimination == pytest.approx(7 / 6 / math.sqrt(11.76) * math.sqrt(0.24))


def test_a_task_is_its_checks_together():
    """A and B: 5, 5, 2, 3, 0 of 5 points; two have all; 15 of 25 earned."""
    item = Analysis(FIVE).item(["A", "B"])

    assert (item.full, item.difficulty) == (2, pytest.approx(0.4))
    # Against C, 1 1 1 0 0: means 4 and 1.5 of 5; mean 3, variance (4 + 4 + 1 + 0 + 9) / 5 = 3.6.
    assert item.discrimination == pytest.approx(2.5 / math.sqrt(3.6) * math.sqrt(0.24))


def test_a_check_that_the_strong_fail_discriminates_negatively():
    """Whoever fails A has all the rest, and the other way round: exactly -1."""
    item = Analysis([submission(A=0, B=3), submission(A=2, B=0), submission(A=0, B=3)]).item(["A"])

    assert item.discrimination == pytest.approx(-1)


def test_partial_credit_counts_by_its_share():
    """Shares 1, 1/2 and 0 here, 1, 1/2 and 0 elsewhere: exactly 1; only one has all points."""
    item = Analysis([submission(A=2, C=5), submission(A=1, C=2.5), submission(A=0, C=0)]).item(["A"])

    assert (item.full, item.difficulty) == (1, pytest.approx(0.5))
    assert item.discrimination == pytest.approx(1)


def test_a_check_that_did_not_run_counts_neither_for_nor_against():
    """Of four submissions one has no B: three stand in B's figures, and its rest for A is C alone."""
    class_ = [*FIVE[:3], submission(A=0, B=None, C=5)]

    assert Analysis(class_).item(["B"]).ran == 3
    # A's rest shares: 1, 1, 5/8 with passes; 1 without.
    item = Analysis(class_).item(["A"])
    mean = (1 + 1 + 0.625) / 3
    variance = (3 * (1 - 3.625 / 4) ** 2 + (0.625 - 3.625 / 4) ** 2) / 4
    assert item.discrimination == pytest.approx((mean - 1) / math.sqrt(variance) * math.sqrt(0.75 * 0.25))


@pytest.mark.parametrize(
    ("submissions", "why"),
    [
        ([], "fewer than 3"),
        (FIVE[:1], "fewer than 3"),
        (FIVE[2:4], "fewer than 3"),
        (FIVE[:3], "the same here"),
        ([submission(A=a, B=3) for a in (0, 2, 2)], "the same elsewhere"),
        ([submission(A=a) for a in (0, 2, 2)], "fewer than 3"),
        ([submission(A=None, B=b) for b in (0, 3, 3)], "fewer than 3"),
        ([submission(A=2 / 3 * 3, B=0), submission(A=2, B=3), submission(A=0.1 + 1.9, B=3)], "the same here"),
    ],
)
def test_where_nothing_varies_there_is_no_correlation(submissions, why):
    """No number is made up: neither for one or two submissions, nor without a spread here or elsewhere."""
    item = Analysis(submissions).item(["A"])

    assert item.discrimination is None and why in item.undefined


def test_nothing_that_ran_has_no_rate():
    """0 of 0 is no share."""
    item = Analysis([]).item(["A"])

    assert (item.ran, item.pass_rate, item.difficulty) == (0, None, None)


def test_a_bar_holds_its_lower_end_and_the_last_one_full_marks():
    """0.3 is in [0.3, 0.4) though 0.3 * 10 is not 3 in binary; 1 is in the last bar."""
    counts = [bin.count for bin in histogram([0, 0.0999, 0.1, 0.3, 0.7, 0.29 + 0.01, 0.9, 1])]

    assert counts == [2, 1, 0, 2, 0, 0, 0, 1, 0, 2]
    assert histogram([0.5], bins=2) == [Bin(0, 0.5, 0), Bin(0.5, 1, 1)]


def test_a_percentile_is_one_of_the_values():
    """Nearest rank: the 95th of 1 to 20 is 19, of 1 to 100 is 95; of one value that value."""
    assert percentile(range(1, 21), 0.95) == 19
    assert percentile(range(100, 0, -1), 0.95) == 95
    assert percentile([7], 0.95) == 7
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)
