"""Graded checks of the variational inference assignment.

Functions don't wait for each other: the ELBOs are given a working divergence and sampler, the fit a working
gradient, Monte Carlo dropout a working `dropout`. Where gradients are taken, the parts are the simple ones of the
student's own file, since a callback into the judge carries none. Nothing is statistical. Where a mean over noise is due, it
is taken over points at which it is exact for quadratics (`sigma_points`), or over all masks there are.
"""

import itertools
import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64
RELATIVE = (1e-9, 0.0)  # for numbers far below 1e-10, where the default would take zero for an answer


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def uniform(generator, *shape, low=0.0, high=1.0, dtype=F64):
    """Uniform numbers."""
    return (low + (high - low) * torch.rand(*shape, generator=generator, dtype=F64)).to(dtype)


def scale(generator, *shape, dtype=F64):
    """Standard deviations, none of them near 1, where a scale equals its square."""
    small = uniform(generator, *shape, low=0.3, high=0.7)
    return torch.where(uniform(generator, *shape) < 0.5, small, small + 1.0).to(dtype)


def number_from(generator, low, high):
    """One uniform number as a float."""
    return float(uniform(generator, 1, low=low, high=high))


def scales(generator):
    """A noise_std and a prior_std, unlike each other and unlike 1."""
    return {
        "noise_std": number_from(generator, 0.4, 0.8),
        "prior_std": number_from(generator, 1.3, 1.9),
    }


def data(generator, n, d, dtype=F64):
    """Inputs of correlated columns, and targets."""
    X = normal(generator, n, d) + 0.8 * normal(generator, n, 1)
    return X.to(dtype), (X.sum(-1) + normal(generator, n)).to(dtype)


def assert_leaves_and_agrees(impl, reference, name, *args, **kwargs):
    """Nothing handed in is changed, and the answer is the reference's; kwargs may name simple parts of the file."""

    def options(module):
        return {key: getattr(module, value) if isinstance(value, str) else value for key, value in kwargs.items()}

    got = assert_leaves_arguments(getattr(impl, name), *args, **options(impl), name=name)
    assert_close(got, getattr(reference, name)(*args, **options(reference)))


def sigma_points(P):
    """2P points with mean 0 and covariance I: the mean of any quadratic over them is that over N(0, I)."""
    points = math.sqrt(P) * torch.eye(P, dtype=F64)
    return torch.cat([points, -points])


# --- Task 1: densities and divergences ---------------------------------------------------------


@number("1.1")
@weight(3)
@tags("gaussians")
@pytest.mark.parametrize("case", ["one point", "broadcast", "one std for all", "float32"])
def test_the_log_density_sums_the_last_axis(agree, torch_rng, case):
    """The log density of a vector is the sum over its coordinates, for each leading index, after
    broadcasting."""
    dtype = torch.float32 if case == "float32" else F64
    shapes = {"broadcast": ((4, 1, 3), (5, 3))}.get(case, ((3,), (3,)))
    x, mean = (2 * normal(torch_rng, *shape, dtype=dtype) for shape in shapes)
    std = number_from(torch_rng, 0.3, 0.7) if case == "one std for all" else scale(torch_rng, 3, dtype=dtype)

    agree("gaussian_logpdf", x, mean, std)


@number("1.2")
@weight(3)
@tags("gaussians")
@pytest.mark.parametrize("case", ["vectors", "batch", "one prior for all", "float32"])
def test_the_divergence_of_two_gaussians(agree, torch_rng, case):
    """KL(q || p) is summed over coordinates; a prior given by two numbers counts for every coordinate."""
    dtype = torch.float32 if case == "float32" else F64
    lead = (4,) if case == "batch" else ()
    mean_q, std_q = normal(torch_rng, *lead, 5, dtype=dtype), scale(torch_rng, *lead, 5, dtype=dtype)
    mean_p, std_p = normal(torch_rng, 5, dtype=dtype), scale(torch_rng, 5, dtype=dtype)
    if case == "one prior for all":
        mean_p, std_p = 0.0, number_from(torch_rng, 1.3, 1.9)

    agree("kl_gaussians", mean_q, std_q, mean_p, std_p)


@number("1.3")
@weight(1)
@tags("gaussians")
@pytest.mark.parametrize("P", [1, 6])
def test_the_divergence_is_positive_and_zero_only_at_equality(impl, reference, torch_rng, P):
    """KL is 0 between equals and positive otherwise, in either direction, and the directions differ."""
    q, p = ((normal(torch_rng, P), scale(torch_rng, P)) for _ in range(2))

    same, there, back = (impl.kl_gaussians(*pair) for pair in ((*q, *q), (*q, *p), (*p, *q)))

    assert abs(float(same)) < 1e-12 and float(there) > 0 and float(back) > 0
    assert_close((there, back), (reference.kl_gaussians(*q, *p), reference.kl_gaussians(*p, *q)), name="KL")


