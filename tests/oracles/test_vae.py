"""The VAE reference against torch.distributions, SciPy, scikit-learn, autograd, quadrature, enumeration and numerical optimization."""

import itertools
import math

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import staff_files
import torch
from coursekit.exact import normal_nodes, symmetric_noise
from coursekit.toys import mlp, mlp_weights
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch.distributions import Bernoulli, Normal, kl_divergence

F64 = torch.float64

vae = staff_files.reference("vae")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-9, atol=1e-10):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


def number(value):
    return torch.tensor(value, dtype=F64)


# --- likelihoods and the bound -----------------------------------------------------------------


def test_likelihoods_are_those_of_torch_distributions(rng):
    x, logits, mean = normal(rng, 3, 5), 3 * normal(rng, 3, 5), normal(rng, 3, 5)
    bits = (x > 0).to(F64)
    same(vae.bernoulli_logp(bits, logits), Bernoulli(logits=logits).log_prob(bits).sum(-1))
    soft = torch.sigmoid(x)
    want = -torch.nn.functional.binary_cross_entropy_with_logits(logits, soft, reduction="none").sum(-1)
    same(vae.bernoulli_logp(soft, logits), want)
    same(vae.gaussian_logp(x, mean, 0.3), Normal(mean, 0.3).log_prob(x).sum(-1))


