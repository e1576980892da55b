"""The checks you can run yourself: `pytest` in this folder, or `pytest --task forward` for one task."""

import math

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.exact import least_squares, symmetric_noise

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


SMALL = numbers(1, 0.9, 0.72)  # betas 0.1 and 0.2
ROUND = numbers(1, 0.64, 0.36)  # whose roots are 0.8 and 0.6
TWO = torch.tensor([2])  # one sample, at time 2
DIGITS = {"rtol": 0, "atol": 5e-5}  # numbers with four decimals


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("forward")
def test_what_two_steps_leave(impl):
    """betas = (0.1, 0.2) leave 0.9 and 0.72. A coefficient of the image after many steps is the product of theirs."""
    assert_close(impl.cumulative(numbers(0.1, 0.2)), SMALL, name="betas 0.1 and 0.2")

    x, betas = numbers(1)[0], torch.linspace(0.01, 0.3, 12, dtype=F64)
    for beta in betas:
        x = math.sqrt(1 - beta) * x  # without noise
    assert_close(impl.cumulative(betas)[-1], x**2, name="twelve betas")


@number("1.p2")
@weight(1)
@tags("forward")
def test_a_short_cosine_schedule(impl):
    """T = 2 and s = 0: cos² is ½ at the half. At the end the cap leaves 0.001 of it. Without a cap, 0 is left."""
    assert_close(impl.cosine_schedule(2, s=0.0), numbers(1, 0.5, 0.0005), name="max_beta = 0.999")
    assert_close(impl.cosine_schedule(2, s=0.0, max_beta=1.0), numbers(1, 0.5, 0), name="max_beta = 1")


@number("1.p3")
@weight(1)
@tags("forward")
def test_a_schedule_that_ends_in_noise(impl):
    """The roots 0.9, 0.6 and 0.3 become 0.9, 0.45 and 0."""
    assert_close(impl.zero_terminal(numbers(1, 0.81, 0.36, 0.09)), numbers(1, 0.81, 0.2025, 0))


@number("1.p4")
@weight(1)
@tags("forward")
def test_noise_by_hand(impl):
    """At abar = 0.36, 1 with noise 2 becomes 0.6 + 1.6. Of two samples, one is at 0.64 and one at 0.36."""
    got = impl.q_sample(numbers([1], [1]), torch.tensor([1, 2]), numbers([2], [2]), ROUND)

    assert_close(got, numbers([2.0], [2.2]))


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("posterior")
def test_one_step_back_on_a_grid(impl):
    """Bayes' rule on a fine grid of x_1, for x_2 = -0.4 and x_0 = 1: what the first step makes probable, times what the second does."""
    grid = torch.linspace(-6, 6, 48001, dtype=F64)
    log_p = -((grid - math.sqrt(0.9)) ** 2) / (2 * 0.1) - (-0.4 - math.sqrt(0.8) * grid) ** 2 / (2 * 0.2)
    p = log_p.softmax(0)
    mean = (p * grid).sum()
    want = [mean.reshape(1, 1), (p * (grid - mean) ** 2).sum().reshape(1)]

    assert_close(list(impl.posterior(numbers([1]), numbers([-0.4]), TWO, SMALL)), want, rtol=1e-7, atol=1e-7)


@number("2.p2")
@weight(1)
@tags("posterior")
def test_one_step_back_without_noise(impl):
    """If x_2 has no noise, x_0 is x_2 / 0.849 and x_1 is 1.118 for x_2 = 1. With noise 1, it is 0.6955 instead."""
    got = impl.posterior_from_noise(numbers([0], [1]), numbers([1], [1]), torch.tensor([2, 2]), SMALL)

    assert_close(got, numbers([1.1180], [0.6955]), **DIGITS)


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("targets")
@pytest.mark.parametrize(("kind", "answer"), [("noise", 2.0), ("v", 0.4)])
def test_an_image_by_hand(impl, kind, answer):
    """At abar = 0.36, the image 1 and the noise 2 make x = 2.2 and v = 0.6 · 2 - 0.8 · 1."""
    assert_close(impl.to_x0(numbers([answer]), numbers([2.2]), TWO, ROUND, kind=kind), numbers([1.0]), name=kind)


@number("3.p2")
@weight(1)
@tags("targets")
@pytest.mark.parametrize(("kind", "answer"), [("noise", 2.0), ("v", 0.4)])
def test_an_answer_by_hand(impl, kind, answer):
    """At abar = 0.36, x = 2.2 and the image 1 leave the noise 2 and v = 0.6 · 2 - 0.8 · 1."""
    assert_close(impl.from_x0(numbers([1]), numbers([2.2]), TWO, ROUND, kind=kind), numbers([answer]), name=kind)


