"""What the handout, the docstrings and the figures of vae claim, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.exact import normal_nodes
from coursekit.toys import mlp

F64 = torch.float64

vae = staff_files.reference("vae")
figures = staff_files.figures("vae")


def numbers(*values):
    return torch.tensor(values, dtype=F64)


def near(value, digits):
    return pytest.approx(value, abs=0.5 * 10**-digits)


def draws(*shape):
    """The snippets' numbers: seed 0, drawn in float32."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double()


# --- the opening, and Task 1 -------------------------------------------------------------------


def test_the_noise_in_a_loss_without_noise():
    """ "Which standard deviation is it: 0.1, 1 or 20?" "19.8, 8.5, 0.71 and 0.71: with w = 1/D, σ is the same for images of any size. For
    12 × 12 pixels, w = 0.00014 stands for σ = 0.1." """
    got = [vae.implied_sigma(D, w) for D, w in ((784, 1.0), (144, 1.0), (784, 1 / 784), (144, 1 / 144))]
    assert got == [near(19.8, 1), near(8.5, 1), near(0.71, 2), near(0.71, 2)]
    w = 0.1**2 / vae.implied_sigma(144, 1.0) ** 2
    assert w == near(0.00014, 5) and vae.implied_sigma(144, w) == pytest.approx(0.1)
    assert vae.implied_sigma(5, 1 / 5) == vae.implied_sigma(1000, 1 / 1000) == near(0.71, 2)
    assert vae.implied_sigma(1, 2.0) == 1


def test_the_error_term_at_the_best_variance():
    """ "At the best σ², the error term of 144 pixels is 72 nats, whatever the data." "For the errors 1 and 3, the best σ² is 5." """
    for scale in (0.01, 1.0, 50.0):
        x, mean = scale * draws(7, 144), torch.zeros(7, 144, dtype=F64)
        sigma2 = vae.best_sigma2(x, mean)
        assert ((x - mean) ** 2).sum(-1).mean().item() / (2 * sigma2.item()) == pytest.approx(72)
    assert vae.best_sigma2(numbers([1, 3]), numbers([0, 0])).item() == 5


def test_likelihoods_in_docstrings():
    """ "x = (1, 0), logits = (0, log 3): -log 2 - log 4." "x = (1, 3), mean = (1, 1), sigma = 2: -log(2 pi) - 2 log 2 - 1/2." """
    got = vae.bernoulli_logp(numbers(1, 0), numbers(0, math.log(3)))
    assert got.item() == pytest.approx(-math.log(2) - math.log(4))
    got = vae.gaussian_logp(numbers(1, 3), numbers(1, 1), 2.0)
    assert got.item() == pytest.approx(-math.log(2 * math.pi) - 2 * math.log(2) - 0.5)


def test_noise_figure_panels():
    """The figure `noise`: KL weights from 0.0001 to 1 are σ = 0.085 to 8.5."""
    assert [vae.implied_sigma(144, w) for w in (1e-4, 1e-2, 1.0)] == [near(0.085, 3), near(0.85, 2), near(8.5, 1)]


# --- Task 2 ------------------------------------------------------------------------------------


def test_two_vaes():
    """ "With σ = 0.2, the KL is about 4.8 nats. The two latents tell most digits apart, but not 0, 3 and 8. With σ = 8.5, the KL is below
    0.00001 nats, and all images get the same gray blur." """
    x, labels = figures.centered_pictures(400)
    for sigma in (0.2, 8.5):
        encoder, decoder = figures.train(vae, x, sigma=sigma)
        mu, log_var = mlp(encoder, x).chunk(2, -1)
        kl = vae.kl_to_prior(mu, log_var).sum(-1).mean().item()
        decoded = mlp(decoder, mu)
        if sigma == 0.2:
            assert kl == pytest.approx(4.8, abs=0.15)  # training: the last digits depend on the machine
            nearest = torch.cdist(mu, mu).fill_diagonal_(math.inf).argmin(1)
            right = labels[nearest] == labels
            assert right.mean() > 0.7
            mixed = np.isin(labels, (0, 3, 8))
            assert right[mixed].mean() < 0.65 and right[~mixed].mean() > 0.9
            assert decoded.std(0).mean() > 0.05
        else:
            assert kl < 1e-5 and not vae.active_units(mu).any()
            assert decoded.std(0).max() < 0.02


