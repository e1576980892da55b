"""Graded checks of the GAN assignment.

Everything is exact: logits, tables, given slopes and noise. Nothing is trained and nothing is drawn by a submission. Each task is
checked on inputs that are made here.
"""

import itertools

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.exact import subsets
from coursekit.toys import mlp_weights

F64 = torch.float64
ONE = torch.tensor(1.5, dtype=F64)  # a cotangent that is not 1
CRITIC_KINDS = ("logistic", "hinge", "least_squares", "wasserstein")
GENERATOR_KINDS = ("minimax", "non_saturating", "hinge", "least_squares", "wasserstein")
TWO_KINDS = ("minimax", "non_saturating")
STEP_KINDS = ("simultaneous", "alternating", "extragradient")
ROOTS = (1e-6, 1e-6)  # the root of an eigenvalue that rounding moves from 0 to 1e-13


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def table(rng, K, *, zeros=()):
    """K probabilities, with 0 at some places."""
    p = torch.from_numpy(rng.uniform(0.1, 1.0, size=K))
    p[list(zeros)] = 0
    return p / p.sum()


# --- Task 1: losses from logits ----------------------------------------------------------------


@number("1.1")
@weight(3)
@tags("losses")
@pytest.mark.parametrize("kind", CRITIC_KINDS)
def test_critic_losses(agree, torch_rng, kind):
    """Batches of different sizes, in float64 and float32. Losses and gradients are finite for logits from -800 to 800."""
    for dtype in (F64, torch.float32):
        agree("critic_loss", 2 * normal(torch_rng, 7, dtype=dtype), 2 * normal(torch_rng, 5, dtype=dtype), kind=kind)

    sure = numbers(800, 40, -3, -40, -800), numbers(800, 3, -800)
    agree("critic_loss", *sure, kind=kind)
    agree.vjp("critic_loss", *sure, cotangent=ONE, kind=kind)


@number("1.2")
@weight(3)
@tags("losses")
@pytest.mark.parametrize("kind", GENERATOR_KINDS)
def test_generator_losses(agree, torch_rng, kind):
    """A mean over the fakes, in float64 and float32. Losses and gradients are finite for logits from -800 to 800."""
    for dtype in (F64, torch.float32):
        agree("generator_loss", 2 * normal(torch_rng, 7, dtype=dtype), kind=kind)

    sure = numbers(-800, -40, -3, 40, 800)
    agree("generator_loss", sure, kind=kind)
    agree.vjp("generator_loss", sure, cotangent=ONE, kind=kind)


@number("1.3")
@weight(1)
@tags("losses")
@pytest.mark.parametrize("kind", TWO_KINDS)
def test_slopes_of_single_fakes(agree, torch_rng, kind):
    """Each fake's own slope, whatever the size of the batch, for logits from -800 to 800."""
    agree("generator_slope", torch.cat([3 * normal(torch_rng, 6), numbers(-800, 800)]), kind=kind)


# --- Task 2: the best critic -------------------------------------------------------------------


@number("2.1")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("zeros", [False, True], ids=["positive", "zeros"])
def test_best_logits(agree, rng, zeros):
    """The best logit of each outcome. Where only one player ever goes it is infinite, and where none goes it is 0."""
    p, q = (table(rng, 6, zeros=(0, 5)), table(rng, 6, zeros=(1, 5))) if zeros else (table(rng, 5), table(rng, 5))

    agree("best_logit", p, q)


@number("2.2")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("zeros", [False, True], ids=["positive", "zeros"])
def test_js_divergences(agree, rng, zeros):
    """The divergence of random tables, in both orders of the arguments, which agree."""
    p, q = (table(rng, 6, zeros=(0, 5)), table(rng, 6, zeros=(1, 5))) if zeros else (table(rng, 5), table(rng, 5))

    assert_close(agree("js_divergence", p, q), agree("js_divergence", q, p), name="both orders")


