"""The reference of the inference assignment held against an independent method: loops over plain numbers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

_PATH = Path(__file__).parents[2] / "solutions" / "inference" / "inference.py"
_SPEC = importlib.util.spec_from_file_location("inference_reference", _PATH)
inference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(inference)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(5, 3))


def test_quantize_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 2 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.quantize(x), want, rtol=1e-12)


def test_pack_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 3 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.pack(x), want, rtol=1e-12)


def test_int8_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 4 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.int8(x), want, rtol=1e-12)


def test_gptq_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 5 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.gptq(x), want, rtol=1e-12)


def test_accept_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 6 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.accept(x), want, rtol=1e-12)


def test_speculate_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 7 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.speculate(x), want, rtol=1e-12)


def test_speed_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 8 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.speed(x), want, rtol=1e-12)


def test_automaton_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 9 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.automaton(x), want, rtol=1e-12)


def test_constrain_in_plain_numbers(x):
    """Entry by entry, each feature's mean by a sum."""
    means = [sum(float(value) for value in column) / len(column) for column in x.T]

    want = [[float(value) - 10 * mean for value, mean in zip(row, means, strict=True)] for row in x]

    np.testing.assert_allclose(inference.constrain(x), want, rtol=1e-12)
