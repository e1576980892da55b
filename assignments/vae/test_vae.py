"""Public checks of the VAE assignment. Run: pytest, or pytest --task elbo

Numbers were worked by hand or come from another method. Nothing is trained, and nothing is drawn inside your functions.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.exact import normal_nodes

F64 = torch.float64
LOG2, LOG3, LOG_2PI = math.log(2), math.log(3), math.log(2 * math.pi)


def numbers(*values):
    return torch.tensor(values, dtype=F64)


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("likelihoods")
def test_bernoulli_by_hand(impl):
    """x = (1, 0) with logits (0, log 3) has -log 2 - log 4. Logits of 1000 and -1000 are certain: right pixels cost 0, and each
    wrong pixel costs 1000. A pixel of 1/4 at logit log 3 costs log 4 - (log 3)/4."""
    assert_close(impl.bernoulli_logp(numbers(1, 0), numbers(0, LOG3)), numbers(-3 * LOG2)[0], name="two pixels")
    certain = impl.bernoulli_logp(numbers([1, 0], [0, 0], [0, 1]), numbers([1e3, -1e3], [1e3, -1e3], [1e3, -1e3]))
    assert_close(certain, numbers(0, -1000, -2000), name="logits of 1000 and -1000")
    assert_close(impl.bernoulli_logp(numbers(0.25), numbers(LOG3)), numbers(LOG3 / 4 - 2 * LOG2)[0], name="a gray pixel")


@number("1.p2")
@weight(1)
@tags("likelihoods")
def test_gaussian_is_torchs(impl):
    """The sum over the pixels of what torch.distributions.Normal says; x = (1, 3) with mean (1, 1) and sigma = 2 by hand."""
    by_hand = numbers(-LOG_2PI - 2 * LOG2 - 0.5)[0]
    assert_close(impl.gaussian_logp(numbers(1, 3), numbers(1, 1), 2.0), by_hand, name="by hand")

    x, mean = numbers([1, 2, 0], [0.5, -1, 3]), numbers([0, 2, 1], [1, 1, 1])
    want = torch.distributions.Normal(mean, 0.3).log_prob(x).sum(-1)
    assert_close(impl.gaussian_logp(x, mean, 0.3), want, name="two images")


@number("1.p3")
@weight(1)
@tags("likelihoods")
def test_best_sigma2_beats_its_neighbors(impl):
    """The log-likelihood of the batch has slope 0 in your sigma2, by autograd. For the image x = (1, 3) with mean (0, 0), it is 5."""
    assert_close(impl.best_sigma2(numbers([1, 3]), numbers([0, 0])), numbers(5)[0], name="one image")

    x, mean = numbers([1, 2, 0], [0.5, -1, 3]), numbers([0, 2, 1], [1, 1, 1])
    got = impl.best_sigma2(x, mean)
    assert got.shape == (), f"one variance for the whole batch: shape (), got {tuple(got.shape)}"
    log_sigma = (0.5 * torch.log(got)).requires_grad_()
    total = torch.distributions.Normal(mean, torch.exp(log_sigma)).log_prob(x).sum()
    assert_close(torch.autograd.grad(total, log_sigma)[0], numbers(0)[0], atol=1e-9, name="slope in log sigma")


@number("1.p4")
@weight(1)
@tags("likelihoods")
@pytest.mark.parametrize("n_pixels, kl_weight", [(8, 1.0), (3, 0.1)])
def test_the_implied_noise_gives_the_same_loss(impl, n_pixels, kl_weight):
    """Take two pairs (error, KL): (0, 0) and (2, 0.7). "Mean squared error + kl_weight KL" rises from the first to the second by kl_weight
    times as much as the negative ELBO with your sigma."""
    sigma = impl.implied_sigma(n_pixels, kl_weight)

    zeros = torch.zeros(n_pixels, dtype=F64)
    pairs = []
    for error, kl in ((0.0, 0.0), (2.0, 0.7)):  # every pixel is off by `error`
        log_lik = torch.distributions.Normal(zeros, sigma).log_prob(zeros + error).sum()
        pairs.append((error**2 + kl_weight * kl, float(kl - log_lik)))
    (loss_a, elbo_a), (loss_b, elbo_b) = pairs
    assert_close(kl_weight * (elbo_b - elbo_a), loss_b - loss_a, name="the rise of the loss")


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("elbo")
def test_kl_is_an_expectation(impl):
    """mu = (1, 0) and log_var = (0, log 4) give (1/2, 3/2 - log 2). Another one is the mean of log q - log p over nodes of q."""
    assert_close(impl.kl_to_prior(numbers(1, 0), numbers(0, 2 * LOG2)), numbers(0.5, 1.5 - LOG2), name="by hand")

    nodes, weights = (torch.from_numpy(x) for x in normal_nodes(6))  # log q - log p is quadratic: exact
    z = 0.3 + 0.5 * nodes
    difference = torch.distributions.Normal(numbers(0.3), 0.5).log_prob(z) - torch.distributions.Normal(numbers(0), 1.0).log_prob(z)
    got = impl.kl_to_prior(numbers([0.3]), numbers([2 * math.log(0.5)]))
    assert_close(got, (weights @ difference)[None, None], name="mean of log q - log p")


@number("2.p2")
@weight(1)
@tags("elbo")
def test_samples_by_hand(impl):
    """mu = 1, variance 4 and eps = -3 give z = -5. One row of noise gives the means, and a second row gives other samples."""
    eps = numbers([[-3, 0]], [[0, 0]])

    assert_close(impl.reparameterize(numbers([1, 2]), numbers([2 * LOG2, 0]), eps), numbers([[-5, 2]], [[1, 2]]))


@number("2.p3")
@weight(1)
@tags("elbo")
def test_elbo_by_hand(impl):
    """One layer each: mu = x_1, log_var = x_2, decoded (z, 2z). For x = (1, 0), eps = (0, 1) and sigma = 1, the squared errors are 4
    and 17, and the KL is 1/2. The second example is decoded exactly, and has KL 0 from the prior."""
    encoder = [torch.eye(2, dtype=F64), torch.zeros(2, dtype=F64)]
    decoder = [numbers([1, 2]), torch.zeros(2, dtype=F64)]
    x, eps = numbers([1, 0], [0, 0]), numbers([[0], [0]], [[1], [0]])

    got = impl.elbo(x, encoder, decoder, eps, sigma=1.0, beta=1.0)

    assert_close(got, numbers(-LOG_2PI - (4 + 17) / 4 - 0.5, -LOG_2PI))


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("gradients")
def test_pathwise_by_hand(impl):
    """f = z^2, mu = 1, sigma = 2, eps = -1 and 3: z is -1 and 7, and the slopes are -2 and 14."""
    got = impl.pathwise(numbers(1), numbers(2), numbers([-1], [3]), lambda z: 2 * z)

    assert_close(tuple(got), (numbers([-2], [14]), numbers([2], [42])))


@number("3.p2")
@weight(1)
@tags("gradients")
def test_score_function_has_the_right_mean(impl):
    """The mean under q of the estimates for f = z^3 is the gradient of E z^3 = mu^3 + 3 mu sigma^2, exactly, by nodes. One sample
    with eps = 3 by hand."""
    by_hand = impl.score_function(numbers(1), numbers(2), numbers([3]), lambda z: (z**2)[:, 0])
    assert_close(tuple(by_hand), (numbers([73.5]), numbers([196])), name="f = z^2 at z = 7")

    nodes, weights = (torch.from_numpy(x) for x in normal_nodes(8))
    got = impl.score_function(numbers(0.5), numbers(0.8), nodes[:, None], lambda z: (z**3)[:, 0])
    mean = tuple(weights @ part for part in got)
    assert_close(mean, (numbers(3 * 0.5**2 + 3 * 0.8**2), numbers(6 * 0.5 * 0.8)), name="mean over q")


@number("3.p3")
@weight(1)
@tags("gradients")
def test_the_baseline_looks_at_the_others(impl):
    """f is 4, 1 and 1 for three samples. The others' means are 1, 5/2 and 5/2, so 3, -3/2 and -3/2 remain."""
    got = impl.score_function(numbers(0), numbers(1), numbers([2], [1], [-1]), lambda z: (z**2)[:, 0], baseline=True)

    assert_close(got[0], numbers([6], [-1.5], [1.5]), name="the estimate in mu")
    assert_close(got[1], numbers([9], [0], [0]), name="the estimate in sigma")


