"""The checks you can run yourself: `pytest` in this folder, or `pytest --task losses` for one task."""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

F64 = torch.float64
LOG3 = math.log(3)


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


ONE = numbers(1)[0]


def normal(generator, *shape):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64)


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("losses")
@pytest.mark.parametrize(
    ("kind", "want"),
    [("logistic", math.log(8 / 3)), ("hinge", 1.0), ("least_squares", (LOG3 - 1) ** 2), ("wasserstein", -LOG3)],
    ids=["logistic", "hinge", "least_squares", "wasserstein"],
)
def test_critic_losses_by_hand(impl, kind, want):
    """A real logit of log 3, where D is 3/4, and a fake logit of 0, where D is 1/2."""
    assert_close(impl.critic_loss(numbers(LOG3), numbers(0), kind=kind), ONE * want, name=kind)


@number("1.p2")
@weight(1)
@tags("losses")
@pytest.mark.parametrize(
    ("kind", "want"),
    [("minimax", -math.log(4)), ("non_saturating", math.log(4 / 3)), ("hinge", -LOG3), ("least_squares", (LOG3 - 1) ** 2), ("wasserstein", -LOG3)],
    ids=["minimax", "non_saturating", "hinge", "least_squares", "wasserstein"],
)
def test_generator_losses_by_hand(impl, kind, want):
    """A fake logit of log 3, where D is 3/4."""
    assert_close(impl.generator_loss(numbers(LOG3), kind=kind), ONE * want, name=kind)


@number("1.p3")
@weight(1)
@tags("losses")
def test_slopes_by_finite_differences(impl):
    """Your slopes are what central differences of log(1 - D) and of -log D say, at logits from -3 to 3."""
    logits, h = torch.linspace(-3, 3, 7, dtype=F64), 1e-5
    losses = {
        "minimax": lambda a: math.log(1 - 1 / (1 + math.exp(-a))),
        "non_saturating": lambda a: -math.log(1 / (1 + math.exp(-a))),
    }

    for kind, loss in losses.items():
        want = numbers(*((loss(a + h) - loss(a - h)) / (2 * h) for a in logits.tolist()))
        # rounding of the difference: 1e-16 / h
        assert_close(impl.generator_slope(logits, kind=kind), want, rtol=1e-8, atol=1e-9, name=kind)


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("optimum")
def test_the_best_logit_on_a_grid(impl):
    """No logit of a fine grid gives a larger p log D + q log(1 - D) than yours."""
    p, q = numbers(0.5, 0.4, 0.1), numbers(0.2, 0.1, 0.7)
    grid = torch.linspace(-4, 4, 80001, dtype=F64)[:, None]  # 0.0001 apart
    value = p * torch.sigmoid(grid).log() + q * torch.sigmoid(-grid).log()

    # the grid's best is off by half its spacing at most
    assert_close(impl.best_logit(p, q), grid[value.argmax(0), 0], rtol=0, atol=6e-5)


@number("2.p2")
@weight(1)
@tags("optimum")
def test_js_by_hand(impl):
    """Two coins that share one of three sides: half of log 2. Equal distributions: 0. No side shared: log 2."""
    p, q = numbers(0.5, 0.5, 0), numbers(0, 0.5, 0.5)
    got = torch.stack([impl.js_divergence(a, b) for a, b in ((p, q), (p, p), (numbers(1, 0), numbers(0, 1)))])

    assert_close(got, numbers(0.5, 0, 1) * math.log(2))


@number("2.p3")
@weight(1)
@tags("optimum")
def test_the_best_value_on_a_grid(impl):
    """The largest value that logits of a fine grid reach, and -log 2 for two coins that share one of three sides. As V is a sum of
    logarithms of probabilities, it is never above 0."""
    p, q = numbers(0.5, 0.4, 0.1), numbers(0.2, 0.1, 0.7)
    grid = torch.linspace(-4, 4, 80001, dtype=F64)[:, None]
    best = (p * torch.sigmoid(grid).log() + q * torch.sigmoid(-grid).log()).amax(0).sum()

    got = impl.best_value(p, q)
    if isinstance(got, torch.Tensor):
        assert not (got > 0).any(), f"V adds up logarithms of probabilities, so it is never above 0, but yours is {got.tolist()}"
    # near its top the value is flat: the error is the squared spacing
    assert_close(got, best, rtol=0, atol=1e-8)
    assert_close(impl.best_value(numbers(0.5, 0.5, 0), numbers(0, 0.5, 0.5)), -ONE * math.log(2), name="two coins")


