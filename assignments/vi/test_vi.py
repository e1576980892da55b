"""The checks you can run yourself: `pytest` in this folder, or `pytest --task elbo` for one task.

Each check needs the one function that it is about: for the others it brings simple parts, its own or those at the end
of vi.py.
"""

import math

import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64
LOG_2PI = math.log(2 * math.pi)


def tensor(*values):
    """A vector or a matrix, float64."""
    return torch.tensor(values, dtype=F64)


def scalar(value):
    """A 0-d tensor, float64."""
    return torch.tensor(value, dtype=F64)


def normal(generator, *shape):
    """Standard normal numbers, float64."""
    return torch.randn(*shape, generator=generator, dtype=F64)


def assert_gradients_are_differences(function, gradients, mu, rho):
    """Hold gradients in mu and rho against finite differences of function(mu, rho)."""
    step = 1e-5 * torch.eye(len(mu), dtype=F64)
    up_mu = [(function(mu + each, rho) - function(mu - each, rho)) / 2e-5 for each in step]
    up_rho = [(function(mu, rho + each) - function(mu, rho - each)) / 2e-5 for each in step]
    assert_close(gradients[0], torch.stack(up_mu), rtol=1e-6, atol=1e-6, name="gradient in the first")
    assert_close(gradients[1], torch.stack(up_rho), rtol=1e-6, atol=1e-6, name="gradient in the second")


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("gaussians")
def test_logpdf_by_hand(impl):
    """At the mean only the normalizer is left, log std included; two standard deviations off cost 2 nats."""
    x, mean, std = tensor([3.0, 5.0], [7.0, 5.0]), tensor(3.0, 5.0), tensor(2.0, math.e)

    logp = impl.gaussian_logpdf(x, mean, std)
    at_mean = -LOG_2PI - math.log(2) - 1
    assert_close(logp, tensor(at_mean, at_mean - 2), name="log density")

    # one scale for two coordinates counts twice
    shared = impl.gaussian_logpdf(tensor(1.0, 1.0), 1.0, 2.0)
    assert_close(shared, scalar(-LOG_2PI - 2 * math.log(2)), name="log density with one std for all")


@number("1.p2")
@weight(1)
@tags("gaussians")
def test_kl_by_hand(impl):
    """From N(0, 1) to N(0, 4) it is log 2 - 3/8 a coordinate, one prior scale of distance adds 1/2; equals cost 0."""
    zero, one = tensor(0.0, 0.0), tensor(1.0, 1.0)

    assert_close(impl.kl_gaussians(zero, one, 0.0, 1.0), scalar(0.0), name="KL of equals")
    # one scale of p for two coordinates counts twice
    got = impl.kl_gaussians(zero, one, tensor(0.0, 2.0), 2.0)
    assert_close(got, scalar(2 * (math.log(2) - 3 / 8) + 1 / 2), name="KL from N(0, 1) to a wider p")
    back = impl.kl_gaussians(zero, 2 * one, tensor(0.0, 0.0), 1.0)
    assert_close(back, scalar(3 - 2 * math.log(2)), name="KL from N(0, 4) to a narrower p")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("reparameterize")
def test_softplus_by_hand(impl, vjp):
    """log 2 at zero, e^rho far below, rho far above; the slope is 1/2 at zero and 1 far above."""
    sigma = impl.softplus(tensor(0.0, 1000.0, -50.0))

    assert_close(sigma, tensor(math.log(2), 1000.0, math.exp(-50)), rtol=1e-9, atol=0.0, name="softplus")
    (slope,) = vjp(impl.softplus, tensor(0.0, 1000.0), cotangent=tensor(1.0, 1.0))
    assert_close(slope, tensor(0.5, 1.0), name="slope of softplus")