@number("1.4")
@weight(1)
@tags("gaussians")
def test_the_divergence_is_the_mean_of_the_log_ratio(impl, reference, torch_rng):
    """KL is the mean of log q - log p under q: of a quadratic, so two points give it exactly."""
    q, p = ((normal(torch_rng, 4), scale(torch_rng, 4)) for _ in range(2))
    points = torch.stack([q[0] - q[1], q[0] + q[1]])

    divergence = impl.kl_gaussians(*q, *p)

    log_ratios = reference.gaussian_logpdf(points, *q) - reference.gaussian_logpdf(points, *p)
    assert_close(divergence, log_ratios.mean(), name="KL")


@number("1.5")
@weight(1)
@tags("gaussians")
def test_the_divergence_has_the_right_gradients(agree, torch_rng):
    """The gradients in mean and scale of q are right in every coordinate."""
    q, p = ((normal(torch_rng, 4), scale(torch_rng, 4)) for _ in range(2))

    agree.vjp("kl_gaussians", *q, *p, wrt=(0, 1), cotangent=normal(torch_rng, 1)[0])


@number("1.6")
@weight(1)
@tags("gaussians")
@pytest.mark.parametrize("function", ["gaussian_logpdf", "kl_gaussians"])
def test_gaussians_leave_their_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call."""
    m, q, p = normal(torch_rng, 4), scale(torch_rng, 4), scale(torch_rng, 4)
    args = (normal(torch_rng, 4), m, q) if function == "gaussian_logpdf" else (m, q, normal(torch_rng, 4), p)

    assert_leaves_and_agrees(impl, reference, function, *args)


# --- Task 2: noise outside, parameters inside --------------------------------------------------


@number("2.1")
@weight(2)
@tags("reparameterize")
@pytest.mark.parametrize("case", ["moderate", "far above", "far below", "float32"])
def test_softplus_is_exact_everywhere(agree, torch_rng, case):
    """Softplus is right to nine digits: around zero, where it is about rho, and where it is about e^rho."""
    rho = {
        "moderate": uniform(torch_rng, 3, 4, low=-6, high=6),
        "far above": torch.cat([uniform(torch_rng, 5, low=40, high=90) ** 2, uniform(torch_rng, 1)]),
        "far below": uniform(torch_rng, 5, low=-600, high=-40),
        "float32": uniform(torch_rng, 5, low=-6, high=6, dtype=torch.float32),
    }[case]

    agree("softplus", rho, tol=None if case == "float32" else RELATIVE)


@number("2.2")
@weight(2)
@tags("reparameterize")
@pytest.mark.parametrize("case", ["moderate", "at zero", "far out"])
def test_softplus_has_the_right_slope(agree, torch_rng, case):
    """The slope of softplus is the sigmoid: also at zero, where it is a half, and far out, where it is 0 or
    1."""
    rho = uniform(torch_rng, 6, low=-6, high=6)
    if case == "at zero":
        rho[::2] = 0.0
    elif case == "far out":
        rho[::2] = torch.tensor([1000.0, 800.0, -900.0], dtype=F64)
    cotangent = normal(torch_rng, 6)

    agree("softplus", rho)
    (gradient,) = agree.vjp("softplus", rho, cotangent=cotangent)

    assert_close(gradient, cotangent * rho.sigmoid(), name="gradient of softplus")


@number("2.3")
@weight(2)
@tags("reparameterize")
@pytest.mark.parametrize("case", ["moderate", "large", "small"])
def test_the_inverse_of_softplus(agree, torch_rng, case):
    """A fit can start from any scale: the rho of a sigma is right for scales near one, tiny and huge."""
    sigma = {
        "moderate": uniform(torch_rng, 3, 4, low=0.2, high=4),
        "large": torch.cat([uniform(torch_rng, 5, low=40, high=90) ** 3, uniform(torch_rng, 1, low=0.2)]),
        "small": torch.exp(uniform(torch_rng, 5, low=-600, high=-40)),
    }[case]

    rho = agree("inverse_softplus", sigma, tol=RELATIVE)

    assert_close(torch.logaddexp(rho, torch.zeros_like(rho)), sigma, rtol=1e-9, atol=0.0, name="softplus")


@number("2.4")
@weight(1)
@tags("reparameterize")
@pytest.mark.parametrize("lead", [(), (4,), (3, 2)], ids=["one sample", "four", "three times two"])
def test_a_sample_is_the_mean_and_scaled_noise(agree, reference, torch_rng, lead):
    """Every row of noise gives a sample with the scales of q; no noise gives the mean."""
    mu, rho = normal(torch_rng, 5), uniform(torch_rng, 5, low=-3, high=3)
    eps, scales = normal(torch_rng, *lead, 5), lambda rho: reference.softplus(rho)

    still = agree("sample_weights", mu, rho, torch.zeros_like(eps), scale=scales)
    assert_close(still, mu.expand_as(still), name="samples without noise")
    agree("sample_weights", mu, rho, eps, scale=scales)


@number("2.5")
@weight(1)
@tags("reparameterize")
def test_gradients_flow_through_the_sample(agree, vjp, torch_rng):
    """At fixed noise the samples have gradients in mu and in rho, summed over the samples."""
    mu, rho, eps = normal(torch_rng, 5), uniform(torch_rng, 5, low=-3, high=3), normal(torch_rng, 4, 5)
    cotangent = normal(torch_rng, 4, 5)

    def gradients(impl):
        return vjp(impl.sample_weights, mu, rho, eps, wrt=(0, 1), cotangent=cotangent, scale=impl.exponential)

    g_mu, g_rho = agree(gradients)

    assert_close(g_mu, cotangent.sum(0), name="gradient in mu")
    assert_close(g_rho, (cotangent * eps).sum(0) * rho.exp(), name="gradient in rho")


@number("2.6")
@weight(1)
@tags("reparameterize")
@pytest.mark.parametrize("function", ["softplus", "inverse_softplus", "sample_weights"])
def test_scales_and_samples_leave_their_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call."""
    mu, rho, sigma = normal(torch_rng, 5), uniform(torch_rng, 5, low=-3, high=3), scale(torch_rng, 5)
    args = {"softplus": (rho,), "inverse_softplus": (sigma,)}.get(function, (mu, rho, torch.zeros(3, 5, dtype=F64)))
    lent = {"scale": "exponential"} if function == "sample_weights" else {}

    assert_leaves_and_agrees(impl, reference, function, *args, **lent)


