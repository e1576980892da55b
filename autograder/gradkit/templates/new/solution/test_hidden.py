"""The graded checks."""

import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight


@number("1.1")
@weight(30)
@tags("centre")
@pytest.mark.parametrize("n", [2, 3, 7])
def test_each_feature_is_centred_by_itself(agree, rng, n):
    """Every feature loses its own mean, whatever the number of examples."""
    agree("centre", rng.normal(size=(n, 3)) + 5.0)


@number("2.1")
@weight(30)
@tags("standardise")
def test_population_variance(agree, rng):
    """The variance divides by n: with few examples the difference is plain."""
    agree("standardise", rng.normal(size=(3, 4)))


@number("2.2")
@weight(20)
@tags("standardise")
def test_eps_is_inside_the_root(agree, rng):
    """A feature that hardly varies is scaled by the root of variance plus eps."""
    agree("standardise", 1e-3 * rng.normal(size=(6, 2)), eps=1e-2)