@number("2.p2")
@weight(1)
@tags("reparameterize")
def test_inverse_softplus_by_hand(impl):
    """Back from log 2 to 0; a tiny scale has its logarithm as rho, a large one is nearly its own rho."""
    rho = impl.inverse_softplus(tensor(math.log(2), 1000.0, math.exp(-50)))

    assert_close(rho, tensor(0.0, 1000.0, -50.0), name="inverse softplus")


@number("2.p3")
@weight(1)
@tags("reparameterize")
def test_sample_by_hand(impl, vjp):
    """Noise of -1, 0 and 2 gives weights at -1, 0 and 2 scales from the mean."""
    mu, rho, eps = tensor(1.0, 2.0), tensor(0.0, math.log(3.0)), tensor([-1.0, 0.0], [2.0, 2.0])

    theta = impl.sample_weights(mu, rho, eps, scale=impl.exponential)  # scales 1 and 3
    assert_close(theta, tensor([0.0, 2.0], [3.0, 8.0]), name="samples")

    ones = torch.ones(2, 2, dtype=F64)
    gradients = vjp(impl.sample_weights, mu, rho, eps, wrt=(0, 1), cotangent=ones, scale=impl.exponential)

    def total(mu, rho):
        return impl.sample_weights(mu, rho, eps, scale=impl.exponential).sum()

    assert_gradients_are_differences(total, gradients, mu, rho)


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("posterior")
def test_posterior_by_hand(impl):
    """One weight, measured as 1 and as 3 with noise 2: precision 1.5 and mean 2/3; a wider prior leaves it less."""
    X, y = tensor([1.0], [1.0]), tensor(1.0, 3.0)

    mean, precision = impl.linear_posterior(X, y, noise_std=2.0, prior_std=1.0)
    assert_close(precision, tensor([1.5]), name="precision")
    assert_close(mean, tensor(2 / 3), name="mean")

    _, precision = impl.linear_posterior(X, y, noise_std=2.0, prior_std=2.0)
    assert_close(precision, tensor([0.75]), name="precision for a prior of scale 2")
    mean, _ = impl.linear_posterior(tensor([1.0, 1.0]), tensor(3.0), noise_std=1.0, prior_std=1.0)
    assert_close(mean, tensor(1.0, 1.0), name="mean of two weights after one row")


@number("3.p2")
@weight(1)
@tags("posterior")
def test_evidence_by_hand(impl):
    """y has covariance [[5, 1], [1, 5]], of determinant 24. With 400 rows, no float holds the determinant."""
    X, y = tensor([1.0], [1.0]), tensor(1.0, 3.0)

    evidence = impl.log_evidence(X, y, noise_std=2.0, prior_std=1.0)
    assert_close(evidence, scalar(-0.5 * (2 * LOG_2PI + math.log(24) + 44 / 24)), name="log evidence")

    # inputs of zero say nothing about the weight: 400 measurements of 0 with noise 1/20
    X, y = torch.zeros(400, 1, dtype=F64), torch.zeros(400, dtype=F64)
    evidence = impl.log_evidence(X, y, noise_std=0.05, prior_std=1.0)
    assert_close(evidence, scalar(400 * (math.log(20) - LOG_2PI / 2)), name="log evidence of 400 rows")


@number("3.p3")
@weight(1)
@tags("posterior")
def test_kl_to_posterior_by_hand(impl):
    """A q of scale 1 in the right place, from a posterior of precision [[2, 1], [1, 2]]; then both means one off."""
    mean, precision = tensor(1.0, -1.0), tensor([2.0, 1.0], [1.0, 2.0])

    at_mean = impl.kl_to_posterior(mean, tensor(1.0, 1.0), mean, precision)
    assert_close(at_mean, scalar(1 - math.log(3) / 2), name="KL")

    off = impl.kl_to_posterior(mean + 1, tensor(1.0, 1.0), mean, precision)
    assert_close(off - at_mean, scalar(3.0), name="what the distance adds")
    wide = impl.kl_to_posterior(mean, tensor(1.0, 2.0), mean, precision)
    assert_close(wide - at_mean, scalar(3 - math.log(2)), name="what a second scale of 2 adds")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("linear_elbo")
