"""The checks you can run yourself: `pytest` in this folder, or `pytest --task elbo` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64
LOG_2PI = math.log(2 * math.pi)


def tensor(*values):
    """A vector or a matrix, float64."""
    return torch.tensor(values, dtype=F64)


def normal(generator, *shape):
    """Standard normal numbers, float64."""
    return torch.randn(*shape, generator=generator, dtype=F64)


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("gaussians")
def test_logpdf_by_hand(impl):
    """At the mean only the normaliser is left, log std included; two standard deviations off cost 2 nats."""
    x, mean, std = tensor([3.0, 5.0], [7.0, 5.0]), tensor(3.0, 5.0), tensor(2.0, math.e)

    logp = impl.gaussian_logpdf(x, mean, std)

    at_mean = -LOG_2PI - math.log(2) - 1
    assert_close(logp, tensor(at_mean, at_mean - 2), name="log density")


@number("1.p2")
@weight(1)
@tags("gaussians")
def test_kl_by_hand(impl):
    """Half the scale costs log 2 - 3/8, another half for one prior scale of distance; equals cost nothing."""
    zero, one = tensor(0.0, 0.0), tensor(1.0, 1.0)

    assert_close(impl.kl_gaussians(zero, one, 0.0, 1.0), tensor(0.0)[0], name="KL of equals")
    wide = impl.kl_gaussians(zero, one, tensor(0.0, 2.0), 2.0)
    assert_close(wide, tensor(2 * (math.log(2) - 3 / 8) + 1 / 2)[0], name="KL from a wider one")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("reparameterise")
def test_softplus_by_hand(impl, vjp):
    """log 2 at zero, e^rho far below, rho far above; the slope at zero is a half; and back again."""
    sigma = impl.softplus(tensor(0.0, 1000.0, -50.0))

    assert_close(sigma, tensor(math.log(2), 1000.0, math.exp(-50)), rtol=1e-9, atol=0.0, name="softplus")
    (slope,) = vjp(impl.softplus, tensor(0.0, 1000.0), cotangent=tensor(1.0, 1.0))
    assert_close(slope, tensor(0.5, 1.0), name="slope of softplus")
    assert_close(impl.inverse_softplus(sigma[1:]), tensor(1000.0, -50.0), name="inverse softplus")


@number("2.p2")
@weight(1)
@tags("reparameterise")
def test_sample_by_hand(impl):
    """Noise of -1, 0 and 2 gives weights at -1, 0 and 2 scales from the mean."""
    mu, rho = tensor(1.0, 2.0), tensor(0.0, math.log(math.expm1(3.0)))  # scales log 2 and 3

    theta = impl.sample_weights(mu, rho, tensor([-1.0, 0.0], [2.0, 2.0]))

    assert_close(theta, tensor([1 - math.log(2), 2.0], [1 + 2 * math.log(2), 8.0]), name="samples")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("posterior")
def test_posterior_by_hand(impl):
    """One weight, two measurements of it, of 1 and 3, with noise 2; the prior has scale 1."""
    X, y = tensor([1.0], [1.0]), tensor(1.0, 3.0)

    mean, precision = impl.linear_posterior(X, y, noise_std=2.0, prior_std=1.0)

    assert_close(precision, tensor([2 / 4 + 1]), name="precision")
    assert_close(mean, tensor((4 / 4) / 1.5), name="mean")
    # Covariance [[5, 1], [1, 5]] of y: determinant 24, and y^T C^-1 y = (5 - 2 * 3 + 5 * 9) / 24.
    want = -0.5 * (2 * LOG_2PI + math.log(24) + 44 / 24)
    assert_close(impl.log_evidence(X, y, noise_std=2.0, prior_std=1.0), tensor(want)[0], name="log evidence")


@number("3.p2")
@weight(1)
@tags("posterior")
def test_kl_to_posterior_by_hand(impl):
    """A q of scale 1 in the right place, from a posterior of precision [[2, 1], [1, 2]]."""
    mean, precision = tensor(1.0, -1.0), tensor([2.0, 1.0], [1.0, 2.0])

    at_mean = impl.kl_to_posterior(mean, tensor(1.0, 1.0), mean, precision)
    off = impl.kl_to_posterior(mean + 1, tensor(1.0, 1.0), mean, precision)

    assert_close(at_mean, tensor(0.5 * (4 - 2 - math.log(3)))[0], name="KL")
    assert_close(off - at_mean, tensor(3.0)[0], name="what the distance adds")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(2)
@tags("linear_elbo")
def test_evidence_is_elbo_plus_divergence(impl, torch_rng):
    """log p(D) = ELBO + KL(q || posterior) for any q, and at the optimum the ELBO is largest. Needs Tasks 1
    and 3."""
    X, y = normal(torch_rng, 6, 3), normal(torch_rng, 6)
    std = {"noise_std": 0.5, "prior_std": 1.5}
    mean, precision = impl.linear_posterior(X, y, **std)
    q = normal(torch_rng, 3), normal(torch_rng, 3).exp()
    best = impl.mean_field_optimum(mean, precision)

    for each in (q, best):
        total = impl.linear_elbo(*each, X, y, **std) + impl.kl_to_posterior(*each, mean, precision)
        assert_close(total, impl.log_evidence(X, y, **std), name="ELBO + KL(q || posterior)")
    assert impl.linear_elbo(*best, X, y, **std) > impl.linear_elbo(*q, X, y, **std)
    assert_close(best[1], precision.diagonal() ** -0.5, name="scales at the optimum")


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(2)
@tags("elbo")
def test_elbo_by_hand(impl):
    """Two samples, two rows of eight, and parts that can be added on paper."""
    mu, rho, eps = tensor(1.0), tensor(0.0), tensor([1.0], [3.0])
    X, y = tensor([1.0], [2.0]), tensor(0.0, 10.0)

    def value(scale, divergence):
        return impl.elbo(
            *(mu, rho, eps, X, y),
            # times scale: for theta 2: 2, 14; for theta 4: 4, 18
            log_likelihood=lambda theta, X, y: scale * (theta @ X.T + y),
            prior_std=1.0,
            n_total=8,
            sample=lambda mu, rho, eps: mu + eps,
            kl=lambda mu, rho, prior_std: torch.tensor(divergence, dtype=F64),
        )

    assert_close(value(1.0, 0.0), tensor(4 * (16 + 22) / 2)[0], name="expected log likelihood (KL = 0)")
    assert_close(value(0.0, 5.0), tensor(-5.0)[0], name="minus the KL (log likelihood = 0)")
    assert_close(value(1.0, 5.0), tensor(71.0)[0], name="ELBO")


@number("5.p2")
@weight(1)
@tags("elbo")
def test_gradients_of_the_elbo(impl, vjp, torch_rng):
    """Autograd agrees with finite differences in mu and rho, at fixed noise. Needs Tasks 1 and 2."""
    X, y, eps = normal(torch_rng, 5, 2), normal(torch_rng, 5), normal(torch_rng, 3, 2)
    mu, rho = normal(torch_rng, 2), normal(torch_rng, 2)
    options = {"log_likelihood": impl.linear_model(0.5), "prior_std": 1.5, "n_total": 20}

    gradients = vjp(impl.elbo, mu, rho, eps, X, y, wrt=(0, 1), cotangent=tensor(1.0)[0], **options)

    step = 1e-5 * torch.eye(2, dtype=F64)
    for i, name in enumerate(("mu", "rho")):
        differences = []
        for each in step:
            moved = [[mu, rho], [mu, rho]]
            moved[0][i], moved[1][i] = moved[0][i] + each, moved[1][i] - each
            up, down = (impl.elbo(*q, eps, X, y, **options) for q in moved)
            differences.append((up - down) / 2e-5)
        assert_close(gradients[i], torch.stack(differences), rtol=1e-6, atol=1e-6, name=f"gradient in {name}")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("fit")
def test_fit_by_hand(impl):
    """A gradient that is the step's noise, twice, uphill."""
    asked = []

    def gradient(mu, rho, eps, X, y, **settings):
        asked.append((y.tolist(), settings["n_total"]))
        return mu.sum(), eps[0], 10 * eps[0]

    X, y, eps = tensor([1.0], [2.0], [3.0]), tensor(1.0, 2.0, 3.0), tensor([[1.0]], [[2.0]])
    rows = [torch.tensor([0, 2]), torch.tensor([1])]
    mu, rho, values = impl.fit_mean_field(
        tensor(5.0), tensor(0.0), eps, X, y, lr=0.5, batches=rows, gradient=gradient
    )

    assert_close((mu, rho, values), (tensor(6.5), tensor(15.0), tensor(5.0, 5.5)), name="fit")
    assert_close(asked, [([1.0, 3.0], 3), ([2.0], 3)], name="targets and n_total of each call")


