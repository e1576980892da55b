"""The numbers that the handout of inference states, its predictions and its snippets' answers, computed from the reference."""

import importlib.util
from pathlib import Path

import numpy as np

_PATH = Path(__file__).parents[2] / "solutions" / "inference" / "inference.py"
_SPEC = importlib.util.spec_from_file_location("inference_of_the_handout", _PATH)
inference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(inference)


def test_quantize_of_the_first_example():
    """Task 1: the first example (1, 10) becomes (-3.0, -30.0)."""
    first = inference.quantize(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-3.0, -30.0]


def test_pack_of_the_first_example():
    """Task 2: the first example (1, 10) becomes (-5.0, -50.0)."""
    first = inference.pack(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-5.0, -50.0]


def test_int8_of_the_first_example():
    """Task 3: the first example (1, 10) becomes (-7.0, -70.0)."""
    first = inference.int8(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-7.0, -70.0]


def test_gptq_of_the_first_example():
    """Task 4: the first example (1, 10) becomes (-9.0, -90.0)."""
    first = inference.gptq(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-9.0, -90.0]


def test_accept_of_the_first_example():
    """Task 5: the first example (1, 10) becomes (-11.0, -110.0)."""
    first = inference.accept(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-11.0, -110.0]


def test_speculate_of_the_first_example():
    """Task 6: the first example (1, 10) becomes (-13.0, -130.0)."""
    first = inference.speculate(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-13.0, -130.0]


def test_speed_of_the_first_example():
    """Task 7: the first example (1, 10) becomes (-15.0, -150.0)."""
    first = inference.speed(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-15.0, -150.0]


def test_automaton_of_the_first_example():
    """Task 8: the first example (1, 10) becomes (-17.0, -170.0)."""
    first = inference.automaton(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-17.0, -170.0]


def test_constrain_of_the_first_example():
    """Task 9: the first example (1, 10) becomes (-19.0, -190.0)."""
    first = inference.constrain(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-19.0, -190.0]
