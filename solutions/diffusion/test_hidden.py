"""Graded checks of the diffusion assignment.

Everything is exact: schedules, times and all noise are arguments. Nothing is trained and nothing is drawn by a submission. Each task
is checked on inputs that are made here.
"""

import itertools

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments, assert_refuses
from coursekit.compare import assert_close

F64 = torch.float64
COTANGENT = torch.tensor(1.5, dtype=F64)  # not 1
SHAPES = [(3, 3), (4, 2, 3, 3)]  # N equal to another axis, and images


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def normal(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=F64)


def schedule(rng, T, *, low=0.05, high=0.3):
    """A random abar with T steps."""
    betas = torch.from_numpy(rng.uniform(low, high, size=T))
    return torch.cat([numbers(1), (1 - betas).cumprod(0)])


def times(N, T, *, first=1):
    """N different times, first and T among them."""
    return torch.linspace(first, T, N).round().long()


# --- Task 1: adding noise ----------------------------------------------------------------------


@number("1.1")
@weight(1)
@tags("forward")
def test_schedules_of_betas(agree, rng):
    """A few steps and many, a last beta of 1, and betas that are refused."""
    for T in (1, 5, 40):
        agree("cumulative", torch.from_numpy(rng.uniform(0.01, 0.4, size=T)))
    agree("cumulative", numbers(0.5, 1))
    for bad in (numbers(0.1, 0), numbers(1.5)):
        agree(lambda impl, bad=bad: assert_refuses(impl.cumulative, bad, name="cumulative"))


@number("1.2")
@weight(2)
@tags("forward")
@pytest.mark.parametrize("max_beta", [0.999, 0.9])
def test_cosine_schedules(agree, max_beta):
    """Schedules of 1 to 200 steps with another s, where the cap counts on the last steps."""
    for T, s in ((1, 0.008), (7, 0.05), (200, 0.008)):
        agree("cosine_schedule", T, s=s, max_beta=max_beta)


@number("1.3")
@weight(2)
@tags("forward")
def test_schedules_that_end_in_noise(agree, rng):
    """The last entry becomes 0, and the first two stay as they are. The argument isn't changed."""
    for T in (2, 12):
        abar = schedule(rng, T)
        got = agree(lambda impl, abar=abar: assert_leaves_arguments(impl.zero_terminal, abar, name="zero_terminal"))
        assert_close(got[[0, 1, -1]], torch.cat([abar[:2], numbers(0)]), name="entries 0, 1 and T")


@number("1.4")
@weight(2)
@tags("forward")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_noisy_samples(agree, rng, torch_rng, shape):
    """Each sample has its own time, for vectors as many as their entries and for images."""
    abar = schedule(rng, 9)
    agree("q_sample", normal(torch_rng, *shape), times(shape[0], 9), normal(torch_rng, *shape), abar)


# --- Task 2: one step back ---------------------------------------------------------------------


@number("2.1")
@weight(4)
@tags("posterior")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_means_of_one_step_back(agree, rng, torch_rng, shape):
    """Each sample has its own time. The first time is 1, where the mean is x0."""
    args = normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 8), schedule(rng, 8)
    mean = agree(lambda impl: impl.posterior(*args)[0])
    assert_close(mean[0], args[0][0], name="t = 1")


@number("2.2")
@weight(3)
@tags("posterior")
@pytest.mark.parametrize("T", [8, 60])
def test_variances_of_one_step_back(agree, rng, torch_rng, T):
    """One number for each sample, whatever the axes, and 0 at t = 1."""
    args = normal(torch_rng, 4, 2, 3), normal(torch_rng, 4, 2, 3), times(4, T), schedule(rng, T)

    def variances_for(impl):
        mean, variance = impl.posterior(*args)
        return [variance, tuple(mean.shape)]

    variances, _ = agree(variances_for)
    assert bool((variances[1:] > 0).all()) and abs(float(variances[0])) < 1e-12


@number("2.3")
@weight(3)
@tags("posterior")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_step_back_by_the_noise(agree, rng, torch_rng, shape):
    """The mean from the noise, at different times, t = 1 and t = T among them."""
    agree("posterior_from_noise", normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 8), schedule(rng, 8))


