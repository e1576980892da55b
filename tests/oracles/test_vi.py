"""The variational inference reference against torch.distributions, SciPy, finite differences and enumeration."""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.gradcheck import check_vjp
from hypothesis import given, settings
from hypothesis import strategies as st

optimize = pytest.importorskip("scipy.optimize")
integrate = pytest.importorskip("scipy.integrate")
stats = pytest.importorskip("scipy.stats")

F64 = torch.float64


vi = staff_files.reference("vi")


@pytest.fixture(params=range(5), ids="seed{}".format)
def rng(request):
    return np.random.default_rng([7, request.param])


def normal(rng, *shape):
    return torch.from_numpy(np.asarray(rng.standard_normal(shape)))


def positive(rng, *shape):
    return torch.from_numpy(np.asarray(rng.uniform(0.2, 3.0, size=shape)))


def same(got, want, rtol=1e-10, atol=1e-11):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=F64), rtol=rtol, atol=atol)


def regression(rng, n, d):
    """Data, scales, and what the model is to SciPy: the covariance of y."""
    X, y = normal(rng, n, d), normal(rng, n)
    std = {"noise_std": float(rng.uniform(0.3, 2)), "prior_std": float(rng.uniform(0.3, 2))}
    return X, y, std


# --- Gaussians ---------------------------------------------------------------------------------


def test_densities_and_divergences(rng):
    """torch.distributions, with broadcasting."""
    x, m, p = normal(rng, 4, 1, 3), normal(rng, 5, 3), normal(rng, 3)
    s, t = positive(rng, 5, 3), float(rng.uniform(0.2, 3))
    q, prior = torch.distributions.Normal(m, s), torch.distributions.Normal(p, t)

    same(vi.gaussian_logpdf(x, m, s), q.log_prob(x).sum(-1))
    same(vi.gaussian_logpdf(x, p, t), prior.log_prob(x).sum(-1))
    same(vi.kl_gaussians(m, s, p, t), torch.distributions.kl_divergence(q, prior).sum(-1))


def test_softplus_and_its_inverse():
    """NumPy's logaddexp, over the whole range of exponents; the inverse leads back."""
    rho = torch.linspace(-690, 690, 2001, dtype=F64)
    rho = torch.cat([rho, torch.linspace(-5, 5, 1001, dtype=F64)])

    sigma = vi.softplus(rho)

    same(sigma, np.logaddexp(rho.numpy(), 0.0), rtol=1e-12, atol=0.0)
    same(vi.inverse_softplus(sigma), rho, rtol=1e-9, atol=1e-9)
    extreme = torch.tensor([1e-300, 1e-20, 1e20, 1e300], dtype=F64)
    same(vi.inverse_softplus(extreme), [math.log(1e-300), math.log(1e-20), 1e20, 1e300])


@settings(max_examples=50, deadline=None)
@given(rho=st.lists(st.floats(-700, 700), min_size=1, max_size=5))
def test_softplus_has_the_sigmoid_as_slope(rho):
    """At every rho, zero included, and never NaN."""
    rho = torch.tensor(rho, dtype=F64, requires_grad=True)

    (slope,) = torch.autograd.grad(vi.softplus(rho).sum(), rho)

    same(slope, rho.detach().sigmoid())


# --- linear regression -------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(0, 2), (1, 1), (3, 5), (40, 4)])
def test_posterior_and_evidence(rng, n, d):
    """Conditioning of the joint Gaussian of theta and y, and SciPy's density of y."""
    X, y, std = regression(rng, n, d)
    noise, prior = std["noise_std"] ** 2, std["prior_std"] ** 2
    C = noise * np.eye(n) + prior * (X @ X.T).numpy()
    gain = prior * X.T.numpy() @ np.linalg.inv(C)

    mean, precision = vi.linear_posterior(X, y, **std)

    same(mean, gain @ y.numpy())
    same(torch.linalg.inv(precision), prior * np.eye(d) - gain @ X.numpy() * prior, rtol=1e-8)
    due = stats.multivariate_normal(np.zeros(n), C).logpdf(y.numpy()) if n else 0.0
    same(vi.log_evidence(X, y, **std), due)


def test_the_divergence_from_a_full_gaussian(rng):
    """torch.distributions' multivariate normal."""
    root = normal(rng, 4, 4)
    mean, precision = normal(rng, 4), root @ root.T + 0.5 * torch.eye(4, dtype=F64)
    mu, sigma = normal(rng, 4), positive(rng, 4)
    q = torch.distributions.MultivariateNormal(mu, scale_tril=sigma.diag())
    p = torch.distributions.MultivariateNormal(mean, precision_matrix=precision)

    same(vi.kl_to_posterior(mu, sigma, mean, precision), torch.distributions.kl_divergence(q, p), rtol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(0, 2), (1, 3), (30, 4)])