# --- Task 3: a posterior that is known ---------------------------------------------------------

SIZES = [
    pytest.param(9, 3, F64, id="more rows than weights"),
    pytest.param(3, 5, F64, id="fewer rows than weights"),
    pytest.param(1, 2, F64, id="one row"),
    pytest.param(8, 3, torch.float32, id="float32"),
]


@number("3.1")
@weight(3)
@tags("posterior")
@pytest.mark.parametrize(("n", "d", "dtype"), SIZES)
def test_the_posterior_of_linear_regression(agree, torch_rng, n, d, dtype):
    """The posterior has the right mean and precision, with more rows than weights and with fewer."""
    (X, y), std = data(torch_rng, n, d, dtype), scales(torch_rng)
    if n < 4:
        std["prior_std"] = 1.0  # a scale and its square are told apart in the other cases

    mean, precision = agree("linear_posterior", X, y, **std)

    assert_close(precision @ mean, X.T @ y / std["noise_std"] ** 2, name="precision times mean")


@number("3.2")
@weight(1)
@tags("posterior")
def test_data_add_precision(impl, reference, torch_rng):
    """Without data the posterior is the prior; what two data sets add to it, both together add."""
    (X, y), std = data(torch_rng, 8, 3), scales(torch_rng)
    parts = [slice(0, 0), slice(3), slice(3, None), slice(None)]

    got = [impl.linear_posterior(X[rows], y[rows], **std) for rows in parts]

    none, first, second, both = (precision for _, precision in got)
    assert_close(none, torch.eye(3, dtype=F64) / std["prior_std"] ** 2, name="precision without data")
    assert_close(first + second - none, both, name="precision of all data")
    assert_close(got, [reference.linear_posterior(X[rows], y[rows], **std) for rows in parts])


@number("3.3")
@weight(2)
@tags("posterior")
@pytest.mark.parametrize(("n", "d", "dtype"), SIZES)
def test_the_evidence_follows_from_bayes(agree, reference, torch_rng, n, d, dtype):
    """log p(D) = log p(D | theta) + log p(theta) - log p(theta | D), whatever the theta; 0 without data."""
    (X, y), std = data(torch_rng, n, d, dtype), scales(torch_rng)

    evidence = agree("log_evidence", X, y, **std)

    if n == 1:
        agree("log_evidence", X[:0], y[:0], **std)
    if dtype is F64:
        mean, precision = reference.linear_posterior(X, y, **std)
        theta = normal(torch_rng, d)
        likelihood = reference.gaussian_logpdf(y, X @ theta, std["noise_std"])
        prior = reference.gaussian_logpdf(theta, torch.zeros_like(theta), std["prior_std"])
        step = theta - mean
        posterior = 0.5 * (torch.logdet(precision) - d * math.log(2 * math.pi) - step @ precision @ step)
        assert_close(evidence, likelihood + prior - posterior, name="log evidence")


@number("3.4")
@weight(1)
@tags("posterior")
@pytest.mark.parametrize("unit", [0.05, 20.0], ids=["small unit", "large unit"])
def test_the_evidence_of_much_data(agree, torch_rng, unit):
    """With 400 rows the determinant is far outside of what a float holds, and its logarithm is not."""
    (X, y), std = data(torch_rng, 400, 3), scales(torch_rng)

    agree("log_evidence", X, y * unit, noise_std=std["noise_std"] * unit, prior_std=std["prior_std"] * unit)