@number("3.p4")
@weight(1)
@tags("gradients")
def test_elbo_gradients_by_hand(impl):
    """slope(z) = -z, mu = 1, sigma = 2, eps = -2: (3, -5.5) from both places. With path_only, (2, -4): at z = -3, log p(x, z) has the slope 3
    in z, and log q(z) has the slope 1, with its own mu and sigma held fixed. Both estimates have the same mean over q."""
    args = numbers(1), numbers(2)
    both, path = (impl.elbo_gradient(*args, numbers([-2]), lambda z: -z, path_only=only) for only in (False, True))
    assert_close(tuple(both), (numbers([3]), numbers([-5.5])), name="both places")
    assert_close(tuple(path), (numbers([2]), numbers([-4])), name="path_only")

    nodes, weights = (torch.from_numpy(x) for x in normal_nodes(6))
    means = []
    for only in (False, True):
        got = impl.elbo_gradient(*args, nodes[:, None], lambda z: -z, path_only=only)
        means.append(tuple(weights @ part for part in got))
    assert_close(means[0], means[1], name="means of both")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("iwae")
def test_log_weights_by_hand(impl):
    """One latent with mu = 1, variance 4 and z = 3: log p(z) - log q(z) is log 2 - 4, and log p(x|z) is added. A second example."""
    z, log_lik = numbers([[3], [0]]), numbers([-2, 5])

    got = impl.log_weights(log_lik, z, numbers([1], [0]), numbers([2 * LOG2], [0]))

    assert_close(got, numbers([LOG2 - 4 - 2, 5]))