@number("2.p4")
@weight(1)
@tags("optimum")
@pytest.mark.parametrize("kind", ["minimax", "non_saturating"])
def test_the_generator_against_a_frozen_critic(impl, kind):
    """Finite differences of the generator's expected loss, while the D of the best critic on a grid stays as it is."""
    logits, p, h = numbers(0.3, -0.2, 0.5), numbers(0.2, 0.3, 0.5), 1e-5
    q = logits.softmax(-1)
    D = torch.linspace(0.0001, 0.9999, 9999, dtype=F64)[:, None]
    D = D[(p * D.log() + q * (1 - D).log()).argmax(0), 0]
    cost = (1 - D).log() if kind == "minimax" else -D.log()
    steps = h * torch.eye(3, dtype=F64)
    want = torch.stack([((logits + s).softmax(-1) - (logits - s).softmax(-1)) @ cost for s in steps]) / (2 * h)

    # the grid's D is off by 0.00005
    assert_close(impl.generator_gradient(logits, p, kind=kind), want, rtol=0, atol=2e-4)


# --- Task 3 ------------------------------------------------------------------------------------


def turning(theta, psi):
    """The slopes of the Dirac game without a penalty."""
    return -psi, theta


@number("3.p1")
@weight(1)
@tags("dynamics")
@pytest.mark.parametrize(
    ("kind", "theta", "psi"), [("simultaneous", 1.5, 0.5), ("alternating", 1.25, 0.5), ("extragradient", 1.25, 0.25)]
)
def test_one_step_by_hand(impl, kind, theta, psi):
    """From (1, 1) with step size 1/2, in the game whose slopes are (-psi, theta)."""
    got = impl.game_step(numbers(1)[0], numbers(1)[0], turning, eta=0.5, kind=kind)

    assert_close(list(got), [ONE * theta, ONE * psi], name=kind)


@number("3.p2")
@weight(1)
@tags("dynamics")
def test_a_matrix_without_penalty(impl):
    """A simultaneous step with eta = 1/2 and gamma = 0 takes (1, 0) to (1, -1/2) and (0, 1) to (1/2, 1)."""
    got = impl.step_matrix(eta=0.5, gamma=0.0, kind="simultaneous")

    assert_close(got @ numbers(1, 0), numbers(1, -0.5), name="where (1, 0) goes")
    assert_close(got @ numbers(0, 1), numbers(0.5, 1), name="where (0, 1) goes")


# --- Task 4 ------------------------------------------------------------------------------------


def one_round(impl):
    """A generator z and a critic x: real samples 1/2 and 2, noise 1 and 2 for both players, and lr = 0.4."""
    generator, critic = [numbers([1]), numbers(0)], [numbers([1]), numbers(0)]
    return impl.gan_step(generator, critic, numbers([[0.5], [2]]), numbers([[1], [2]]), numbers([1], [2]), lr=0.4)


@number("4.p1")
@weight(1)
@tags("step")
def test_the_critic_steps_by_hand(impl):
    """The real sample 2 costs nothing. The critic's slopes are 1.25 and 0.5, so its weight and bias become 0.5 and -0.2."""
    assert_close(list(one_round(impl)[1]), [numbers([0.5]), numbers(-0.2)], name="critic")


@number("4.p2")
@weight(1)
@tags("step")
def test_the_generator_steps_by_hand(impl):
    """Against the new critic, the generator's slopes are -0.75 and -0.5, so its weight and bias become 1.3 and 0.2."""
    assert_close(list(one_round(impl)[0]), [numbers([1.3]), numbers(0.2)], name="generator")


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("wasserstein")
def test_the_cheapest_assignment(impl, torch_rng):
    """x = (4, 0) and y = (1, 3) are 1 apart. For four points, your distance is the smallest cost of all 24 assignments."""
    from itertools import permutations

    assert_close(impl.w1_distance(numbers(4, 0), numbers(1, 3)), ONE, name="x = (4, 0), y = (1, 3)")

    x, y = normal(torch_rng, 4), 2 * normal(torch_rng, 4) + 1
    best = min((x - y[list(order)]).abs().mean() for order in permutations(range(4)))
    assert_close(impl.w1_distance(x, y), best, name="four points")


@number("5.p2")
@weight(1)
@tags("wasserstein")
def test_the_steepest_clipped_critic(impl):
    """Weights of (±3, ±3, ±3, ±3) have slope 6. Two layers of widths 2, 8, 1 at 1/2 have the slope (2, 2) at most, of norm 2.83."""
    assert_close(impl.clipped_slope((4, 1), clip=3.0), 6.0, name="one layer")
    assert_close(impl.clipped_slope((2, 8, 1), clip=0.5), math.sqrt(8), name="two layers")


@number("5.p3")
@weight(1)
@tags("wasserstein")
def test_power_iteration_finds_the_largest_stretch(impl):
    """One step from (1, 1) by hand: 3.672. A hundred steps find the 4 of a diagonal matrix, and a direction of norm 1."""
    W = numbers([3, 0], [0, 4])

    estimate, u = impl.spectral_norm(W, numbers(1, 1), n_steps=1)
    assert_close(torch.stack([estimate, *u]), numbers(3.6715, 0.4903, 0.8716), rtol=0, atol=5e-5, name="one step")

    estimate, u = impl.spectral_norm(W, numbers(1, 1), n_steps=100)
    assert_close([estimate, u], [4 * ONE, numbers(0, 1)], name="a hundred steps")


