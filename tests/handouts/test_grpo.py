"""The numbers that the handout of grpo states, its predictions and its snippets' answers, computed from the reference."""

import importlib.util
from pathlib import Path

import numpy as np

_PATH = Path(__file__).parents[2] / "solutions" / "grpo" / "grpo.py"
_SPEC = importlib.util.spec_from_file_location("grpo_of_the_handout", _PATH)
grpo = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(grpo)


def test_reward_of_the_first_example():
    """Task 1: the first example (1, 10) becomes (-3.0, -30.0)."""
    first = grpo.reward(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-3.0, -30.0]


def test_advantages_of_the_first_example():
    """Task 2: the first example (1, 10) becomes (-5.0, -50.0)."""
    first = grpo.advantages(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-5.0, -50.0]


def test_policy_loss_of_the_first_example():
    """Task 3: the first example (1, 10) becomes (-7.0, -70.0)."""
    first = grpo.policy_loss(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-7.0, -70.0]


def test_aggregate_of_the_first_example():
    """Task 4: the first example (1, 10) becomes (-9.0, -90.0)."""
    first = grpo.aggregate(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-9.0, -90.0]


def test_expected_of_the_first_example():
    """Task 5: the first example (1, 10) becomes (-11.0, -110.0)."""
    first = grpo.expected(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-11.0, -110.0]


def test_kl_of_the_first_example():
    """Task 6: the first example (1, 10) becomes (-13.0, -130.0)."""
    first = grpo.kl(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-13.0, -130.0]


def test_shaping_of_the_first_example():
    """Task 7: the first example (1, 10) becomes (-15.0, -150.0)."""
    first = grpo.shaping(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-15.0, -150.0]


def test_feedback_of_the_first_example():
    """Task 8: the first example (1, 10) becomes (-17.0, -170.0)."""
    first = grpo.feedback(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-17.0, -170.0]


def test_train_of_the_first_example():
    """Task 9: the first example (1, 10) becomes (-19.0, -190.0)."""
    first = grpo.train(np.array([[1.0, 10.0], [3.0, 30.0]]))[0]

    assert first.tolist() == [-19.0, -190.0]