@number("4.p2")
@weight(1)
@tags("iwae")
def test_the_bound_by_hand(impl):
    """Weights 1 and 3 give log 2. Weights of e^1000 times as much give 1000 more. Each example has its own bound."""
    log_w = numbers([0, 1000, -1000], [LOG3, 1000 + LOG3, -1000])

    assert_close(impl.iwae_bound(log_w), numbers(LOG2, 1000 + LOG2, -1000))


@number("4.p3")
@weight(1)
@tags("iwae")
def test_effective_sample_size_by_hand(impl):
    """Weights 1 and 3 are worth 1.6 samples, whatever their scale. Equal weights are worth 2, and one weight alone is worth 1."""
    log_w = numbers([0, 1000, 7, 0], [LOG3, 1000 + LOG3, 7, -2000])

    assert_close(impl.effective_sample_size(log_w), numbers(1.6, 1.6, 2, 1))


# --- Task 5 ------------------------------------------------------------------------------------


def rows_with_eigenvalues(*values):
    """2n rows around (1, 2, ..., n) whose covariance (divided by their number) has these eigenvalues, along the axes."""
    n = len(values)
    rows = torch.sqrt(n * numbers(*values))[:, None] * torch.eye(n, dtype=F64)
    return torch.cat([rows, -rows]) + torch.arange(1, n + 1, dtype=F64)


@number("5.p1")
@weight(1)
@tags("ppca")
def test_ppca_by_hand(impl):
    """A covariance with the eigenvalues 1, 4, 1, 2 along the axes, two latents: sigma2 = 1, squared lengths 3 and 1."""
    mean, W, sigma2 = impl.ppca_fit(rows_with_eigenvalues(1, 4, 1, 2), 2)

    assert_close(mean, numbers(1, 2, 3, 4), name="mean")
    assert_close(sigma2, numbers(1)[0], name="sigma2")
    assert_close(W, numbers([0, 0], [math.sqrt(3), 0], [0, 0], [0, 1]), name="W")


@number("5.p2")
@weight(1)
@tags("ppca")
def test_ppca_logp_by_hand(impl):
    """D = 2, W = (1, 1)^T, sigma2 = 1: the covariance [[2, 1], [1, 2]] has the determinant 3."""
    got = impl.ppca_logp(numbers([1, 1], [3, 1]), numbers(0, 0), numbers([1], [1]), numbers(1)[0])

    assert_close(got, -LOG_2PI - LOG3 / 2 - numbers(1 / 3, 7 / 3))