@number("3.5")
@weight(2)
@tags("posterior")
@pytest.mark.parametrize("case", ["correlated", "independent"])
def test_the_divergence_from_a_correlated_posterior(agree, reference, torch_rng, case):
    """KL(q || posterior) counts the posterior's correlations; without any, it is the KL of Task 1."""
    mean, spread = normal(torch_rng, 4), normal(torch_rng, 4, 4)
    precision = spread @ spread.T + torch.eye(4, dtype=F64)
    mu, sigma = normal(torch_rng, 4), scale(torch_rng, 4)
    if case == "independent":
        precision = precision.diagonal().diag()

    divergence = agree("kl_to_posterior", mu, sigma, mean, precision)

    if case == "independent":
        independent = reference.kl_gaussians(mu, sigma, mean, precision.diagonal() ** -0.5)
        assert_close(divergence, independent, name="KL")
        agree("kl_to_posterior", mean, precision.diagonal() ** -0.5, mean, precision)  # the posterior itself


@number("3.6")
@weight(1)
@tags("posterior")
@pytest.mark.parametrize("function", ["linear_posterior", "log_evidence", "kl_to_posterior"])
def test_the_posterior_leaves_its_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call."""
    (X, y), std = data(torch_rng, 6, 3), scales(torch_rng)
    if function == "kl_to_posterior":
        q = normal(torch_rng, 3), scale(torch_rng, 3)
        assert_leaves_and_agrees(impl, reference, function, *q, *reference.linear_posterior(X, y, **std))
    else:
        assert_leaves_and_agrees(impl, reference, function, X, y, **std)


# --- Task 4: the ELBO in closed form -----------------------------------------------------------


@number("4.1")
@weight(4)
@tags("linear_elbo")
@pytest.mark.parametrize(("n", "d", "dtype"), [*SIZES, pytest.param(0, 3, F64, id="no data")])
def test_evidence_is_elbo_plus_divergence(agree, reference, torch_rng, n, d, dtype):
    """log p(D) = ELBO + KL(q || posterior) exactly, for any q: what the ELBO lacks is how far q is off."""
    (X, y), std = data(torch_rng, n, d, dtype), scales(torch_rng)
    if 0 < n < 4:
        std["prior_std"] = 1.0  # a scale and its square are told apart in the other cases
    mu, sigma = normal(torch_rng, d, dtype=dtype), scale(torch_rng, d, dtype=dtype)

    def kl(*args):
        return reference.kl_gaussians(*args)

    value = agree("linear_elbo", mu, sigma, X, y, **std, kl=kl)

    if dtype is F64:
        gap = reference.kl_to_posterior(mu, sigma, *reference.linear_posterior(X, y, **std))
        assert_close(value + gap, reference.log_evidence(X, y, **std), name="ELBO + KL(q || posterior)")


@number("4.2")
@weight(2)
@tags("linear_elbo")
def test_the_closed_form_has_the_right_gradients(agree, vjp, torch_rng):
    """The gradients in mu and in sigma are right in every coordinate, those through the divergence included."""
    (X, y), std = data(torch_rng, 7, 4), {**scales(torch_rng), "prior_std": 1.0}
    mu, sigma, cotangent = normal(torch_rng, 4), scale(torch_rng, 4), normal(torch_rng, 1)[0]

    def gradients(impl):
        options = {**std, "kl": impl.squared_distance}
        return vjp(impl.linear_elbo, mu, sigma, X, y, wrt=(0, 1), cotangent=cotangent, **options)

    agree(gradients)


@number("4.3")
@weight(3)
@tags("linear_elbo")
@pytest.mark.parametrize("d", [2, 4])
def test_the_mean_field_optimum(agree, reference, torch_rng, d):
    """Every other q without correlations is further from the posterior."""
    (X, y), std = data(torch_rng, 6, d), scales(torch_rng)
    mean, precision = reference.linear_posterior(X, y, **std)

    mu, sigma = agree("mean_field_optimum", mean, precision)

    best = reference.kl_to_posterior(mu, sigma, mean, precision)
    # At the optimum the quadratic terms are P, and what is left measures the correlations.
    assert_close(best, 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision)), name="KL")
    for _ in range(5):
        other = mu + 0.1 * normal(torch_rng, d), sigma * torch.exp(0.1 * normal(torch_rng, d))
        assert reference.kl_to_posterior(*other, mean, precision) > best


@number("4.4")
@weight(1)
@tags("linear_elbo")
@pytest.mark.parametrize("function", ["linear_elbo", "mean_field_optimum"])
def test_the_closed_form_leaves_its_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call."""
    (X, y), std = data(torch_rng, 6, 3), scales(torch_rng)
    if function == "linear_elbo":
        kwargs = {**std, "prior_std": 1.0, "kl": "squared_distance"}
        args = normal(torch_rng, 3), scale(torch_rng, 3), X, y
    else:
        args, kwargs = (normal(torch_rng, 3), scale(torch_rng, 3).diag()), {}  # nothing is correlated

    assert_leaves_and_agrees(impl, reference, function, *args, **kwargs)


# --- Task 5: the ELBO by sampling --------------------------------------------------------------