# --- Task 3: three names for one answer --------------------------------------------------------


@number("3.1")
@weight(3)
@tags("targets")
@pytest.mark.parametrize("kind", ["noise", "v"])
def test_answers_to_images(agree, rng, torch_rng, kind):
    """Answers of one kind and of kind x0, at the first and the last time. v also at an abar of 0."""
    abar = schedule(rng, 7)
    for shape in SHAPES:
        args = normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 7), abar
        agree("to_x0", *args, kind=kind)
        agree("to_x0", *args, kind="x0")
    if kind == "v":
        agree("to_x0", *args[:3], torch.cat([abar[:-1], numbers(0)]), kind="v")


@number("3.2")
@weight(3)
@tags("targets")
@pytest.mark.parametrize("kind", ["noise", "v"])
def test_images_to_answers(agree, rng, torch_rng, kind):
    """Images as answers of one kind and of kind x0, at the first and the last time."""
    abar = schedule(rng, 7)
    for shape in SHAPES:
        args = normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 7), abar
        agree("from_x0", *args, kind=kind)
        agree("from_x0", *args, kind="x0")


@number("3.3")
@weight(2)
@tags("targets")
def test_errors_of_images(agree, rng):
    """From the first time to the last one, where next to nothing of the image is left."""
    agree("x0_error", torch.arange(1, 31), schedule(rng, 30))
    agree("x0_error", torch.tensor([2, 1, 1]), numbers(1, 0.99999, 0.00001))


# --- Task 4: losses ----------------------------------------------------------------------------


@number("4.1")
@weight(4)
@tags("loss")
@pytest.mark.parametrize("weighting", ["noise", "min_snr", "bound"])
@pytest.mark.parametrize("kind", ["noise", "x0", "v"])
def test_weights_of_losses(agree, rng, kind, weighting):
    """Weights at many times, with a gamma that some of the ratios pass."""
    abar, t = schedule(rng, 12), torch.arange(2, 13)
    gamma = float(rng.uniform(1, 2))
    weights = agree("loss_weight", t, abar, kind=kind, weighting=weighting, gamma=gamma)
    if weighting == "min_snr":
        weights = agree("loss_weight", t, abar, kind=kind, weighting=weighting)

    assert bool((weights > 0).all())


@number("4.2")
@weight(2)
@tags("loss")
@pytest.mark.parametrize("kind", ["noise", "x0", "v"])
def test_losses_of_answers(agree, rng, torch_rng, kind):
    """Means over samples and entries with one weight for each sample, and gradients in the answers."""
    for shape in SHAPES:
        N = shape[0]
        args = [normal(torch_rng, *shape) for _ in range(3)]
        weights = torch.from_numpy(rng.uniform(0.5, 3, size=N))
        args += [weights, times(N, 6), schedule(rng, 6)]
        agree("denoising_loss", *args, kind=kind)
        agree.vjp("denoising_loss", *args, cotangent=COTANGENT, kind=kind)


@number("4.3")
@weight(2)
@tags("loss")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_terms_of_the_bound(agree, rng, torch_rng, shape):
    """One divergence for each sample, summed over its entries, for times from 2 to T."""
    agree("bound_term", normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 9, first=2), schedule(rng, 9))


@number("4.4")
@weight(1)
@tags("loss")
def test_losses_of_perfect_networks(agree, rng):
    """Narrow and wide data, and several schedules. Data that is one point leaves no loss."""
    for T, var in ((1, 1.0), (9, 0.2), (30, 5.0)):
        agree("perfect_loss", schedule(rng, T), var)
    agree("perfect_loss", schedule(rng, 4), 0.0)


# --- Task 5: the best denoiser -----------------------------------------------------------------


@number("5.1")
@weight(3)
@tags("score")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_denoisers_of_normal_data(agree, rng, torch_rng, shape):
    """Means and variances other than 0 and 1, for vectors and images, each sample at its own time."""
    for mean, var in ((0.7, 0.3), (-2.0, 5.0)):
        agree("gaussian_denoiser", 2 * normal(torch_rng, *shape), times(shape[0], 8), schedule(rng, 8), mean=mean, var=var)


