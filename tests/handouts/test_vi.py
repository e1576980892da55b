"""What the handout of vi states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.data import regression, regression_std

F64 = torch.float64


@pytest.fixture(scope="module")
def vi():
    return staff_files.reference("vi")


@pytest.fixture(scope="module")
def figures():
    return staff_files.figures("vi")


def tensor(*values):
    return torch.tensor(values, dtype=F64)


def rounded(values, digits):
    return [round(float(value), digits) for value in values]


@pytest.fixture(scope="module")
def line():
    """Twelve points on a line, those of figure `mean_field`, and their scales."""
    rng = np.random.default_rng(0)
    x, noise = torch.from_numpy(rng.uniform(0.2, 2.2, size=12)), torch.from_numpy(rng.standard_normal(12))
    X, y = torch.stack([torch.ones_like(x), x], -1), 1 - 0.7 * x + 0.5 * noise
    return X, y, {"noise_std": 0.5, "prior_std": 2.0}


def spread(at, covariance):
    """Standard deviations of the predictions at some rows."""
    return (at @ covariance @ at.T).diagonal().sqrt()


# Task 1


def test_too_wide_costs_more(vi):
    """For p = N(0, 1), q = N(0, 2²) costs 0.807 and q = N(0, ½²) 0.318; to p = N(0, 2²) it is log 2 − ⅜."""
    zero = tensor(0.0)

    assert rounded((vi.kl_gaussians(zero, tensor(std), 0.0, 1.0) for std in (2.0, 0.5)), 3) == [0.807, 0.318]
    assert math.isclose(vi.kl_gaussians(zero, tensor(1.0), 0.0, 2.0), math.log(2) - 3 / 8)


# Task 2


def test_the_traps_of_softplus(vi):
    """softplus(−50) is 1.9e-22, and the slope at 0 is ½."""
    rho = tensor(-50.0, 0.0).requires_grad_()
    sigma = vi.softplus(rho)

    assert f"{sigma[0]:.1e}" == "1.9e-22"
    assert torch.autograd.grad(sigma.sum(), rho)[0][1] == 0.5


def test_a_derivative_through_the_draw_has_less_variance(vi):
    """The derivative is 3; through the draw one sample has variance 1, by weighing values 57."""
    eps = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0), dtype=F64)
    theta = vi.sample_weights(tensor(0.0), vi.inverse_softplus(tensor(1.0)), eps)
    through, weighed = 3 - theta, -((theta - 3) ** 2) / 2 * eps

    assert rounded((through.var(), weighed.var()), 0) == [1, 57]
    assert rounded((through.mean(), weighed.mean()), 0) == [3, 3]


# Task 3


def test_the_posterior_by_hand(vi):
    """X = (1, 1)ᵀ, y = (1, 3), σ_y = 2, s = 1 gives Λ = 1.5, m = ⅔ and log p(D) = −4.344."""
    X, y, std = tensor([1.0], [1.0]), tensor(1.0, 3.0), {"noise_std": 2.0, "prior_std": 1.0}
    mean, precision = vi.linear_posterior(X, y, **std)

    assert (float(precision), round(float(mean), 9)) == (1.5, 0.666666667)
    assert rounded([vi.log_evidence(X, y, **std)], 3) == [-4.344]


# Task 4


@pytest.mark.parametrize(("correlation", "ratio"), [(0.9, 0.44), (0.0, 1.0)])
def test_the_best_scale_for_a_correlation(vi, correlation, ratio):
    """Two weights of scale 1 with correlation 0.9: the best σ is 0.44."""
    precision = torch.linalg.inv(tensor([1.0, correlation], [correlation, 1.0]))

    assert rounded(vi.mean_field_optimum(tensor(0.0, 0.0), precision)[1], 2) == [ratio, ratio]
    assert vi.mean_field_optimum(tensor(0.0, 0.0), tensor([4.0, 1.0], [1.0, 25.0]))[1].tolist() == [0.5, 0.2]


def test_the_band_of_the_best_q(vi, line):
    """Correlation −0.88, both σ 0.48 of the true scales. At x = 1.2 the band is 1.3 times too wide, else too narrow."""
    X, y, std = line
    mean, precision = vi.linear_posterior(X, y, **std)
    covariance = torch.linalg.inv(precision)
    _, sigma = vi.mean_field_optimum(mean, precision)
    at = tensor([1.0, 0.0], [1.0, 1.2], [1.0, 4.0])
    exact, by_q = spread(at, covariance), spread(at, (sigma**2).diag())

    assert rounded([covariance[0, 1] / covariance.diagonal().prod().sqrt()], 2) == [-0.88]
    assert rounded(sigma / covariance.diagonal().sqrt(), 2) == [0.48, 0.48]
    assert rounded(exact, 3) == [0.299, 0.144, 0.595]
    assert rounded(by_q, 3) == [0.144, 0.188, 0.429]
    assert round(float(by_q[1] / exact[1]), 1) == 1.3


def test_how_far_the_best_elbo_lies_below_the_evidence(vi, line):
    """The gap of figure `mean_field` is 0.730."""
    X, y, std = line
    best = vi.mean_field_optimum(*vi.linear_posterior(X, y, **std))

    assert rounded([vi.log_evidence(X, y, **std) - vi.linear_elbo(*best, X, y, **std)], 3) == [0.730]


# Task 5


def test_the_elbo_by_hand(vi):
    """Two rows out of eight, log likelihoods (2, 14) and (4, 18) for two samples, KL = 5: 71."""
    value = vi.elbo(
        *(tensor(0.0), tensor(0.0), tensor([1.0], [2.0]), tensor([1.0], [1.0]), tensor(0.0, 0.0)),
        log_likelihood=lambda theta, X, y: tensor([2.0, 14.0], [4.0, 18.0]),
        prior_std=1.0,
        n_total=8,
        kl=lambda *q: torch.tensor(5.0, dtype=F64),
    )

    assert value == 71


def test_a_bound_that_estimates_exceed_and_a_factor_that_is_forgotten(vi):
    """A third of the one-sample estimates lie above log p(D), none of 16 samples; without the factor σ is 3 times too wide."""
    x = torch.linspace(0.2, 2.2, 12, dtype=F64)
    X, y = torch.stack([torch.ones_like(x), x], -1), 1 - 0.7 * x + (9 * x).cos() / 2
    mu, sigma = vi.mean_field_optimum(*vi.linear_posterior(X, y, noise_std=0.5, prior_std=2.0))
    generator, bound = torch.Generator().manual_seed(1), vi.log_evidence(X, y, noise_std=0.5, prior_std=2.0)
    shares = []
    for S in (1, 16):
        draws = torch.randn(2000, S, 2, generator=generator, dtype=F64)
        theta = vi.sample_weights(mu, vi.inverse_softplus(sigma), draws)
        kl = vi.kl_gaussians(mu, sigma, 0.0, 2.0)
        values = vi.gaussian_logpdf(y, theta @ X.T, 0.5).mean(-1) - kl  # (2000,): `elbo` for all draws at once
        shares.append(round(float((values > bound).double().mean()), 2))
    _, tenth = vi.mean_field_optimum(*vi.linear_posterior(X, y, noise_std=2.5**0.5, prior_std=2.0))

    assert shares == [0.33, 0.0]
    assert rounded(tenth / sigma, 1) == [3.1, 3.1]


# Task 8


def test_the_two_parts_by_hand(vi):
    """Means 1 and 5, standard deviations 3 and 1: aleatoric 5, epistemic 4, and standard deviation 3 in all."""
    models = tensor([1.0], [5.0]), tensor([3.0], [1.0])

    assert [float(part) for part in vi.decompose_variance(*models)] == [5, 4]
    assert float(vi.predictive_moments(*models)[1]) == 3


def test_mean_field_is_surest_where_there_are_no_data(vi):
    """The posterior is least certain in the strip (0.157); mean field is surest there (0.067)."""
    x, y = map(torch.from_numpy, regression(np.random.default_rng(2), 1000))
    kept = (x < 1.4) | (x > 2.4)

    def powers(x):
        return torch.stack([((x - 2) / 2) ** j for j in range(6)], -1)

    mean, precision = vi.linear_posterior(powers(x[kept][:60]), y[kept][:60], noise_std=0.5, prior_std=2.0)
    _, sigma = vi.mean_field_optimum(mean, precision)
    rows = [powers(torch.linspace(*ends, 50, dtype=F64)) for ends in ((0.5, 1.4), (1.4, 2.4), (2.4, 3.5))]

    exact = [float(spread(at, torch.linalg.inv(precision)).mean()) for at in rows]
    by_q = [float(spread(at, (sigma**2).diag()).mean()) for at in rows]
    assert max(exact) == exact[1] and min(by_q) == by_q[1]
    assert rounded((exact[1], by_q[1]), 3) == [0.157, 0.067]


def test_what_the_network_says_about_the_strip(vi, figures):
    """Epistemic 0.28 in the strip and 0.28 at the data, then 0.05 and 0.07; aleatoric at the data 0.97, then 0.54."""
    x, y = figures.outside_the_gap(*figures.tensors(*regression(np.random.default_rng(2), 1000)))
    generator, grid = torch.Generator().manual_seed(3), figures.GRID
    inside = (grid > 1.4) & (grid < 2.4)
    data = ~inside & (grid > 0) & (grid < 4)
    said = []
    for n in (60, 600):
        mu, rho = figures.train(vi, x[:n], y[:n])
        eps = torch.randn(400, len(mu), generator=generator, dtype=F64)
        theta = vi.sample_weights(mu, rho, eps)
        means, stds = vi.noisy_network(theta, figures.rescaled(grid), figures.SIZES)
        torch.randn(means.shape, generator=generator, dtype=F64)  # the figure draws noise here
        aleatoric, epistemic = (part.sqrt() for part in vi.decompose_variance(means, stds))
        said.append(rounded((epistemic[inside].mean(), epistemic[data].mean(), aleatoric[data].mean()), 2))

    assert said == [[0.28, 0.28, 0.97], [0.05, 0.07, 0.54]]
    assert round(float(regression_std(grid[data].numpy()).mean()), 2) == 0.51


# Task 9


def test_dropout_by_hand(vi):
    """For p = 0.2, x = (8, 4, 4) and u = (0.1, 0.2, 0.9): (0, 5, 5)."""
    assert vi.dropout(tensor(8.0, 4.0, 4.0), tensor(0.1, 0.2, 0.9), p=0.2).tolist() == [0, 5, 5]


def test_copied_data_narrow_a_posterior(vi, line):
    """If every data point is copied ten times, a posterior narrows by √10."""
    X, y, std = line
    once, ten = (
        torch.linalg.inv(vi.linear_posterior(X.repeat(n, 1), y.repeat(n), **std)[1]).diagonal().sqrt() for n in (1, 10)
    )

    # up to the little that the prior adds
    torch.testing.assert_close(once / ten, torch.full_like(once, math.sqrt(10)), rtol=0.03, atol=0.0)


def test_two_hidden_layers_bend_what_the_first_mask_spread(vi):
    """The mean over all masks is the network without dropout with one hidden layer, and is not with two."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.cartesian_prod(*[tensor(0.25, 0.75)] * 4)  # p = 1/2
    for hidden in ((4,), (2, 2)):
        sizes = (1, *hidden, 1)
        layers = [
            (torch.randn(n, m, generator=generator, dtype=F64), torch.zeros(n, dtype=F64))
            for m, n in zip(sizes, sizes[1:])
        ]
        X = tensor([0.5], [-1.0])
        outputs = vi.mc_dropout(layers, X, list(masks.split(list(hidden), dim=1)), p=0.5).mean(0)
        plain = vi.mc_dropout(layers, X, [torch.ones(1, n, dtype=F64) for n in hidden], p=0.0)[0]

        assert torch.allclose(outputs, plain) == (len(hidden) == 1)