def test_the_bound_by_hand():
    """ "One latent with mean 1 and variance 1 has the KL ½. With the variance 4 and ε = −3, the sample is −5." And the docstrings."""
    kl = vae.kl_to_prior(numbers(1, 0), numbers(0, math.log(4)))
    assert kl.tolist() == pytest.approx([0.5, 1.5 - math.log(2)])
    z = vae.reparameterize(numbers([1]), numbers([math.log(4)]), numbers([[-3]]))
    assert z.item() == pytest.approx(-5)


# --- Task 3 ------------------------------------------------------------------------------------


def test_which_estimate_has_less_noise():
    """ "Pathwise and score function: 4 and 15 for z², 4 and 175 for z² + 10, but 4.5 and 0.5 for sin 3z. The means agree." """
    e, p = (torch.from_numpy(a) for a in normal_nodes(100))
    m, s, e = numbers(0), numbers(1), e[:, None]
    cases = (
        (lambda z: z**2, lambda z: 2 * z, 4, 15),
        (lambda z: z**2 + 10, lambda z: 2 * z, 4, 175),
        (lambda z: torch.sin(3 * z), lambda z: 3 * torch.cos(3 * z), 4.5, 0.5),
    )
    for f, slope, *want in cases:
        estimates = [
            vae.pathwise(m, s, e, slope)[0][:, 0],
            vae.score_function(m, s, e, lambda z, f=f: f(z)[:, 0])[0][:, 0],
        ]
        means = [(p @ g).item() for g in estimates]
        variances = [(p @ g**2 - (p @ g) ** 2).item() for g in estimates]
        assert means[0] == pytest.approx(means[1], abs=1e-9)
        assert variances == [near(w, 1) for w in want]


def test_noise_at_the_exact_posterior():
    """ "With both places, the variance is 2, although the mean is 0. With path_only, the figure shows a single bar." The
    model: z ~ N(0, 1), x|z ~ N(z, 1), x = 1.5, whose posterior is N(0.75, 1/2)."""
    e, p = (torch.from_numpy(a) for a in normal_nodes(20))
    q = numbers(0.75), numbers(math.sqrt(0.5))
    both = vae.elbo_gradient(*q, e[:, None], lambda z: 1.5 - 2 * z, path_only=False)[0][:, 0]
    assert (p @ both).item() == pytest.approx(0, abs=1e-9) and (p @ both**2).item() == pytest.approx(2)
    path = vae.elbo_gradient(*q, e[:, None], lambda z: 1.5 - 2 * z, path_only=True)
    assert max(part.abs().max().item() for part in path) < 1e-12


def test_gradients_by_hand():
    """ "For ε = −1, z is −1, and the pathwise estimate is (−2, 2). For ε = 3, z is 7, and the score function gives (73.5, 196)." And the
    docstring of `elbo_gradient`: "Both places: (3, -5.5). path_only: (2, -4)." """
    mu, sigma = numbers(1), numbers(2)

    def pair(parts):
        return [part.item() for part in parts]

    assert pair(vae.pathwise(mu, sigma, numbers([-1]), lambda z: 2 * z)) == [-2, 2]
    assert pair(vae.score_function(mu, sigma, numbers([3]), lambda z: (z**2)[:, 0])) == [73.5, 196]
    assert pair(vae.elbo_gradient(mu, sigma, numbers([-2]), lambda z: -z, path_only=False)) == [3, -5.5]
    assert pair(vae.elbo_gradient(mu, sigma, numbers([-2]), lambda z: -z, path_only=True)) == [2, -4]


def test_the_traps_of_task_3():
    """ "A baseline that halves the mean of two samples' gradients"; "a `path_only` gradient that shrinks σ to 0"."""
    e, p = (torch.from_numpy(a) for a in normal_nodes(4))
    rows, chances = [(a, b) for a in e for b in e], [a * b for a in p for b in p]
    biased = right = 0.0
    for row, chance in zip(rows, chances, strict=True):
        z = torch.stack(row)
        biased += chance * ((z**2 + z - (z**2 + z).mean()) * z).mean()
        right += chance * ((z**2 + z) * z).mean()
    assert biased.item() == pytest.approx(right.item() / 2)
    # log p alone, for z ~ N(0, 1): the gradient in sigma is -sigma on average, at every sigma
    for sigma in (0.1, 1.0):
        alone = vae.pathwise(numbers(0), numbers(sigma), e[:, None], lambda z: -z)[1][:, 0]
        assert (p @ alone).item() == pytest.approx(-sigma)


# --- Task 4 ------------------------------------------------------------------------------------


