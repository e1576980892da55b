"""The reference of the grpo assignment held against an independent method: loops over plain numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_PATH = Path(__file__).parents[2] / "solutions" / "grpo" / "grpo.py"
_SPEC = importlib.util.spec_from_file_location("grpo_reference", _PATH)
grpo = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(grpo)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 3))


def test_reward_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 2 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.reward(x), want, rtol=1e-12)


def test_advantages_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 3 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.advantages(x), want, rtol=1e-12)


def test_policy_loss_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 4 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.policy_loss(x), want, rtol=1e-12)


def test_aggregate_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 5 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.aggregate(x), want, rtol=1e-12)


def test_expected_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 6 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.expected(x), want, rtol=1e-12)


def test_kl_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 7 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.kl(x), want, rtol=1e-12)


def test_shaping_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 8 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.shaping(x), want, rtol=1e-12)


def test_feedback_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 9 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.feedback(x), want, rtol=1e-12)


def test_train_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 10 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(grpo.train(x), want, rtol=1e-12)