def test_linear_elbo_by_hand(impl):
    """The expected log likelihood is the mean over draws of q, minus the divergence that is handed in."""
    X, y, mu, sigma = tensor([1.0, -1.0], [2.0, 1.0]), tensor(1.0, -2.0), tensor(0.5, 1.0), tensor(0.3, 1.2)
    asked = []

    def kl(mean_q, std_q, mean_p, std_p):
        asked.append((mean_q, std_q, float(torch.as_tensor(mean_p).sum()), float(torch.as_tensor(std_p).mean())))
        return scalar(10.0)

    value = impl.linear_elbo(mu, sigma, X, y, noise_std=0.5, prior_std=1.5, kl=kl)

    # over these four points any quadratic has its mean under q
    points = mu + math.sqrt(2) * torch.cat([sigma.diag(), -sigma.diag()])  # (4, 2)
    errors = (y - points @ X.T) / 0.5
    want = (-0.5 * errors**2 - LOG_2PI / 2 - math.log(0.5)).sum(1).mean() - 10.0
    assert_close(value, want, name="ELBO")
    assert_close(asked, [(mu, sigma, 0.0, 1.5)], name="what kl was asked for")


@number("4.p2")
@weight(1)
@tags("linear_elbo")
def test_mean_field_optimum_by_hand(impl):
    """For the precision [[4, 1], [1, 25]], the best scales are 1/2 and 1/5, around the posterior's mean."""
    mean = tensor(1.0, -1.0)

    best = impl.mean_field_optimum(mean, tensor([4.0, 1.0], [1.0, 25.0]))

    assert_close(best, (mean, tensor(0.5, 0.2)), name="mean-field optimum")


# --- Task 5 ------------------------------------------------------------------------------------


def elbo_by_hand(impl, likelihood, divergence, **options):
    """Two samples and two rows: log likelihoods 2 and 14 for theta = 2, 4 and 18 for theta = 4, times `likelihood`."""
    return impl.elbo(
        *(tensor(1.0), tensor(0.0), tensor([1.0], [3.0]), tensor([1.0], [2.0]), tensor(0.0, 10.0)),
        log_likelihood=lambda theta, X, y: likelihood * (theta @ X.T + y),
        prior_std=2.0,
        sample=lambda mu, rho, eps: mu + eps,
        kl=lambda mu, rho, prior_std: scalar(divergence * prior_std / 2.0),
        **options,
    )


@number("5.p1")
@weight(1)
@tags("elbo")
def test_elbo_of_all_rows_by_hand(impl):
    """Log likelihoods (2, 14) and (4, 18) for two samples, and KL = 5: 19 - 5."""
    assert_close(elbo_by_hand(impl, 1.0, 0.0), scalar(19.0), name="expected log likelihood (KL = 0)")
    assert_close(elbo_by_hand(impl, 0.0, 5.0), scalar(-5.0), name="minus the KL (log likelihood = 0)")
    assert_close(elbo_by_hand(impl, 1.0, 5.0), scalar(14.0), name="ELBO")


@number("5.p2")
@weight(1)
@tags("elbo")
def test_elbo_of_a_batch_by_hand(impl):
    """The same two rows, out of eight: 71."""
    assert_close(elbo_by_hand(impl, 1.0, 5.0, n_total=8), scalar(71.0), name="ELBO of two rows out of eight")


