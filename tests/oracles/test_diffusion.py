"""The diffusion reference against autograd, SciPy's integrals and ODE solver, conditional normal distributions, and torch.distributions.

A library of samplers isn't among the kit's dependencies; identities of the literature stand in for it: one step at a time is one jump, DDIM with
fresh noise on all times is DDPM, and DDIM without it is Euler's method.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import staff_files
import torch
from coursekit.exact import affine_law, normal_nodes
from torch.distributions import Normal, kl_divergence

F64 = torch.float64

diffusion = staff_files.reference("diffusion")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def schedule(rng, T, low=0.02, high=0.4):
    return diffusion.cumulative(torch.from_numpy(rng.uniform(low, high, size=T)))


def close(got, want, tol=1e-9):
    torch.testing.assert_close(torch.as_tensor(got, dtype=F64), torch.as_tensor(want, dtype=F64), rtol=tol, atol=tol)


def every(t, x):
    return torch.full((len(x),), t)


# --- Task 1 ------------------------------------------------------------------------------------


def test_many_steps_are_one_jump(rng):
    betas, x0 = rng.uniform(0.02, 0.4, size=7), 1.7
    abar = diffusion.cumulative(torch.from_numpy(betas))

    def walk(noise):
        x = np.full(len(noise), x0)
        for beta, z in zip(betas, noise.T, strict=True):
            x = math.sqrt(1 - beta) * x + math.sqrt(beta) * z
        return x

    def jump(noise):
        noise = torch.from_numpy(noise)
        return diffusion.q_sample(torch.full_like(noise, x0), every(7, noise), noise, abar)

    steps, one = affine_law(walk, 7), affine_law(jump, 1)
    close(steps.mean, one.mean)
    close(steps.covariance, one.covariance)


@pytest.mark.parametrize("T", [3, 50, 1000])
def test_cosine_without_a_cap_is_a_cosine(T):
    abar = diffusion.cosine_schedule(T, max_beta=1.0)
    want = np.cos(np.pi / 2 * (np.arange(T + 1) / T + 0.008) / 1.008) ** 2
    close(abar, want / want[0])
    capped = diffusion.cosine_schedule(T, max_beta=0.5)
    assert ((1 - capped[1:] / capped[:-1]) <= 0.5 + 1e-12).all()


def test_zero_terminal_is_a_line_through_two_roots(rng):
    abar = schedule(rng, 9)
    roots = abar[1:].sqrt().numpy()
    slope, offset = np.linalg.solve([[roots[0], 1], [roots[-1], 1]], [roots[0], 0])
    close(diffusion.zero_terminal(abar), np.concatenate([[1], (slope * roots + offset) ** 2]))


# --- Task 2 ------------------------------------------------------------------------------------


def test_the_posterior_is_a_conditional_normal(rng):
    abar, x0 = schedule(rng, 6), 0.8
    for t in range(2, 7):
        before, keep = abar[t - 1].item(), (abar[t] / abar[t - 1]).item()
        # x_(t-1) and x_t for given x_0, from two independent noises
        mix = np.array([[math.sqrt(1 - before), 0], [math.sqrt(keep * (1 - before)), math.sqrt(1 - keep)]])
        C, means = mix @ mix.T, np.array([math.sqrt(before), math.sqrt(before * keep)]) * x0
        xt = rng.standard_normal()
        mean, variance = diffusion.posterior(
            torch.full((1, 1), x0, dtype=F64), torch.full((1, 1), xt, dtype=F64), torch.tensor([t]), abar
        )
        close(mean, [[means[0] + C[0, 1] / C[1, 1] * (xt - means[1])]])
        close(variance, [C[0, 0] - C[0, 1] ** 2 / C[1, 1]])


def test_both_forms_of_the_posterior(rng):
    abar, x0, noise, t = schedule(rng, 6), normal(rng, 6, 2, 2), normal(rng, 6, 2, 2), torch.arange(1, 7)
    xt = diffusion.q_sample(x0, t, noise, abar)
    close(diffusion.posterior_from_noise(noise, xt, t, abar), diffusion.posterior(x0, xt, t, abar)[0])


# --- Tasks 3 and 4 -----------------------------------------------------------------------------


def test_names_of_one_answer(rng):
    abar, x0, noise, t = schedule(rng, 5), normal(rng, 5, 3), normal(rng, 5, 3), torch.arange(1, 6)
    xt = diffusion.q_sample(x0, t, noise, abar)
    for i in range(5):
        a, b = abar[i + 1].sqrt().item(), (1 - abar[i + 1]).sqrt().item()
        v = a * noise[i] - b * x0[i]
        # image and noise by solving two equations
        image, eps = np.linalg.solve([[a, b], [-b, a]], np.stack([xt[i], v]))
        one = slice(i, i + 1)
        close(diffusion.to_x0(v[None], xt[one], t[one], abar, kind="v")[0], image)
        close(diffusion.from_x0(x0[one], xt[one], t[one], abar, kind="noise")[0], eps)
        close(diffusion.from_x0(x0[one], xt[one], t[one], abar, kind="v")[0], v)
        close(diffusion.to_x0(noise[one], xt[one], t[one], abar, kind="noise")[0], image)


def test_errors_by_autograd(rng):
    abar, t = schedule(rng, 9), torch.arange(1, 10)
    guess = normal(rng, 9, 1).requires_grad_()
    image = diffusion.to_x0(guess, normal(rng, 9, 1), t, abar, kind="noise")
    close(diffusion.x0_error(t, abar), torch.autograd.grad(image.sum(), guess)[0].abs().flatten())


@pytest.mark.parametrize("weighting", diffusion.WEIGHTINGS)
def test_one_loss_for_three_answers(rng, weighting):
    """The same guess, written as noise, image or v, has the same loss."""
    abar, x0, noise, t = schedule(rng, 6), normal(rng, 5, 3), normal(rng, 5, 3), torch.arange(2, 7)
    xt, guess = diffusion.q_sample(x0, t, noise, abar), normal(rng, 5, 3)
    losses = []
    for kind in diffusion.TARGETS:
        w = diffusion.loss_weight(t, abar, kind=kind, weighting=weighting, gamma=1.5)
        losses.append(
            diffusion.denoising_loss(diffusion.from_x0(guess, xt, t, abar, kind=kind), x0, noise, w, t, abar, kind=kind)
        )
    close(torch.stack(losses), losses[1].expand(3))

    ratio = abar[t] / (1 - abar[t])
    if weighting == "min_snr":
        close(losses[1], (torch.minimum(ratio, torch.tensor(1.5)) * (guess - x0).square().mean(1)).mean())
    if weighting == "bound":
        close(losses[1], (diffusion.bound_term(x0, guess, t, abar) / 3).mean())
    if weighting == "noise":
        close(losses[0], (diffusion.from_x0(guess, xt, t, abar, kind="noise") - noise).square().mean())


def test_the_bound_by_divergences(rng):
    abar, x0, guess, xt, t = schedule(rng, 6), *(normal(rng, 5, 2, 3) for _ in range(3)), torch.arange(2, 7)
    (m, v), (n, _) = diffusion.posterior(x0, xt, t, abar), diffusion.posterior(guess, xt, t, abar)
    std = v.sqrt()[:, None, None]
    close(diffusion.bound_term(x0, guess, t, abar), kl_divergence(Normal(m, std), Normal(n, std)).sum((1, 2)))


@pytest.mark.parametrize("var", [0.3, 1.0, 4.0])
def test_what_the_best_network_keeps(rng, var):
    abar = schedule(rng, 5)
    z, w = normal_nodes(5, d=2)
    x0, noise = torch.from_numpy(math.sqrt(var) * z[:, :1]), torch.from_numpy(z[:, 1:])
    kept = []
    for t in range(1, 6):
        xt = diffusion.q_sample(x0, every(t, x0), noise, abar)
        best = diffusion.gaussian_denoiser(xt, every(t, x0), abar, mean=0.0, var=var)
        guess = diffusion.from_x0(best, xt, every(t, x0), abar, kind="noise")
        kept.append(((guess - noise).square().flatten() * torch.from_numpy(w)).sum())
    close(diffusion.perfect_loss(abar, var), sum(kept) / 5)


# --- Task 5 ------------------------------------------------------------------------------------


def test_the_denoiser_of_normal_data_by_integrals(rng):
    abar, mean, var, x = schedule(rng, 4), 0.7, 1.3, rng.standard_normal()
    for t in range(1, 5):
        a = abar[t].item()

        def joint(x0, a=a):
            return scipy.stats.norm.pdf(x0, mean, math.sqrt(var)) * scipy.stats.norm.pdf(
                x, math.sqrt(a) * x0, math.sqrt(1 - a)
            )

        top, bottom = (
            scipy.integrate.quad(f, -15, 15, points=[mean, x], epsabs=1e-12)[0] for f in (lambda u: u * joint(u), joint)
        )
        got = diffusion.gaussian_denoiser(torch.full((1, 1), x, dtype=F64), torch.tensor([t]), abar, mean=mean, var=var)
        close(got, [[top / bottom]], tol=1e-7)


def log_density(xt, a, points):
    """log p(x_t) of training points, up to a constant."""
    return torch.logsumexp(Normal(a.sqrt() * points, (1 - a).sqrt()).log_prob(xt[:, None]).sum(-1), dim=1)


@pytest.mark.parametrize("d", [1, 3])
def test_points_by_autograd(rng, d):
    abar, points = schedule(rng, 6), normal(rng, 5, d)
    for t in (1, 3, 6):
        xt = normal(rng, 4, d).requires_grad_()
        score = torch.autograd.grad(log_density(xt, abar[t], points).sum(), xt)[0]
        x = xt.detach()
        answer = diffusion.point_denoiser(x, every(t, x), abar, points)
        close(diffusion.score_from_x0(answer, x, every(t, x), abar), score)
        logs = Normal(abar[t].sqrt() * points, (1 - abar[t]).sqrt()).log_prob(x[:, None]).sum(-1)
        close(diffusion.point_weights(x, every(t, x), abar, points), scipy.special.softmax(logs.numpy(), axis=1))


def test_the_score_is_minus_the_mean_of_the_noise(rng):
    abar, x = schedule(rng, 6), normal(rng, 4, 2)
    best = diffusion.gaussian_denoiser(x, every(4, x), abar, mean=0.4, var=2.0)
    marginal = Normal(abar[4].sqrt() * 0.4, (abar[4] * 2.0 + 1 - abar[4]).sqrt())
    y = x.clone().requires_grad_()
    close(diffusion.score_from_x0(best, x, every(4, x), abar), torch.autograd.grad(marginal.log_prob(y).sum(), y)[0])


# --- Tasks 6 and 7 -----------------------------------------------------------------------------


def perfect(abar, var, mean=0.0):
    return lambda x, t: diffusion.gaussian_denoiser(x, t, abar, mean=mean, var=var)


def law_of(sample, T):
    """The exact law of a sampler that takes a start and T noises of one number each."""

    def rows(z):
        z = torch.from_numpy(z)
        return sample(z[:, :1], z[:, 1:].T[..., None])

    return affine_law(rows, T + 1)


@pytest.mark.parametrize("variance", diffusion.VARIANCES)
@pytest.mark.parametrize("var", [0.3, 1.0, 2.5])
def test_variances_of_ddpm_by_impulses(rng, variance, var):
    abar = schedule(rng, 8)
    law = law_of(
        lambda x, z: diffusion.ddpm_sample(perfect(abar, var), x, torch.cat([z[:1], z]), abar, variance=variance), 8
    )
    close(law.covariance, diffusion.ddpm_variance(abar, var, variance=variance).reshape(1, 1))


@pytest.mark.parametrize("std", [0.4, 1.0, 2.0])
def test_deviations_of_ddim_by_impulses(rng, std):
    abar, times = schedule(rng, 12), [12, 9, 4, 1, 0]
    law = law_of(lambda x, z: diffusion.ddim_sample(perfect(abar, std**2), x, z, times, abar, eta=0.0), 4)
    got = diffusion.ddim_std(times, abar, std).item()
    close(law.covariance, [[got**2]])
    # a factor of the data's deviation and the cosine of an angle, for each step
    a = abar[times].numpy()
    vectors = np.stack([np.sqrt(a) * std, np.sqrt(1 - a)])
    norms = np.linalg.norm(vectors, axis=0)
    cosines = [u @ v for u, v in pairwise((vectors / norms).T)]
    close(got, std / norms[0] * np.prod(cosines))


def test_ddim_with_fresh_noise_on_all_times_is_ddpm(rng):
    abar, points = schedule(rng, 6), normal(rng, 4, 2)
    start, noises = normal(rng, 3, 2), normal(rng, 7, 3, 2)

    def denoise(x, t):
        return diffusion.point_denoiser(x, t, abar, points)

    ddpm = diffusion.ddpm_sample(denoise, start, noises, abar, variance="posterior", clip=1.0)
    ddim = diffusion.ddim_sample(denoise, start, noises.flip(0)[:-1], [6, 5, 4, 3, 2, 1, 0], abar, eta=1.0, clip=1.0)
    close(ddim, ddpm)


def test_ddim_without_noise_is_eulers_method(rng):
    abar, points, times = schedule(rng, 9), normal(rng, 4, 2), [9, 6, 2, 0]
    start = normal(rng, 3, 2)
    tau = (1 / abar - 1).sqrt()
    y = start / abar[9].sqrt()
    for t, s in pairwise(times):
        x = y * abar[t].sqrt()
        answer = diffusion.point_denoiser(x, every(t, x), abar, points)
        y = y + (tau[s] - tau[t]) * diffusion.from_x0(answer, x, every(t, x), abar, kind="noise")
    got = diffusion.ddim_sample(
        lambda x, t: diffusion.point_denoiser(x, t, abar, points), start, torch.zeros(3, 3, 2), times, abar, eta=0.0
    )
    close(got, y)


def test_the_way_back_and_forth():
    errors = []
    for n in (100, 200, 400):
        abar, x0 = diffusion.cosine_schedule(n), torch.tensor([[1.0], [-0.3]], dtype=F64)
        times, best = list(range(n, -1, -1)), perfect(abar, 0.25)
        noise = diffusion.ddim_invert(best, x0, times, abar)
        again = diffusion.ddim_sample(best, noise, torch.zeros(n, 2, 1, dtype=F64), times, abar, eta=0.0)
        errors.append((again - x0).abs().max().item())
    assert errors[0] < 0.03  # in proportion to the step
    assert all(1.8 < a / b < 2.2 for a, b in pairwise(errors))


def test_samplers_with_many_steps_are_right():
    for var in (0.3, 2.0):
        for T, tol in ((500, 0.02), (4000, 0.003)):
            abar = diffusion.cosine_schedule(T)
            found = [diffusion.ddpm_variance(abar, var, variance=v).item() for v in diffusion.VARIANCES]
            found.append(diffusion.ddim_std(list(range(T, -1, -1)), abar, math.sqrt(var)).item() ** 2)
            assert found == pytest.approx([var] * 3, rel=tol)


# --- Task 8 ------------------------------------------------------------------------------------


def test_guidance_by_autograd(rng):
    """x is N(0, 2), and c has the probability sigmoid(x_t): the guided noise belongs to the score of the product."""
    abar, scale, t = schedule(rng, 6), 2.5, 4
    x = normal(rng, 5, 1).requires_grad_()
    a = abar[t]
    log_p, log_c = Normal(0 * a, (2 * a + 1 - a).sqrt()).log_prob(x), torch.nn.functional.logsigmoid(x)
    slope, score = (torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in (log_c, log_p + scale * log_c))
    y = x.detach()
    best = perfect(abar, 2.0)(y, every(t, y))
    noise = diffusion.from_x0(best, y, every(t, y), abar, kind="noise")
    guided = diffusion.classifier_guidance(noise, slope, every(t, y), abar, scale=scale)
    close(
        diffusion.score_from_x0(diffusion.to_x0(guided, y, every(t, y), abar, kind="noise"), y, every(t, y), abar),
        score,
    )


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
def test_the_tilted_law_by_integrals(scale):
    def density(x):
        p, given = scipy.stats.norm.pdf(x, 0.3, math.sqrt(2)), scipy.stats.norm.pdf(x, 1, math.sqrt(0.5))
        return p * (given / p) ** scale

    moments = [scipy.integrate.quad(lambda x, k=k: x**k * density(x), -12, 12, epsabs=1e-12)[0] for k in range(3)]
    mean = moments[1] / moments[0]
    close(diffusion.tilted_law(0.3, 2.0, 1.0, 0.5, scale=scale), [mean, moments[2] / moments[0] - mean**2], tol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0, 3.0])
def test_guided_variances_by_an_ode(scale):
    """SciPy follows two guided paths from a noise of deviation 300 down to none."""

    def slope(tau, y):
        scores = [-(y - m) / (v + tau**2) for m, v in ((0.0, 2.0), (1.0, 0.5))]
        return -tau * (scores[0] + scale * (scores[1] - scores[0]))

    far = 300.0
    ends = scipy.integrate.solve_ivp(slope, (far, 0), [0.0, far], rtol=1e-9, atol=1e-10, method="LSODA").y[:, -1]
    assert (ends[1] - ends[0]) ** 2 == pytest.approx(diffusion.guided_variance(2.0, 0.5, scale=scale), rel=1e-3)


def test_guide_and_labels(rng):
    one, two = normal(rng, 4, 3), normal(rng, 4, 3)
    close(diffusion.guide(one, two, scale=2.5), torch.lerp(one, two, 2.5))
    labels, u = torch.from_numpy(rng.integers(0, 5, size=50)), torch.from_numpy(rng.uniform(size=50))
    got = diffusion.drop_labels(labels, u, p=0.3, null=9)
    assert got.tolist() == [9 if x < 0.3 else c for c, x in zip(labels.tolist(), u.tolist(), strict=True)]