@number("2.3")
@weight(2)
@tags("optimum")
@pytest.mark.parametrize("zeros", [False, True], ids=["positive", "zeros"])
def test_best_values(agree, rng, zeros):
    """What the best critic reaches against random generators, also where one player never goes."""
    p, q = (table(rng, 6, zeros=(0, 5)), table(rng, 6, zeros=(1, 5))) if zeros else (table(rng, 5), table(rng, 5))

    agree("best_value", p, q)


@number("2.4")
@weight(4)
@tags("optimum")
@pytest.mark.parametrize("never", [False, True], ids=["all outcomes", "one outcome never"])
@pytest.mark.parametrize("kind", TWO_KINDS)
def test_generator_gradients(agree, rng, torch_rng, kind, never):
    """Gradients in the logits at the best critic, which is held fixed. They add up to 0, also where a fake has probability 0."""
    for K in (3, 6):
        logits = normal(torch_rng, K)
        if never:
            logits[1] = -900
        gradient = agree("generator_gradient", logits, table(rng, K), kind=kind)

        assert abs(float(gradient.sum())) < 1e-9


# --- Task 3: the dynamics of two players -------------------------------------------------------


def bent(theta, psi):
    """Slopes of players with three and two parameters, which depend on both in every entry."""
    return torch.sin(theta) + theta * psi.sum() - psi.square().sum(), torch.cos(2 * psi) + theta.prod() + psi * theta.sum()


@number("3.1")
@weight(5)
@tags("dynamics")
@pytest.mark.parametrize("kind", STEP_KINDS)
def test_steps_of_a_bent_game(agree, torch_rng, kind):
    """Players with different numbers of parameters, in a game whose slopes are not linear. No argument is changed in place."""
    args = (normal(torch_rng, 3), normal(torch_rng, 2), bent)

    agree(lambda impl: list(assert_leaves_arguments(impl.game_step, *args, eta=0.3, kind=kind, name="game_step")))


@number("3.2")
@weight(5)
@tags("dynamics")
@pytest.mark.parametrize("kind", STEP_KINDS)
@pytest.mark.parametrize("penalized", [False, True], ids=["free", "penalized"])
def test_matrices_of_the_game(agree, rng, kind, penalized):
    """What one step does to generator and critic, without a penalty on the critic and with one."""
    for _ in range(2):
        gamma = float(rng.uniform(0.5, 3)) if penalized else 0.0
        agree("step_matrix", eta=float(rng.uniform(0.1, 0.9)), gamma=gamma, kind=kind)


# --- Task 4: one step of training --------------------------------------------------------------


def round_of(rng, generator, n_critic, B):
    """A generator from 2 numbers to 3, a critic, and what a round of training takes."""
    players = mlp_weights([2, 4, 3], rng), mlp_weights([3, 5, 1], rng)
    return (
        *players,
        normal(generator, n_critic, B, 3) + 1,
        normal(generator, n_critic, B, 2),
        normal(generator, B, 2),
    )


@number("4.1")
@weight(5)
@tags("step")
@pytest.mark.parametrize(("n_critic", "B"), [(1, 1), (1, 6), (3, 4)], ids=["one sample", "one step", "three steps"])
def test_steps_of_the_critic(agree, rng, torch_rng, n_critic, B):
    """Each step goes on from the one before, with its own real samples and its own noise."""
    args = round_of(rng, torch_rng, n_critic, B)

    agree(lambda impl: list(impl.gan_step(*args, lr=0.2)[1]))


@number("4.2")
@weight(2)
@tags("step")
@pytest.mark.parametrize("n_critic", [1, 3])
def test_a_step_of_the_generator(agree, rng, torch_rng, n_critic):
    """The generator steps once in a round, against the critic after its last step."""
    args = round_of(rng, torch_rng, n_critic, 5)

    agree(lambda impl: list(impl.gan_step(*args, lr=0.3)[0]))


@number("4.3")
@weight(1)
@tags("step")
def test_a_perfect_critic_stays(agree, torch_rng):
    """A critic with logit 2 on all real samples and -2 on all fakes has no slope. Only the generator moves, and no argument changes."""
    args = (
        [numbers([1.0]), numbers(0.0)],
        [numbers([1.0]), numbers(0.0)],
        torch.full((2, 3, 1), 2.0, dtype=F64),
        torch.full((2, 3, 1), -2.0, dtype=F64),
        normal(torch_rng, 3, 1),
    )

    agree(lambda impl: assert_leaves_arguments(impl.gan_step, *args, lr=0.2, name="gan_step"))


