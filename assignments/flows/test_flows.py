"""The checks you can run yourself: `pytest` in this folder, or `pytest --task coupling` for one task."""

import math

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.toys import mlp_weights

F64 = torch.float64
NAN = math.nan
LOG2, LOG3 = math.log(2), math.log(3)


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def measured_jacobian(function, x, step=1e-5):
    """The Jacobian of a map of one example, by central differences: all shifted copies of x go in as one batch.

    The error is about step^2 = 1e-10, so seven digits can be compared.
    """
    shifts = step * torch.eye(x.numel(), dtype=F64).reshape(-1, *x.shape)
    up, down = function(torch.cat([x + shifts, x - shifts])).flatten(1).chunk(2)
    jacobian = ((up - down) / (2 * step)).T
    assert jacobian.isfinite().all(), "the map must give finite numbers"
    return jacobian


def volume(jacobian):
    """log|det J| of a measured Jacobian."""
    return torch.linalg.slogdet(jacobian)[1]


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("change")
def test_to_logits_by_hand_and_measured(impl):
    """With alpha = 0, (0.5, 0.8) becomes (0, log 4), and the log-det is log 4 + log 6.25. With alpha = 0.1, the log-det is what
    finite differences say."""
    x, log_det = impl.to_logits(numbers([0.5, 0.8]), alpha=0.0)
    assert_close(x, numbers([0, math.log(4)]), name="x")
    assert_close(log_det, numbers(math.log(25)), name="log_det")

    y = numbers(0.05, 0.9, 0.4)
    J = measured_jacobian(lambda y: impl.to_logits(y, alpha=0.1)[0], y)
    assert_close(impl.to_logits(y[None], alpha=0.1)[1][0], volume(J), rtol=1e-7, atol=1e-7, name="log_det, alpha = 0.1")


@number("1.p2")
@weight(1)
@tags("change")
def test_from_logits_by_hand_and_measured(impl):
    """The way back of the first check. At x = 45 and -45 with alpha = 0, the log-det is -90 in all."""
    y, log_det = impl.from_logits(numbers([0, math.log(4)], [45, -45]), alpha=0.0)
    assert_close(y[0], numbers(0.5, 0.8), name="y")
    assert_close(log_det, numbers(-math.log(25), -90), name="log_det")

    x = numbers(0.3, -1, 2)
    J = measured_jacobian(lambda x: impl.from_logits(x, alpha=0.1)[0], x)
    assert_close(impl.from_logits(x[None], alpha=0.1)[1][0], volume(J), rtol=1e-7, atol=1e-7, name="log_det, alpha = 0.1")


@number("1.p3")
@weight(1)
@tags("change")
def test_bits_of_flat_densities(impl):
    """The uniform density costs 8 bits. A density of 4 for each number costs 6 bits, and a density of 1/2 costs 9. With 4 levels,
    the model is shown (0 + 0.5) / 4 and (3 + 0.25) / 4."""
    levels, u = torch.tensor([[0, 3, 255], [7, 7, 7]]), torch.full((2, 3), 0.5, dtype=F64)
    for density, bits in ((1, 8), (4, 6), (1 / 2, 9)):
        flat = numbers(3 * math.log(density)).expand(2)
        assert_close(impl.bits_per_dimension(levels, u, lambda y, flat=flat: flat), numbers(bits, bits), name=f"density {density}")

    shown = []

    def watching(y):
        shown.append(y)
        return numbers(0)

    impl.bits_per_dimension(torch.tensor([[0, 3]]), numbers([0.5, 0.25]), watching, n_levels=4)
    assert_close(shown[0], numbers([0.125, 0.8125]), name="what the model is shown")


# --- Task 2 ------------------------------------------------------------------------------------

MASK = torch.tensor([True, False, False])
ATANH_HALF = 0.5 * LOG3  # tanh of it is 1/2


def constant_network(h):
    """s = log 2 and -log 2 at the two entries that change, if bound = 2 log 2; t = 3 and 1. NaN at the other entry."""
    return numbers([NAN, ATANH_HALF, -ATANH_HALF]).expand_as(h), numbers([NAN, 3, 1]).expand_as(h)


def unequal_network(h):
    """Numbers that depend on entry 0 alone."""
    first = h[:, :1]
    return first * numbers(0, 1, -3), first.sin() * numbers(0, 1, 2)


