"""What the handout, the docstrings and the figures of flows claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.toys import mlp_weights

F64 = torch.float64


flows = staff_files.reference("flows")
figures = staff_files.figures("flows")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


# --- the opening, and Task 8 -------------------------------------------------------------------


def test_one_step_gives_one_image():
    """ "How many different images do you get?" "One step takes all 1000 noises to the same place, 0. Then 2, 4, 8 and 16 steps take 13.5%,
    79.6%, 97.2% and 100% to within 0.1 of a point." Images too: one step from any noise lands on one place."""
    x = torch.randn(1000, 1, generator=torch.Generator().manual_seed(0)).double()
    shares = []
    for n in (1, 2, 4, 8, 16):
        end = flows.euler(lambda x, t: flows.marginal_velocity(x, t, figures.THREE), x, n_steps=n)[-1]
        shares.append(((end - figures.THREE.T).abs().amin(1) < 0.1).double().mean().item())
        if n == 1:
            assert end.abs().max() < 1e-12
    assert shares == [0, near(0.135, 3), near(0.796, 3), near(0.972, 3), near(1, 3)]
    images = figures.fitted_normal()[0]
    noise = torch.randn(1000, 144, generator=torch.Generator().manual_seed(0), dtype=F64)
    ends = flows.euler(lambda x, t: flows.marginal_velocity(x, t, images), noise, n_steps=1)[-1]
    assert ends.std(0).max() < 1e-12


def remaining(points, normal, times):
    """What a perfect field loses, by the handout's lines."""
    losses = []
    for t in times:
        x = torch.lerp(normal, points[:, None], t)
        own = torch.stack([flows.marginal_velocity(x[m], t, points[m : m + 1]) for m in range(len(points))])
        losses.append(
            (flows.marginal_velocity(x.flatten(0, 1), t, points).reshape(x.shape) - own).square().mean().item()
        )
    return sum(losses) / len(losses)


def test_what_a_perfect_field_loses():
    """ "Losses of 1.563, 0.157, 3.121 and 2.400. (With all of N(0, 1) in place of 100 points, the first is 1.571.)"; "A network that
    answers 0 has the loss 2"; "a perfect field keeps a loss of 1.57 on N(0, 1)"."""
    q = (torch.arange(100, dtype=F64) + 0.5) / 100
    normal = torch.erfinv(2 * q - 1)[:, None]
    normal = normal / normal.square().mean().sqrt()
    times = [(k + 0.5) / 20 for k in range(20)]
    got = [remaining(points, normal, times) for points in (normal, normal / 10, 2 * normal, figures.THREE)]
    assert got == [near(1.563, 3), near(0.157, 3), near(3.121, 3), near(2.400, 3)]
    nothing = [torch.zeros(2, 1, dtype=F64), torch.zeros(1, dtype=F64)]
    x0, x1 = normal.repeat(100, 1), normal.repeat_interleave(100, 0)
    assert flows.matching_loss(nothing, x0, x1, torch.full((10_000,), 0.5, dtype=F64)).item() == pytest.approx(2)
    # exact for N(0, 1): the variance of x1 - x0 given x_t, integrated over t
    t, w = np.polynomial.legendre.leggauss(100)
    t, w = (t + 1) / 2, w / 2
    exact = (w * (2 - (2 * t - 1) ** 2 / (t**2 + (1 - t) ** 2))).sum()
    assert exact == near(1.571, 3)


def test_velocities_by_hand():
    """The docstring: "paths come from x0 = 2 and x0 = -1, their velocities are -3 and 3, and the mean velocity is 1.9054"."""
    got = flows.marginal_velocity(numbers([0.5]), 0.5, numbers([-1], [2])).item()
    assert got == near(1.9054, 4)
    assert flows.marginal_velocity(numbers([0.5]), 0.5, numbers([-1])).item() == -3
    assert flows.marginal_velocity(numbers([0.5]), 0.5, numbers([2])).item() == 3


# --- Task 1 ------------------------------------------------------------------------------------


def test_what_spikes_cost():
    """ "Without noise, σ = 0.001 pays −0.64 bits, and each tenth of the width saves 3.3 bits more. With noise, σ = 0.3 pays 8.04 bits, σ
    = 0.1 pays 11.99, and σ = 0.01 pays 604." "With total mass 1" up to what lies outside [0, 1)."""
    levels, u = torch.full((1000, 1), 100), (torch.arange(1000, dtype=F64)[:, None] + 0.5) / 1000

    def price(sigma, noise):
        return flows.bits_per_dimension(levels, noise, figures.spikes(sigma)).mean().item()

    assert price(0.001, 0 * u) == near(-0.64, 2)
    assert price(0.001, 0 * u) - price(0.0001, 0 * u) == near(3.3, 1)
    assert [price(sigma, u) for sigma in (0.3, 0.1, 0.01)] == [near(8.04, 2), near(11.99, 2), near(604, 0)]
    grid = (torch.arange(256 * 20, dtype=F64)[:, None] + 0.5) / (256 * 20)
    assert figures.spikes(0.3)(grid).exp().mean().item() == pytest.approx(1, abs=3e-3)