def test_evidence_is_elbo_plus_divergence(rng, n, d):
    """The identity of the handout, for any q."""
    X, y, std = regression(rng, n, d)
    posterior = vi.linear_posterior(X, y, **std)

    for _ in range(5):
        q = normal(rng, d), positive(rng, d)
        total = vi.linear_elbo(*q, X, y, **std) + vi.kl_to_posterior(*q, *posterior)
        same(total, vi.log_evidence(X, y, **std))


def test_mean_field_optimum(rng):
    """SciPy's minimiser of the divergence, and of the negative ELBO."""
    X, y, std = regression(rng, 12, 3)
    posterior = vi.linear_posterior(X, y, **std)
    mu, sigma = vi.mean_field_optimum(*posterior)

    def unpack(z):
        z = torch.from_numpy(z)
        return z[:3], z[3:].exp()

    for loss in (
        lambda z: float(vi.kl_to_posterior(*unpack(z), *posterior)),
        lambda z: -float(vi.linear_elbo(*unpack(z), X, y, **std)),
    ):
        found = unpack(optimize.minimize(loss, np.zeros(6), method="BFGS").x)
        same(found[0], mu, rtol=1e-3, atol=1e-3)
        same(found[1], sigma, rtol=1e-3, atol=1e-3)


# --- the ELBO by sampling ----------------------------------------------------------------------


def test_elbo_is_its_definition(rng):
    """A loop over samples and rows, with torch.distributions, for a network's likelihood."""
    sizes, S, B, N = (2, 3, 2), 4, 5, 17
    P = vi.n_parameters(sizes)
    mu, rho, eps, X, y = (
        normal(rng, P),
        normal(rng, P),
        normal(rng, S, P),
        normal(rng, B, 2),
        normal(rng, B),
    )
    q = torch.distributions.Normal(mu, torch.nn.functional.softplus(rho))
    prior = torch.distributions.Normal(torch.zeros_like(mu), 1.7)

    log_likelihood = 0.0
    for noise in eps:
        theta = mu + torch.nn.functional.softplus(rho) * noise
        hidden = torch.nn.functional.linear(X, theta[:6].view(3, 2), theta[6:9]).tanh()
        outputs = torch.nn.functional.linear(hidden, theta[9:15].view(2, 3), theta[15:])
        for output, target in zip(outputs, y, strict=True):
            scale = torch.nn.functional.softplus(output[1])
            log_likelihood += torch.distributions.Normal(output[0], scale).log_prob(target)
    want = N / B * log_likelihood / S - torch.distributions.kl_divergence(q, prior).sum()

    options = {"log_likelihood": vi.network_model(sizes), "prior_std": 1.7, "n_total": N}
    same(vi.elbo(mu, rho, eps, X, y, **options), want)


@pytest.mark.parametrize("model", ["linear", "network"])
def test_gradients_against_finite_differences(rng, model):
    """In mu and rho, at fixed noise, with a batch."""
    sizes = (2, 2, 2)
    P = 2 if model == "linear" else vi.n_parameters(sizes)
    density = vi.linear_model(0.7) if model == "linear" else vi.network_model(sizes)
    eps, X, y = normal(rng, 3, P), normal(rng, 4, 2), normal(rng, 4)
    options = {"log_likelihood": density, "prior_std": 1.3, "n_total": 9}

    def value(mu, rho):
        return vi.elbo(mu, rho, eps, X, y, **options)

    mu, rho = normal(rng, P), normal(rng, P)
    found, *gradients = vi.elbo_gradient(mu, rho, eps, X, y, **options)

    same(found, value(mu, rho))
    check_vjp(value, (mu, rho), gradients, cotangent=1.0)


