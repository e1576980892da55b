"""What the handout, the docstrings and the figures of gan claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch

F64 = torch.float64

gan = staff_files.reference("gan")
figures = staff_files.figures("gan")
KINDS = gan.STEP_KINDS


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


def scores(real, fake, k=5):
    return [x.item() for x in (*gan.precision_recall(real, fake, k=k), *gan.density_coverage(real, fake, k=k))]


# --- the opening, Tasks 7 and 9: rings ---------------------------------------------------------


def test_the_rings():
    """ "C 0.0001, A 0.0003, B 0.0021, D 7.7. Of B's points, 3% lie near a mode." "A generator without half of the modes scored 0.0001."
    "One generator draws only half of the data." """
    real, fakes = figures.rings()
    fid = {name[0]: gan.fid(torch.from_numpy(real), torch.from_numpy(points)).item() for name, points in fakes.items()}
    assert fid["A"] == near(0.0003, 4) and fid["B"] == near(0.0021, 4)
    assert fid["C"] == near(0.0001, 4) and fid["D"] == near(7.7, 1)
    assert figures.near_a_mode(fakes["B: normal, same moments"]) == near(0.03, 2)
    # half of the modes, and none of the other half
    angles = np.arctan2(*fakes["C: every other mode"].T[::-1])
    assert set(np.round(angles / (math.pi / 4)).astype(int) % 8) == {0, 2, 4, 6}


# --- Task 1 ------------------------------------------------------------------------------------


def test_slopes_at_minus_five():
    """The critic is nearly sure. "At −5, the slopes are −0.0067 and −0.9933: 148 times. Both are −½ at 0." """
    fake = numbers(-5, 0)
    minimax, other = (gan.generator_slope(fake, kind=kind) for kind in ("minimax", "non_saturating"))
    assert torch.sigmoid(fake[0]).item() == near(0.007, 3)
    assert minimax.tolist() == [near(-0.0067, 4), -0.5]
    assert other.tolist() == [near(-0.9933, 4), -0.5]
    assert (other / minimax)[0].item() == near(148, 0)


def test_losses_by_hand():
    """The docstrings: "logistic log(8/3), hinge 1, least squares (log 3 − 1)², Wasserstein −log 3"; "minimax −log 4, non-saturating
    log(4/3), hinge and Wasserstein −log 3"; "minimax −0.75, non-saturating −0.25"."""
    log3, real, fake = math.log(3), numbers(math.log(3)), numbers(0)
    wanted = {"logistic": math.log(8 / 3), "hinge": 1, "least_squares": (log3 - 1) ** 2, "wasserstein": -log3}
    for kind, want in wanted.items():
        assert gan.critic_loss(real, fake, kind=kind).item() == pytest.approx(want)
    wanted = {"minimax": -math.log(4), "non_saturating": math.log(4 / 3), "hinge": -log3, "wasserstein": -log3}
    for kind, want in wanted.items():
        assert gan.generator_loss(real, kind=kind).item() == pytest.approx(want)
    assert gan.generator_slope(real, kind="minimax").item() == pytest.approx(-0.75)
    assert gan.generator_slope(real, kind="non_saturating").item() == pytest.approx(-0.25)


# --- Task 2 ------------------------------------------------------------------------------------


def test_what_the_generator_faces():
    """ "For p = (¼, ¾) and s = (0, 0), your sum is 0.068 for minimax and 0.076 for non_saturating", and the docstring's gradients
    (0.128, −0.128) and (0.147, −0.147)."""
    p, q = numbers(0.25, 0.75), numbers(0.5, 0.5)
    js, kl = gan.js_divergence(p, q).item(), (q * (q / p).log()).sum().item()
    assert 2 * js == near(0.068, 3) and kl - 2 * js == near(0.076, 3)
    for kind, want in (("minimax", 0.128), ("non_saturating", 0.147)):
        assert gan.generator_gradient(numbers(0, 0), p, kind=kind).tolist() == [near(want, 3), near(-want, 3)]


