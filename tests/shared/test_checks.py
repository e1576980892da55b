"""What check authors reach for holds what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from coursekit.checks import (
    BROKEN_CLAIM,
    REFUSED,
    assert_commutes,
    assert_leaves_arguments,
    assert_refuses,
    assertion_text,
    refused,
    with_ties,
)
from coursekit.compare import Mismatch


def positive(x):
    if x <= 0:
        raise ValueError("x must be positive")
    return 2 * x


def test_a_refusal_is_an_answer():
    """A ValueError is told apart from a value; another exception is no refusal."""
    assert (refused(positive, 3), refused(positive, -1)) == (6, REFUSED)
    with pytest.raises(TypeError):
        refused(positive, None)


def test_what_is_accepted_is_said_so():
    """The message names the function, not the argument: it may be a hidden check's."""
    assert_refuses(positive, 0)
    with pytest.raises(Mismatch, match="^double accepts an argument that it should refuse"):
        assert_refuses(positive, 987654, name="double")
    with pytest.raises(TypeError):
        assert_refuses(positive, None)


def test_a_property_is_asserted_on_the_functions_own_answers():
    """A wrong function that has the property passes; one without it fails."""
    x = np.arange(6.0).reshape(2, 3)
    shift = {"before": lambda x: (x + 5.0,), "after": lambda out: out}

    assert_commutes(lambda x: 7 * (x - x.max()), x, **shift)
    with pytest.raises(Mismatch, match="weights"):
        assert_commutes(lambda x: x / x.sum(), x, **shift, name="weights")


@pytest.mark.parametrize("shape", [2, 5, (4, 2), (3, 2, 7), (2, 0), (3, 1)])
def test_ties_are_exact_and_in_every_row(shape):
    """At least two entries of each row are the same number; without room for two there is none."""
    values = with_ties(np.random.default_rng(1), shape)

    rows = values.reshape(-1, values.shape[-1]) if values.size else []
    assert values.shape == ((shape,) if isinstance(shape, int) else shape)
    assert all(len(set(row)) < len(row) or len(row) < 2 for row in rows)


def test_levels_below_one_are_refused():
    with pytest.raises(ValueError, match="levels must be at least 1, got 0"):
        with_ties(np.random.default_rng(1), 3, levels=0)


def test_an_argument_changed_in_place_is_named():
    """Arrays, tensors, lists and dicts are told by position or name, whatever they hold; what is left alone passes."""

    def spoils(a, b, *, table):
        a += 1
        table["rows"][0].append(3)
        return b

    a, b = np.array([1.0, np.nan]), torch.tensor([np.nan, 2.0])
    with pytest.raises(
        Mismatch, match="^f changes its first argument and its argument table in place: work on a copy$"
    ):
        assert_leaves_arguments(spoils, a, b, table={"rows": [[1, 2]]}, name="f")
    assert assert_leaves_arguments(lambda x, y: 5, a, [b, {"k": (a, None)}]) == 5
    with pytest.raises(Mismatch, match="its second argument"):
        assert_leaves_arguments(lambda x, y: y.mul_(2), a, torch.ones(2, requires_grad=False))


def failing(assertion):
    """The text of an assertion that fails; pytest has rewritten it, as it rewrites those of checks."""
    with pytest.raises(AssertionError) as raised:
        assertion()
    return assertion_text(raised.value)


def test_a_failed_assertion_is_a_sentence():
    """Its message if it has one, else the expression with its values; no class of Python's, and no address in memory."""
    values = [1, 2]

    def bare():
        assert len(values) == 3

    def with_message():
        assert values is None, "a list is no answer"

    def truth():
        assert np.allclose(values, 5)

    def without_values():
        raise AssertionError

    observed, details = failing(bare)
    assert observed == "2 == 3 is not true" and details == " +  where 2 = len([1, 2])"
    assert failing(with_message) == ("a list is no answer", "[1, 2] is None is not true")
    assert failing(truth)[0] == BROKEN_CLAIM and "0x" not in failing(truth)[1]
    assert failing(without_values) == (BROKEN_CLAIM, "")