def bent(theta, X, y):
    """A log likelihood that is nothing known, made in the judge: (S, P) to (S, B), (P,) to (B,)."""
    return -((y - torch.sin(theta @ X.T)) ** 2) - 0.3 * torch.cos(theta).sum(-1, keepdim=True)


@pytest.fixture
def parts(reference):
    """A working sampler and divergence."""
    return {
        "sample": lambda *args: reference.sample_weights(*args),
        "kl": lambda *args: reference.kl_from_prior(*args),
    }


def parameters(generator, P):
    """mu and rho."""
    return normal(generator, P), uniform(generator, P, low=-2, high=2)


@number("5.1")
@weight(3)
@tags("elbo")
@pytest.mark.parametrize(("S", "B"), [(1, 6), (4, 6), (5, 1)])
def test_the_elbo_averages_samples_and_sums_rows(agree, torch_rng, parts, S, B):
    """The log likelihood is summed over rows and averaged over samples; the divergence counts once."""
    (X, y), (mu, rho) = data(torch_rng, B, 3), parameters(torch_rng, 3)

    agree("elbo", mu, rho, normal(torch_rng, S, 3), X, y, log_likelihood=bent, prior_std=1.0, **parts)


def over_batches(impl, mu, rho, eps, X, y, B, **options):
    """The ELBO estimated from each batch of B rows."""
    rows = [slice(start, start + B) for start in range(0, len(y), B)]
    return [impl.elbo(mu, rho, eps, X[part], y[part], n_total=len(y), **options) for part in rows]


@number("5.2")
@weight(3)
@tags("elbo")
@pytest.mark.parametrize("B", [1, 4, 6, 12])
def test_batches_are_right_on_average(agree, reference, torch_rng, parts, B):
    """A batch stands for all the data: the mean over the batches of an epoch is the ELBO of all rows."""
    (X, y), (mu, rho) = data(torch_rng, 12, 3), parameters(torch_rng, 3)
    eps = normal(torch_rng, 1, 3)
    options = {"log_likelihood": bent, "prior_std": 1.0}

    values = agree(over_batches, mu, rho, eps, X, y, B, **options, **parts)

    whole = reference.elbo(mu, rho, eps, X, y, **options)
    assert_close(sum(values) / len(values), whole, name="mean over the batches")


@number("5.3")
@weight(1)
@tags("elbo")
def test_sampling_agrees_with_the_closed_form(agree, reference, torch_rng, parts):
    """Over noise of mean 0 and covariance I, the estimate for linear regression is the exact ELBO."""
    (X, y), (mu, rho), std = data(torch_rng, 7, 3), parameters(torch_rng, 3), scales(torch_rng)
    density = reference.linear_model(std["noise_std"])
    options = {"log_likelihood": lambda *args: density(*args), "prior_std": std["prior_std"]}

    estimate = agree("elbo", mu, rho, sigma_points(3), X, y, **options, **parts)

    assert_close(estimate, reference.linear_elbo(mu, reference.softplus(rho), X, y, **std), name="ELBO")


@number("5.4")
@weight(2)
@tags("elbo")
@pytest.mark.parametrize("case", ["all rows", "a batch"])
def test_the_elbo_has_the_right_gradients(agree, vjp, torch_rng, case):
    """The gradients in mu and rho are right in every coordinate, through the samples and through the divergence."""
    (X, y), (mu, rho) = data(torch_rng, 6, 3), parameters(torch_rng, 3)
    eps, cotangent = normal(torch_rng, 1, 3), normal(torch_rng, 1)[0]
    settings = {"prior_std": 1.0, "n_total": 15 if case == "a batch" else None}

    def gradients(impl):
        simple = {"log_likelihood": impl.parabola, "sample": impl.shifted, "kl": impl.squared_length}
        return vjp(impl.elbo, mu, rho, eps, X, y, wrt=(0, 1), cotangent=cotangent, **settings, **simple)

    agree(gradients)


@number("5.5")
@weight(1)
@tags("elbo")
def test_the_elbo_leaves_its_arguments_alone(impl, reference, torch_rng):
    """The tensors that are handed in are the same after the call."""
    (X, y), (mu, rho) = data(torch_rng, 1, 3), parameters(torch_rng, 3)
    simple = {"log_likelihood": "parabola", "sample": "shifted", "kl": "squared_length"}

    assert_leaves_and_agrees(impl, reference, "elbo", mu, rho, normal(torch_rng, 1, 3), X, y, prior_std=1.0, **simple)


# --- Task 6: climbing the ELBO -----------------------------------------------------------------


@number("6.1")
@weight(2)
@tags("fit")
@pytest.mark.parametrize("n_total", [8, 15])
def test_the_gradient_comes_with_the_value(agree, torch_rng, n_total):
    """The gradients of the objective in mu and rho, uphill, with its value, all detached."""
    (X, y), (mu, rho) = data(torch_rng, 6, 3), parameters(torch_rng, 3)
    eps, settings = normal(torch_rng, 4, 3), {"n_total": n_total, "prior_std": number_from(torch_rng, 1.3, 1.9)}

    def twice(impl):
        return [impl.elbo_gradient(mu, rho, eps, X, y, objective=impl.hill, **settings) for _ in range(2)]

    agree(twice)