def test_tables_by_hand():
    """ "p = (½, ½, 0) and q = (0, ½, ½) have JS = (log 2)/2 and V = −log 2"; "p = (1/2, 1/2), q = (1/4, 3/4): (0.693, −0.405)"."""
    p, q = numbers(0.5, 0.5, 0), numbers(0, 0.5, 0.5)
    assert gan.js_divergence(p, q).item() == pytest.approx(math.log(2) / 2)
    assert gan.best_value(p, q).item() == pytest.approx(-math.log(2))
    logits = gan.best_logit(numbers(0.5, 0.5), numbers(0.25, 0.75))
    assert logits.tolist() == [near(0.693, 3), near(-0.405, 3)]


def test_slopes_of_js():
    """ "The value is 0 at both distances, and JS is log 2 = 0.693. The slopes are 0.225, 0.069, 0.0002 and 4 · 10⁻¹³." """
    apart = numbers(1, 0, 0), numbers(0, 0, 1)
    assert gan.js_divergence(*apart).item() == near(0.693, 3) == near(math.log(2), 3)
    assert gan.best_value(*apart).item() == pytest.approx(0)
    at = torch.eye(101, dtype=F64)
    assert [gan.best_value(at[0], at[i]).item() for i in (100, 1)] == [0, 0]
    x = torch.linspace(-15, 30, 9001, dtype=F64)

    def bell(c):
        values = torch.exp(-((x - c) ** 2) / 2)
        return values / values.sum()

    slopes = [
        (gan.js_divergence(bell(0), bell(c + 0.001)) - gan.js_divergence(bell(0), bell(c - 0.001))).item() / 0.002
        for c in (2, 4, 8, 15)
    ]
    assert slopes == [near(0.225, 3), near(0.069, 3), near(0.0002, 4), pytest.approx(4e-13, abs=5e-13)]


# --- Task 3 ------------------------------------------------------------------------------------


def distance(n, eta, gamma, kind):
    return torch.linalg.matrix_power(gan.step_matrix(eta=eta, gamma=gamma, kind=kind), n)[:, 0].norm().item()


def test_distances_of_the_game():
    """ "(1) 145, 1.02 and 0.0069. (2) No: with enough steps, all three η lead to 1.64 or 1.65. (3) 0.0076, 0.0004, 0.37, 427.
    Extragradient steps fly apart first, from γ = 10.1 on." """
    assert [distance(1000, 0.1, 0, kind) for kind in KINDS] == [near(145, 0), near(1.02, 2), near(0.0069, 4)]
    assert distance(100, 0.1, 0, "simultaneous") == near(1.64, 2)
    for n, eta in ((10_000, 0.01), (1_000_000, 0.001)):
        assert distance(n, eta, 0, "simultaneous") == near(1.65, 2)
    wanted = [near(0.0076, 4), near(0.0004, 4), near(0.37, 2), near(427, 0)]
    assert [distance(100, 0.1, gamma, "simultaneous") for gamma in (1, 2, 10, 21)] == wanted
    # all three stay together up to 10, and only extragradient steps fly apart from 10.15 on
    assert all(figures.modulus(gan, kind, 10.0) < 1 for kind in KINDS)
    assert [figures.modulus(gan, kind, 10.15) > 1 for kind in KINDS] == [False, False, True]
    assert [figures.modulus(gan, kind, 19.0) > 1 for kind in KINDS] == [False, False, True]
    for eta in (1e-3, 0.1, 1):  # a smaller step fails as well
        assert torch.linalg.eigvals(gan.step_matrix(eta=eta, gamma=0, kind="simultaneous")).abs().min() > 1


def test_steps_by_hand():
    """ "From (1, 1) with η = ½, the steps lead to (1.5, 0.5), (1.25, 0.5) and (1.25, 0.25)", as in the docstring."""

    def slopes(theta, psi):
        return -psi, theta

    one = numbers(1)[0]
    for kind, want in zip(KINDS, ((1.5, 0.5), (1.25, 0.5), (1.25, 0.25)), strict=True):
        assert [x.item() for x in gan.game_step(one, one, slopes, eta=0.5, kind=kind)] == pytest.approx(want)
    assert gan.step_matrix(eta=0.5, gamma=0, kind="simultaneous")[:, 0].tolist() == [1, -0.5]