@number("3.p3")
@weight(1)
@tags("targets")
def test_an_error_by_hand(impl):
    """At abar = 0.36, x = 2.2: noise 2 means 1. Noise 2.03 means (2.2 - 0.8 · 2.03) / 0.6 = 0.96, which is off by 0.04."""
    assert_close(impl.x0_error(TWO, ROUND), numbers(4 / 3))


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("loss")
def test_a_weight_by_hand(impl):
    """At abar = 0.36, noise that is off by 4 means an image that is off by 16/3. Weight 0.5625 on its square gives 16 again."""
    assert_close(impl.loss_weight(TWO, ROUND, kind="x0", weighting="noise"), numbers(0.5625), name="x0")
    assert_close(impl.loss_weight(TWO, ROUND, kind="noise", weighting="noise"), numbers(1), name="noise")


@number("4.p2")
@weight(1)
@tags("loss")
def test_a_loss_by_hand(impl):
    """Answers (0, 1) to noises (2, 0) with weights 1 and 3: (4 + 3) / 2."""
    got = impl.denoising_loss(numbers([0], [1]), numbers([1], [1]), numbers([2], [0]), numbers(1, 3), torch.tensor([1, 2]), ROUND, kind="noise")

    assert_close(got, numbers(3.5)[0])


@number("4.p3")
@weight(1)
@tags("loss")
def test_a_divergence_by_hand(impl):
    """betas = (0.1, 0.2), t = 2: the means 0.6776 apart, and the variance is 0.0714. The divergence is 3.2143."""
    assert_close(impl.bound_term(numbers([1]), numbers([0]), TWO, SMALL), numbers(3.2143), **DIGITS)


@number("4.p4")
@weight(1)
@tags("loss")
def test_what_the_best_network_keeps(impl):
    """The best fit to the noise on exact moments, for data with variance 1/2: what it keeps of the squared error."""
    x0, noise = symmetric_noise(2).T
    kept = []
    for a in (0.9, 0.72):
        xt = math.sqrt(a / 2) * x0 + math.sqrt(1 - a) * noise
        kept.append(((noise - xt * least_squares(xt[:, None], noise)[0]) ** 2).mean())

    assert_close(impl.perfect_loss(SMALL, 0.5), numbers(sum(kept) / 2)[0])


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("score")
def test_the_best_fit_to_normal_data(impl):
    """Data with mean 1 and variance 4 at abar = 0.36: the best line through exact moments, at x = -1, 0 and 2."""
    x0, noise = symmetric_noise(2).T
    x0 = 1 + 2 * x0
    xt = 0.6 * x0 + 0.8 * noise
    at_0, slope = least_squares(np.stack([np.ones(4), xt], axis=1), x0)
    got = impl.gaussian_denoiser(numbers([-1], [0], [2]), torch.tensor([2, 2, 2]), ROUND, mean=1.0, var=4.0)

    assert_close(got, at_0 + slope * numbers([-1], [0], [2]))


@number("5.p2")
@weight(1)
@tags("score")
def test_two_points_by_hand(impl):
    """The points 0 and 1 at abar = 0.36: x = 0.3 lies between both. x = 0.6 fits 1 better, by a factor of 1.325."""
    got = impl.point_weights(numbers([0.3], [0.6]), torch.tensor([2, 2]), ROUND, numbers([0], [1]))

    assert_close(got, numbers([0.5, 0.5], [0.4301, 0.5699]), **DIGITS)


@number("5.p3")
@weight(1)
@tags("score")
def test_the_mean_of_two_points(impl):
    """The points 2 and 4 at abar = 0.36: x = 1.8 lies between both, so the answer is 3. x = 100 can only come from 4."""
    got = impl.point_denoiser(numbers([1.8], [100]), torch.tensor([2, 2]), ROUND, numbers([2], [4]))

    assert_close(got, numbers([3.0], [4.0]))


@number("5.p4")
@weight(1)
@tags("score")
def test_a_score_by_hand(impl):
    """If data is N(0, 1), so is x_t at every time. The best answer at x = 2 is 1.2, and the slope of log p(x) is -2 there."""
    assert_close(impl.score_from_x0(numbers([1.2], [1]), numbers([2], [2.2]), torch.tensor([2, 2]), ROUND), numbers([-2.0], [-2.5]))


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("ddpm")
@pytest.mark.parametrize(("variance", "want"), [("beta", 1.1248), ("posterior", 0.9449)])
def test_a_step_with_noise_by_hand(impl, variance, want):
    """The mean is 0.6776. The noise 1 is multiplied by a root of 0.2 or of 0.0714. The step to 0 adds none."""
    got = impl.ddpm_step(numbers([0]), numbers([1]), 2, numbers([1]), SMALL, variance=variance)
    last = impl.ddpm_step(numbers([0]), numbers([1]), 1, numbers([1]), SMALL, variance=variance)

    assert_close([got, last], [numbers([want]), numbers([1.0])], **DIGITS)


@number("6.p2")
@weight(1)
@tags("ddpm")
def test_two_steps_with_noise_by_hand(impl):
    """A network that answers x / 2: from 1, the first step leads to 0.6583 + 0.2673, and the last one to half of it."""
    noises = numbers([[9.0]], [[9.0]], [[1.0]])  # the first two aren't used
    got = impl.ddpm_sample(lambda x, t: x / 2, numbers([1.0]), noises, SMALL, variance="posterior")

    assert_close(got, numbers([0.4628]), **DIGITS)