def test_the_estimate_is_unbiased(rng):
    """A product of Gauss-Hermite rules is exact for the linear model, and so is the mean over all batches."""
    X, y, std = regression(rng, 6, 2)
    mu, rho = normal(rng, 2), normal(rng, 2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights = weights / weights.sum()
    options = {"log_likelihood": vi.linear_model(std["noise_std"]), "prior_std": std["prior_std"]}

    total = 0.0
    for (i, j), rows in itertools.product(itertools.product(range(3), repeat=2), itertools.combinations(range(6), 2)):
        eps = torch.tensor([[nodes[i], nodes[j]]])
        value = vi.elbo(mu, rho, eps, X[list(rows)], y[list(rows)], n_total=6, **options)
        total += weights[i] * weights[j] * value / math.comb(6, 2)

    same(total, vi.linear_elbo(mu, vi.softplus(rho), X, y, **std))


def test_fit_is_torch_sgd(rng):
    """torch.optim.SGD on the negative, in batches; the start is left alone."""
    X, y, _ = regression(rng, 9, 3)
    mu, rho, eps = normal(rng, 3), normal(rng, 3), normal(rng, 7, 2, 3)
    batches = [torch.from_numpy(rng.permutation(9)[:4]) for _ in range(7)]
    options = {"log_likelihood": vi.linear_model(0.8), "prior_std": 1.4}
    kept = mu.clone(), rho.clone()

    got = vi.fit_mean_field(mu, rho, eps, X, y, lr=0.01, batches=batches, **options)

    assert torch.equal(mu, kept[0]) and torch.equal(rho, kept[1])
    leaves = [mu.clone().requires_grad_(), rho.clone().requires_grad_()]
    optimiser, values = torch.optim.SGD(leaves, lr=0.01), []
    for noise, rows in zip(eps, batches, strict=True):
        optimiser.zero_grad()
        loss = -vi.elbo(*leaves, noise, X[rows], y[rows], n_total=9, **options)
        loss.backward()
        optimiser.step()
        values.append(-loss.detach())
    for mine, theirs in zip(got, (*leaves, torch.stack(values)), strict=True):
        same(mine, theirs.detach())
    nothing = vi.fit_mean_field(mu, rho, eps[:0], X, y, lr=0.01, **options)
    assert torch.equal(nothing[0], mu) and nothing[2].shape == (0,)


def test_the_gradient_touches_nothing(rng):
    """Leaves that ask for gradients keep their `.grad`, and results carry no graph."""
    mu, rho = normal(rng, 3).requires_grad_(), normal(rng, 3).requires_grad_()
    X, y, _ = regression(rng, 4, 3)

    results = vi.elbo_gradient(mu, rho, normal(rng, 2, 3), X, y, log_likelihood=vi.linear_model(1.0), prior_std=1.0)

    assert mu.grad is None and rho.grad is None and not any(each.requires_grad for each in results)


# --- networks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(3, 2), (1, 4, 2), (2, 3, 4, 1)], ids=str)
def test_mlp_is_torch_nn(rng, sizes):
    """torch.nn.Sequential with the same numbers, one network at a time."""
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out, dtype=F64), torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers[:-1])
    P = sum(p.numel() for p in net.parameters())
    theta, X = normal(rng, 2, 3, P), normal(rng, 5, sizes[0])

    assert vi.n_parameters(sizes) == P
    outputs = vi.mlp(theta, X, sizes)
    for index in np.ndindex(2, 3):
        torch.nn.utils.vector_to_parameters(theta[index], net.parameters())
        same(outputs[index], net(X).detach())


# --- uncertainty -------------------------------------------------------------------------------


def test_mixtures(rng):
    """torch's MixtureSameFamily: mean, standard deviation and density."""
    means, stds, y = normal(rng, 6, 4), positive(rng, 6, 4), normal(rng, 4)
    mixture = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(probs=torch.ones(4, 6, dtype=F64)),
        torch.distributions.Normal(means.T, stds.T),
    )

    mean, std = vi.predictive_moments(means, stds)

    same(mean, mixture.mean)
    same(std, mixture.stddev)
    same(sum(vi.decompose_variance(means, stds)), mixture.variance)
    same(vi.predictive_logpdf(y, means, stds), mixture.log_prob(y))
    far = vi.predictive_logpdf(y + 1e4, means, stds)
    assert torch.isfinite(far).all()


def test_the_predictive_density_is_one(rng):
    """Its integral, by SciPy's quadrature."""
    means, stds = normal(rng, 3), positive(rng, 3)

    def density(y):
        return math.exp(vi.predictive_logpdf(torch.tensor(y, dtype=F64), means, stds))

    area, _ = integrate.quad(density, -30, 30, points=sorted(means.tolist()), limit=200)
    assert abs(area - 1) < 1e-7


def test_credible_intervals(rng):
    """numpy.quantile."""
    samples = normal(rng, 23, 4).exp()
    for mass in rng.uniform(0.01, 0.99, size=5):
        lower, upper = vi.credible_interval(samples, float(mass))
        due = np.quantile(samples.numpy(), [(1 - mass) / 2, (1 + mass) / 2], axis=0)
        same(lower, due[0])
        same(upper, due[1])


# --- dropout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.25, 0.5])
def test_all_masks_of_one_hidden_layer(rng, p):
    """Every mask weighted by its probability: mean and variance of the outputs in closed form."""
    W, b, V, c = normal(rng, 4, 2), normal(rng, 4), normal(rng, 1, 4), normal(rng, 1)
    X = normal(rng, 3, 2)
    kept = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=F64)
    probability = (p + (1 - 2 * p) * kept).prod(-1)
    u = 0.5 * p * (1 + kept)  # p where a unit is kept, half of it where it is dropped

    outputs = vi.mc_dropout([(W, b), (V, c)], X, [u], p=p)[..., 0]

    if p == 0:  # nothing can be dropped
        outputs, probability = outputs[-1:], torch.ones(1, dtype=F64)
    hidden = (X @ W.T + b).tanh()
    mean = probability @ outputs
    same(mean, (hidden @ V.T + c)[:, 0])
    same(probability @ (outputs - mean) ** 2, p / (1 - p) * (hidden**2 @ V[0] ** 2))