def test_the_best_variance_by_search(rng):
    """SciPy finds the same variance; the error term there is D/2 on average."""
    x, mean = normal(rng, 4, 6), normal(rng, 4, 6)

    def cost(log_sigma2):
        return -vae.gaussian_logp(x, mean, math.exp(log_sigma2 / 2)).sum().item()

    found = scipy.optimize.minimize_scalar(cost, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
    sigma2 = vae.best_sigma2(x, mean)
    assert sigma2.item() == pytest.approx(math.exp(found.x), rel=1e-6)
    assert (((x - mean) ** 2).sum(-1) / (2 * sigma2)).mean().item() == pytest.approx(3.0)


@pytest.mark.parametrize("D, w", [(784, 1.0), (144, 0.01), (5, 3.0)])
def test_the_implied_sigma_has_the_same_gradients(rng, D, w):
    """Autograd: the two losses have parallel gradients in the pixel means and in the encoder's mu, for one sigma only."""
    x, mean, mu = normal(rng, D), normal(rng, D).requires_grad_(), normal(rng, 3).requires_grad_()

    def slopes(loss):
        return torch.cat(torch.autograd.grad(loss, (mean, mu)))

    kl = kl_divergence(Normal(mu, 1.0), Normal(torch.zeros(3, dtype=F64), 1.0)).sum()
    tutorial = slopes(((x - mean) ** 2).mean() + w * kl)
    kl = kl_divergence(Normal(mu, 1.0), Normal(torch.zeros(3, dtype=F64), 1.0)).sum()
    ours = slopes(kl - vae.gaussian_logp(x, mean, vae.implied_sigma(D, w)))
    same(w * ours, tutorial)


def test_kl_and_samples(rng):
    mu, log_var, eps = normal(rng, 4, 3), normal(rng, 4, 3), normal(rng, 5, 4, 3)
    q = Normal(mu, torch.exp(log_var / 2))
    same(vae.kl_to_prior(mu, log_var), kl_divergence(q, Normal(torch.zeros_like(mu), 1.0)))
    uniform = Normal(torch.zeros_like(eps), 1.0).cdf(eps)
    same(vae.reparameterize(mu, log_var, eps), q.icdf(uniform), rtol=1e-6, atol=1e-7)  # cdf and back loses digits


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_elbo_by_distributions(rng, beta):
    """From torch.distributions, example by example; its gradients by autograd are finite differences'."""
    encoder, decoder = mlp_weights((5, 6, 4), rng), mlp_weights((2, 6, 5), rng)
    x, eps = normal(rng, 3, 5), normal(rng, 4, 3, 2)
    got = vae.elbo(x, encoder, decoder, eps, sigma=0.7, beta=beta)
    for i in range(3):
        head = mlp(encoder, x[i])
        q = Normal(head[:2], torch.exp(head[2:]).sqrt())
        log_lik = [Normal(mlp(decoder, q.loc + q.scale * e), 0.7).log_prob(x[i]).sum() for e in eps[:, i]]
        kl = kl_divergence(q, Normal(torch.zeros(2, dtype=F64), 1.0)).sum()
        same(got[i], sum(log_lik) / 4 - beta * kl)


# --- gradients ---------------------------------------------------------------------------------


def test_estimators_against_the_exact_gradient(rng):
    """Under Gauss-Hermite nodes in two dimensions, all estimators have the gradient of E f, by finite differences of quadrature."""
    nodes, weights = (torch.from_numpy(a) for a in normal_nodes(24, d=2))
    mu, sigma = normal(rng, 2), torch.exp(0.3 * normal(rng, 2))

    def f(z):
        return torch.sin(z).sum(-1) + z.prod(-1)

    def slope(z):
        return torch.cos(z) + z.flip(-1)

    def expected(m, s):
        return (weights @ f(m + s * nodes)).item()

    h = 1e-5
    unit = torch.eye(2, dtype=F64) * h
    in_mu = [(expected(mu + e, sigma) - expected(mu - e, sigma)) / (2 * h) for e in unit]
    in_sigma = [(expected(mu, sigma + e) - expected(mu, sigma - e)) / (2 * h) for e in unit]
    for estimate in (vae.pathwise(mu, sigma, nodes, slope), vae.score_function(mu, sigma, nodes, f)):
        for part, want in zip(estimate, (in_mu, in_sigma)):
            same(weights @ part, want, rtol=1e-6, atol=1e-7)


def test_score_and_path_by_autograd(rng):
    """Each sample's estimate by autograd on log q, and on f(mu + sigma eps)."""
    mu, sigma = normal(rng, 3).requires_grad_(), torch.exp(normal(rng, 3)).requires_grad_()
    eps = normal(rng, 4, 3)

    def f(z):
        return (z**3).sum(-1)

    paths = vae.pathwise(mu.detach(), sigma.detach(), eps, lambda z: 3 * z**2)
    scores = vae.score_function(mu.detach(), sigma.detach(), eps, f)
    values = f((mu + sigma * eps).detach())
    baselined = vae.score_function(mu.detach(), sigma.detach(), eps, f, baseline=True)
    for s in range(4):
        z = mu + sigma * eps[s]
        for got, want in zip(paths, torch.autograd.grad(f(z), (mu, sigma))):
            same(got[s], want)
        others = np.delete(values.numpy(), s).mean()
        scored = torch.autograd.grad(Normal(mu, sigma).log_prob(z.detach()).sum(), (mu, sigma))
        for got, with_baseline, want in zip(scores, baselined, scored):
            same(got[s], values[s] * want)
            same(with_baseline[s], (values[s] - others) * want)


@pytest.mark.parametrize("path_only", [False, True])
def test_elbo_gradients_by_autograd(rng, path_only):
    """Autograd through z, with the density's own mu and sigma detached or not. At the exact posterior, the path alone gives 0."""
    mu, sigma = normal(rng, 2).requires_grad_(), torch.exp(normal(rng, 2)).requires_grad_()
    eps, precision = normal(rng, 4, 2), torch.tensor([2.0, 0.5], dtype=F64)

    def log_joint(z):
        return (z - precision * z**2 / 2).sum(-1)

    got = vae.elbo_gradient(mu.detach(), sigma.detach(), eps, lambda z: 1 - precision * z, path_only=path_only)
    for s in range(4):
        z = mu + sigma * eps[s]
        own = (mu.detach(), sigma.detach()) if path_only else (mu, sigma)
        value = log_joint(z) - Normal(*own).log_prob(z).sum()
        for part, want in zip(got, torch.autograd.grad(value, (mu, sigma))):
            same(part[s], want)
    exact = 1 / precision, precision**-0.5
    left = vae.elbo_gradient(*exact, eps, lambda z: 1 - precision * z, path_only=path_only)
    assert (max(part.abs().max().item() for part in left) < 1e-12) == path_only


# --- several samples ---------------------------------------------------------------------------


def test_weights_and_bounds_by_enumeration(rng):
    """A latent with three values: the mean bound over all K-tuples rises to log p(x), and is the ELBO at K = 1."""
    q, joint = rng.dirichlet(np.ones(3)), rng.random(3)
    log_w = np.log(joint) - np.log(q)
    means = []
    for K in (1, 2, 3, 4):
        total = 0.0
        for draw in itertools.product(range(3), repeat=K):
            rows = torch.from_numpy(log_w[list(draw)])[:, None]
            total += q[list(draw)].prod() * vae.iwae_bound(rows).item()
            want = np.log(np.mean(np.exp(log_w[list(draw)])))
            assert vae.iwae_bound(rows).item() == pytest.approx(want)
        means.append(total)
    assert means[0] == pytest.approx(q @ log_w)
    assert means == sorted(means) and means[-1] < math.log(joint.sum())


def test_log_weights_and_sizes(rng):
    mu, log_var, z, log_lik = normal(rng, 3, 2), normal(rng, 3, 2), normal(rng, 4, 3, 2), normal(rng, 4, 3)
    q, p = Normal(mu, torch.exp(log_var / 2)), Normal(torch.zeros(3, 2, dtype=F64), 1.0)
    got = vae.log_weights(log_lik, z, mu, log_var)
    same(got, log_lik + p.log_prob(z).sum(-1) - q.log_prob(z).sum(-1))
    w = np.exp(got.numpy())
    same(vae.effective_sample_size(got), w.sum(0) ** 2 / (w**2).sum(0))


def test_the_exact_posterior_has_constant_weights(rng):
    """With pPCA's posterior (one latent) as q, every weight is p(x)."""
    mean, W, sigma2 = normal(rng, 3), normal(rng, 3, 1), number(0.4)
    x = normal(rng, 5, 3)
    mu, cov = vae.ppca_posterior(x, mean, W, sigma2)
    log_var = cov.log().expand(5, 1)
    z = vae.reparameterize(mu, log_var, normal(rng, 6, 5, 1))
    log_lik = vae.gaussian_logp(x, mean + z @ W.T, math.sqrt(0.4))
    log_w = vae.log_weights(log_lik, z, mu, log_var)
    same(log_w, vae.ppca_logp(x, mean, W, sigma2).expand(6, 5))


# --- linear models -----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3])
def test_ppca_is_scikit_learns(rng, k):
    """PCA divides by N - 1; noise, log-likelihood and covariance agree after that factor."""
    x = rng.standard_normal((40, 5)) @ rng.standard_normal((5, 5))
    mean, W, sigma2 = vae.ppca_fit(torch.from_numpy(x), k)
    pca = PCA(k).fit(x)
    same(sigma2 * 40 / 39, pca.noise_variance_)
    same(mean, pca.mean_)
    model = W @ W.T + sigma2 * torch.eye(5, dtype=F64)
    same(model * 40 / 39, pca.get_covariance())
    root = math.sqrt(40 / 39)
    logp = vae.ppca_logp(torch.from_numpy(x), mean, W * root, sigma2 * 40 / 39)
    same(logp, pca.score_samples(x))
    assert (W.gather(0, W.abs().argmax(0, keepdim=True)) > 0).all()


def test_ppca_is_a_maximum(rng):
    """No small change of W or sigma2 makes the data more likely, by autograd and by random steps."""
    x = normal(rng, 30, 4) * torch.tensor([3.0, 2.0, 1.0, 0.7])
    mean, W, sigma2 = vae.ppca_fit(x, 2)
    params = [p.clone().requires_grad_() for p in (mean, W, sigma2)]
    for gradient in torch.autograd.grad(vae.ppca_logp(x, *params).mean(), params):
        same(gradient, torch.zeros_like(gradient), atol=1e-9)
    best = vae.ppca_logp(x, mean, W, sigma2).mean()
    for _ in range(50):
        assert vae.ppca_logp(x, mean, W + 0.1 * normal(rng, 4, 2), sigma2).mean() < best


def test_densities_and_posteriors(rng):
    """SciPy's density; conditioning of the joint normal distribution of (z, x)."""
    mean, W, sigma2, x = normal(rng, 3), normal(rng, 3, 4), number(0.6), normal(rng, 5, 3)
    C = W @ W.T + sigma2 * torch.eye(3, dtype=F64)
    same(vae.ppca_logp(x, mean, W, sigma2), scipy.stats.multivariate_normal(mean.numpy(), C.numpy()).logpdf(x.numpy()))
    means, covariance = vae.ppca_posterior(x, mean, W, sigma2)
    gain = W.T @ torch.linalg.inv(C)
    same(means, (x - mean) @ gain.T)
    same(covariance, torch.eye(4, dtype=F64) - gain @ W)


def linear(rng, D=4, k=2):
    return normal(rng, D), normal(rng, D, k), number(0.6), normal(rng, k, D), torch.exp(normal(rng, k))


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_the_linear_bound_is_the_sampled_one(rng, beta):
    """Symmetric noise makes the sampled ELBO exact, with a decoder of one layer."""
    mean, W, sigma2, V, v = linear(rng)
    x = normal(rng, 5, 4)
    eps = torch.from_numpy(symmetric_noise(2))[:, None].expand(-1, 5, -1)
    zero = torch.zeros(2, 4, dtype=F64)
    encoder = [torch.cat([V, zero]).T, torch.cat([-V @ mean, v.log()])]
    sampled = vae.elbo(x, encoder, [W.T, mean], eps, sigma=math.sqrt(0.6), beta=beta)
    same(vae.linear_elbo(x, mean, W, sigma2, V, v, beta=beta), sampled)


@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_the_best_encoder_has_no_slope(rng, beta):
    """Autograd in V and v for any W and every x; with W's columns orthogonal and beta = 1, the bound is log p(x)."""
    mean, W, sigma2, *_ = linear(rng)
    x = normal(rng, 5, 4)
    V, v = (p.requires_grad_() for p in vae.best_encoder(W, sigma2, beta=beta))
    for row in x:
        bound = vae.linear_elbo(row[None], mean, W, sigma2, V, v, beta=beta).sum()
        for gradient in torch.autograd.grad(bound, (V, v)):
            same(gradient, torch.zeros_like(gradient), atol=1e-9)
    orthogonal = torch.linalg.qr(W)[0] * torch.tensor([2.0, 0.5], dtype=F64)
    best = vae.linear_elbo(x, mean, orthogonal, sigma2, *vae.best_encoder(orthogonal, sigma2))
    same(best, vae.ppca_logp(x, mean, orthogonal, sigma2))
    # any W: the gap is the same for every x, and never negative
    gap = vae.ppca_logp(x, mean, W, sigma2) - vae.linear_elbo(x, mean, W, sigma2, *vae.best_encoder(W, sigma2))
    same(gap, gap[0].expand(5))
    assert gap[0] > 0


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
def test_which_units_pay_by_optimization(beta):
    """L-BFGS on all of W, V and v from a random start ends at the same squared lengths."""
    values = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=F64)
    x = torch.diag((4 * values).sqrt())
    x = torch.cat([x, -x])
    generator = torch.Generator().manual_seed(1)
    W, V, log_v = (torch.randn(s, generator=generator).double().requires_grad_() for s in ((4, 3), (3, 4), (3,)))
    optimizer = torch.optim.LBFGS(
        [W, V, log_v], max_iter=3000, tolerance_grad=1e-11, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def cost():
        optimizer.zero_grad()
        value = -vae.linear_elbo(x, torch.zeros(4, dtype=F64), W, number(0.8), V, log_v.exp(), beta=beta).mean()
        value.backward()
        return value

    for _ in range(3):
        optimizer.step(cost)
    got = vae.unit_lengths(values[:3], sigma2=0.8, beta=beta)
    same(torch.linalg.svdvals(W.detach()) ** 2, got, atol=1e-5)


# --- the KL term -------------------------------------------------------------------------------


def test_units_and_free_nats_in_numpy(rng):
    mu, kl = rng.standard_normal((9, 4)) * [0.05, 0.1, 0.2, 1.0], rng.exponential(size=(6, 4))
    assert vae.active_units(torch.from_numpy(mu)).tolist() == (mu.var(0) > 0.01).tolist()
    want = sum(max(0.7, column.mean()) for column in kl.T)
    assert vae.free_bits(torch.from_numpy(kl), free=0.7).item() == pytest.approx(want)


def test_the_split_by_integration(rng):
    """One latent: the information and the distance by SciPy's quadrature, against Gauss-Hermite noise."""
    mu, sigma = rng.standard_normal(3), np.array([0.5, 0.8, 0.6])
    q = [scipy.stats.norm(m, s) for m, s in zip(mu, sigma)]

    def aggregate(z):
        return np.mean([part.pdf(z) for part in q])

    information = np.mean(
        [scipy.integrate.quad(lambda z, p=p: p.pdf(z) * (p.logpdf(z) - np.log(aggregate(z))), -8, 8)[0] for p in q]
    )
    distance = scipy.integrate.quad(
        lambda z: aggregate(z) * (np.log(aggregate(z)) - scipy.stats.norm.logpdf(z)), -8, 8
    )[0]
    # 4000 quantiles stand for the noise: their mean is right to about 1e-4
    noise = torch.special.ndtri((torch.arange(4000, dtype=F64) + 0.5) / 4000)[:, None, None].expand(-1, 3, -1)
    got = vae.kl_split(torch.from_numpy(mu)[:, None], torch.from_numpy(2 * np.log(sigma))[:, None], noise)
    assert [float(part) for part in got] == pytest.approx([information, distance], abs=2e-3)


def test_slerp_is_scipys(rng):
    """scipy.spatial's geometric slerp on unit vectors; shares of the angle elsewhere."""
    from scipy.spatial import geometric_slerp

    a, b = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 5)))
    for t in (0.0, 0.2, 0.7, 1.0):
        same(vae.slerp(torch.from_numpy(a), torch.from_numpy(b), t), geometric_slerp(a, b, t), atol=1e-9)