@number("6.p3")
@weight(1)
@tags("ddpm")
def test_a_variance_by_hand(impl):
    """betas = (0.1, 0.2) and data with variance 1/2. One step more than none: abar = (1, 0.5) leaves 2/9."""
    for variance, want in (("beta", 0.5882), ("posterior", 0.4926)):
        assert_close(impl.ddpm_variance(SMALL, 0.5, variance=variance), numbers(want)[0], **DIGITS, name=variance)
        assert_close(impl.ddpm_variance(numbers(1, 0.5), 0.5, variance=variance), numbers(2 / 9)[0], name="one step")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("ddim")
@pytest.mark.parametrize(("eta", "want"), [(0.0, 2.0), (1.0, 1.9711)])
def test_a_long_step_by_hand(impl, eta, want):
    """At abar = 0.36, x = 2.2 and the answer 1 leave the noise 2. At 0.64 they make 0.8 + 0.6 · 2, if no noise is fresh."""
    got = impl.ddim_step(numbers([2.2]), numbers([1]), 2, 1, numbers([1]), ROUND, eta=eta)

    assert_close(got, numbers([want]), **DIGITS)


@number("7.p2")
@weight(1)
@tags("ddim")
def test_long_steps_by_hand(impl):
    """A network that answers x / 2: [2, 0] ends at 1.1. [2, 1, 0] goes by 0.8 · 1.1 + 0.6 · 1.925 = 2.035 and ends at half of it."""
    for times, want in (([2, 0], 1.1), ([2, 1, 0], 1.0175)):
        noises = torch.ones(len(times) - 1, 1, 1, dtype=F64)
        got = impl.ddim_sample(lambda x, t: x / 2, numbers([2.2]), noises, times, ROUND, eta=0.0)
        assert_close(got, numbers([want]), name=f"times {times}")


@number("7.p3")
@weight(1)
@tags("ddim")
def test_one_step_of_the_way_back(impl):
    """A network that answers x / 2, so 1 at x = 2. At abar = 0.36 this means noise 1.75. Back: 0.6 · 2 + 0.8 · 1.75."""
    got = impl.ddim_invert(lambda x, t: x / 2, numbers([2.0]), [1, 0], numbers(1, 0.36))

    assert_close(got, numbers([2.6]))


@number("7.p4")
@weight(1)
@tags("ddim")
def test_a_deviation_by_hand(impl):
    """Data N(0, 1), so the best answer is 0.6 x at abar = 0.36. In one step, 0.6 is left; in two steps, 0.96 · 0.8."""
    for times, want in (([2, 0], 0.6), ([2, 1, 0], 0.768)):
        assert_close(impl.ddim_std(times, ROUND, 1.0), numbers(want)[0], name=f"times {times}")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("guidance")
def test_guidance_by_hand(impl):
    """From 1 without to 3 with the condition: scales 0, 1 and 4 give 1, 3 and 9."""
    got = torch.stack([impl.guide(numbers(1), numbers(3), scale=s) for s in (0, 1, 4)])

    assert_close(got, numbers([1.0], [3.0], [9.0]))


@number("8.p2")
@weight(1)
@tags("guidance")
def test_a_classifier_by_hand(impl):
    """At abar = 0.36, the noise 1, the slope 2 and scale 3 give -3.8."""
    assert_close(impl.classifier_guidance(numbers([1]), numbers([2]), TWO, ROUND, scale=3.0), numbers([-3.8]))


@number("8.p3")
@weight(1)
@tags("guidance")
def test_dropped_labels_by_hand(impl):
    """p = 0.1: only the number 0.05 is below it. 0.1 isn't."""
    got = impl.drop_labels(torch.tensor([3, 4, 5]), numbers(0.05, 0.1, 0.7), p=0.1, null=9)

    assert_close(got, torch.tensor([9, 4, 5]))


@number("8.p4")
@weight(1)
@tags("guidance")
def test_a_tilted_density_on_a_grid(impl):
    """Mean and variance of p(x) p(c | x)² on a fine grid, for N(0.5, 2) without and N(1, 1/2) with the condition."""
    x = torch.linspace(-12, 12, 24001, dtype=F64)
    without, given = -((x - 0.5) ** 2) / 4, -((x - 1) ** 2)
    p = (without + 2 * (given - without)).softmax(0)  # log p(c | x) = given - without + constant
    mean = (p * x).sum()

    assert_close(list(impl.tilted_law(0.5, 2.0, 1.0, 0.5, scale=2.0)), [mean.item(), (p * (x - mean) ** 2).sum().item()])


@number("8.p5")
@weight(1)
@tags("guidance")
def test_variances_of_guided_samples(impl):
    """For variances 4 and 1: scales 0 and 1 give these two, and scale 1/2 gives 2."""
    got = numbers(*(float(impl.guided_variance(4.0, 1.0, scale=s)) for s in (0.0, 1.0, 0.5)))

    assert_close(got, numbers(4, 1, 2))