def test_change_by_hand():
    """ "If alpha = 0, y = 0.8 becomes log 4 with slope 6.25"; "finite ... for |x| up to 500"; "an infinite log-det at x = 40": there,
    1 - sigmoid(x) is 0; the docstrings' examples."""
    x, log_det = flows.to_logits(numbers([0.8]), alpha=0.0)
    assert x.item() == pytest.approx(math.log(4)) and log_det.exp().item() == pytest.approx(6.25)
    assert flows.from_logits(numbers([500.0]), alpha=0.0)[1].item() == pytest.approx(-500)
    assert (1 - torch.sigmoid(numbers(40.0))).item() == 0
    flat = flows.bits_per_dimension(torch.zeros(1, 3).long(), torch.zeros(1, 3).double(), lambda y: numbers(0))
    assert flat.item() == 8


# --- Task 2 ------------------------------------------------------------------------------------


def test_what_depends_on_what():
    """ "15, 30, 36 and 36 of the Jacobian's 36 entries are not 0. With the same mask, four layers stay at 15." """
    half = torch.tensor([1, 1, 1, 0, 0, 0]).bool()
    counts = [int(figures.pattern(flows, [half, ~half, half, ~half][:n]).sum()) for n in (1, 2, 3, 4)]
    assert counts == [15, 30, 36, 36]
    assert int(figures.pattern(flows, [half] * 4).sum()) == 15


def test_coupling_by_hand():
    """ "With s = log 2 and −log 2, and t = 3 and 1, the entries (1, 4) become (5, 3)." """
    raw = numbers([0, 0.5 * math.log(3), -0.5 * math.log(3)])
    mask = torch.tensor([True, False, False])
    z, _ = flows.coupling(numbers([9, 1, 4]), mask, lambda h: (raw, numbers([0, 3, 1])), bound=2 * math.log(2))
    assert z[0].tolist() == pytest.approx([9, 5, 3])


# --- Task 3 ------------------------------------------------------------------------------------


def test_sixty_four_powers():
    """ "64 powers of 2"; "order (1, 2, 0) turns (2, 9, −1) into (9, −1, 2)"; the docstring of actnorm_init."""
    order, none, one = torch.arange(2), torch.zeros(2, 2).double(), torch.ones(2).double()
    _, log_det = flows.lu_conv(torch.ones(1, 2, 8, 8).double(), order, none, none, one, numbers(2, 1).log())
    assert log_det.item() / math.log(2) == pytest.approx(64)
    x, zero = numbers(2, 9, -1).reshape(1, 3, 1, 1), torch.zeros(3, 3).double()
    z, _ = flows.lu_conv(x, torch.tensor([1, 2, 0]), zero, zero, torch.ones(3).double(), torch.zeros(3).double())
    assert z.flatten().tolist() == [9, -1, 2]
    log_scale, shift = flows.actnorm_init(numbers(1, 5).reshape(1, 1, 1, 2))
    assert log_scale.item() == pytest.approx(-math.log(2)) and shift.item() == -3


# --- Task 4 ------------------------------------------------------------------------------------


def test_the_mean_is_not_typical():
    """ "None and none. The mean beats every digit by at least 35.7 nats, and on average by 72.0. The black image beats all of them as
    well." """
    x, layer = figures.fitted_normal()
    assert x.shape == (500, 144)
    scores = flows.log_density(x, [layer])
    best, black = flows.log_density(torch.stack([x.mean(0), 0 * x[0]]), [layer])
    assert (best - scores).min().item() == near(35.7, 1) and (best - scores).mean().item() == pytest.approx(72)
    assert black > scores.max()


def test_stacks_by_hand():
    """ "The layers z = 3x + 4 and then z = x/2 + 1 turn the noise 2 into x = −2/3"; "at x = 0, the log-density is ... -0.726"."""

    def layer(scale, shift):
        log_det = numbers(math.log(scale))
        return (lambda x: (scale * x + shift, log_det)), (lambda z: ((z - shift) / scale, -log_det))

    x, log_p = flows.generate(numbers([2]), [layer(3, 4), layer(0.5, 1)])
    assert x.item() == pytest.approx(-2 / 3)
    assert log_p.item() == pytest.approx(flows.log_density(x, [layer(3, 4), layer(0.5, 1)]).item())
    assert flows.log_density(numbers([0]), [layer(2, 1)]).item() == near(-0.726, 3)