@number("5.p3")
@weight(1)
@tags("elbo")
def test_gradients_of_the_elbo(impl, vjp, torch_rng):
    """Autograd agrees with finite differences in mu and rho, at fixed noise."""
    simple = {"log_likelihood": impl.parabola, "sample": impl.shifted, "kl": impl.squared_length}
    # theta = 1 predicts 2 for y = 5, and lies one prior_std from 0
    value = impl.elbo(tensor(1.0), tensor(0.0), tensor([0.0]), tensor([2.0]), tensor(5.0), prior_std=1.0, **simple)
    assert_close(value, scalar(-10.0), name="ELBO of simple parts")

    X, y, eps = normal(torch_rng, 5, 2), normal(torch_rng, 5), normal(torch_rng, 3, 2)
    mu, rho = normal(torch_rng, 2), normal(torch_rng, 2)
    options = {**simple, "prior_std": 1.0}

    gradients = vjp(impl.elbo, mu, rho, eps, X, y, wrt=(0, 1), cotangent=scalar(1.0), **options)

    assert_gradients_are_differences(lambda *q: impl.elbo(*q, eps, X, y, **options), gradients, mu, rho)


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("fit")
def test_gradient_is_uphill(impl, torch_rng):
    """The gradients are the slopes of the objective, detached, and nothing is left behind in mu and rho."""
    X, y, eps = normal(torch_rng, 5, 2), normal(torch_rng, 5), normal(torch_rng, 3, 2)
    mu, rho = normal(torch_rng, 2).requires_grad_(), normal(torch_rng, 2).requires_grad_()

    value, *gradients = impl.elbo_gradient(mu, rho, eps, X, y, objective=impl.hill)

    def hill(mu, rho):
        return impl.hill(mu, rho, eps, X, y)

    assert_close(value, hill(mu.detach(), rho.detach()), name="value")
    assert not (value.requires_grad or gradients[0].requires_grad), "the results are not detached"
    assert mu.grad is None and rho.grad is None, "`.grad` of the arguments was written to"
    assert_gradients_are_differences(hill, gradients, mu.detach(), rho.detach())


@number("6.p2")
@weight(1)
@tags("fit")
def test_fit_by_hand(impl):
    """A gradient that is the step's noise, twice, uphill; mu and rho that were handed in stay as they are."""
    asked = []

    def gradient(mu, rho, eps, X, y, **settings):
        asked.append((mu.item(), y.tolist(), settings["n_total"]))
        return mu.sum(), eps[0], 10 * eps[0]

    X, y, eps = tensor([1.0], [2.0], [3.0]), tensor(1.0, 2.0, 3.0), tensor([[1.0]], [[2.0]])
    rows = [torch.tensor([0, 2]), torch.tensor([1])]
    args = tensor(5.0), tensor(0.0), eps, X, y
    mu, rho, values = assert_leaves_arguments(
        impl.fit_mean_field, *args, lr=0.5, batches=rows, gradient=gradient, name="fit_mean_field"
    )

    assert_close((mu, rho, values), (tensor(6.5), tensor(15.0), tensor(5.0, 5.5)), name="fit")
    assert_close(asked, [(5.0, [1.0, 3.0], 3), (5.5, [2.0], 3)], name="mu, targets and n_total of each call")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("network")
def test_network_by_hand(impl):
    """Two networks with two inputs and two hidden units; the second has zeros everywhere but at the end."""
    theta = tensor([1.0, 2.0, 3.0, 4.0, 0.5, 0.25, 5.0, 6.0, 7.0], [0.0] * 8 + [8.0])
    # Row by row, W_1 = [[1, 2], [3, 4]]; b_1 = [0.5, 0.25]; W_2 = [[5, 6]]; b_2 = 7.

    outputs = impl.mlp(theta, tensor([0.1, 0.2], [-0.5, 0.0], [0.0, 0.25]), (2, 2, 1))

    before_tanh = [(1.0, 1.35), (0.0, -1.25), (1.0, 1.25)]
    want = [[[5 * math.tanh(a) + 6 * math.tanh(b) + 7] for a, b in before_tanh], [[8.0]] * 3]
    assert_close(outputs, torch.tensor(want, dtype=F64), name="outputs")


# --- Task 8 ------------------------------------------------------------------------------------


def two_models():
    """Means 1 and 5, standard deviations 3 and 1."""
    return tensor([1.0], [5.0]), tensor([3.0], [1.0])