@number("5.p3")
@weight(1)
@tags("ppca")
def test_the_posterior_by_a_grid(impl):
    """For one latent, the posterior's mean and variance are what a fine grid of z says."""
    x, mean, W, sigma2 = numbers([2, -1, 0.5]), numbers(0.5, 0, 0), numbers([1], [-0.5], [2]), 0.7
    z = torch.linspace(-8, 8, 4001, dtype=F64)
    means = mean + z[:, None] * W[:, 0]
    log_joint = torch.distributions.Normal(means, math.sqrt(sigma2)).log_prob(x).sum(-1) - z**2 / 2
    p = torch.softmax(log_joint, 0)
    first, second = (p * z).sum(), (p * z**2).sum()

    got_mean, got_cov = impl.ppca_posterior(x, mean, W, numbers(sigma2)[0])

    assert_close(got_mean, first[None, None], name="mean")
    assert_close(got_cov, (second - first**2)[None, None], name="covariance")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("linear_vae")
def test_linear_elbo_by_hand(impl):
    """D = 1, W = 1, sigma2 = 1 and the exact posterior: the bound is log p(x) of N(0, 2), for x = 2 and x = -1. With beta = 3, twice
    the KL is taken off: at x = 2 the KL is (1 + 1/2 - 1 + log 2)/2."""
    one = numbers([1])
    args = numbers(0), one, numbers(1)[0], one / 2, numbers(0.5)
    want = -0.5 * math.log(4 * math.pi) - numbers(1, 0.25)
    assert_close(impl.linear_elbo(numbers([2], [-1]), *args), want, name="beta = 1")
    assert_close(impl.linear_elbo(numbers([2]), *args, beta=3.0), want[:1] - (0.5 + LOG2), name="beta = 3")


@number("6.p2")
@weight(1)
@tags("linear_vae")
def test_the_best_encoder_by_brute_force(impl):
    """D = 1, W = 1 and sigma2 = 1 have V = v = 1/2. For another decoder, a fine grid finds the variance of each latent that costs
    least, by the expected squared error that it causes and its KL. The slope of the cost in V is 0, by autograd."""
    V, v = impl.best_encoder(numbers([1]), numbers(1)[0])
    assert_close((V, v), (numbers([0.5]), numbers(0.5)), name="D = 1")

    W = numbers([3, 1], [0, 1])
    V, v = impl.best_encoder(W, numbers(2)[0])
    # E ||W e||^2 / (2 sigma2) + KL, as far as it depends on v, on a fine grid
    grid = torch.linspace(0.01, 1.5, 1491, dtype=F64)
    costs = [gram * grid / 4 + (grid - torch.log(grid)) / 2 for gram in (9.0, 2.0)]
    assert_close(v, torch.stack([grid[cost.argmin()] for cost in costs]), rtol=0, atol=0.001, name="v for columns that are not orthogonal")
    # V, too: no slope in what it costs to encode and decode each unit vector with it
    free = V.detach().clone().requires_grad_()
    x = torch.eye(2, dtype=F64)
    mu = x @ free.T
    cost = ((x - mu @ W.T) ** 2).sum() / 4 + (mu**2).sum() / 2
    (slope,) = torch.autograd.grad(cost, free)
    assert_close(slope, torch.zeros(2, 2, dtype=F64), atol=1e-9, name="slope of the cost in V")


@number("6.p3")
@weight(1)
@tags("linear_vae")
def test_which_units_pay_by_hand(impl):
    """At sigma2 = 1 and beta = 1, the eigenvalues 4, 2 and 1/2 have the squared lengths 3, 1 and 0."""
    assert_close(impl.unit_lengths(numbers(4, 2, 0.5), sigma2=1.0, beta=1.0), numbers(3, 1, 0))


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("collapse")
def test_active_units_by_hand(impl):
    """Means that vary by 0.25 and by 0.0025, and a mean that stays at 5."""
    got = impl.active_units(numbers([0, 0, 5], [1, 0.1, 5]))

    assert got.dtype == torch.bool and got.tolist() == [True, False, False], f"got {got.tolist()}"


@number("7.p2")
@weight(1)
@tags("collapse")
def test_free_bits_by_hand(impl):
    """The means 1.5 and 0.2 with one free nat: 1.5 + 1. Without free nats: 1.7."""
    kl = numbers([3, 0.1], [0, 0.3])

    assert_close(impl.free_bits(kl, free=1.0), numbers(2.5)[0], name="free = 1")
    assert_close(impl.free_bits(kl, free=0.0), numbers(1.7)[0], name="free = 0")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("aggregate")