@number("2.p1")
@weight(1)
@tags("coupling")
def test_coupling_by_hand(impl):
    """With s = log 2 and -log 2, and t = 3 and 1, (5, 1, 4) becomes (5, 5, 3). The network sees (5, 0, 0)."""
    shown = []

    def network(h):
        shown.append(h)
        return constant_network(h)

    z, _ = impl.coupling(numbers([5, 1, 4]), MASK, network, bound=2 * LOG2)

    assert_close(z, numbers([5, 5, 3]), name="z")
    assert_close(shown[0], numbers([5, 0, 0]), name="what the network is shown")


@number("2.p2")
@weight(1)
@tags("coupling")
def test_coupling_log_det_is_measured(impl):
    """The log-det of each of two examples is that of the Jacobian by finite differences."""
    x = numbers([0.5, 1, -2], [-1, 2, 0.3])

    _, log_det = impl.coupling(x, MASK, unequal_network, bound=1.5)

    jacobians = [measured_jacobian(lambda x: impl.coupling(x, MASK, unequal_network, bound=1.5)[0], row) for row in x]
    assert_close(log_det, torch.stack([volume(J) for J in jacobians]), rtol=1e-7, atol=1e-7)


@number("2.p3")
@weight(1)
@tags("coupling")
def test_coupling_inverse_by_hand_and_measured(impl):
    """(5, 5, 3) becomes (5, 1, 4) again. With another network, the log-det is that of the inverse's Jacobian."""
    x, _ = impl.coupling_inverse(numbers([5, 5, 3]), MASK, constant_network, bound=2 * LOG2)
    assert_close(x, numbers([5, 1, 4]), name="x")

    z = numbers(0.5, 1, -2)
    _, log_det = impl.coupling_inverse(z[None], MASK, unequal_network, bound=1.5)
    J = measured_jacobian(lambda z: impl.coupling_inverse(z, MASK, unequal_network, bound=1.5)[0], z)
    assert_close(log_det[0], volume(J), rtol=1e-7, atol=1e-7, name="log_det")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("linear")
def test_actnorm_init_by_hand(impl):
    """Two images of two pixels. The first channel has the values 1 and 5: deviation 2, mean 3. The second has 0, 0, 0 and 4."""
    x = numbers([[[1, 5]], [[0, 0]]], [[[5, 1]], [[0, 4]]])

    log_scale, shift = impl.actnorm_init(x)

    assert_close(log_scale, numbers(-LOG2, -LOG3 / 2), name="log_scale")
    assert_close(shift, numbers(-3, -1), name="shift")


@number("3.p2")
@weight(1)
@tags("linear")
def test_actnorm_by_hand_and_measured(impl):
    """(1 + 2) 3 = 9. An image with two channels of 1 x 3 pixels has the log-det of its 6 x 6 Jacobian."""
    image = numbers([[1, 0, -1]], [[4, 2, 0]])
    log_scale, shift = numbers(LOG3, -LOG2), numbers(2, 0)

    z, log_det = impl.actnorm(image[None], log_scale, shift)

    assert_close(z[0], numbers([[9, 6, 3]], [[2, 1, 0]]), name="z")
    J = measured_jacobian(lambda x: impl.actnorm(x, log_scale, shift)[0], image)
    assert_close(log_det[0], volume(J), rtol=1e-7, atol=1e-7, name="log_det")


def small_conv():
    """Three channels: the order (1, 2, 0), one entry in each triangle, scales 2, 3 and -1/2."""
    lower, upper = torch.full((2, 3, 3), 7.0, dtype=F64)  # what stands elsewhere is ignored
    lower[1, 0], lower[2, 0], lower[2, 1] = 1, 0, 0
    upper[0, 1], upper[0, 2], upper[1, 2] = 0, 0, 2
    return torch.tensor([1, 2, 0]), lower, upper, numbers(1, 1, -1), numbers(LOG2, LOG3, -LOG2)


@number("3.p3")
@weight(1)
@tags("linear")
def test_lu_conv_by_hand_and_measured(impl):
    """x = (1, 1, 2) at a pixel: U x = (2, 7, -1), L U x = (2, 9, -1), P L U x = (9, -1, 2). Two pixels have a 6 x 6 Jacobian."""
    image = numbers([[1, 0]], [[1, 0]], [[2, 0]])

    z, log_det = impl.lu_conv(image[None], *small_conv())

    assert_close(z[0, :, 0, 0], numbers(9, -1, 2), name="z at the first pixel")
    J = measured_jacobian(lambda x: impl.lu_conv(x, *small_conv())[0], image)
    assert_close(log_det[0], volume(J), rtol=1e-7, atol=1e-7, name="log_det")


