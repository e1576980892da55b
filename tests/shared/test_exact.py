"""`coursekit.exact`: what each tool calls exact is exact, and what it can't know it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from coursekit.compare import Mismatch
from coursekit.exact import Counted, affine_law, least_squares, normal_nodes, signs, subsets, symmetric_noise, tuples


def langevin(noise, *, h=0.3, variance=2.0):
    """Unadjusted Langevin steps on N(1, variance), one a column of noise, from 0."""
    x = np.zeros(len(noise))
    for z in noise.T:
        x = x - h * (x - 1) / variance + math.sqrt(2 * h) * z
    return x


def test_a_langevin_chain_has_the_mean_and_variance_of_its_recursion():
    """x ← a x + c + √(2h) z with a = 1 − h / variance: mean 1 − aᵀ, variance 2h Σ a^(2k)."""
    law, a = affine_law(langevin, 6), 1 - 0.3 / 2

    assert law.mean == pytest.approx([1 - a**6], abs=1e-14)
    assert law.covariance == pytest.approx(np.array([[0.6 * sum(a ** (2 * k) for k in range(6))]]), abs=1e-14)


def test_samples_in_several_dimensions_have_their_covariance():
    """z ↦ z B + m has covariance BᵀB."""
    rng = np.random.default_rng(0)
    matrix, offset = rng.normal(size=(5, 3)), rng.normal(size=3)

    law = affine_law(lambda noise: noise @ matrix + offset, 5)

    assert law.mean == pytest.approx(offset) and law.covariance == pytest.approx(matrix.T @ matrix)


@pytest.mark.parametrize("sampler", [np.tanh, lambda z: z * np.abs(z), lambda z: z * np.nan])
def test_a_sampler_that_is_not_affine_gets_no_covariance(sampler):
    """One that is odd and fits all unit vectors is found out too."""
    with pytest.raises(Mismatch, match="your sampler is not affine in its noise"):
        affine_law(sampler, 4)


def test_samples_of_a_wrong_number_are_told():
    """A sampler that averages over its batch returns one."""
    with pytest.raises(Mismatch, match=r"the ODE returned samples of shape \(3,\) for 6 rows of noise"):
        affine_law(lambda z: z.mean(axis=0)[:3], 4, name="the ODE")


def test_symmetric_noise_has_mean_0_and_the_covariance_exactly():
    """And so the mean of a square is bias² + variance, as over all noise."""
    noise, a, b = symmetric_noise(4, std=0.7), np.array([1.0, -2.0, 0.5, 3.0]), 0.4

    assert not noise.mean(axis=0).any()
    assert noise.T @ noise / len(noise) == pytest.approx(0.49 * np.eye(4), abs=1e-15)
    assert ((noise @ a + b) ** 2).mean() == pytest.approx(b**2 + 0.49 * a @ a)


def test_normal_nodes_integrate_polynomials_exactly_and_smooth_functions_nearly():
    """E Z⁸ = 105 with five points; E cos Z = e^(−½)."""
    points, weights = normal_nodes(5)

    assert weights @ points**8 == pytest.approx(105) and weights @ points**10 != pytest.approx(945)
    points, weights = normal_nodes(12)
    assert weights @ np.cos(points) == pytest.approx(math.exp(-0.5), abs=1e-11)


def test_normal_nodes_in_two_dimensions():
    """E (x² y⁴) = 3 and E (x y) = 0; the weights add up to 1."""
    points, weights = normal_nodes(4, d=2)

    assert points.shape == (16, 2) and weights.sum() == pytest.approx(1)
    assert weights @ (points[:, 0] ** 2 * points[:, 1] ** 4) == pytest.approx(3)
    assert weights @ (points[:, 0] * points[:, 1]) == pytest.approx(0, abs=1e-15)


def test_all_signs_make_a_trace_exact():
    """The mean of vᵀ A v over all sign vectors is tr A."""
    matrix = np.arange(16.0).reshape(4, 4)

    assert np.mean([v @ matrix @ v for v in signs(4)]) == pytest.approx(np.trace(matrix))


def test_all_batches_give_the_variance_without_replacement():
    """S² / B (1 − B / N)."""
    values = np.array([1.0, 4.0, -2.0, 0.5, 3.0, 7.0])

    means = values[subsets(6, 2)].mean(axis=1)

    assert means.var() == pytest.approx(values.var(ddof=1) / 2 * (1 - 2 / 6))


def test_all_tuples_keep_the_type_of_the_values():
    """In the order of an odometer; of nothing there is one, the empty one."""
    assert tuples([0, 2], 2).tolist() == [[0, 0], [0, 2], [2, 0], [2, 2]] and tuples([0, 2], 2).dtype == int
    assert tuples([1.0], 0).shape == (1, 0)
    assert subsets(3, 0).shape == (1, 0)


@pytest.mark.parametrize(
    "enumerate_too_much", [lambda: signs(17), lambda: subsets(40, 20), lambda: normal_nodes(50, d=3)]
)
def test_an_enumeration_that_no_check_has_time_for_is_refused(enumerate_too_much):
    with pytest.raises(ValueError, match="at most 100,000"):
        enumerate_too_much()


def test_least_squares_over_nodes_is_the_conditional_mean():
    """Z₁ given Z₁ + 2 Z₂ = y is y / 5."""
    points, weights = normal_nodes(3, d=2)
    seen = points @ [1.0, 2.0]

    best = least_squares(np.stack([np.ones_like(seen), seen], axis=1), points[:, 0], weights=weights)

    assert best == pytest.approx([0, 0.2], abs=1e-14)


def test_weights_that_are_not_unique_are_refused():
    with pytest.raises(ValueError, match="not unique: 2 features of rank 1"):
        least_squares([[1.0, 1.0], [2.0, 2.0]], [1.0, 2.0])


def test_calls_are_counted_with_their_arguments():
    double = Counted(lambda x, *, by=2: by * x)

    assert [double(1), double(3, by=4)] == [2, 12] and double.calls == [(1,), (3,)]