# --- Task 5: a distance with a slope -----------------------------------------------------------


@number("5.1")
@weight(2)
@tags("wasserstein")
@pytest.mark.parametrize("n", [2, 9])
def test_distances_of_samples(agree, torch_rng, n):
    """Samples of different spread, in any order."""
    agree("w1_distance", normal(torch_rng, n), 3 * normal(torch_rng, n) + 0.5)


@number("5.2")
@weight(1)
@tags("wasserstein")
def test_a_shift_is_a_distance(agree, torch_rng):
    """A sample and the same sample moved by c are |c| apart, in whatever order its points stand; ties change nothing."""
    x = torch.cat([normal(torch_rng, 5), numbers(0.5, 0.5)])
    order = torch.randperm(7, generator=torch_rng)

    for c in (-0.5, 0.25):
        assert_close(agree("w1_distance", x, (x + c)[order]), abs(c) + 0 * ONE, name=f"moved by {c}")


@number("5.3")
@weight(3)
@tags("wasserstein")
@pytest.mark.parametrize("sizes", [(3, 1), (2, 5, 7, 1), (2, 64, 64, 64, 64, 1)], ids=str)
def test_slopes_of_clipped_critics(agree, sizes):
    """Networks of one to five layers, of different widths, clipped at a small and at a large number."""
    for clip in (0.3, 2.0):
        agree("clipped_slope", sizes, clip=clip)


@number("5.4")
@weight(3)
@tags("wasserstein")
@pytest.mark.parametrize("shape", [(4, 6), (5, 2), (3, 2, 3, 3)], ids=str)
def test_power_iteration(agree, torch_rng, shape):
    """Layers with more inputs than outputs, the other way round, and a convolution, from a direction of any norm."""
    weight, u = normal(torch_rng, *shape), 3 * normal(torch_rng, shape[0])
    for n_steps in (1, 3):
        agree("spectral_norm", weight, u, n_steps=n_steps)
    weight[0] *= 20  # one direction is stretched far more than all others
    estimate, _ = agree("spectral_norm", weight, u, n_steps=40)

    assert_close(estimate, torch.linalg.svdvals(weight.reshape(shape[0], -1))[0], rtol=1e-6, name="estimate after 40 steps")


# --- Task 6: penalties on the slope ------------------------------------------------------------


def steep(rng, sizes, factor=4.0):
    """A critic whose slopes are far above 1: most hidden units are on."""
    weights = [factor * w for w in mlp_weights(sizes, rng)]
    return [weights[0], weights[1] + 4, *weights[2:]]


@number("6.1")
@weight(2)
@tags("penalty")
def test_penalties_of_images(agree, rng, torch_rng):
    """Images of two channels: each has its own eps, and one norm over all of its entries."""
    real, fake = normal(torch_rng, 3, 2, 2, 3), normal(torch_rng, 3, 2, 2, 3)

    agree("gradient_penalty", steep(rng, [12, 4, 1]), real, fake, numbers(0.1, 0.5, 0.8), strength=10.0)


@number("6.2")
@weight(2)
@tags("penalty")
def test_penalties_have_gradients_in_the_weights(agree, rng, torch_rng):
    """The penalty of vectors, half way between real and fake, and its gradient in the critic's weights."""
    args = (steep(rng, [3, 4, 1]), normal(torch_rng, 5, 3), normal(torch_rng, 5, 3), torch.full((5,), 0.5, dtype=F64))

    agree.vjp("gradient_penalty", *args, wrt=(0,), cotangent=ONE, strength=10.0)


@number("6.3")
@weight(1)
@tags("penalty")
def test_a_flat_critic(agree, torch_rng):
    """A critic with slope 0 everywhere has penalty `strength`, and its gradient is 0 and not NaN."""
    flat = [torch.zeros(3, 1, dtype=F64), numbers(0.5)]
    args = (flat, normal(torch_rng, 4, 3), normal(torch_rng, 4, 3), torch.full((4,), 0.5, dtype=F64))

    agree("gradient_penalty", *args, strength=7.0)
    agree.vjp("gradient_penalty", *args, wrt=(0,), cotangent=ONE, strength=7.0)


