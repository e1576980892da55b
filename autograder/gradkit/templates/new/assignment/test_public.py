"""The checks you can run yourself: `pytest` in this folder."""

import numpy as np
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close


@number("1.p1")
@weight(10)
@tags("centre")
def test_centre_by_hand(impl):
    """Features 1, 3 and 10, 30 have means 2 and 20."""
    x = np.array([[1.0, 10.0], [3.0, 30.0]])

    centered = impl.centre(x)

    assert_close(centered, np.array([[-1.0, -10.0], [1.0, 10.0]]))


@number("2.p1")
@weight(10)
@tags("standardise")
def test_standardised_features_have_unit_variance(impl, rng):
    """With eps = 0 each standardised feature has variance 1."""
    x = 3.0 + 2.0 * rng.normal(size=(50, 4))

    scaled = impl.standardise(x, eps=0.0)

    assert_close(scaled.var(axis=0), np.ones(4), name="variance of each feature")