def test_averages_of_the_game():
    """The stretch: "they are 0.0049 and 1.45 from (0, 0)", and the figure draws the same game."""
    for kind, want in (("alternating", near(0.0049, 4)), ("simultaneous", near(1.45, 2))):
        path = figures.orbit(gan, kind, 1000)
        assert np.hypot(*path[1:].mean(0)) == want
        assert np.hypot(*path[-1]) == pytest.approx(distance(1000, 0.1, 0, kind))


# --- Task 4 ------------------------------------------------------------------------------------


def test_a_round_by_hand():
    """ "The critic's slopes are 1.25 and 0.5, so its weight and bias become 0.5 and −0.2. The generator's become 1.3 and 0.2." """
    line = [numbers([1]), numbers(0)]
    generator, critic = gan.gan_step(line, line, numbers([[0.5], [2]]), numbers([[1], [2]]), numbers([1], [2]), lr=0.4)
    assert [w.item() for w in critic] == pytest.approx([1 - 0.4 * 1.25, 0 - 0.4 * 0.5])
    assert [w.item() for w in critic] == pytest.approx([0.5, -0.2])
    assert [w.item() for w in generator] == pytest.approx([1.3, 0.2])


def test_training_on_the_ring():
    """ "After 500 rounds, fakes lie at all eight." "Count the fakes less than 0.5 from each mode: 27 to 48 after 500 rounds, 17 to 97 after
    4000. (Rounding can change your counts a little.)" """
    pictures = figures.trained(gan)
    early, late = (figures.near_each(points, figures.ring_of_modes()) for points in (pictures[1], pictures[-1]))
    # another order of additions may change the counts a little
    assert (early.min(), early.max()) == (pytest.approx(27, abs=6), pytest.approx(48, abs=8))
    assert (late.min(), late.max()) == (pytest.approx(17, abs=8), pytest.approx(97, abs=20))
    assert late.std() > 2 * early.std()


# --- Tasks 5 and 6 -----------------------------------------------------------------------------


def test_limits():
    """ "(4, 0) and (1, 3) are 1 apart. Four inputs and one output at c = 3 have the slope 6." "0.0024 at c = 0.01, 237 at c = 0.1." The
    docstrings: "2.83", "3.672", "u = (0.490, 0.872)"."""
    assert gan.w1_distance(numbers(4, 0), numbers(1, 3)).item() == 1
    assert gan.clipped_slope((4, 1), clip=3) == 6
    assert gan.clipped_slope((2, 8, 1), clip=0.5) == near(2.83, 2)
    deep = (2, 64, 64, 64, 64, 1)
    assert gan.clipped_slope(deep, clip=0.01) == near(0.0024, 4) and gan.clipped_slope(deep, clip=0.1) == near(237, 0)
    estimate, u = gan.spectral_norm(numbers([3, 0], [0, 4]), numbers(1, 1), n_steps=1)
    assert estimate.item() == pytest.approx(3.672, abs=1e-3) and u.tolist() == [near(0.490, 3), near(0.872, 3)]


def test_penalties():
    """ "w = (3, 4) pays 160 at strength 10 for the first penalty, and 25 at strength 2 for the second." "1 and 0." """
    x, eps = (
        torch.randn(2, 8, 2, generator=torch.Generator().manual_seed(0), dtype=F64),
        torch.full((8,), 0.3, dtype=F64),
    )

    def left(pay):
        w, b = numbers([3], [4]), numbers(0)
        for _ in range(300):
            w.requires_grad_()
            w = (w - 0.02 * torch.autograd.grad(pay([w, b]), w)[0]).detach()
        return w.norm().item()

    start = [numbers([3], [4]), numbers(0)]
    assert gan.gradient_penalty(start, *x, eps, strength=10.0).item() == pytest.approx(160)
    assert gan.r1_penalty(start, x[0], strength=2.0).item() == pytest.approx(25)
    assert left(lambda v: gan.gradient_penalty(v, *x, eps, strength=10.0)) == pytest.approx(1)
    assert left(lambda v: gan.r1_penalty(v, x[0], strength=10.0)) == pytest.approx(0, abs=1e-9)


# --- Task 7 ------------------------------------------------------------------------------------