def test_more_samples():
    """ "x = 1.5 and q = N(0.6 + b, 0.64), which is not the posterior." "The bound rises from −1.874 to −1.828, which is log p(x). The model's gradient gets clearer, from 0.72 to 8.9. The encoder's gets
    less clear, from 0.20 to 0.026." """
    one, many = figures.k_samples(vae, 1), figures.k_samples(vae, 64)
    assert one == [near(-1.874, 3), near(0.72, 2), near(0.20, 2)]
    assert many == [near(-1.828, 3), near(8.9, 1), near(0.026, 3)]
    assert -0.5 * math.log(4 * math.pi) - 1.5**2 / 4 == near(-1.828, 3)
    clarity = [figures.k_samples(vae, K)[2] for K in (1, 2, 4, 8, 16, 32)]
    assert clarity == sorted(clarity, reverse=True)


def test_weights_by_hand():
    """ "The weights 1 and 3 have the bound log 2, and they are worth 1.6 samples." The docstring: "log 2 - 4"."""
    log_w = numbers([0], [math.log(3)])
    assert vae.iwae_bound(log_w).item() == pytest.approx(math.log(2))
    assert vae.effective_sample_size(log_w).item() == pytest.approx(1.6)
    got = vae.log_weights(numbers([0]), numbers([[3]]), numbers([1]), numbers([math.log(4)]))
    assert got.item() == pytest.approx(math.log(2) - 4)


# --- Task 5 ------------------------------------------------------------------------------------


def test_turned_latents():
    """ "(1) Only z changes." By the handout's lines."""
    x = draws(50, 4) * torch.tensor([3, 2, 1, 1])
    mean, W, sigma2 = vae.ppca_fit(x, 2)
    V = W @ numbers([0.6, -0.8], [0.8, 0.6])
    (z, _), (turned, _) = (vae.ppca_posterior(x[:1], mean, each, sigma2) for each in (W, V))
    assert (z - turned).abs().min() > 0.1
    assert (mean + z @ W.T).tolist()[0] == pytest.approx((mean + turned @ V.T).tolist()[0])
    assert vae.ppca_logp(x[:1], mean, W, sigma2).item() == pytest.approx(vae.ppca_logp(x[:1], mean, V, sigma2).item())


def test_ppca_by_hand_and_in_its_figure():
    """ "The eigenvalues 4, 2, 1, 1 and k = 2 give σ² = 1 and the squared lengths 3 and 1." "σ falls from 0.20 (k = 2) to 0.17
    (k = 10) and 0.12 (k = 40)." And the docstring's model of two pixels."""
    rows = torch.diag((4 * numbers(4, 2, 1, 1)).sqrt())
    _, W, sigma2 = vae.ppca_fit(torch.cat([rows, -rows]), 2)
    assert sigma2.item() == pytest.approx(1) and (W**2).sum(0).tolist() == pytest.approx([3, 1])
    x = figures.pictures(500)[0]
    sigmas = [vae.ppca_fit(x, k)[2].sqrt().item() for k in (2, 10, 40)]
    assert sigmas == [near(0.20, 2), near(0.17, 2), near(0.12, 2)]
    model = numbers(0, 0), numbers([1], [1]), numbers(1)[0]
    got = vae.ppca_logp(numbers([1, 1]), *model).item()
    assert got == pytest.approx(-math.log(2 * math.pi) - math.log(3) / 2 - 1 / 3)
    mean, covariance = vae.ppca_posterior(numbers([1, 1]), *model)
    assert mean.item() == pytest.approx(2 / 3) and covariance.item() == pytest.approx(1 / 3)


# --- Task 6 ------------------------------------------------------------------------------------


def test_the_best_encoder_by_hand():
    """ "D = 1, W = 1 and σ² = 1 have the best encoder V = ½, v = ½. It is the exact posterior, so the ELBO at x = 2 is log p(x), −2.27." """
    one = numbers([1])
    V, v = vae.best_encoder(one, numbers(1)[0])
    assert (V.item(), v.item()) == (0.5, 0.5)
    bound = vae.linear_elbo(2 * one, numbers(0), one, numbers(1)[0], V, v).item()
    assert bound == near(-2.27, 2) and bound == pytest.approx(-math.log(4 * math.pi) / 2 - 1)