@number("3.p4")
@weight(1)
@tags("linear")
def test_lu_conv_inverse_by_hand_and_measured(impl):
    """(9, -1, 2) becomes (1, 1, 2) again. The log-det is that of the inverse's Jacobian."""
    image = numbers([[9, 0]], [[-1, 0]], [[2, 0]])

    x, log_det = impl.lu_conv_inverse(image[None], *small_conv())

    assert_close(x[0, :, 0, 0], numbers(1, 1, 2), name="x at the first pixel")
    J = measured_jacobian(lambda z: impl.lu_conv_inverse(z, *small_conv())[0], image)
    assert_close(log_det[0], volume(J), rtol=1e-7, atol=1e-7, name="log_det")


# --- Task 4 ------------------------------------------------------------------------------------


def affine_layer(scale, shift):
    """The layer z = scale x + shift, and its inverse."""

    def forward(x):
        return scale * x + shift, torch.full((len(x),), x[0].numel() * math.log(scale), dtype=F64)

    def inverse(z):
        return (z - shift) / scale, torch.full((len(z),), -z[0].numel() * math.log(scale), dtype=F64)

    return forward, inverse


@number("4.p1")
@weight(1)
@tags("compose")
def test_a_density_adds_up_to_one(impl):
    """One layer z = 2 x + 1 gives -0.7258 at x = 0. Two layers: the density adds up to 1 on a grid, and its mean is -5/3."""
    got = impl.log_density(numbers([0]), [affine_layer(2, 1)])
    assert_close(got, numbers(-0.5 * math.log(2 * math.pi) - 0.5 + LOG2), name="one layer")

    grid = torch.linspace(-8, 5, 2001, dtype=F64)
    density = impl.log_density(grid[:, None], [affine_layer(3, 4), affine_layer(0.5, 0.5)]).exp() * (13 / 2000)
    assert_close([float(density.sum()), float(density @ grid)], [1.0, -5 / 3], rtol=1e-7, atol=1e-7, name="total and mean")


@number("4.p2")
@weight(1)
@tags("compose")
def test_generate_by_hand(impl):
    """The layers z = 3 x + 4 and then z = x / 2 + 1 turn the noise 2 into x = -2/3. Its density is the noise's times 3/2."""
    x, got = impl.generate(numbers([2]), [affine_layer(3, 4), affine_layer(0.5, 1)])

    assert_close(x, numbers([-2 / 3]), name="x")
    assert_close(got.exp(), numbers(1.5 * math.exp(-2) / math.sqrt(2 * math.pi)), name="density")


@number("4.p3")
@weight(1)
@tags("compose")
def test_squeeze_by_hand(impl):
    """The image of rows (0, 1, 2, 3) and (4, 5, 6, 7) becomes four channels of 1 x 2 pixels. A second channel comes after them."""
    image = torch.arange(16.0, dtype=F64).reshape(1, 2, 2, 4)

    got = impl.squeeze(image)

    first = numbers([[0, 2]], [[1, 3]], [[4, 6]], [[5, 7]])
    assert_close(got, torch.cat([first, first + 8])[None])


@number("4.p4")
@weight(1)
@tags("compose")
def test_multiscale_by_hand(impl):
    """Two channels of one pixel, (1, 0): the first scale doubles both, and channel 1 is done. The second scale triples channel 0, so
    the noise is (6, 0). The density is 12 times that of the noise."""
    got = impl.multiscale_log_density(numbers([[[1]], [[0]]]), [[affine_layer(2, 0)], [affine_layer(3, 0)]])

    assert_close(got, numbers(math.log(12) - 18 - math.log(2 * math.pi)))


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("maf")
def test_masks_let_through_what_they_should(impl):
    """Paths through the masks: output i is reached from all inputs before i, and from no others. Masks are boolean."""
    degrees = [torch.tensor([0, 1, 2, 1]), torch.tensor([2, 0, 1])]

    masks = impl.made_masks(4, degrees)

    assert [tuple(mask.shape) for mask in masks] == [(4, 4), (3, 4), (4, 3)]
    assert all(mask.dtype == torch.bool for mask in masks)
    first, second, last = (mask.double() for mask in masks)
    reached = (last @ second @ first) > 0
    want = torch.tensor([[i > j for j in range(4)] for i in range(4)])
    assert_close(reached, want, name="which inputs reach which outputs")


def lookup_network(x):
    """mu = (1, x_0), s = (log 2, -log 2)."""
    ones = torch.ones_like(x[:, 0])
    return torch.stack([ones, x[:, 0]], 1), torch.stack([LOG2 * ones, -LOG2 * ones], 1)