@number("6.4")
@weight(1)
@tags("penalty")
def test_slopes_below_one_are_penalized(agree, torch_rng):
    """A linear critic with a slope of norm 0.5, in every direction: the penalty is strength / 4."""
    w = normal(torch_rng, 3, 1)
    args = ([0.5 * w / w.norm(), numbers(0.5)], normal(torch_rng, 4, 3), normal(torch_rng, 4, 3), torch.full((4,), 0.5, dtype=F64))

    assert_close(agree("gradient_penalty", *args, strength=10.0), 10 / 4 + 0 * ONE, name="penalty")


@number("6.5")
@weight(2)
@tags("penalty")
@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 2, 3)], ids=str)
def test_r1_penalties(agree, rng, torch_rng, shape):
    """Half the mean squared norm at the real samples, vectors or images, and its gradient in the critic's weights."""
    weights, real = mlp_weights([3 if len(shape) == 2 else 12, 4, 1], rng), normal(torch_rng, *shape)

    agree("r1_penalty", weights, real, strength=3.0)
    agree.vjp("r1_penalty", weights, real, wrt=(0,), cotangent=ONE, strength=3.0)


# --- Task 7: the Frechet distance --------------------------------------------------------------


def covariance(generator, d, rank=None):
    """A covariance matrix of this rank, d by default."""
    a = normal(generator, d, rank or d)
    return a @ a.T + (0.2 * torch.eye(d, dtype=F64) if rank is None else 0)


@number("7.1")
@weight(2)
@tags("fid")
@pytest.mark.parametrize("d", [2, 5])
def test_frechet_distances(agree, torch_rng, d):
    """Covariances that don't commute."""
    args = (normal(torch_rng, d), covariance(torch_rng, d), normal(torch_rng, d), covariance(torch_rng, d))

    agree("frechet_distance", *args)


@number("7.2")
@weight(1)
@tags("fid")
def test_singular_covariances(agree, torch_rng):
    """Covariances of rank 2 in five dimensions, and of rank 0: real and finite."""
    zero = torch.zeros(5, 5, dtype=F64)
    for _ in range(4):
        one, other = (normal(torch_rng, 5), covariance(torch_rng, 5, 2)), (normal(torch_rng, 5), covariance(torch_rng, 5, 2))
        agree("frechet_distance", *one, *other, tol=ROOTS)

    agree("frechet_distance", one[0], zero, *other, tol=ROOTS)


@number("7.3")
@weight(2)
@tags("fid")
def test_fid_of_one_feature(agree, torch_rng):
    """Samples of different sizes and far from 0, in one dimension."""
    for n, m in ((6, 9), (12, 2)):
        agree("fid", 2 * normal(torch_rng, n, 1) + 5, normal(torch_rng, m, 1) + 4, tol=ROOTS)


@number("7.4")
@weight(1)
@tags("fid")
def test_fid_with_more_features_than_samples(agree, torch_rng):
    """Three rows of six features; and a turn of both samples changes nothing."""
    x, y = normal(torch_rng, 3, 6), normal(torch_rng, 4, 6) + 0.5
    turn = torch.linalg.qr(normal(torch_rng, 6, 6)).Q

    before, after = agree("fid", x, y, tol=ROOTS), agree("fid", x @ turn, y @ turn, tol=ROOTS)

    assert_close(after, before, rtol=1e-6, atol=1e-6, name="after a turn")


@number("7.5")
@weight(3)
@tags("fid")
@pytest.mark.parametrize("d", [1, 3, 64])
def test_the_score_of_equals(agree, d):
    """What equal distributions score, in any number of dimensions."""
    for n in (50, 1000):
        agree("fid_of_equals", d, n)


# --- Task 8: two other scores ------------------------------------------------------------------


