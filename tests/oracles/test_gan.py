"""The GAN reference against torch.nn, SciPy, scikit-learn, autograd, torch.optim and loops over samples.

Libraries of scores (`torchmetrics`, `prdc`) are not among the kit's dependencies; their definitions are written out here.
"""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.spatial.distance
import scipy.stats
import staff_files
import torch
from coursekit.exact import normal_nodes, signs
from coursekit.gradcheck import check_vjp
from coursekit.toys import mlp, mlp_weights
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

F64 = torch.float64

gan = staff_files.reference("gan")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def table(rng, K):
    p = torch.from_numpy(rng.uniform(0.05, 1, size=K))
    return p / p.sum()


def same(got, want, rtol=1e-10, atol=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


# --- losses ------------------------------------------------------------------------------------


def test_losses_are_those_of_torch(rng):
    """Cross-entropy, hinge (margin ranking against 0) and mean squared error of torch.nn."""
    real, fake = 3 * normal(rng, 6), 3 * normal(rng, 9)
    one, zero = torch.ones(6, dtype=F64), torch.zeros(9, dtype=F64)
    entropy = F.binary_cross_entropy_with_logits
    same(gan.critic_loss(real, fake, kind="logistic"), entropy(real, one) + entropy(fake, zero))
    same(gan.generator_loss(fake, kind="minimax"), -entropy(fake, zero))
    same(gan.generator_loss(fake, kind="non_saturating"), entropy(fake, zero + 1))
    same(gan.critic_loss(real, fake, kind="least_squares"), F.mse_loss(real, one) + F.mse_loss(fake, zero))
    same(gan.generator_loss(fake, kind="least_squares"), F.mse_loss(fake, zero + 1))
    hinge = F.hinge_embedding_loss
    same(gan.critic_loss(real, fake, kind="hinge"), hinge(real, -one) + hinge(-fake, -zero - 1))


@pytest.mark.parametrize("kind", ["minimax", "non_saturating"])
def test_slopes_are_autograds(rng, kind):
    fake = (4 * normal(rng, 8)).requires_grad_()
    loss = -F.softplus(fake) if kind == "minimax" else F.softplus(-fake)
    same(gan.generator_slope(fake.detach(), kind=kind), torch.autograd.grad(loss.sum(), fake)[0])


# --- the best critic ---------------------------------------------------------------------------


def test_js_is_scipys(rng):
    p, q = table(rng, 7), table(rng, 7)
    same(gan.js_divergence(p, q), scipy.spatial.distance.jensenshannon(p, q) ** 2)


def test_the_best_critic_by_ascent(rng):
    """Newton's method on V ends at the best logits and at the best value."""
    p, q = table(rng, 6), table(rng, 6)
    a = torch.zeros(6, dtype=F64)
    for _ in range(60):
        D = torch.sigmoid(a)
        a = a + (p - (p + q) * D) / ((p + q) * D * (1 - D))
    same(gan.best_logit(p, q), a)
    value = (p * F.logsigmoid(a) + q * F.logsigmoid(-a)).sum()
    same(gan.best_value(p, q), value)
    same(gan.best_value(p, q), 2 * gan.js_divergence(p, q) - math.log(4))


@pytest.mark.parametrize("kind", ["minimax", "non_saturating"])
def test_what_the_generator_descends(rng, kind):
    """The gradient at the best critic is that of 2 JS, or that of KL(q || p) - 2 JS."""
    p, logits = table(rng, 5), normal(rng, 5).requires_grad_()
    q = logits.softmax(-1)
    divergence = 2 * gan.js_divergence(p, q)
    if kind == "non_saturating":
        divergence = (q * (q / p).log()).sum() - divergence
    same(gan.generator_gradient(logits.detach(), p, kind=kind), torch.autograd.grad(divergence, logits)[0])


# --- dynamics ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", gan.STEP_KINDS)
@pytest.mark.parametrize("gamma", [0.0, 0.8])
def test_matrices_are_steps(rng, kind, gamma):
    """A matrix times a point is the step from this point, with slopes by autograd of the two losses."""

    def slopes(theta, psi):
        theta, psi = (x.detach().requires_grad_() for x in (theta, psi))
        losses = -theta * psi, theta * psi + gamma / 2 * psi**2
        return torch.autograd.grad(losses[0], theta)[0], torch.autograd.grad(losses[1], psi)[0]

    point = normal(rng, 2)
    stepped = gan.game_step(*point, slopes, eta=0.3, kind=kind)
    same(torch.stack(stepped), gan.step_matrix(eta=0.3, gamma=gamma, kind=kind) @ point)


@pytest.mark.parametrize("eta", [0.05, 0.4])
def test_moduli(eta):
    """sqrt(1 + eta^2), 1, sqrt(1 - eta^2 + eta^4); with R1 sqrt(1 - eta gamma + eta^2) for gamma < 2, and best at 2."""

    def moduli(kind, gamma=0.0):
        return torch.linalg.eigvals(gan.step_matrix(eta=eta, gamma=gamma, kind=kind)).abs()

    for kind, want in (
        ("simultaneous", math.sqrt(1 + eta**2)),
        ("alternating", 1.0),
        ("extragradient", math.sqrt(1 - eta**2 + eta**4)),
    ):
        same(moduli(kind), torch.full((2,), want, dtype=F64))
    same(moduli("simultaneous", 1.3), torch.full((2,), math.sqrt(1 - 1.3 * eta + eta**2), dtype=F64))
    radii = {gamma: moduli("simultaneous", gamma).max().item() for gamma in np.linspace(1.5, 2.5, 41)}
    assert min(radii, key=radii.get) == pytest.approx(2.0)
    assert min(radii.values()) == pytest.approx(1 - eta, abs=1e-6)  # a double root: sensitive to rounding


# --- training ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_critic", [1, 4])
def test_a_round_is_that_of_torch_optim(rng, n_critic):
    generator, critic = mlp_weights([2, 5, 3], rng), mlp_weights([3, 4, 1], rng)
    reals, noise, own = normal(rng, n_critic, 6, 3), normal(rng, n_critic, 6, 2), normal(rng, 6, 2)
    got = gan.gan_step(generator, critic, reals, noise, own, lr=0.1)

    G, D = ([w.clone().requires_grad_() for w in weights] for weights in (generator, critic))
    optimizers = torch.optim.SGD(G, lr=0.1), torch.optim.SGD(D, lr=0.1)
    for real, z in zip(reals, noise, strict=True):
        optimizers[1].zero_grad()
        (F.relu(1 - mlp(D, real)).mean() + F.relu(1 + mlp(D, mlp(G, z))).mean()).backward()
        optimizers[1].step()
    optimizers[0].zero_grad()
    (-mlp(D, mlp(G, own)).mean()).backward()
    optimizers[0].step()
    for weights, want in zip(got, (G, D), strict=True):
        for a, b in zip(weights, want, strict=True):
            same(a, b.detach())


# --- limits on the critic ----------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 6, 30])
def test_w1_is_scipys(rng, n):
    x, y = normal(rng, n), 2 * normal(rng, n) + 1
    same(gan.w1_distance(x, y), scipy.stats.wasserstein_distance(x.numpy(), y.numpy()))


def test_critics_of_slope_one_stay_below_w1(rng):
    """The mean difference of any critic with slope at most 1 is at most W1, and a sign does it for a shift."""
    x, y = normal(rng, 20), normal(rng, 20) + 0.7
    distance = gan.w1_distance(x, y)
    for critic in (torch.sin, torch.tanh, torch.abs, lambda t: (t - 0.3).clamp(min=0), lambda t: -t):
        assert (critic(x).mean() - critic(y).mean()).abs() <= distance + 1e-12
    same((x + 3).mean() - x.mean(), gan.w1_distance(x + 3, x))


def test_no_clipped_network_is_steeper(rng):
    """All weights at clip reach the slope; no choice of weights at ±clip exceeds it, at any input."""
    sizes, clip = (2, 3, 2, 1), 0.7
    bound = gan.clipped_slope(sizes, clip=clip)

    def slope(matrices, x):
        x = x.clone().requires_grad_()
        out = x
        for i, W in enumerate(matrices):
            out = out @ W if i == 0 else torch.relu(out) @ W
        return torch.autograd.grad(out.sum(), x)[0].norm().item()

    shapes = list(itertools.pairwise(sizes))
    assert slope([torch.full(s, clip, dtype=F64) for s in shapes], torch.ones(2, dtype=F64)) == pytest.approx(bound)
    sample = torch.from_numpy(signs(14)[rng.choice(2**14, size=300, replace=False)]) * clip
    for row in sample:
        matrices = [w.reshape(s) for w, s in zip(row.split([a * b for a, b in shapes]), shapes, strict=True)]
        assert slope(matrices, normal(rng, 2)) <= bound + 1e-12


@pytest.mark.parametrize("shape", [(3, 5), (6, 2), (4, 3, 3, 3)], ids=str)
def test_spectral_norms(rng, shape):
    W = normal(rng, *shape)
    estimate, u = gan.spectral_norm(W, normal(rng, shape[0]), n_steps=3000)
    same(estimate, torch.linalg.matrix_norm(W.flatten(1), 2), rtol=1e-8)
    same(u.norm(), 1.0)


def test_one_step_of_power_iteration_is_torchs(rng):
    """A forward pass of torch.nn.utils.spectral_norm in training does one step from its stored u."""
    layer = torch.nn.utils.spectral_norm(torch.nn.Conv2d(2, 4, 3).double())
    weight, u = layer.weight_orig.detach().clone(), layer.weight_u.clone()
    layer(normal(rng, 1, 2, 5, 5))
    estimate, new = gan.spectral_norm(weight, u, n_steps=1)
    same(new, layer.weight_u)
    same(weight / estimate, layer.weight.detach())


def test_penalties_sample_by_sample(rng):
    """Each sample on its own, with the Jacobian of torch.func; weights' gradients by finite differences."""
    weights = mlp_weights([6, 5, 1], rng)
    real, fake, eps = normal(rng, 4, 2, 3), normal(rng, 4, 2, 3), torch.from_numpy(rng.uniform(size=4))

    def norm(x):
        jacobian = torch.func.jacrev(lambda v: mlp(weights, v.flatten()))(x)
        return torch.linalg.vector_norm(jacobian)

    mixed = [e * r + (1 - e) * f for e, r, f in zip(eps, real, fake, strict=True)]
    want = 10 * torch.stack([(norm(x) - 1) ** 2 for x in mixed]).mean()
    same(gan.gradient_penalty(weights, real, fake, eps, strength=10.0), want)
    same(gan.r1_penalty(weights, real, strength=4.0), 2 * torch.stack([norm(x) ** 2 for x in real]).mean())
    one = torch.tensor(1.0, dtype=F64)
    check_vjp(lambda *w: gan.gradient_penalty(w, real, fake, eps, strength=10.0), weights, cotangent=one)
    check_vjp(lambda *w: gan.r1_penalty(w, real, strength=4.0), weights, cotangent=one)


# --- FID ---------------------------------------------------------------------------------------


def moments(rng, d):
    a = normal(rng, d, d + 2)
    return normal(rng, d), a @ a.T


@pytest.mark.parametrize("d", [1, 3, 6])
def test_frechet_by_scipys_root(rng, d):
    (m1, c1), (m2, c2) = moments(rng, d), moments(rng, d)
    root = scipy.linalg.sqrtm((c1 @ c2).numpy()).real
    want = ((m1 - m2) ** 2).sum() + c1.trace() + c2.trace() - 2 * np.trace(root)
    same(gan.frechet_distance(m1, c1, m2, c2), want, rtol=1e-9)


def test_frechet_is_the_cost_of_the_best_linear_map(rng):
    """x -> m2 + A (x - m1) with A = C1^-1/2 (C1^1/2 C2 C1^1/2)^1/2 C1^-1/2 moves one law onto the other at this cost."""
    (m1, c1), (m2, c2) = moments(rng, 3), moments(rng, 3)
    half = torch.from_numpy(scipy.linalg.sqrtm(c1.numpy()).real)
    inner = torch.from_numpy(scipy.linalg.sqrtm((half @ c2 @ half).numpy()).real)
    A = torch.linalg.solve(half, torch.linalg.solve(half, inner).T).T
    move = A - torch.eye(3, dtype=F64)
    same(A @ c1 @ A.T, c2, rtol=1e-8, atol=1e-8)
    same(gan.frechet_distance(m1, c1, m2, c2), ((m1 - m2) ** 2).sum() + (move @ c1 @ move.T).trace(), rtol=1e-8)


@pytest.mark.parametrize(("n", "m", "d"), [(30, 20, 4), (3, 5, 6)])
def test_fid_by_singular_values(rng, n, m, d):
    """The cross term is the nuclear norm of the product of the centered features, also below full rank."""
    x, y = normal(rng, n, d), normal(rng, m, d) + 1
    a, b = ((z - z.mean(0)) / math.sqrt(len(z) - 1) for z in (x, y))
    want = ((x.mean(0) - y.mean(0)) ** 2).sum() + a.square().sum() + b.square().sum()
    want = want - 2 * torch.linalg.matrix_norm(a @ b.T, "nuc")
    same(gan.fid(x, y), want, rtol=1e-6, atol=1e-6)
    same(gan.fid(x, x), 0.0, atol=1e-6)


@pytest.mark.parametrize("d", [1, 4])
def test_the_score_of_equals_by_simulation(d):
    """600 pairs of samples of 200; terms of order 1/n^2 are below 3%, and the mean's error too."""
    rng = np.random.default_rng(0)
    scores = [gan.fid(normal(rng, 200, d), normal(rng, 200, d)).item() for _ in range(600)]
    error = 4 * np.std(scores) / math.sqrt(len(scores))
    assert np.mean(scores) == pytest.approx(gan.fid_of_equals(d, 200), abs=error + 0.03 * np.mean(scores))


# --- KID and IS --------------------------------------------------------------------------------


def test_kid_with_scikit_learns_kernel(rng):
    x, y = normal(rng, 6, 4), normal(rng, 9, 4) + 0.5
    Kx, Ky, Kxy = (polynomial_kernel(*pair, degree=3, gamma=1 / 4, coef0=1) for pair in ((x, x), (y, y), (x, y)))
    n, m = len(x), len(y)
    want = (Kx.sum() - np.trace(Kx)) / (n * (n - 1)) + (Ky.sum() - np.trace(Ky)) / (m * (m - 1)) - 2 * Kxy.mean()
    same(gan.kid(x, y), want)


def test_kid_is_unbiased():
    """Over all pairs of samples from two two-point laws, its mean is the population's squared distance."""
    values = [torch.tensor([[a]], dtype=F64) for a in (0.0, 1.0)], [torch.tensor([[a]], dtype=F64) for a in (1.0, 2.0)]
    scores = [
        gan.kid(torch.cat(xs), torch.cat(ys)).item()
        for xs in itertools.product(values[0], repeat=3)
        for ys in itertools.product(values[1], repeat=2)
    ]

    def expected(a, b):
        return np.mean([(u.item() * v.item() + 1) ** 3 for u in a for v in b])

    population = expected(values[0], values[0]) + expected(values[1], values[1]) - 2 * expected(*values)
    assert np.mean(scores) == pytest.approx(population)
    same_law = [gan.kid(torch.cat(xs[:2]), torch.cat(xs[2:])).item() for xs in itertools.product(values[0], repeat=4)]
    assert np.mean(same_law) == pytest.approx(0) and min(same_law) < 0


def test_inception_score_is_a_difference_of_entropies(rng):
    probs = (2 * normal(rng, 12, 5)).softmax(-1)
    want = math.exp(scipy.stats.entropy(probs.mean(0)) - np.mean(scipy.stats.entropy(probs, axis=1)))
    same(gan.inception_score(probs), want)
    assert 1 <= gan.inception_score(probs) <= 5


# --- neighbors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4])
def test_neighbor_scores_with_scikit_learn(rng, k):
    """The definitions of `prdc`, with scikit-learn's neighbors: k + 1 of a set with itself, since the first is the point."""
    real, fake = normal(rng, 40, 3), 0.8 * normal(rng, 25, 3) + 0.5

    def radii(points):
        return NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, -1]

    distance = scipy.spatial.distance.cdist(real, fake)
    inside = distance < radii(real)[:, None]
    want = (
        inside.any(0).mean(),
        (distance < radii(fake)[None]).any(1).mean(),
        inside.sum(0).mean() / k,
        (distance.min(1) < radii(real)).mean(),
    )
    got = (*gan.precision_recall(real, fake, k=k), *gan.density_coverage(real, fake, k=k))
    assert [x.item() for x in got] == pytest.approx(want)


def test_js_of_normals_by_quadrature():
    """On a fine grid, the divergence of two normal laws is the integral, by Gauss and Hermite's nodes."""
    x = torch.linspace(-14, 16, 6001, dtype=F64)
    p, q = (torch.exp(-((x - c) ** 2) / 2) for c in (0.0, 2.0))
    z, w = normal_nodes(60)

    def half(z):  # log p / m at x = z, for the law at 0 and the other one at 2
        return math.log(2) - np.log1p(np.exp(2 * z - 2))

    want = np.sum(w * half(z))  # both halves are equal by symmetry
    same(gan.js_divergence(p / p.sum(), q / q.sum()), want, rtol=1e-6)