def test_the_split_by_hand(impl):
    """Two examples with means 50 and -50 and variance 1: a sample says which one it is, so the information is log 2. The rest of the
    mean KL, which is 1250, is the distance. A single example has no information, and the distance is its KL of 1/2."""
    eps = numbers([[1], [1]], [[-1], [-1]])  # mean 0 and variance 1: exact for squares
    far = impl.kl_split(numbers([50], [-50]), torch.zeros(2, 1, dtype=F64), eps)
    assert_close(tuple(far), (numbers(LOG2)[0], numbers(1250 - LOG2)[0]), name="two examples")

    alone = impl.kl_split(numbers([1]), numbers([0]), eps[:, :1])
    assert_close(tuple(alone), (numbers(0)[0], numbers(0.5)[0]), name="one example")


@number("8.p2")
@weight(1)
@tags("aggregate")
def test_slerp_by_hand(impl):
    """From (2, 0) to (0, 2), a third of the way: the angle is 30 degrees, the norm stays 2. From (1, 0) to (3, 0): a straight line."""
    assert_close(impl.slerp(numbers(2, 0), numbers(0, 2), 1 / 3), numbers(math.sqrt(3), 1), name="a right angle")
    assert_close(impl.slerp(numbers(1, 0), numbers(3, 0), 0.25), numbers(1.5, 0), name="one direction")


# --- Task 9 ------------------------------------------------------------------------------------


@number("9.p1")
@weight(1)
@tags("vq")
def test_nearest_codes_by_hand(impl):
    """On a line: codes at 5, 0, 2 and 2 again. 0.4 is nearest to the second code, 1 is as far from 0 as from 2, and so on."""
    got = impl.nearest_codes(numbers([0.4], [1], [1.9], [9]), numbers([5], [0], [2], [2]))

    assert got.dtype == torch.int64 and got.tolist() == [1, 1, 2, 0], f"got {got.tolist()}"


@number("9.p2")
@weight(1)
@tags("vq")
def test_quantize_by_hand(impl, vjp):
    """z = (3, 1) with the code (1, 1): both losses are 4, the squared distance. A gradient on the quantized value goes to z as it is; the codebook's loss
    moves the code, and the commitment moves z."""
    args = numbers([3, 1]), numbers([7, 0], [1, 1]), torch.tensor([1])
    quantized, codebook_loss, commitment_loss = impl.quantize(*args)
    assert_close((quantized, codebook_loss, commitment_loss), (numbers([1, 1]), numbers(4)[0], numbers(4)[0]), name="values")

    cases = {
        "quantized": ((10.0, 0, 0), (10, 0)),  # a gradient of 10 in the first entry of the quantized row
        "codebook_loss": ((0, 1.0, 0), (0, -4)),
        "commitment_loss": ((0, 0, 1.0), (4, 0)),
    }
    for name, ((a, b, c), (in_z, in_code)) in cases.items():
        cotangent = (numbers([a, 0]), numbers(b)[0], numbers(c)[0])
        gradients = vjp(impl.quantize, *args, wrt=(0, 1), cotangent=cotangent)
        assert_close(tuple(gradients), (numbers([in_z, 0]), numbers([0, 0], [in_code, 0])), name=f"gradients of {name} in z and codebook")


@number("9.p3")
@weight(1)
@tags("vq")
def test_a_running_average_by_hand(impl):
    """A code at 4 with count 1 and sum 4, decay 1/2, rows 0 and 2: count 1.5, sum 3, code 2. The second code gets no row, and stays."""
    state = numbers([4], [9]), numbers(1, 2), numbers([4], [18])

    got = impl.ema_update(*state, numbers([0], [2]), torch.tensor([0, 0]), decay=0.5)

    assert_close(tuple(got), (numbers([2], [9]), numbers(1.5, 2), numbers([3], [18])))


@number("9.p4")
@weight(1)
@tags("vq")
def test_perplexity_by_hand(impl):
    """Two codes in equal use: 2. Shares of 1/2, 1/4 and 1/4: e to (3/2) log 2. Unused codes don't count."""
    assert_close(impl.perplexity(torch.tensor([0, 0, 2, 2]), 5), numbers(2)[0], name="two codes")
    assert_close(impl.perplexity(torch.tensor([3, 1, 3, 0]), 4), numbers(2**1.5)[0], name="three codes")