def climb(impl, hill, mu, rho, eps, X, y, **options):
    """A fit on a given gradient, and what it asked for."""
    asked = []

    def gradient(mu, rho, eps, X, y, **settings):
        asked.append((mu, rho, eps, X, y, settings))
        return hill(mu, rho, eps, X, y, **settings)

    return impl.fit_mean_field(mu, rho, eps, X, y, gradient=gradient, **options), asked


def odd_hill(mu, rho, eps, X, y, *, n_total, prior_std):
    """Stands for value and gradients: tells every argument apart, and is quick."""
    pull = torch.sin(eps).mean(0) + n_total * (y @ X) / 50
    return (mu * rho).sum() + y.sum(), pull - mu + 0.3 * rho, pull.cos() - prior_std * rho - 0.2 * mu


@number("6.2")
@weight(3)
@tags("fit")
@pytest.mark.parametrize("T", [1, 2, 6])
def test_every_step_goes_uphill_with_new_noise(agree, torch_rng, T):
    """In each step one gradient at the current parameters, with the step's own noise; then both move."""
    (X, y), (mu, rho) = data(torch_rng, 5, 3), parameters(torch_rng, 3)
    options = {"lr": number_from(torch_rng, 0.1, 0.3), "prior_std": number_from(torch_rng, 1.3, 1.9)}

    _, asked = agree(climb, odd_hill, mu, rho, normal(torch_rng, T, 4, 3), X, y, **options)

    assert len(asked) == T


@number("6.3")
@weight(2)
@tags("fit")
def test_a_step_may_look_at_a_batch(agree, torch_rng):
    """With batches, each step gets its own rows of X and y, and the number of all rows."""
    (X, y), (mu, rho) = data(torch_rng, 10, 3), parameters(torch_rng, 3)
    order = torch.randperm(10, generator=torch_rng)
    options = {"lr": number_from(torch_rng, 0.1, 0.3), "prior_std": number_from(torch_rng, 1.3, 1.9)}

    agree(climb, odd_hill, mu, rho, normal(torch_rng, 4, 2, 3), X, y, batches=order.split(3), **options)


@number("6.4")
@weight(1)
@tags("fit")
def test_the_fit_ends_at_the_mean_field_optimum(agree, reference, torch_rng):
    """All your parts together: with noise that makes the estimate exact, the ascent ends where the closed
    form says."""
    P, T, std = 3, 150, {"noise_std": 0.5, "prior_std": 1.5}
    # Orthogonal columns, then a little correlation: the precision's eigenvalues lie between 10 and 24, so
    # that a step of 0.03 takes away between 30 and 70 % of mu's error, and 5 % of rho's, 0.3 at first.
    X = 2 * torch.linalg.qr(normal(torch_rng, 12, P))[0]
    X = X + 0.2 * X.roll(1, dims=1)
    y = X @ normal(torch_rng, P) + 0.5 * normal(torch_rng, 12)
    eps = sigma_points(P).expand(T, 2 * P, P)
    start = torch.zeros(P, dtype=F64), torch.full((P,), -1.5, dtype=F64)

    def fit(impl):
        options = {"log_likelihood": impl.linear_model(std["noise_std"]), "prior_std": std["prior_std"]}
        return impl.fit_mean_field(*start, eps, X, y, lr=0.03, **options)

    mu, rho, values = agree(fit)

    mean, precision = reference.linear_posterior(X, y, **std)
    assert_close(mu, mean, name="mu")
    gap = reference.log_evidence(X, y, **std) - values[-1]
    best = reference.kl_to_posterior(*reference.mean_field_optimum(mean, precision), mean, precision)
    # rho is still off by 0.3 * 0.95^150 = 1e-4, and near an optimum the ELBO lacks the square of that.
    assert_close(gap, best, atol=1e-6, name="log p(D) - ELBO")