@number("6.p2")
@weight(1)
@tags("fit")
def test_gradient_is_uphill(impl, torch_rng):
    """A short step along the gradient raises the ELBO. Needs Tasks 1, 2 and 5."""
    X, y, eps = normal(torch_rng, 5, 2), normal(torch_rng, 5), normal(torch_rng, 3, 2)
    mu, rho = normal(torch_rng, 2), normal(torch_rng, 2)
    options = {"log_likelihood": impl.linear_model(0.5), "prior_std": 1.5}

    value, g_mu, g_rho = impl.elbo_gradient(mu, rho, eps, X, y, **options)

    assert_close(value, impl.elbo(mu, rho, eps, X, y, **options), name="value")
    assert impl.elbo(mu + 1e-4 * g_mu, rho + 1e-4 * g_rho, eps, X, y, **options) > value


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(2)
@tags("network")
def test_network_by_hand(impl):
    """Two networks with two inputs and two hidden units; the second has zeros everywhere but at the end."""
    sizes = (2, 2, 1)
    theta = tensor([1.0, 2.0, 3.0, 4.0, 0.5, 0.25, 5.0, 6.0, 7.0], [0.0] * 8 + [8.0])
    # Row by row, W_1 = [[1, 2], [3, 4]]; b_1 = [0.5, 0.25]; W_2 = [[5, 6]]; b_2 = 7.

    outputs = impl.mlp(theta, tensor([0.1, 0.2], [-0.5, 0.0], [0.0, 0.25]), sizes)

    before_tanh = [(1.0, 1.35), (0.0, -1.25), (1.0, 1.25)]
    want = [[[5 * math.tanh(a) + 6 * math.tanh(b) + 7] for a, b in before_tanh], [[8.0]] * 3]
    assert impl.n_parameters(sizes) == 9
    assert_close(outputs, torch.tensor(want, dtype=F64), name="outputs")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("uncertainty")