def test_the_second_unit_dies():
    """ "2 and 0: the second unit dies." By your formula, and by the handout's lines."""
    assert vae.unit_lengths(numbers(4, 2), sigma2=1.0, beta=1.0).tolist() == [3, 1]
    assert vae.unit_lengths(numbers(4, 2), sigma2=1.0, beta=2.0).tolist() == [2, 0]
    x, one = torch.diag(numbers(4, 2, 1, 1) * 4).sqrt(), numbers(1)[0]
    x = torch.cat([x, -x])
    for beta, want in ((1.0, [3, 1]), (2.0, [2, 0])):
        generator = torch.Generator().manual_seed(0)
        W, V, log_v = (torch.randn(s, generator=generator).double().requires_grad_() for s in ((4, 2), (2, 4), (2,)))
        best = torch.optim.LBFGS([W, V, log_v], max_iter=2000, line_search_fn="strong_wolfe", tolerance_change=1e-14)

        def loss(W=W, V=V, log_v=log_v, beta=beta, best=best):
            best.zero_grad()
            value = -vae.linear_elbo(x, 0 * x[0], W, one, V, log_v.exp(), beta=beta).mean()
            value.backward()
            return value

        best.step(loss)
        assert (torch.linalg.svdvals(W.detach()) ** 2).tolist() == pytest.approx(want, abs=1e-3)


def eigenvalues_of_digits():
    x = figures.pictures(500)[0]
    return torch.linalg.eigvalsh((x - x.mean(0)).T @ (x - x.mean(0)) / len(x)).flip(0)


def test_how_many_units_pay():
    """ "The digits' 144 eigenvalues begin with 0.89, 0.64, 0.30, 0.265 and 0.246. The 45th is the last one above 0.04." "45 units, 4 units,
    none." """
    eigenvalues = eigenvalues_of_digits()
    assert eigenvalues[:5].tolist() == [near(0.89, 2), near(0.64, 2), near(0.30, 2), near(0.265, 3), near(0.246, 3)]
    assert len(eigenvalues) == 144 and int((eigenvalues > 0.04).sum()) == 45
    kept = [int((vae.unit_lengths(eigenvalues, sigma2=s**2, beta=1.0) > 0).sum()) for s in (0.2, 0.5, 8.5)]
    assert kept == [45, 4, 0]


def test_no_unit_pays_on_any_data():
    """ "The sum of all variances is at most a quarter of the number of pixels. The best linear VAE for this loss has dead units only." """
    for D in (1, 4, 144, 784):
        largest = numbers(D / 4)  # all variance along one direction
        assert vae.unit_lengths(largest, sigma2=vae.implied_sigma(D, 1.0) ** 2, beta=1.0).item() == 0
    x = torch.cat([torch.zeros(5, 9, dtype=F64), torch.ones(5, 9, dtype=F64)])  # as much variance as there can be
    assert x.var(0, correction=0).sum().item() == pytest.approx(9 / 4)


def test_the_stretch():
    """ "At β = 1.1, w² is (2.78, 0.78)", with σ² learned: σ² is best for its own units, and the units pay at this σ²."""
    eigenvalues = numbers(4, 2, 1, 1)

    def cost(log_sigma2, beta):
        """Minus the mean ELBO at the best units for this noise."""
        sigma2 = math.exp(log_sigma2)
        w2 = vae.unit_lengths(eigenvalues[:2], sigma2=sigma2, beta=beta)
        W = torch.zeros(4, 2, dtype=F64)
        W[0, 0], W[1, 1] = w2.sqrt()
        rows = torch.diag((4 * eigenvalues).sqrt())
        encoder = vae.best_encoder(W, numbers(sigma2)[0], beta=beta)
        args = 0 * rows[0], W, numbers(sigma2)[0], *encoder
        return -vae.linear_elbo(torch.cat([rows, -rows]), *args, beta=beta).mean().item(), w2.tolist()

    grid = np.linspace(-1, 1.5, 2501)
    best = min(cost(g, 1.1) for g in grid)
    assert best[1] == [near(2.78, 2), near(0.78, 2)]
    assert min(cost(g, 1.5) for g in grid)[1] == [pytest.approx(1.6, abs=0.01), 0]  # the second is dead here
    assert min(cost(g, 2.0) for g in grid)[1] == [pytest.approx(0, abs=0.01), 0]  # and the first here


# --- Task 7 ------------------------------------------------------------------------------------