@number("8.p1")
@weight(1)
@tags("uncertainty")
def test_decomposition_by_hand(impl):
    """Models at 1 and 5 with noise 3 and 1: aleatoric 5, epistemic 4."""
    assert_close(impl.decompose_variance(*two_models()), (tensor(5.0), tensor(4.0)), name="variances")


@number("8.p2")
@weight(1)
@tags("uncertainty")
def test_moments_by_hand(impl):
    """The same two models: mean 3, and standard deviation 3 for variances of 5 and 4."""
    moments = impl.predictive_moments(*two_models(), decompose=lambda means, stds: (tensor(5.0), tensor(4.0)))

    assert_close(moments, (tensor(3.0), tensor(3.0)), name="moments")


@number("8.p3")
@weight(1)
@tags("uncertainty")
def test_predictive_logpdf_by_hand(impl):
    """The density at 3 is the mean of two; at 1000, where both are 0 as floats, the wider model decides."""
    density = (math.exp(-2 / 9) / 3 + math.exp(-2)) / 2 / math.sqrt(2 * math.pi)
    assert_close(impl.predictive_logpdf(tensor(3.0), *two_models()), tensor(math.log(density)), name="log density at 3")

    far = -(333.0**2) / 2 - math.log(3) - math.log(2) - LOG_2PI / 2
    assert_close(impl.predictive_logpdf(tensor(1000.0), *two_models()), tensor(far), name="log density at 1000")


@number("8.p4")
@weight(1)
@tags("uncertainty")
def test_interval_by_hand(impl):
    """Of the squares of 0 .. 10: mass 0.8 leaves out the places before 1 and after 9; and so in each column."""
    squares = torch.arange(11, dtype=F64)[[3, 0, 10, 7, 5, 1, 9, 2, 4, 8, 6]] ** 2

    assert_close(impl.credible_interval(squares, 0.8), (scalar(1.0), scalar(81.0)), name="interval of mass 0.8")
    assert_close(impl.credible_interval(squares, 0.5), (scalar(6.5), scalar(56.5)), name="interval of mass 0.5")
    columns = torch.stack([squares, 10 * squares, squares + 5], -1)  # (11, 3)
    want = tensor(1.0, 10.0, 6.0), tensor(81.0, 810.0, 86.0)
    assert_close(impl.credible_interval(columns, 0.8), want, name="intervals of three columns")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("dropout")
def test_dropout_by_hand(impl):
    """p = 0.2 drops the first entry; 4 and 4 become 5, so that the mean is kept. p = 0 drops nothing."""
    dropped = impl.dropout(tensor(8.0, 4.0, 4.0), tensor(0.1, 0.2, 0.9), p=0.2)
    assert_close(dropped, tensor(0.0, 5.0, 5.0), name="dropout")

    assert_close(impl.dropout(tensor(8.0, 4.0), tensor(0.0, 0.9), p=0.0), tensor(8.0, 4.0), name="dropout with p = 0")


@number("9.p2")
@weight(1)
@tags("dropout")
def test_mc_dropout_by_hand(impl):
    """Three passes of a network with two hidden units, in which dropped units are 0 and others are doubled."""
    layers = [(tensor([1.0], [2.0]), tensor(0.0, 0.0)), (tensor([1.0, 10.0]), tensor(3.0))]
    u = [tensor([0.9, 0.9], [0.1, 0.9], [0.1, 0.1])]

    def drop(a, u, *, p):
        return 2 * a * (u > 0.5)

    outputs = impl.mc_dropout(layers, tensor([0.5], [0.0]), u, p=0.2, drop=drop)

    one, two = 2 * math.tanh(0.5), 20 * math.tanh(1.0)
    assert_close(outputs[:, 0, 0], tensor(one + two + 3, two + 3, 3.0), name="three passes at x = 0.5")
    assert_close(outputs[:, 1, 0], tensor(3.0, 3.0, 3.0), name="three passes at x = 0")