# --- codes -------------------------------------------------------------------------------------


def test_codes_and_perplexity(rng):
    z, codebook = rng.standard_normal((30, 3)), rng.standard_normal((6, 3))
    codes = vae.nearest_codes(torch.from_numpy(z), torch.from_numpy(codebook))
    want = [int(np.argmin([np.linalg.norm(row - c) for c in codebook])) for row in z]
    assert codes.tolist() == want
    shares = np.bincount(want, minlength=6) / 30
    assert vae.perplexity(codes, 6).item() == pytest.approx(math.exp(scipy.stats.entropy(shares)))


def test_decay_zero_is_a_step_of_k_means(rng):
    """scikit-learn's k-means from the same codes ends where steps with decay 0 end."""
    z = np.concatenate([c + 0.3 * rng.standard_normal((20, 2)) for c in ([0, 0], [4, 0], [0, 4])])
    codebook = torch.from_numpy(z[[0, 25, 50]].copy())
    counts, sums, points = torch.ones(3, dtype=F64), codebook, torch.from_numpy(z)
    for _ in range(20):
        codes = vae.nearest_codes(points, codebook)
        codebook, counts, sums = vae.ema_update(codebook, counts, sums, points, codes, decay=0.0)
    same(codebook, KMeans(3, init=z[[0, 25, 50]], n_init=1, tol=0).fit(z).cluster_centers_)


def test_losses_of_quantization_by_autograd(rng):
    """A quadratic on the quantized rows: z gets its slope at the code, and the codebook gets none."""
    z, codebook = normal(rng, 5, 3).requires_grad_(), normal(rng, 4, 3).requires_grad_()
    codes, target = torch.tensor([0, 2, 2, 1, 0]), normal(rng, 5, 3)
    quantized, codebook_loss, commitment_loss = vae.quantize(z, codebook, codes)
    in_z, in_codes = torch.autograd.grad(((quantized - target) ** 2).sum(), (z, codebook), allow_unused=True)
    same(in_z, 2 * (codebook[codes] - target).detach())
    assert in_codes is None or not in_codes.any()
    (in_codes,) = torch.autograd.grad(codebook_loss, codebook)
    want = torch.zeros_like(codebook)
    for row, code in zip(z.detach(), codes):
        want[code] += 2 * (codebook[code].detach() - row) / 5
    same(in_codes, want)
    (in_z,) = torch.autograd.grad(commitment_loss, z)
    same(in_z, 2 * (z - codebook[codes]).detach() / 5)