@number("5.p2")
@weight(1)
@tags("maf")
def test_maf_forward_by_hand(impl):
    """mu = (1, x_0) and s = (log 2, log 3): (5, 11) becomes (2, 2). The log-det is that of the measured Jacobian."""

    def network(x):
        return lookup_network(x)[0], numbers([LOG2, LOG3]).expand_as(x)

    z, log_det = impl.maf_forward(numbers([5, 11]), network)

    assert_close(z, numbers([2, 2]), name="z")
    J = measured_jacobian(lambda x: impl.maf_forward(x, network)[0], numbers(5, 11))
    assert_close(log_det[0], volume(J), rtol=1e-7, atol=1e-7, name="log_det")


@number("5.p3")
@weight(1)
@tags("maf")
def test_maf_inverse_by_hand(impl):
    """mu = (1, x_0) and s = (log 2, x_0): (1, 2) becomes (3, 3 + 2 e^3). Two coordinates take two calls."""
    calls = []

    def network(x):
        calls.append(x)
        mu, s = lookup_network(x)
        return mu, torch.stack([s[:, 0], x[:, 0]], 1)

    x, log_det = impl.maf_inverse(numbers([1, 2]), network)

    assert_close(x, numbers([3, 3 + 2 * math.exp(3)]), name="x")
    assert_close(log_det, numbers(LOG2 + 3), name="log_det")
    assert len(calls) == 2, f"the network must be called twice, got {len(calls)} calls"


@number("5.p4")
@weight(1)
@tags("maf")
def test_iaf_by_hand(impl):
    """mu = (1, z_0) and s = (log 2, log 3): the noise (1, 2) becomes (3, 7). Its density is that of the noise over 6."""

    def network(z):
        return lookup_network(z)[0], numbers([LOG2, LOG3]).expand_as(z)

    x, got = impl.iaf_generate(numbers([1, 2]), network)

    assert_close(x, numbers([3, 7]), name="x")
    assert_close(got.exp(), numbers(math.exp(-2.5) / (2 * math.pi) / 6), name="density")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("gaussian")
def test_linear_maf_by_hand(impl):
    """The rows (0, 0), (2, 1), (4, 5): the line through them has slope 5/4, and is off by 1/2, -1 and 1/2."""
    weight, bias, log_std = impl.fit_linear_maf(numbers([0, 0], [2, 1], [4, 5]))

    assert_close(weight, numbers([0, 0], [1.25, 0]), name="weight")
    assert_close(bias, numbers(2, -0.5), name="bias")
    assert_close(log_std, numbers(math.log(8 / 3) / 2, -LOG2 / 2), name="log_std")


@number("6.p2")
@weight(1)
@tags("gaussian")
def test_fitted_nll_by_hand(impl):
    """The values -3 and 3 have the deviation 3, and at both the density of N(0, 9) is 0.0807. Then two such coordinates."""
    density = math.exp(-0.5 * (3 / 3) ** 2) / (3 * math.sqrt(2 * math.pi))
    want = -math.log(density)

    assert_close(impl.fitted_nll(numbers(LOG3)), numbers(want)[0])
    assert_close(impl.fitted_nll(numbers(LOG3, LOG3)), numbers(2 * want)[0], name="two coordinates")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("continuous")
def test_rk4_by_hand(impl):
    """dx/dt = x from 1, in one step: k = 1, 3/2, 7/4, 11/4, so x = 65/24. dx/dt = 4 t^3 from time 0 to 2 is exact: 16, in two steps."""
    path = impl.rk4(lambda x, t: x, numbers([1]), n_steps=1)
    assert_close(path, numbers([[1]], [[65 / 24]]), name="dx/dt = x")

    path = impl.rk4(lambda x, t: 4 * t**3 * torch.ones_like(x), numbers([0]), n_steps=2, t1=2.0)
    assert_close(path, numbers([[0]], [[1]], [[16]]), name="dx/dt = 4 t^3")


@number("7.p2")
@weight(1)
@tags("continuous")
def test_divergence_by_hand_and_measured(impl):
    """The field (x_0 + 2 x_1, 3 x_0 + 4 x_1 + t) has the divergence 5. A small network's is the trace of its measured Jacobian."""
    linear = [numbers([1, 3], [2, 4], [0, 1]), numbers(0, 0)]
    assert_close(impl.divergence(linear, numbers([1, 2], [0, -1]), 0.5), numbers(5, 5), name="linear field")

    weights, x = mlp_weights([4, 8, 3], np.random.default_rng(0)), numbers([0.5, -1, 2], [1, 0, 0.3])
    jacobians = [measured_jacobian(lambda x: impl.field(weights, x, 0.3), row) for row in x]
    want = torch.stack([J.trace() for J in jacobians])
    assert_close(impl.divergence(weights, x, 0.3), want, rtol=1e-7, atol=1e-7, name="small network")