def test_dropout_scales_like_torch(rng):
    """What torch.nn.functional.dropout keeps is enlarged by the same factor."""
    x, p = 1 + normal(rng, 50).abs(), 0.3
    torch.manual_seed(int(rng.integers(2**31)))
    theirs = torch.nn.functional.dropout(x, p)

    same(vi.dropout(x, torch.where(theirs == 0, 0.1, 0.9), p=p), theirs)


# --- bad input ---------------------------------------------------------------------------------

ONES = torch.ones(3, dtype=F64)
X, Y = torch.ones(4, 3, dtype=F64), torch.ones(4, dtype=F64)
STD = {"noise_std": 1.0, "prior_std": 1.0}


def elbo_with(**changes):
    options = {"log_likelihood": vi.linear_model(1.0), "prior_std": 1.0} | changes
    eps = options.pop("eps", torch.ones(2, 3, dtype=F64))
    return vi.elbo(ONES, ONES, eps, options.pop("X", X), options.pop("y", Y), **options)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: vi.gaussian_logpdf(ONES, 0.0, 0.0), "std"),
        (lambda: vi.gaussian_logpdf(ONES, 0.0, math.nan * ONES), "std"),
        (lambda: vi.gaussian_logpdf(0.0, 0.0, 1.0), "axis to sum over"),
        (lambda: vi.kl_gaussians(ONES, -ONES, 0.0, 1.0), "std_q"),
        (lambda: vi.kl_gaussians(ONES, ONES, 0.0, -1.0), "std_p"),
        (lambda: vi.inverse_softplus(0 * ONES), "sigma"),
        (lambda: vi.sample_weights(ONES, ONES[:2], ONES), "mu and rho"),
        (lambda: vi.sample_weights(ONES, ONES, ONES[:2]), "eps"),
        (lambda: vi.linear_posterior(X, Y[:3], **STD), "X must be"),
        (lambda: vi.linear_posterior(X, Y, noise_std=0.0, prior_std=1.0), "noise_std"),
        (lambda: vi.log_evidence(X, Y, noise_std=1.0, prior_std=-1.0), "prior_std"),
        (lambda: vi.kl_to_posterior(ONES, 0 * ONES, ONES, torch.eye(3, dtype=F64)), "sigma"),
        (lambda: vi.kl_to_posterior(ONES, ONES, ONES, torch.eye(2, dtype=F64)), "precision"),
        (lambda: vi.kl_to_posterior(ONES[:2], ONES[:2], ONES, torch.eye(3, dtype=F64)), "mu and sigma"),
        (lambda: vi.linear_elbo(ONES, -ONES, X, Y, **STD), "sigma"),
        (lambda: vi.mean_field_optimum(ONES, torch.ones(3, 2)), "precision"),
        (lambda: elbo_with(eps=ONES), "eps"),
        (lambda: elbo_with(eps=torch.ones(0, 3)), "S at least 1"),
        (lambda: elbo_with(X=X[:0], y=Y[:0]), "rows"),
        (lambda: elbo_with(n_total=3), "n_total"),
        (lambda: elbo_with(prior_std=0.0), "prior_std"),
        (lambda: vi.fit_mean_field(ONES, ONES, torch.ones(2, 3), X, Y, lr=0.1), "eps"),
        (lambda: vi.fit_mean_field(ONES, ONES, torch.ones(1, 2, 3), X, Y, lr=0.0), "lr"),
        (lambda: vi.fit_mean_field(ONES, ONES, torch.ones(1, 2, 3), X, Y, lr=0.1, batches=[]), "batches"),
        (lambda: vi.n_parameters((3,)), "sizes"),
        (lambda: vi.mlp(ONES, X, (2, 1)), "X must be"),
        (lambda: vi.decompose_variance(X, X[:2]), "one shape"),
        (lambda: vi.predictive_moments(X[:0], X[:0]), "at least one sample"),
        (lambda: vi.predictive_logpdf(ONES, X, 0 * X), "stds"),
        (lambda: vi.predictive_samples(X, X, ONES), "one shape"),
        (lambda: vi.credible_interval(X, 1.0), "mass"),
        (lambda: vi.dropout(ONES, ONES, p=1.0), "p must be"),
        (lambda: vi.mc_dropout([(X, Y), (X.T, ONES)], ONES[None], [], p=0.5), "u must hold"),
    ],
)
def test_bad_input(call, named):
    """Errors name the argument."""
    with pytest.raises(ValueError, match=named):
        call()