@number("8.1")
@weight(2)
@tags("kid_is")
@pytest.mark.parametrize("d", [2, 5])
def test_kid_of_two_points(agree, torch_rng, d):
    """All draws of a sample are one point: then it doesn't matter which pairs are counted, and the kernel decides."""
    a, b = normal(torch_rng, 1, d), 1.5 * normal(torch_rng, 1, d) + 0.5

    agree("kid", a.repeat(4, 1), b.repeat(7, 1))


@number("8.2")
@weight(1)
@tags("kid_is")
def test_kid_has_no_bias(agree, torch_rng):
    """Without bias, the mean over all samples of three of five is the value of the five."""
    x, y = normal(torch_rng, 5, 1), normal(torch_rng, 4, 1) + 1  # d = 1: the kernel's scale belongs to 8.1
    scores = [agree("kid", x[torch.from_numpy(rows)], y) for rows in subsets(5, 3)]

    assert_close(torch.stack(scores).mean(), agree("kid", x, y), name="mean over the samples")


@number("8.3")
@weight(3)
@tags("kid_is")
@pytest.mark.parametrize("case", ["equally sure", "unequally sure", "zeros"])
def test_inception_scores(agree, torch_rng, case):
    """Fakes of which the classifier is equally sure, and others. One sure fake of each class scores K. A class may never come."""
    for n, K in ((2, 4), (8, 3)):
        row = (2 * normal(torch_rng, K)).softmax(-1)
        if case == "equally sure":
            agree("inception_score", torch.stack([row.roll(i) for i in range(K)]))
        elif case == "unequally sure":
            agree("inception_score", (2 * normal(torch_rng, n, K)).softmax(-1))
        else:
            eye = torch.eye(K, dtype=F64)
            assert_close(agree("inception_score", eye), K + 0 * ONE, name="one fake of each class")
            agree("inception_score", eye[[0, 1, 0, 1]])


# --- Task 9: quality and coverage apart --------------------------------------------------------


def doubled(points):
    """Each point twice. For an odd k, the k-th and the (k + 1)-th smallest distance in a row are then equal, the point's own 0 included."""
    return torch.cat([points, points])


SCORES = {
    "precision": lambda impl, *sets, k: impl.precision_recall(*sets, k=k)[0],
    "recall": lambda impl, *sets, k: impl.precision_recall(*sets, k=k)[1],
    "density": lambda impl, *sets, k: impl.density_coverage(*sets, k=k)[0],
    "coverage": lambda impl, *sets, k: impl.density_coverage(*sets, k=k)[1],
}


@number("9.1")
@weight(7)
@tags("coverage")
@pytest.mark.parametrize("score", SCORES)
def test_scores_of_sets(agree, torch_rng, score):
    """More real points than fakes, and the other way round, for two k. Each point comes twice."""
    for k in (3, 5):
        for n, m in ((9, 6), (5, 8)):
            real, fake = doubled(normal(torch_rng, n, 2)), doubled(0.6 * normal(torch_rng, m, 2) + 0.8)
            agree(lambda impl: SCORES[score](impl, real, fake, k=k))  # noqa: B023


@number("9.2")
@weight(1)
@tags("coverage")
@pytest.mark.parametrize("score", ["precision", "recall", "density"])
def test_a_point_on_a_sphere_is_not_inside(agree, score):
    """On a grid of whole numbers many points lie exactly on the boundary of a ball, which doesn't count. Each point comes twice."""
    real = doubled(torch.tensor(list(itertools.product(range(3), range(2))), dtype=F64))
    fake = doubled(torch.tensor([[3, 0], [1, 1], [4, 1], [2, 2], [9, 9]], dtype=F64))

    agree(lambda impl: SCORES[score](impl, real, fake, k=3))


@number("9.3")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("score", ["precision", "density"])
def test_a_ball_reaches_to_the_kth_other_point(agree, torch_rng, score):
    """Points that come once, for several k: the ball's own center is none of the k."""
    for k in (1, 2, 4):
        real, fake = normal(torch_rng, 12, 2), 0.7 * normal(torch_rng, 9, 2) + 0.5
        agree(lambda impl: SCORES[score](impl, real, fake, k=k))  # noqa: B023