@number("5.2")
@weight(3)
@tags("score")
@pytest.mark.parametrize("far", [False, True], ids=["near", "far"])
def test_probabilities_of_points(agree, rng, torch_rng, far):
    """Points in one, two and three dimensions. Rows add up to 1, also where x is a thousand away from all points."""
    for d in (1, 2, 3):
        xt = normal(torch_rng, 4, d) + (1000 if far else 0)
        got = agree("point_weights", xt, times(4, 8), schedule(rng, 8), normal(torch_rng, 5, d))
        assert_close(got.sum(-1), numbers(1, 1, 1, 1), name="sums of rows")


@number("5.3")
@weight(2)
@tags("score")
@pytest.mark.parametrize("K", [1, 6])
def test_denoisers_of_points(agree, rng, torch_rng, K):
    """The mean of one point and of six, in two and three dimensions."""
    for d in (2, 3):
        agree("point_denoiser", normal(torch_rng, 4, d), times(4, 8), schedule(rng, 8), normal(torch_rng, K, d))


@number("5.4")
@weight(2)
@tags("score")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores(agree, rng, torch_rng, shape):
    """Scores of vectors and of images, each sample at its own time."""
    agree("score_from_x0", normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 8), schedule(rng, 8))


# --- Task 6: sampling with fresh noise ---------------------------------------------------------


def bent(x, t):
    """A denoiser that isn't linear and depends on the time."""
    return torch.sin(x) + 0.3 * t[:, None].sqrt() * x.flip(-1)


def straight(x, t):
    """A denoiser that is affine in x and depends on the time."""
    return 0.5 * x + 0.1 * t[:, None]


@number("6.1")
@weight(4)
@tags("ddpm")
@pytest.mark.parametrize("variance", ["beta", "posterior"])
@pytest.mark.parametrize("clip", [None, 0.8])
def test_steps_with_fresh_noise(agree, rng, torch_rng, variance, clip):
    """Steps from time 1, where no noise is added, from the middle and from T. No argument is changed."""
    abar = schedule(rng, 6)
    for t in (1, 3, 6):
        args = normal(torch_rng, 4, 2), 2 * normal(torch_rng, 4, 2), t, normal(torch_rng, 4, 2), abar
        agree(lambda impl, args=args: assert_leaves_arguments(impl.ddpm_step, *args, variance=variance, clip=clip, name="ddpm_step"))


@number("6.2")
@weight(3)
@tags("ddpm")
@pytest.mark.parametrize("clip", [None, 0.8])
def test_samples_with_fresh_noise(agree, rng, torch_rng, clip):
    """All steps from T down to 0, with a denoiser that knows the time. Each step has its own noise, and the last one has none."""
    for T in (1, 5):
        args = bent, normal(torch_rng, 3, 2), normal(torch_rng, T + 1, 3, 2), schedule(rng, T)
        agree("ddpm_sample", *args, variance="posterior", clip=clip)


@number("6.3")
@weight(3)
@tags("ddpm")
@pytest.mark.parametrize("variance", ["beta", "posterior"])
def test_variances_of_samples(agree, rng, variance):
    """Narrow and wide data, from one step to thirty."""
    for T, var in ((1, 2.0), (4, 0.3), (30, 3.0)):
        agree("ddpm_variance", schedule(rng, T), var, variance=variance)


# --- Task 7: longer steps ----------------------------------------------------------------------


@number("7.1")
@weight(3)
@tags("ddim")
@pytest.mark.parametrize("clip", [None, 0.8])
@pytest.mark.parametrize("pairs", [[(6, 5)], [(5, 2)], [(3, 0), (6, 4)]], ids=["one", "several", "to zero"])
def test_long_steps(agree, rng, torch_rng, pairs, clip):
    """Steps over one time and over several, and to time 0, with little, some and all fresh noise. No argument is changed."""
    abar = schedule(rng, 6)
    for (t, s), eta in itertools.product(pairs, (0.0, 0.6, 1.0)):
        args = normal(torch_rng, 4, 2), 2 * normal(torch_rng, 4, 2), t, s, normal(torch_rng, 4, 2), abar
        agree(lambda impl, args=args, eta=eta: assert_leaves_arguments(impl.ddim_step, *args, eta=eta, clip=clip, name="ddim_step"))


