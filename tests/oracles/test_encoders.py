"""The reference of the encoders assignment held against an independent method: loops over plain numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_PATH = Path(__file__).parents[2] / "solutions" / "encoders" / "encoders.py"
_SPEC = importlib.util.spec_from_file_location("encoders_reference", _PATH)
encoders = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(encoders)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 3))


def test_visible_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 2 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.visible(x), want, rtol=1e-12)


def test_reach_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 3 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.reach(x), want, rtol=1e-12)


def test_pool_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 4 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.pool(x), want, rtol=1e-12)


def test_decoder_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 5 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.decoder(x), want, rtol=1e-12)


def test_memory_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 6 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.memory(x), want, rtol=1e-12)


def test_corrupt_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 7 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.corrupt(x), want, rtol=1e-12)


def test_losses_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 8 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.losses(x), want, rtol=1e-12)


def test_pack_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 9 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.pack(x), want, rtol=1e-12)


def test_spans_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 10 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(encoders.spans(x), want, rtol=1e-12)