# --- Task 5 ------------------------------------------------------------------------------------


def test_all_coordinates_at_once():
    """ "6, 8 and 12 calls, for weights that are half as large, as they are, and twice as large. After 64 calls, the answer is exact for any
    weights": for any number of coordinates, one more is right after each call."""
    for size, calls in ((0.5, 6), (1, 8), (2, 12)):
        errors = figures.all_at_once(flows, size)
        assert 1 + next(n for n, error in enumerate(errors) if error < 1e-6) == calls
        assert max(errors[calls - 1 :]) < 1e-6
    g, d = torch.Generator().manual_seed(1), 6
    A, B = (3 * torch.randn(d, d, generator=g, dtype=F64).tril(-1) for _ in range(2))

    def network(x):
        return x @ A.T, (x @ B.T).sin()

    z = torch.randn(5, d, generator=g, dtype=F64)
    want, x = flows.maf_inverse(z, network)[0], torch.zeros(5, d, dtype=F64)
    for n in range(1, d + 1):
        mu, s = network(x)
        x = z * s.exp() + mu
        assert torch.allclose(x[:, :n], want[:, :n], rtol=1e-9)


def test_maf_by_hand():
    """ "μ = (1, x_0) and s = (log 2, x_0) turn the noise (1, 2) into x = (3, 3 + 2e³)." """

    def network(x):
        first, ones = x[:, 0], torch.ones_like(x[:, 0])
        return torch.stack([ones, first], 1), torch.stack([math.log(2) * ones, first], 1)

    assert flows.maf_inverse(numbers([1, 2]), network)[0][0].tolist() == pytest.approx([3, 3 + 2 * math.exp(3)])


# --- Task 6 ------------------------------------------------------------------------------------


def test_the_order_of_the_coordinates():
    """ "Linear: 3.194 nats in both orders. With a polynomial of degree 6: 1.622 in the natural order, and 3.191 in the other." """
    g = torch.Generator().manual_seed(0)
    a = torch.randn(2000, generator=g, dtype=F64)
    b = a**2 + 0.3 * torch.randn(2000, generator=g, dtype=F64)
    got = []
    for first, second in ((a, b), (b, a)):
        powers = torch.stack([first**k for k in range(1, 7)] + [second], 1)
        got.append(flows.fitted_nll(flows.fit_linear_maf(torch.stack([first, second], 1))[2]).item())
        got.append(flows.fitted_nll(flows.fit_linear_maf(powers)[2][[0, 6]]).item())
    assert got == [near(3.194, 3), near(1.622, 3), near(3.194, 3), near(3.191, 3)]
    assert got[0] == pytest.approx(got[2], rel=1e-12)


def test_lines_by_hand():
    """ "The rows (0, 0), (2, 1) and (4, 5) have the line of slope 5/4, which is off by ½, −1 and ½." "d = 1 and log_std = 0: 1.4189." """
    x = numbers([0, 0], [2, 1], [4, 5])
    weight, bias, log_std = flows.fit_linear_maf(x)
    assert weight[1, 0].item() == pytest.approx(1.25) and bias.tolist() == pytest.approx([2, -0.5])
    assert (x[:, 1] - bias[1] - x[:, 0] * weight[1, 0]).tolist() == pytest.approx([0.5, -1, 0.5])
    assert log_std.tolist() == pytest.approx([math.log(8 / 3) / 2, -math.log(2) / 2])
    assert flows.fitted_nll(numbers(0)).item() == near(1.4189, 4)


# --- Task 7 ------------------------------------------------------------------------------------


def test_errors_and_probes():
    """ "−7.2e−5, −5.0e−6 and −3.3e−7: a factor of 14.4, then 15.2, on the way to 16. The probes give 10, 0, 0 and 10." "65/24." """
    one = torch.ones(1, 1, dtype=F64)
    errors = [flows.rk4(lambda x, t: x, one, n_steps=n)[-1].item() - math.e for n in (4, 8, 16, 64, 128)]
    assert errors[:3] == [near(-7.2e-5, 6), near(-5.0e-6, 7), near(-3.3e-7, 8)]
    assert errors[0] / errors[1] == near(14.4, 1) and errors[1] / errors[2] == near(15.2, 1)
    assert errors[3] / errors[4] == pytest.approx(16, abs=0.3)
    assert flows.rk4(lambda x, t: x, one, n_steps=1)[-1].item() == pytest.approx(65 / 24)
    weights = [numbers([1, 3], [2, 4], [0, 0]), numbers(0, 0)]
    probes = numbers([[1, 1]], [[1, -1]], [[-1, 1]], [[-1, -1]])
    got = [flows.probed_divergence(weights, numbers([1, 1]), 0.0, probe[None]).item() for probe in probes]
    assert got == [10, 0, 0, 10]