@number("6.5")
@weight(1)
@tags("fit")
@pytest.mark.parametrize("function", ["elbo_gradient", "fit_mean_field"])
def test_the_fit_leaves_its_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call: also mu and rho."""
    (X, y), (mu, rho) = data(torch_rng, 5, 3), parameters(torch_rng, 3)
    if function == "elbo_gradient":
        args, kwargs = (mu, rho, normal(torch_rng, 4, 3), X, y), {"objective": "hill"}
    else:
        args = mu, rho, normal(torch_rng, 1, 4, 3), X, y
        kwargs = {"lr": 0.2, "gradient": odd_hill, "prior_std": 1.5}

    assert_leaves_and_agrees(impl, reference, function, *args, **kwargs)


# --- Task 7: many networks at once -------------------------------------------------------------

NETWORKS = [(3, 2), (1, 4, 2), (2, 3, 4, 1)]


def weights_of(sizes):
    """The number of weights and biases."""
    return sum(n_out * n_in + n_out for n_in, n_out in itertools.pairwise(sizes))


@number("7.1")
@weight(3)
@tags("network")
@pytest.mark.parametrize("sizes", NETWORKS, ids=str)
@pytest.mark.parametrize("lead", [(), (4,), (2, 3)], ids=["one network", "four", "two times three"])
def test_each_row_of_theta_is_a_network(agree, torch_rng, sizes, lead):
    """Every row of theta is a network of its own, applied to every row of X."""
    theta = normal(torch_rng, *lead, weights_of(sizes))

    agree("mlp", theta, normal(torch_rng, 5, sizes[0]), sizes)


@number("7.2")
@weight(2)
@tags("network")
def test_gradients_reach_every_weight(agree, torch_rng):
    """The gradient in theta is right in every coordinate, for each network apart; float32 stays float32."""
    sizes = (2, 4, 3)
    theta, X = normal(torch_rng, 3, weights_of(sizes)), normal(torch_rng, 5, 2)

    agree("mlp", theta.float(), X.float(), sizes)
    agree.vjp("mlp", theta, X, sizes, wrt=(0,), cotangent=normal(torch_rng, 3, 5, 3))


@number("7.3")
@weight(1)
@tags("network")
def test_a_network_leaves_its_arguments_alone(impl, reference, torch_rng):
    """The tensors that are handed in are the same after the call."""
    sizes = (2, 3, 1)

    assert_leaves_and_agrees(impl, reference, "mlp", normal(torch_rng, weights_of(sizes)), normal(torch_rng, 4, 2), sizes)


# --- Task 8: two kinds of uncertainty ----------------------------------------------------------


def mixtures(generator, S, *shape, dtype=F64):
    """Means and standard deviations of S models."""
    return 2 * normal(generator, S, *shape, dtype=dtype), scale(generator, S, *shape, dtype=dtype)


SAMPLES = [
    pytest.param(5, (4,), F64, id="five models, four points"),
    pytest.param(3, (3,), F64, id="as many models as points"),
    pytest.param(6, (2, 3), F64, id="two axes"),
    pytest.param(1, (4,), F64, id="one model"),
    pytest.param(5, (4,), torch.float32, id="float32"),
]


@number("8.1")
@weight(2)
@tags("uncertainty")
@pytest.mark.parametrize(("S", "shape", "dtype"), SAMPLES)
def test_the_two_parts_add_up_to_the_variance(impl, reference, torch_rng, S, shape, dtype):
    """The two parts add up to the variance of the mixture, and each is right by itself."""
    means, stds = mixtures(torch_rng, S, *shape, dtype=dtype)

    aleatoric, epistemic = impl.decompose_variance(means, stds)

    total = (stds**2 + means**2).mean(0) - means.mean(0) ** 2
    assert_close(aleatoric + epistemic, total, name="sum of the parts")
    assert_close((aleatoric, epistemic), reference.decompose_variance(means, stds))


@number("8.2")
@weight(1)
@tags("uncertainty")
@pytest.mark.parametrize(("S", "shape", "dtype"), SAMPLES)
def test_the_predictive_spread_is_that_of_the_mixture(agree, reference, torch_rng, S, shape, dtype):
    """Mean and standard deviation are those of the mixture, whatever the two parts of its variance."""
    agree(
        "predictive_moments",
        *mixtures(torch_rng, S, *shape, dtype=dtype),
        decompose=lambda *args: reference.decompose_variance(*args),
    )


@number("8.3")
@weight(2)
@tags("uncertainty")
@pytest.mark.parametrize("case", ["near", "some far", "one model", "two axes"])
def test_the_predictive_density_is_a_mixture(impl, reference, torch_rng, case):
    """Densities are averaged, not their logarithms, also where every one of them is too small for a float."""
    means, stds = mixtures(torch_rng, 1 if case == "one model" else 6, *((2, 3) if case == "two axes" else (4,)))
    y = normal(torch_rng, *means.shape[1:])
    if case == "some far":
        y[::2] += 500.0

    logp = impl.predictive_logpdf(y, means, stds)

    logs = reference.gaussian_logpdf(y[..., None], means[..., None], stds[..., None])  # (S, ...)
    assert (logp >= logs.mean(0) - 1e-6).all()  # Jensen
    assert_close(logp, reference.predictive_logpdf(y, means, stds))


def three_intervals(impl, samples, masses):
    """Intervals of three masses."""
    return [impl.credible_interval(samples, mass) for mass in masses]


@number("8.4")
@weight(2)
@tags("uncertainty")
@pytest.mark.parametrize("shape", [(), (5,), (2, 3)], ids=["one quantity", "five", "two times three"])
def test_a_credible_interval_leaves_equal_tails(impl, reference, torch_rng, shape):
    """As many samples lie below the interval as above it; skewed samples give a skewed interval."""
    samples = normal(torch_rng, 21, *shape).exp()
    masses = [number_from(torch_rng, low, low + 0.1) for low in (0.2, 0.55, 0.85)]

    intervals = three_intervals(impl, samples, masses)

    for (lower, upper), mass in zip(intervals, masses, strict=True):
        outside = math.ceil((1 - mass) / 2 * 20)  # sorted places 0 .. outside - 1 lie before the lower end
        assert ((samples < lower).sum(0) == outside).all()
        assert ((samples > upper).sum(0) == outside).all()
    assert_close(intervals, three_intervals(reference, samples, masses))


@number("8.5")
@weight(1)
@tags("uncertainty")
@pytest.mark.parametrize("function", ["decompose_variance", "predictive_moments", "predictive_logpdf", "credible_interval"])
def test_the_uncertainties_leave_their_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call."""
    means, stds = mixtures(torch_rng, 5, 4)
    args = {"predictive_logpdf": (normal(torch_rng, 4), means, stds), "credible_interval": (means, 0.7)}

    lent = {"decompose": lambda *args: reference.decompose_variance(*args)} if function == "predictive_moments" else {}
    assert_leaves_and_agrees(impl, reference, function, *args.get(function, (means, stds)), **lent)