def test_frechet_by_hand():
    """ "N(0, 1) and N(1, 4) are 2 apart"; "means 1 and 2, variances 2 and 8, so the distance is 3"; "d = 2, n = 100: 0.07"."""
    assert gan.frechet_distance(numbers(0), numbers([1]), numbers(1), numbers([4])).item() == pytest.approx(2)
    assert gan.fid(numbers([0], [2]), numbers([0], [4])).item() == pytest.approx(3)
    assert gan.fid_of_equals(2, 100) == pytest.approx(0.07)


def test_the_worse_one_wins():
    """ "About 2.2; your formula gives 2.208. The perfect one scores about 1.2, and the wrong one about 0.9." """
    g = torch.Generator().manual_seed(0)

    def normal(n):
        return torch.randn(n, 64, generator=g).double()

    assert gan.fid(normal(1000), normal(1000)).item() == near(2.2, 1)
    assert gan.fid_of_equals(64, 1000) == near(2.208, 3)
    real = normal(10000)
    perfect, wrong = gan.fid(normal(1000), real).item(), gan.fid(normal(10000) + 0.1, real).item()
    assert perfect == near(1.2, 1) and wrong == near(0.9, 1)


def test_fid_against_a_finite_reference():
    """The stretch: the line of FID against 1/n does not end at 0, because the reference has its own errors."""
    rng = np.random.default_rng(0)
    reference = torch.from_numpy(rng.standard_normal((10000, 64)))
    sizes = (500, 1000, 2000)
    values = [
        np.mean([gan.fid(torch.from_numpy(rng.standard_normal((n, 64))), reference).item() for _ in range(3)])
        for n in sizes
    ]
    assert np.polyfit([1 / n for n in sizes], values, 1)[1] == pytest.approx(gan.fid_of_equals(64, 10000) / 2, abs=0.05)


# --- Task 8 ------------------------------------------------------------------------------------


def test_kid_and_is():
    """ "A KID of 0 for a sample and itself" is a trap. "A little more than half." "The memorized images score 10, the new ones 5.8." The
    docstrings: 9.5 and 1.241, log(4/3) and 0.144."""
    draws = torch.randn(1000, 2, 50, 8, generator=torch.Generator().manual_seed(0)).double()
    share = sum(gan.kid(x, y).item() < 0 for x, y in draws) / 1000
    assert 0.5 < share < 0.6
    assert gan.kid(draws[0, 0], draws[0, 0]).item() < 0
    eye = torch.eye(10, dtype=F64)
    assert gan.inception_score(eye).item() == pytest.approx(10)
    assert gan.inception_score((0.9 * eye + 0.1 / 9 * (1 - eye)).repeat(100, 1)).item() == near(5.8, 1)
    assert gan.kid(numbers([0], [1]), numbers([1], [2])).item() == pytest.approx(9.5)
    assert gan.inception_score(numbers([1, 0], [0.5, 0.5])).item() == near(1.241, 3)
    assert 0.5 * math.log(2 / 3) + 0.5 * math.log(2) == near(0.144, 3)


# --- Task 9 ------------------------------------------------------------------------------------


def test_one_point_of_500():
    """ "The moved real point takes precision from 0 to 1, density to 0.2, and coverage to 0.002. One moved fake lifts recall from 0 to 1,
    and the other three scores stay 0." """
    assert scores(*figures.outlier_sets(False)) == [0, 0, 0, 0]
    assert scores(*figures.outlier_sets(True)) == [1, 0, near(0.2, 3), near(0.002, 4)]
    g = torch.Generator().manual_seed(0)

    def normal(n):
        return torch.randn(n, 2, generator=g).double()

    real, fake = normal(500), normal(500) + numbers(8, 0)
    assert scores(real, fake)[1] == 0
    fake[0] = numbers(-6, 0)
    assert scores(real, fake) == [0, 1, 0, 0]
    precision, recall = (
        x.item() for x in gan.precision_recall(real, real[:25].repeat(20, 1) + 0.01 * normal(500), k=5)
    )
    assert precision == 1 and recall == pytest.approx(0.05, abs=0.02)


def test_balls_by_hand():
    """ "Precision is ½. Recall is ⅔, density is ¾ and coverage is 1." """
    real, fake = numbers([0], [1], [4]), numbers([0.5], [2], [9], [9.5])
    assert scores(real, fake, k=1) == pytest.approx([1 / 2, 2 / 3, 3 / 4, 1])
