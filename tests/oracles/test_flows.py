"""The flows reference against autograd's Jacobians, torch.distributions, SciPy, brute force over paths, and exact expectations."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.data import two_moons
from coursekit.exact import least_squares, normal_nodes, signs
from coursekit.toys import mlp, mlp_weights
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import linear_sum_assignment
from scipy.stats import multivariate_normal
from torch.autograd.functional import jacobian

F64 = torch.float64

flows = staff_files.reference("flows")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def same(got, want, rtol=1e-10, atol=1e-11):
    torch.testing.assert_close(got, torch.as_tensor(want, dtype=got.dtype), rtol=rtol, atol=atol)


def log_dets(forward, x):
    """log|det J| of a map of single examples, by autograd and LU."""
    dets = []
    for row in x:
        J = jacobian(lambda y: forward(y[None])[0], row).reshape(row.numel(), row.numel())
        dets.append(torch.linalg.slogdet(J)[1])
    return torch.stack(dets)


def test_the_normal_density(rng):
    """torch.distributions."""
    z = normal(rng, 3, 2, 4)
    same(flows.standard_normal_log_density(z), torch.distributions.Normal(0.0, 1.0).log_prob(z).sum((1, 2)))


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.4])
def test_logits_are_the_sigmoid_transform(rng, alpha):
    """SigmoidTransform and an affine one, composed; and the two directions undo each other."""
    D = torch.distributions.transforms
    transform = D.ComposeTransform([D.AffineTransform(alpha, 1 - 2 * alpha), D.SigmoidTransform().inv])
    y = torch.from_numpy(rng.uniform(0.01, 0.99, size=(3, 2, 2)))
    x, log_det = flows.to_logits(y, alpha=alpha)
    same(x, transform(y))
    same(log_det, transform.log_abs_det_jacobian(y, transform(y)).sum((1, 2)))
    back, other = flows.from_logits(x, alpha=alpha)
    same(back, y)
    same(other, -log_det)


def test_the_slope_of_far_logits():
    """A logistic density far out is e^-|x|."""
    x = torch.tensor([[300.0], [-500.0]], dtype=F64)
    same(flows.from_logits(x, alpha=0.0)[1], [-300.0, -500.0])


def test_bits_of_a_histogram_are_its_cross_entropy(rng):
    """A density that is constant on each level costs minus log2 of the level's probability, for any noise."""
    p = rng.dirichlet(np.ones(16))
    levels, u = torch.from_numpy(rng.integers(0, 16, size=(5, 7))), torch.from_numpy(rng.random((5, 7)))

    def log_density(y):
        return torch.from_numpy(np.log(16 * p[(16 * y.numpy()).astype(int)])).sum(1)

    got = flows.bits_per_dimension(levels, u, log_density, n_levels=16)
    same(got, -np.log2(p[levels.numpy()]).mean(1))