# --- Task 9: dropout as a sampler --------------------------------------------------------------


@number("9.1")
@weight(2)
@tags("dropout")
@pytest.mark.parametrize("case", ["one shape", "a mask for each pass", "p = 0", "on the border", "float32"])
def test_dropout_keeps_the_mean(agree, torch_rng, case):
    """Entries with u < p become zero; the others are enlarged to keep the mean."""
    x = 1 + normal(torch_rng, 4, 3, dtype=torch.float32 if case == "float32" else F64).abs()
    u = uniform(torch_rng, *((5, 1, 3) if case == "a mask for each pass" else (4, 3)), dtype=x.dtype)
    p = 0.0 if case == "p = 0" else number_from(torch_rng, 0.2, 0.4)
    u[..., 0], u[..., 1] = 0.1, 0.9  # something is dropped, something is kept
    if case == "on the border":
        u[..., 2] = p

    agree("dropout", x, u, p=p)
    if not p:
        agree("dropout", x, u, p=0.3)


def network(generator, sizes):
    """Weights and biases of a network."""
    return [
        (normal(generator, n_out, n_in), normal(generator, n_out))
        for n_in, n_out in itertools.pairwise(sizes)
    ]


def working_dropout(reference):
    """The reference's dropout."""
    return lambda x, u, **options: reference.dropout(x, u, **options)


@number("9.2")
@weight(2)
@tags("dropout")
@pytest.mark.parametrize("sizes", [(2, 5, 1), (3, 4, 6, 2)], ids=str)
@pytest.mark.parametrize("p", [0.0, 0.4])
def test_every_pass_drops_other_units(agree, reference, torch_rng, sizes, p):
    """Dropout stays on at prediction: in each pass other hidden units are dropped, for all rows alike."""
    layers, X = network(torch_rng, sizes), normal(torch_rng, 4, sizes[0])
    u = [uniform(torch_rng, 7, n) for n in sizes[1:-1]]
    for each in u:
        each[0, 0], each[0, 1], each[1, 0] = 0.1, 0.9, 0.9

    agree("mc_dropout", layers, X, u, p=p, drop=working_dropout(reference))


@number("9.3")
@weight(1)
@tags("dropout")
def test_all_masks_together_give_the_network_back(impl, reference, torch_rng):
    """With one hidden layer, the mean over all masks is the network without dropout, and the variance is
    p / (1 - p) times the sum of the squared terms."""
    (W, b), (V, c) = layers = network(torch_rng, (2, 3, 1))
    X, p = normal(torch_rng, 4, 2), 0.25
    # Four uniforms for each unit, one of them below p: every mask as often as it is probable.
    u = torch.tensor(list(itertools.product([0.125, 0.375, 0.625, 0.875], repeat=3)), dtype=F64)

    outputs = impl.mc_dropout(layers, X, [u], p=p, drop=working_dropout(reference))

    hidden = (X @ W.T + b).tanh()
    assert_close(outputs.mean(0), hidden @ V.T + c, name="mean over all masks")
    spread = p / (1 - p) * (hidden**2 @ (V**2).T)
    assert_close(outputs.var(0, correction=0), spread, name="variance over all masks")
    assert_close(outputs, reference.mc_dropout(layers, X, [u], p=p))


@number("9.4")
@weight(1)
@tags("dropout")
@pytest.mark.parametrize("function", ["dropout", "mc_dropout"])
def test_dropout_leaves_its_arguments_alone(impl, reference, torch_rng, function):
    """The tensors that are handed in are the same after the call, those in lists too."""
    X, u = normal(torch_rng, 4, 3), uniform(torch_rng, 4, 3)
    if function == "dropout":
        assert_leaves_and_agrees(impl, reference, function, X, u, p=0.4)
    else:
        layers = network(torch_rng, (3, 3, 1))
        assert_leaves_and_agrees(impl, reference, function, layers, X, [u], p=0.4, drop=working_dropout(reference))