@number("7.p3")
@weight(1)
@tags("continuous")
def test_probes_by_hand(impl):
    """J = [[1, 2], [3, 4]]: the probe (1, 1) gives 10, the probe (1, -1) gives 0, and their mean is 5."""
    linear = [numbers([1, 3], [2, 4], [0, 0]), numbers(0, 0)]
    probes = numbers([[1, 1], [1, -1]], [[1, -1], [1, -1]])  # two for each of two points

    got = impl.probed_divergence(linear, numbers([1, 2], [0, -1]), 0.5, probes)

    assert_close(got, numbers(5, 0))


@number("7.p4")
@weight(1)
@tags("continuous")
def test_density_along_a_path_that_spreads(impl):
    """dx/dt = x carries N(0, 1) to N(0, e^2). The density at the end, along the path from 1, is that of N(0, e^2) at e."""
    times = torch.linspace(0, 1, 5, dtype=F64)

    got = impl.log_density_along(times.exp()[:, None, None], torch.ones(5, 1, dtype=F64))

    want = [[-0.5 - math.log(math.sqrt(2 * math.pi) * math.exp(t))] for t in times.tolist()]
    assert_close(got, numbers(*want))


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("matching")
def test_matching_loss_by_hand(impl):
    """A field that is 0 everywhere. The paths go from (0, 0) to (3, 4) and from (1, 1) to (1, 3): squared velocities 25 and 4."""
    nothing = [torch.zeros(3, 2, dtype=F64), torch.zeros(2, dtype=F64)]
    x0, x1 = numbers([0, 0], [1, 1]), numbers([3, 4], [1, 3])

    assert_close(impl.matching_loss(nothing, x0, x1, numbers(0.25, 0.5)), numbers(14.5)[0])


@number("8.p2")
@weight(1)
@tags("matching")
def test_the_field_is_asked_on_the_path(impl):
    """A field equal to x, in one dimension, on the paths from 8 to 4. At time 1/4, the path is at 7, and 7 differs from the velocity
    by 11. At time 3/4, it is at 5, and differs by 9."""
    same = [numbers([1], [0]), numbers(0)]
    x0, x1 = numbers([8], [8]), numbers([4], [4])

    assert_close(impl.matching_loss(same, x0, x1, numbers(0.25, 0.75)), numbers((121 + 81) / 2)[0])


@number("8.p3")
@weight(1)
@tags("matching")
def test_marginal_velocity_by_hand(impl):
    """Points -1 and 2, t = 1/2, x = 1/2: noises 2 and -1 with densities in the ratio 1 : e^1.5, and velocities -3 and 3. One point
    alone at (1, 2): from (0, 1) at time 3/4 the velocity is (4, 4)."""
    got = impl.marginal_velocity(numbers([0.5]), 0.5, numbers([-1], [2]))
    assert_close(got, numbers([3 * (math.exp(1.5) - 1) / (math.exp(1.5) + 1)]), name="two points")

    got = impl.marginal_velocity(numbers([0, 1]), 0.75, numbers([1, 2]))
    assert_close(got, numbers([4, 4]), name="one point")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("straight")
def test_euler_by_hand(impl):
    """dx/dt = x + t in two steps: 1, then 1 + 1/2, then 1.5 + 2/2."""
    path = impl.euler(lambda x, t: x + t, numbers([1]), n_steps=2)

    assert_close(path, numbers([[1]], [[1.5]], [[2.5]]))


@number("9.p2")
@weight(1)
@tags("straight")
def test_best_pairing_by_hand(impl):
    """Noises 0, 1 and 5, data 6, -2 and 2: the total is smallest, 6, for -2 with 0, 2 with 1 and 6 with 5."""
    got = impl.best_pairing(numbers([0], [1], [5]), numbers([6], [-2], [2]))

    assert_close(got, torch.tensor([1, 2, 0]))


@number("9.p3")
@weight(1)
@tags("straight")
def test_straightness_by_hand(impl):
    """The path 0, 1, 1 has the velocities 2 and 0 around 1, and the path 0, 3, 4 has 6 and 2 around 4."""
    assert_close(impl.straightness(numbers([[0]], [[1]], [[1]])), numbers(1)[0], name="one path")
    assert_close(impl.straightness(numbers([[0], [0]], [[1], [3]], [[1], [4]])), numbers(2.5)[0], name="two paths")