@pytest.mark.parametrize("d", [2, 5])
def test_coupling_against_autograd(rng, d):
    """slogdet of the Jacobian in both directions, and inverse after forward."""
    mask = torch.from_numpy(rng.permutation(np.arange(d) < d // 2))
    weights = mlp_weights([d, 8, 2 * d], rng)
    x = normal(rng, 4, d)

    def network(h):
        return mlp(weights, h).chunk(2, -1)

    z, log_det = flows.coupling(x, mask, network, bound=1.3)
    same(log_det, log_dets(lambda y: flows.coupling(y, mask, network, bound=1.3)[0], x))
    back, other = flows.coupling_inverse(z, mask, network, bound=1.3)
    same(back, x)
    same(other, log_dets(lambda y: flows.coupling_inverse(y, mask, network, bound=1.3)[0], z))


def test_actnorm_normalizes(rng):
    """BatchNorm without running statistics does the same to the first batch; the log-det is autograd's."""
    x = 3 * normal(rng, 4, 3, 2, 5) + 1
    parameters = flows.actnorm_init(x)
    z, log_det = flows.actnorm(x, *parameters)
    same(z, torch.nn.functional.batch_norm(x, None, None, training=True, eps=1e-30))
    same(log_det, log_dets(lambda y: flows.actnorm(y, *parameters)[0], x))


def test_lu_conv_is_a_convolution(rng):
    """conv2d with P L U from scipy's convention, and slogdet of the whole image's Jacobian."""
    C = 4
    order = torch.from_numpy(rng.permutation(C))
    lower, upper, log_scale = normal(rng, C, C), normal(rng, C, C), normal(rng, C)
    sign = torch.from_numpy(rng.choice([-1.0, 1.0], C))
    P = torch.eye(C, dtype=F64)[order]
    W = P @ (lower.tril(-1) + torch.eye(C, dtype=F64)) @ (upper.triu(1) + torch.diag(sign * log_scale.exp()))
    x = normal(rng, 3, C, 2, 3)
    z, log_det = flows.lu_conv(x, order, lower, upper, sign, log_scale)
    same(z, torch.nn.functional.conv2d(x, W[:, :, None, None]))
    same(log_det, 6 * torch.linalg.slogdet(W)[1].expand(3))
    same(log_det, log_dets(lambda y: flows.lu_conv(y, order, lower, upper, sign, log_scale)[0], x))
    back, other = flows.lu_conv_inverse(z, order, lower, upper, sign, log_scale)
    same(back, x, rtol=1e-8, atol=1e-8)
    same(other, -log_det)


def pairs_of(transforms):
    """Layers whose inverses are torch.distributions' transforms from noise to data, the one next to the data first."""

    def layer(transform):
        def forward(x):
            z = transform.inv(x)
            return z, transform.inv.log_abs_det_jacobian(x, z).sum(1)

        def inverse(z):
            x = transform(z)
            return x, transform.log_abs_det_jacobian(z, x).sum(1)

        return forward, inverse

    return [layer(transform) for transform in transforms]


def test_stacks_are_transformed_distributions(rng):
    """TransformedDistribution gives the densities and samples of the same transforms."""
    D = torch.distributions.transforms
    transforms = [D.SigmoidTransform(), D.AffineTransform(0.3, 2.0), D.TanhTransform(), D.AffineTransform(-0.1, 0.4)]
    base = torch.distributions.Independent(torch.distributions.Normal(torch.zeros(3, dtype=F64), 1.0), 1)
    model = torch.distributions.TransformedDistribution(base, transforms[::-1])
    z = normal(rng, 5, 3)
    x, log_p = flows.generate(z, pairs_of(transforms))
    want = z
    for transform in transforms[::-1]:
        want = transform(want)
    same(x, want)
    same(log_p, model.log_prob(x), rtol=1e-8)
    same(flows.log_density(x, pairs_of(transforms)), model.log_prob(x), rtol=1e-8)


def test_a_density_integrates_to_one():
    """A fine grid, for a layer that is bent."""

    def forward(x):
        return x.sinh(), x.cosh().log().sum(1)

    grid = torch.linspace(-6, 6, 4001, dtype=F64)[:, None]
    density = flows.log_density(grid, [(forward, None)]).exp()
    assert float(density.sum()) * 12 / 4000 == pytest.approx(1, abs=1e-9)


def test_squeeze_is_pixel_unshuffle(rng):
    """torch's pixel_unshuffle has the same order of channels."""
    x = normal(rng, 2, 3, 4, 6)
    same(flows.squeeze(x), torch.nn.functional.pixel_unshuffle(x, 2))


def test_scales_without_split_layers_are_one_stack(rng):
    """If later scales have no layers, splitting changes nothing, since all noise has the same density."""
    x = normal(rng, 3, 4, 2, 2)
    layer = (lambda x: (2 * x, torch.full((len(x),), 16 * math.log(2), dtype=F64))), None
    same(flows.multiscale_log_density(x, [[layer], [], []]), flows.log_density(x, [layer]))


@pytest.mark.parametrize("widths", [(6,), (5, 9), (4, 7, 6)], ids=str)
def test_masks_by_following_every_path(rng, widths):
    """What each unit may know, as sets: a connection stays if and only if the later unit may know all that the earlier one does."""
    d = 5
    hidden = [torch.from_numpy(rng.integers(0, d - 1, size=width)) for width in widths]
    knows = [[{k} for k in range(d)], *[[set(range(m + 1)) for m in layer.tolist()] for layer in hidden]]
    knows.append([set(range(i)) for i in range(d)])
    for mask, earlier, later in zip(flows.made_masks(d, hidden), knows[:-1], knows[1:], strict=True):
        assert mask.tolist() == [[one <= two for one in earlier] for two in later]


def made(rng, d):
    """An autoregressive network of masked dense layers."""
    degrees = [torch.arange(4 * d) % max(d - 1, 1)]
    first, last = (mask.double() for mask in flows.made_masks(d, degrees))
    A, B, C = normal(rng, *first.shape), 0.3 * normal(rng, *last.shape), 0.3 * normal(rng, *last.shape)

    def network(x):
        h = (x @ (A * first).T).tanh()
        return h @ (B * last).T + 0.2, h @ (C * last).T - 0.1

    return network


@pytest.mark.parametrize("d", [2, 6])
def test_maf_against_autograd(rng, d):
    """slogdet of the Jacobian, which is lower triangular; the inverse undoes it; IAF's density is the inverse map's."""
    network, x = made(rng, d), normal(rng, 4, d)
    z, log_det = flows.maf_forward(x, network)
    same(log_det, log_dets(lambda y: flows.maf_forward(y, network)[0], x))
    J = jacobian(lambda y: flows.maf_forward(y[None], network)[0][0], x[0])
    assert not J.triu(1).any()
    back, other = flows.maf_inverse(z, network)
    same(back, x, rtol=1e-8, atol=1e-8)
    same(other, -log_det, rtol=1e-8, atol=1e-8)
    made_of_noise, log_p = flows.iaf_generate(z, network)
    inverse_det = log_dets(lambda y: flows.iaf_generate(y, network)[0], z)
    same(log_p, flows.standard_normal_log_density(z) - inverse_det)
    assert made_of_noise.shape == z.shape


def test_the_best_linear_flow_is_the_best_normal_density(rng):
    """Cholesky of the covariance, and SciPy's density at the maximum likelihood fit."""
    x = normal(rng, 30, 4) @ normal(rng, 4, 4) + 5
    weight, bias, log_std = flows.fit_linear_maf(x)
    cov = x.T.cov(correction=0)
    same(log_std.exp(), torch.linalg.cholesky(cov).diagonal(), rtol=1e-8)
    z = (x - bias - x @ weight.T) * (-log_std).exp()
    same(z.T.cov(correction=0), torch.eye(4, dtype=F64), rtol=1e-8, atol=1e-8)
    want = -multivariate_normal(x.mean(0).numpy(), cov.numpy()).logpdf(x.numpy()).mean()
    same(flows.fitted_nll(log_std), want, rtol=1e-8)


def test_rk4_of_a_linear_field_is_the_matrix_exponential(rng):
    """expm for a field without time, solve_ivp for one with time, forward and back."""
    A, x = normal(rng, 3, 3), normal(rng, 4, 3)
    end = flows.rk4(lambda y, t: y @ A.T, x, n_steps=400)[-1]
    same(end, x.numpy() @ expm(A.numpy()).T, rtol=1e-7, atol=1e-7)

    def bent(y, t):
        return torch.sin(y.flip(-1)) + t * y

    path = flows.rk4(bent, x, n_steps=200, t0=0.3, t1=1.1)
    solved = solve_ivp(
        lambda t, y: bent(torch.from_numpy(y), t).numpy(), (0.3, 1.1), x[0].numpy(), rtol=1e-11, atol=1e-12
    )
    same(path[-1, 0], solved.y[:, -1], rtol=1e-8, atol=1e-8)
    same(flows.rk4(bent, path[-1], n_steps=200, t0=1.1, t1=0.3)[-1], x, rtol=1e-8, atol=1e-8)


def test_rk4_has_order_four():
    """Halving the step divides the error by about 16; Euler's by about 2."""
    for solve, want in ((flows.rk4, 16), (flows.euler, 2)):
        errors = [
            abs(solve(lambda x, t: x, torch.ones(1, 1, dtype=F64), n_steps=n)[-1].item() - math.e) for n in (32, 64)
        ]
        assert errors[0] / errors[1] == pytest.approx(want, rel=0.03)


def test_divergences_against_autograd(rng):
    """The trace of autograd's Jacobian, and the mean over all signs."""
    weights, x, t = mlp_weights([4, 7, 3], rng), normal(rng, 5, 3), torch.from_numpy(rng.random(5))
    want = [jacobian(lambda y, n=n: flows.field(weights, y[None], t[n : n + 1])[0], x[n]).trace() for n in range(5)]
    same(flows.divergence(weights, x, t), torch.stack(want))
    probes = torch.from_numpy(signs(3))[:, None].expand(8, 5, 3)
    same(flows.probed_divergence(weights, x, t, probes), torch.stack(want))


def test_density_of_a_linear_flow(rng):
    """dx/dt = A x carries N(0, I) to N(0, e^A e^A'), whose density SciPy knows at the end of each path."""
    A, x = 0.5 * normal(rng, 2, 2), normal(rng, 3, 2)
    path = flows.rk4(lambda y, t: y @ A.T, x, n_steps=100)
    got = flows.log_density_along(path, A.trace().expand(101, 3))
    M = expm(A.numpy())
    same(got[-1], multivariate_normal(np.zeros(2), M @ M.T).logpdf(path[-1].numpy()), rtol=1e-6, atol=1e-6)


def test_matching_and_regression_differ_by_a_constant(rng):
    """Over nodes for noise and all data points, the loss less the loss against the mean velocity is the same for every network."""
    points, t = torch.tensor([[-2.0], [-1.0], [3.0]], dtype=F64), 0.6
    nodes, probability = (torch.from_numpy(a) for a in normal_nodes(60))
    x0 = nodes[:, None].repeat(3, 1)
    x1 = points.repeat_interleave(60, 0)
    w = probability.repeat(3) / 3
    x = (1 - t) * x0 + t * x1
    u = flows.marginal_velocity(x, t, points)
    gaps = []
    for seed in range(2):
        weights = mlp_weights([2, 6, 1], np.random.default_rng(seed))
        v = flows.field(weights, x, t)
        single = torch.stack(
            [
                flows.matching_loss(weights, x0[n : n + 1], x1[n : n + 1], torch.tensor([t], dtype=F64))
                for n in range(180)
            ]
        )
        gaps.append(float((w * (single - (v - u).square()[:, 0])).sum()))
    assert gaps[0] == pytest.approx(gaps[1], abs=1e-5) and gaps[0] > 0.5  # 60 nodes are right to 2e-6 here


def test_the_mean_velocity_is_what_least_squares_finds():
    """For normal data, here by 4000 quantiles, the best linear field at a time is the mean velocity to the accuracy of the quantiles."""
    q = (torch.arange(4000, dtype=F64) + 0.5) / 4000
    points = (1 + 0.5 * 2**0.5 * torch.erfinv(2 * q - 1))[:, None]
    t, x = 0.4, torch.linspace(-1, 2, 5, dtype=F64)[:, None]
    nodes, weights = normal_nodes(20)
    x0, x1 = np.repeat(nodes, 20), 1 + 0.5 * np.tile(nodes, 20)
    at = (1 - t) * x0 + t * x1
    offset, slope = least_squares(
        np.stack([np.ones(400), at], 1), x1 - x0, weights=np.repeat(weights, 20) * np.tile(weights, 20)
    )
    same(flows.marginal_velocity(x, t, points), offset + slope * x, rtol=1e-3, atol=2e-3)


def test_the_mean_velocity_carries_noise_to_the_data():
    """Nearly all noises end near a point of the data set, and the points are visited about equally often."""
    points = torch.from_numpy(two_moons(np.random.default_rng(0), 8)[0])
    noise = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=F64)
    ends = flows.euler(lambda x, t: flows.marginal_velocity(x, t, points), noise, n_steps=200)[-1]
    distance, nearest = torch.cdist(ends, points).min(1)
    assert (distance < 0.05).double().mean() > 0.97
    counts = torch.bincount(nearest, minlength=8)
    # 400 draws of 8 equally likely points: 50 each with deviation 6.6
    assert counts.min() > 50 - 5 * 6.6 and counts.max() < 50 + 5 * 6.6


@pytest.mark.parametrize("d", [1, 3])
def test_pairing_against_scipy(rng, d):
    """linear_sum_assignment on squared distances."""
    x0, x1 = normal(rng, 6, d), 2 * normal(rng, 6, d)
    got = flows.best_pairing(x0, x1)
    assert got.tolist() == linear_sum_assignment((x0[:, None] - x1).square().sum(-1).numpy())[1].tolist()
    if d == 1:
        assert x1[got].flatten()[x0.flatten().argsort()].tolist() == x1.flatten().sort().values.tolist()


def test_straightness_of_a_circle():
    """A half circle of radius 1 has the speed π and the displacement 2, so the mean squared difference is π² − 4."""
    angles = torch.linspace(0, math.pi, 2001, dtype=F64)
    path = torch.stack([angles.cos(), angles.sin()], 1)[:, None]
    same(flows.straightness(path), math.pi**2 - 4, rtol=1e-5)