@number("7.2")
@weight(2)
@tags("ddim")
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_of_long_steps(agree, rng, torch_rng, eta):
    """Lists of all times, and lists with gaps, with T and without it, with a denoiser that knows the time."""
    abar = schedule(rng, 9)
    for steps in ([9, 6, 2, 0], [7, 1, 0]) if eta else ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [3, 2, 1, 0]):
        n = len(steps) - 1
        args = bent, normal(torch_rng, 3, 2), normal(torch_rng, n, 3, 2)
        agree("ddim_sample", *args, steps, abar, eta=eta)
    agree("ddim_sample", *args, steps, abar, eta=eta, clip=0.5)


@number("7.3")
@weight(2)
@tags("ddim")
@pytest.mark.parametrize("steps", [[9, 6, 2, 0], [3, 0]], ids=str)
def test_the_way_back(agree, rng, torch_rng, steps):
    """From images to noise over lists with gaps, with a denoiser that knows the time."""
    agree("ddim_invert", bent, normal(torch_rng, 3, 2), steps, schedule(rng, 9))


@number("7.4")
@weight(2)
@tags("ddim")
def test_deviations_of_samples(agree, rng):
    """Lists with gaps, narrow and wide data."""
    abar = schedule(rng, 20)
    for steps, std in (([20, 0], 0.5), ([20, 13, 4, 0], 3.0), (list(range(20, -1, -1)), 0.7)):
        agree("ddim_std", steps, abar, std)


# --- Task 8: guidance --------------------------------------------------------------------------


@number("8.1")
@weight(1)
@tags("guidance")
def test_guided_answers(agree, torch_rng):
    """Scales below 0, from 0 to 1 and above it, for images."""
    without, with_condition = normal(torch_rng, 3, 2, 2), normal(torch_rng, 3, 2, 2)
    for scale in (-0.5, 0.3, 7.5):
        agree("guide", without, with_condition, scale=scale)


@number("8.2")
@weight(2)
@tags("guidance")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_noise_guided_by_a_classifier(agree, rng, torch_rng, shape):
    """Vectors and images, each sample at its own time."""
    args = normal(torch_rng, *shape), normal(torch_rng, *shape), times(shape[0], 8), schedule(rng, 8)
    agree("classifier_guidance", *args, scale=2.5)


@number("8.3")
@weight(1)
@tags("guidance")
def test_dropped_labels(agree, rng):
    """Many labels; a number that equals p; p = 0 and p = 1. Labels aren't changed in place, and a bad p is refused."""
    labels, uniforms = torch.from_numpy(rng.integers(0, 7, size=20)), torch.from_numpy(rng.uniform(size=20))
    for p in (0.0, float(uniforms[4]), 0.6, 1.0):
        agree(lambda impl, p=p: assert_leaves_arguments(impl.drop_labels, labels, uniforms, p=p, null=7, name="drop_labels"))
    agree(lambda impl: assert_refuses(impl.drop_labels, labels, uniforms, p=1.2, null=7, name="drop_labels"))


@number("8.4")
@weight(2)
@tags("guidance")
@pytest.mark.parametrize("centered", [True, False])
def test_tilted_laws(agree, rng, centered):
    """Scales from 0 to 6, for data around 0 and around another mean."""
    mean = 0.0 if centered else float(rng.uniform(1, 2))
    for scale in (0.0, 0.5, 1.0, 6.0):
        agree(lambda impl, scale=scale: list(impl.tilted_law(mean, 1.5, -0.7, 0.4, scale=scale)))


@number("8.5")
@weight(2)
@tags("guidance")
def test_variances_under_guidance(agree, rng):
    """Scales from 0 to 6, for conditions that narrow the data and one that doesn't."""
    for var, var_c in ((2.0, 0.5), (1.3, 0.9), (0.7, 0.7)):
        for scale in (0.0, 0.5, 1.0, 6.0):
            agree("guided_variance", var, var_c, scale=scale)