# --- Task 6 ------------------------------------------------------------------------------------


def linear(*w):
    """The weights of a linear critic."""
    return [numbers(*w)[:, None], numbers(0.5)]


@number("6.p1")
@weight(1)
@tags("penalty")
def test_the_penalty_of_a_linear_critic(impl):
    """The slope is (3, 4) everywhere, for one sample and for eight of them: the norm is 5, and 10 (5 - 1)^2 = 160."""
    for n in (1, 8):
        real, fake, eps = numbers([1, 2]).expand(n, 2), numbers([0, -1]).expand(n, 2), torch.full((n,), 0.25, dtype=F64)
        got = impl.gradient_penalty(linear(3, 4), real, fake, eps, strength=10.0)
        assert_close(got, 160 * ONE, name=f"{n} samples")


@number("6.p2")
@weight(1)
@tags("penalty")
def test_the_r1_penalty_of_a_linear_critic(impl):
    """The slope is (3, 4) at each of three real samples. Half of 2 times 25 is 25."""
    got = impl.r1_penalty(linear(3, 4), numbers([1, 2], [0, 0], [5, -1]), strength=2.0)

    assert_close(got, 25 * ONE)


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("fid")
def test_frechet_distances_by_hand(impl):
    """N(0, 1) and N(1, 4): 2. In two dimensions, diagonal covariances add up what each axis gives."""
    one_d = impl.frechet_distance(numbers(0), numbers([1]), numbers(1), numbers([4]))
    assert_close(one_d, 2 * ONE, name="one dimension")

    two_d = impl.frechet_distance(numbers(0, 0), numbers([1, 0], [0, 9]), numbers(1, 3), numbers([4, 0], [0, 9]))
    assert_close(two_d, 11 * ONE, name="two dimensions")


@number("7.p2")
@weight(1)
@tags("fid")
def test_fid_by_hand(impl):
    """x = (0, 2) has mean 1 and variance 2, y = (0, 4) has mean 2 and variance 8. Their distance is 3."""
    got = impl.fid(numbers([0], [2]), numbers([0], [4]))

    assert_close(got, 3 * ONE, rtol=0, atol=1e-6)


@number("7.p3")
@weight(1)
@tags("fid")
def test_the_score_of_equals_by_simulation(impl):
    """For d = 1, the mean of the distance of two samples of 100, over 20,000 pairs. For d = 2 and n = 100, 0.07."""
    x = torch.randn(2, 20_000, 100, generator=torch.Generator().manual_seed(0))
    means, (v, w) = x.mean(-1), x.var(-1)
    want = ((means[0] - means[1]).square() + v + w - 2 * (v * w).sqrt()).mean().item()

    # terms of order 1/n^2 are 1% here, and the simulation's own error is 0.8%
    assert_close(impl.fid_of_equals(1, 100), want, rtol=0.04, atol=0, name="d = 1, n = 100")
    assert_close(impl.fid_of_equals(2, 100), 0.07, name="d = 2, n = 100")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("kid_is")
def test_kid_by_hand(impl):
    """A row makes no pair with itself: k(0, 1) = 1 in x, k(1, 2) = 27 in y, and 1, 1, 8, 27 between them."""
    assert_close(impl.kid(numbers([0], [1]), numbers([1], [2])), 9.5 * ONE)


@number("8.p2")
@weight(1)
@tags("kid_is")
def test_inception_scores_by_hand(impl):
    """Rows (0.9, 0.1) and (0.5, 0.5) have KL 0.11633 and 0.08718 from their mean (0.7, 0.3). Two equal rows score 1."""
    got = torch.stack([impl.inception_score(numbers([0.9, 0.1], [0.5, 0.5])), impl.inception_score(numbers([0.7, 0.3], [0.7, 0.3]))])

    assert_close(got, numbers(1.10711, 1), rtol=0, atol=1e-5)


# --- Task 9 ------------------------------------------------------------------------------------

REAL, FAKE = numbers([0], [1], [4]), numbers([0.5], [2], [9], [9.5])


@number("9.p1")
@weight(1)
@tags("coverage")
def test_precision_and_recall_by_hand(impl):
    """The real balls have radii 1, 1 and 3, and the fakes' balls 1.5, 1.5, 0.5 and 0.5. A set has both scores 1 with itself."""
    assert_close(list(impl.precision_recall(REAL, FAKE, k=1)), [ONE / 2, ONE * 2 / 3], name="precision and recall")
    assert_close(list(impl.precision_recall(FAKE, FAKE, k=1)), [ONE, ONE], name="a set with itself")


@number("9.p2")
@weight(1)
@tags("coverage")
def test_density_and_coverage_by_hand(impl):
    """0.5 lies in two real balls, 2 lies in one, and 9 and 9.5 in none. Each real ball holds a fake."""
    assert_close(list(impl.density_coverage(REAL, FAKE, k=1)), [0.75 * ONE, ONE], name="density and coverage")