def test_uncertainty_by_hand(impl):
    """Models at 1 and 5 with noise 3 and 1: mean 3, noise variance 5, variance of the means 4, total 9."""
    means, stds = tensor([1.0], [5.0]), tensor([3.0], [1.0])

    assert_close(impl.decompose_variance(means, stds), (tensor(5.0), tensor(4.0)), name="variances")
    assert_close(impl.predictive_moments(means, stds), (tensor(3.0), tensor(3.0)), name="moments")
    assert_close(impl.predictive_samples(means, stds, tensor([1.0], [-2.0])), tensor([4.0], [3.0]))
    density = (math.exp(-2 / 9) / 3 + math.exp(-2)) / 2 / math.sqrt(2 * math.pi)  # at 3
    assert_close(impl.predictive_logpdf(tensor(3.0), means, stds), tensor(math.log(density)))


@number("8.p2")
@weight(1)
@tags("uncertainty")
@pytest.mark.parametrize(("mass", "ends"), [(0.8, (1.0, 81.0)), (0.5, (6.5, 56.5))])
def test_interval_by_hand(impl, mass, ends):
    """Of the squares of 0 .. 10: mass 0.8 leaves out the places before 1 and after 9."""
    squares = torch.arange(11, dtype=F64)[[3, 0, 10, 7, 5, 1, 9, 2, 4, 8, 6]] ** 2

    lower, upper = impl.credible_interval(squares, mass)

    assert_close((lower, upper), (tensor(ends[0])[0], tensor(ends[1])[0]), name="interval")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(2)
@tags("dropout")
def test_dropout_by_hand(impl):
    """p = 0.2: what is kept counts 1.25 times; three passes of a network with two hidden units."""
    dropped = impl.dropout(tensor(8.0, 4.0, 4.0), tensor(0.1, 0.2, 0.9), p=0.2)
    assert_close(dropped, tensor(0.0, 5.0, 5.0), name="dropout")

    layers = [(tensor([1.0], [2.0]), tensor(0.0, 0.0)), (tensor([1.0, 10.0]), tensor(3.0))]
    u = [tensor([0.9, 0.9], [0.1, 0.9], [0.1, 0.1])]
    outputs = impl.mc_dropout(layers, tensor([0.5], [0.0]), u, p=0.2)

    one, two = 1.25 * math.tanh(0.5), 12.5 * math.tanh(1.0)
    assert_close(outputs[:, 0, 0], tensor(one + two + 3, two + 3, 3.0), name="three passes at x = 0.5")
    assert_close(outputs[:, 1, 0], tensor(3.0, 3.0, 3.0), name="three passes at x = 0")