def test_samples_of_a_dead_latent():
    """ "Neither: both latents' samples have a variance of about 1. A is active, and B is dead." "Mean KLs 1.5 and 0.2 with one free nat
    give 2.5." """
    g = torch.Generator().manual_seed(0)  # the handout leaves the seed open: a variance of 5000 draws is 1 ± 0.02
    mu = torch.randn(5000, 2, generator=g) * torch.tensor([0.9, 0]).sqrt()
    z = mu + torch.tensor([0.1, 1]).sqrt() * torch.randn(5000, 2, generator=g)
    assert z.var(0).tolist() == [pytest.approx(1, abs=0.1)] * 2
    assert vae.active_units(mu).tolist() == [True, False]
    assert vae.active_units(numbers([0, 0], [1, 0.1])).tolist() == [True, False]
    assert vae.free_bits(numbers([3, 0.1], [0, 0.3]), free=1.0).item() == pytest.approx(2.5)


# --- Task 8 ------------------------------------------------------------------------------------


def test_which_nats_say_which():
    """ "At most log N: 6.9 of the 50 nats. The other 43 …" "4.31 nats"; "1.39 nats are information (log 4), and 2.92 are distance." """
    assert math.log(1000) == near(6.9, 1) and 50 - math.log(1000) == near(43, 0)
    information, distance = figures.four_codes(vae, 0.1)
    assert information == near(1.39, 2) and distance == near(2.92, 2) and math.log(4) == near(1.39, 2)
    assert vae.kl_to_prior(numbers(-3, -1, 1, 3), numbers(*[2 * math.log(0.1)] * 4)).mean().item() == near(4.31, 2)


def test_halfway_between_draws():
    """ "Such draws have norms near 11.3." "The midpoint has a norm near 8.0, where no draw is found. Yet its log-density is higher than at
    the draws, by 32 nats on average. slerp stays near 11.3." The figure's band: 11.29 ± 2 · 0.71."""
    norm = math.sqrt(2) * math.exp(math.lgamma(64.5) - math.lgamma(64))
    assert norm == near(11.29, 2) and math.sqrt(128 - norm**2) == near(0.71, 2)
    assert math.sqrt(64 / 128) * norm == near(8.0, 1)
    assert (128 - 64) / 2 == 32  # half the difference of the mean squared norms
    a, b = torch.randn(2, 1000, 128, dtype=F64, generator=torch.Generator().manual_seed(0))
    middles = vae.slerp(a, b, 0.5).norm(dim=-1)
    assert middles.mean().item() == pytest.approx(11.3, abs=0.1) and middles.min() > 9
    assert ((a + b) / 2).norm(dim=-1).mean().item() == near(8.0, 1)
    assert ((a + b) / 2).norm(dim=-1).max() < 11.29 - 2 * 0.71  # "where no draw is found"


def test_the_split_and_slerp_by_hand():
    """ "One example alone, with mean 1 and variance 1, has the information 0 and the distance ½. One third of the way from (2, 0) to (0, 2) by slerp is (√3, 1)." """
    eps = numbers([[1], [1]], [[-1], [-1]])
    alone = vae.kl_split(numbers([1]), numbers([0]), eps[:, :1])
    assert [part.item() for part in alone] == [pytest.approx(0), pytest.approx(0.5)]
    assert vae.slerp(numbers(2, 0), numbers(0, 2), 1 / 3).tolist() == pytest.approx([math.sqrt(3), 1])
    assert vae.slerp(numbers(1, 0), numbers(0, 1), 1 / 3).tolist() == [near(0.866, 3), pytest.approx(0.5)]


# --- Task 9 ------------------------------------------------------------------------------------


def test_codes_that_live():
    """ "27 codes (perplexity 10.6) from normal numbers, and all 64 (perplexity 57.1) from points." """
    points, starts = figures.cluster_data()
    got = {}
    for name, start in starts.items():
        _, used, codes = figures.lloyd(vae, points, start)
        got[name] = (len(set(codes.tolist())), used[-1])
    assert got["normal numbers"] == (27, near(10.6, 1))
    assert got["some of the points"] == (64, near(57.1, 1))


def test_codes_by_hand():
    """ "z = (3) with the code vector (1) gives the quantized value (1), and both losses are 4." The docstrings of `ema_update` and `perplexity`."""
    quantized, *losses = vae.quantize(numbers([3]), numbers([1]), torch.tensor([0]))
    assert quantized.item() == 1 and [loss.item() for loss in losses] == [4, 4]
    state = numbers([4]), numbers(1), numbers([4])
    new = vae.ema_update(*state, numbers([0], [2]), torch.tensor([0, 0]), decay=0.5)
    assert [part.item() for part in new] == [2, 1.5, 3]
    assert vae.perplexity(torch.tensor([0, 0, 2, 2]), 5).item() == pytest.approx(2)