def test_when_one_probe_is_exact():
    """ "Every probe is exact if ∂v_i/∂x_j = −∂v_j/∂x_i for all i ≠ j, so for a diagonal J too." """
    rng = np.random.default_rng(0)
    turn = np.triu(rng.standard_normal((3, 3)), 1)
    for J in (np.diag([1.0, 5.0, -2.0]), np.diag([1.0, 5.0, -2.0]) + turn - turn.T):
        weights = [torch.from_numpy(np.concatenate([J.T, np.zeros((1, 3))])), torch.zeros(3, dtype=F64)]
        for probe in ((1, 1, 1), (1, -1, 1), (-1, -1, 1)):
            got = flows.probed_divergence(weights, numbers([1, 2, 3]), 0.0, numbers([probe]))
            assert got.item() == pytest.approx(4)


def test_density_along_a_path_by_hand():
    """The docstring: "x = 0 at all three times, with divergences (1, 1, 3): ... -1/2 log(2 pi) - 1.5"."""
    got = flows.log_density_along(torch.zeros(3, 1, 1, dtype=F64), numbers([1], [1], [3]))
    assert got[-1].item() == pytest.approx(-0.5 * math.log(2 * math.pi) - 1.5)


def test_the_density_that_the_figure_draws():
    """Figure `density`: it adds up to 1, and 20,000 moved noises have it. Its velocity's derivative is what the figure says it is."""
    path, log_density = figures.moved_density(flows, torch.linspace(-6, 6, 4001, dtype=F64))
    end, height = path[-1], log_density[-1].exp()
    assert torch.trapezoid(height, end).item() == pytest.approx(1, abs=1e-3)
    noise = torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0), dtype=F64)
    ends = flows.rk4(figures.pulled, noise, n_steps=20)[-1, :, 0]
    for low, high in ((-2.2, -1.2), (-0.5, 0.5), (1.2, 2.2)):
        inside = (end > low) & (end < high)
        # 20,000 draws: the share is off by 0.0035 at most, with one deviation
        assert ((ends > low) & (ends < high)).double().mean().item() == pytest.approx(
            torch.trapezoid(height[inside], end[inside]).item(), abs=0.02
        )
    x = numbers([0.3], [-1], [2]).requires_grad_()
    (slope,) = torch.autograd.grad(figures.pulled(x, 0.7).sum(), x)
    assert slope[:, 0].tolist() == pytest.approx(figures.pulled_divergence(x, 0.7).tolist())


# --- Task 9 ------------------------------------------------------------------------------------


def test_crossings():
    """ "9 pairs of 21 cross as they come, and none in the best pairing. The mean squared distance falls from 4.27 to 1.35." "In one
    dimension, straight paths that don't cross can all be paths of one field." """
    noise, points = figures.small_batch()
    assert len(noise) == 7 and math.comb(7, 2) == 21
    best = points[flows.best_pairing(noise, points)]
    assert figures.crossings(noise, points) == 9 and figures.crossings(noise, best) == 0
    assert (noise - points).square().mean().item() == near(4.27, 2)
    assert (noise - best).square().mean().item() == near(1.35, 2)
    assert flows.straightness(numbers([[0]], [[1]], [[1]])).item() == 1


def test_the_stretch_has_a_first_step():
    """ "Are the endpoints in the order of their noises?" In one dimension they are."""
    noise = torch.randn(300, 1, generator=torch.Generator().manual_seed(0), dtype=F64).sort(0).values
    path = flows.euler(lambda x, t: flows.marginal_velocity(x, t, figures.THREE), noise, n_steps=64)
    assert (path[-2].diff(dim=0) >= 0).all()
    assert (path[-1].diff(dim=0) > -1e-6).all()


def test_the_network_of_the_stub():
    """ "coursekit.toys.mlp_weights([d + 1, ..., d], rng)"; "the last input is the time"."""
    weights, x = mlp_weights([3, 5, 2], np.random.default_rng(0)), numbers([1, 2], [3, 4])
    assert torch.equal(flows.field(weights, x, 0.5), flows.field(weights, x, numbers(0.5, 0.5)))
