"""Graded checks of the VAE assignment.

Everything is exact: noise is handed in, expectations are sums over nodes or over all cases, and linear models have closed forms. Inputs
are float64 unless a check is about another dtype.
"""

import math

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments, with_ties
from coursekit.compare import assert_close
from coursekit.exact import normal_nodes, symmetric_noise, tuples
from coursekit.toys import mlp_weights

F64 = torch.float64


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


# --- Task 1: the noise that a loss assumes -----------------------------------------------------


@number("1.1")
@weight(3)
@tags("likelihoods")
@pytest.mark.parametrize("case", ["float64", "float32", "extreme logits"])
def test_bernoulli_pixels(agree, rng, torch_rng, case):
    """Targets of 0, of 1 and between; all pixels of an image are added up. Logits of thousands have finite log-likelihoods and gradients."""
    if case == "extreme logits":
        x = torch.tensor([[1.0, 0.0, 1.0, 0.5], [0.0, 1.0, 0.0, 1.0]], dtype=F64)
        logits = torch.tensor([[-900.0, 900.0, 5000.0, 40.0], [-60.0, -3000.0, 80.0, -0.5]], dtype=F64)
        agree("bernoulli_logp", x, logits)
        agree.vjp("bernoulli_logp", x, logits, wrt=(1,), cotangent=normal(torch_rng, 2))
        return
    dtype = getattr(torch, case)
    x = torch.from_numpy(rng.random((2, 3, 5))).to(dtype)
    x[0], x[1, 0] = x[0].round(), 0.0
    agree("bernoulli_logp", x, 2 * normal(torch_rng, 2, 3, 5, dtype=dtype))
    agree("bernoulli_logp", x[0, 0, :1], 2 * normal(torch_rng, 1, dtype=dtype))


@number("1.2")
@weight(2)
@tags("likelihoods")
@pytest.mark.parametrize("sigma", [0.05, 1.0, 20.0])
def test_gaussian_pixels(agree, torch_rng, sigma):
    """Narrow and wide noise, with all constants; one mean for a whole batch."""
    x = normal(torch_rng, 2, 3, 7)
    agree("gaussian_logp", x, x + sigma * normal(torch_rng, 2, 3, 7), sigma)
    agree("gaussian_logp", x[0], normal(torch_rng, 7), sigma)


@number("1.3")
@weight(3)
@tags("likelihoods")
@pytest.mark.parametrize("name", ["best_sigma2", "implied_sigma"])
def test_noise_by_formula(agree, rng, torch_rng, name):
    """The best variance in tall and in wide batches and for a single pixel; the implied one for many pixels and few, small and large weights."""
    if name == "best_sigma2":
        for shape in ((3, 7), (7, 2), (1, 1)):
            agree(name, normal(torch_rng, *shape), 3 * normal(torch_rng, *shape))
        return
    cases = [(784, 1.0), (1, float(rng.uniform(0.1, 3))), (int(rng.integers(2, 500)), 1e-4), (10, 40.0)]
    agree(lambda impl: [impl.implied_sigma(n, w) for n, w in cases])


# --- Task 2: the bound -------------------------------------------------------------------------


@number("2.1")
@weight(2)
@tags("elbo")
@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=["float64", "float32"])
def test_divergence_of_each_latent(agree, torch_rng, dtype):
    """One number for each example and latent, from nearly certain latents to wide ones."""
    mu, log_var = normal(torch_rng, 4, 3, dtype=dtype), 3 * normal(torch_rng, 4, 3, dtype=dtype)

    kl = agree("kl_to_prior", mu, log_var)

    assert float(kl.min()) > -1e-6


@number("2.2")
@weight(2)
@tags("elbo")
def test_samples_and_their_gradients(agree, torch_rng):
    """S samples of each example, whose spread is the standard deviation; gradients in mu and log_var."""
    mu, log_var, eps = normal(torch_rng, 3, 2), 2 * normal(torch_rng, 3, 2), normal(torch_rng, 5, 3, 2)

    agree("reparameterize", mu, log_var, eps)
    agree.vjp("reparameterize", mu, log_var, eps, wrt=(0, 1), cotangent=normal(torch_rng, 5, 3, 2))


def a_vae(rng, generator, *, B=3, D=5, k=2, S=4):
    """A batch, the weights of an encoder and of a decoder, and noise."""
    encoder, decoder = mlp_weights((D, 6, 2 * k), rng), mlp_weights((k, 7, D), rng)
    return normal(generator, B, D), encoder, decoder, normal(generator, S, B, k)


@number("2.3")
@weight(2)
@tags("elbo")
def test_the_error_part(agree, rng, torch_rng):
    """An encoder that always answers with the prior has KL 0, so the bound is the expected log-likelihood."""
    for sigma, S in ((0.3, 4), (2.0, 1)):
        x, encoder, decoder, eps = a_vae(rng, torch_rng, S=S)
        encoder[-2], encoder[-1] = 0 * encoder[-2], 0 * encoder[-1]

        agree("elbo", x, encoder, decoder, eps, sigma=sigma)


@number("2.4")
@weight(2)
@tags("elbo")
def test_the_kl_part(agree, reference, rng, torch_rng):
    """What beta takes off is beta times the sum of the latents' divergences, for each example."""
    x, encoder, decoder, eps = a_vae(rng, torch_rng, k=3)

    def taken_off(impl):
        free, priced = (impl.elbo(x, encoder, decoder, eps, sigma=0.5, beta=beta) for beta in (0.0, 1.7))
        return free - priced

    agree(taken_off)


@number("2.5")
@weight(1)
@tags("elbo")
def test_both_networks_learn(agree, rng, torch_rng):
    """The bound has gradients in the weights of both networks."""
    x, encoder, decoder, eps = a_vae(rng, torch_rng, S=2)

    agree.vjp("elbo", x, encoder, decoder, eps, wrt=(1, 2), cotangent=normal(torch_rng, 3), sigma=0.8)


# --- Task 3: a gradient from samples -----------------------------------------------------------


def waves(z):
    """A function of all latents together."""
    return torch.sin(2 * z).sum(-1) + z.prod(-1)


def slope_of_waves(z):
    """Its gradient, for two latents."""
    return 2 * torch.cos(2 * z) + z.flip(-1)


def gaussians(generator, k=2, S=4):
    """mu, sigma and noise."""
    return normal(generator, k), torch.exp(0.5 * normal(generator, k)), normal(generator, S, k)


@number("3.1")
@weight(2)
@tags("gradients")
def test_the_path(agree, torch_rng):
    """Each latent of each sample has its own estimate, in mu and in sigma."""
    agree(lambda impl, *args: impl.pathwise(*args, slope_of_waves), *gaussians(torch_rng))
    agree(lambda impl, *args: impl.pathwise(*args, lambda z: 3 * z**2), *gaussians(torch_rng, k=3, S=1))


@number("3.2")
@weight(3)
@tags("gradients")
@pytest.mark.parametrize("baseline", [False, True])
def test_the_score(agree, torch_rng, baseline):
    """f of a whole sample, times the gradient of log q in each latent. A baseline adds no bias: averaged over all triples of three nodes
    of q, the estimates for z^2 + 100 have the mean 2 mu and 2 sigma."""
    agree(lambda impl, *args: impl.score_function(*args, waves, baseline=baseline), *gaussians(torch_rng))
    agree(lambda impl, *args: impl.score_function(*args, lambda z: (z**2).sum(-1), baseline=baseline), *gaussians(torch_rng, k=3, S=2))

    nodes, weights = normal_nodes(3)
    rows, chances = torch.from_numpy(tuples(nodes, 3)), torch.from_numpy(tuples(weights, 3).prod(1))
    mu, sigma = torch.tensor([0.4], dtype=F64), torch.tensor([0.7], dtype=F64)

    def means(impl):
        answers = [impl.score_function(mu, sigma, row[:, None], lambda z: (z**2)[:, 0] + 100, baseline=baseline) for row in rows]
        return [chances @ torch.stack([answer[i] for answer in answers]).mean(1) for i in (0, 1)]

    assert_close(tuple(agree(means)), (2 * mu, 2 * sigma), name="means of the estimates")


@number("3.3")
@weight(3)
@tags("gradients")
@pytest.mark.parametrize("path_only", [False, True])
def test_two_places(agree, torch_rng, path_only):
    """Each latent of each sample has its own estimate, with both places of mu and sigma or with one."""
    options = {"path_only": path_only}
    for k, S in ((2, 4), (3, 1)):
        precision = torch.linspace(0.5, 2, k, dtype=F64)
        agree(lambda impl, *args, a=precision: impl.elbo_gradient(*args, lambda z: 1 - a * z, **options), *gaussians(torch_rng, k=k, S=S))
    # q is the exact posterior of the second model
    if path_only:
        a = torch.tensor([2.0, 0.5], dtype=F64)
        _, _, eps = gaussians(torch_rng)
        agree(lambda impl: impl.elbo_gradient(1 / a, a**-0.5, eps, lambda z: 1 - a * z, **options))
        agree(lambda impl: impl.elbo_gradient(2 / a, 2 * a**-0.5, eps, lambda z: 1 - a * z, **options))


# --- Task 4: more samples ----------------------------------------------------------------------


@number("4.1")
@weight(3)
@tags("iwae")
def test_log_weights(agree, torch_rng):
    """log p(x|z) + log p(z) - log q(z|x), summed over the latents, for each sample of each example."""
    for K, B, k in ((4, 3, 2), (1, 2, 3)):
        mu, log_var = normal(torch_rng, B, k), normal(torch_rng, B, k)
        agree("log_weights", 5 * normal(torch_rng, K, B), 2 * normal(torch_rng, K, B, k), mu, log_var)


@number("4.2")
@weight(2)
@tags("iwae")
@pytest.mark.parametrize("K", [1, 5])
def test_the_bound_of_k_samples(agree, torch_rng, K):
    """The log of the mean weight of each example, in K x B batches with K != B; one sample gives its own log-weight."""
    agree("iwae_bound", 2 * normal(torch_rng, K, 3))
    agree.vjp("iwae_bound", 2 * normal(torch_rng, K, 3), wrt=(0,), cotangent=normal(torch_rng, 3))


@number("4.3")
@weight(1)
@tags("iwae")
def test_the_bound_rises(agree, rng):
    """Averaged over all tuples of a latent with three values, the bound rises with K, and stays below log p(x)."""
    log_w, q = torch.tensor(rng.normal(size=3)), rng.dirichlet(np.ones(3))
    expected = []
    for K in (1, 2, 4):
        rows = torch.from_numpy(tuples(np.arange(3), K).astype(int))
        chances = torch.from_numpy(tuples(q, K).prod(1))
        expected.append(float(chances @ agree("iwae_bound", log_w[rows].T.contiguous())))

    log_p = math.log(float(torch.from_numpy(q) @ torch.exp(log_w)))
    assert expected[0] < expected[1] < expected[2] < log_p, f"expected bounds {expected} and log p(x) {log_p}"


@number("4.4")
@weight(2)
@tags("iwae")
def test_what_weighted_samples_are_worth(agree, torch_rng):
    """Between 1 and K for each example, whatever the scale of the weights."""
    log_w = 1.5 * normal(torch_rng, 5, 3) + torch.tensor([0.0, 4.0, -3.0], dtype=F64)

    size = agree("effective_sample_size", log_w)

    assert 1 <= float(size.min()) and float(size.max()) <= 5


@number("4.5")
@weight(1)
@tags("iwae")
@pytest.mark.parametrize("name", ["iwae_bound", "effective_sample_size"])
def test_weights_of_any_size(agree, torch_rng, name):
    """Log-weights near 2000 and near -2000, where a weight itself is no float."""
    agree(name, normal(torch_rng, 4, 3) + torch.tensor([2000.0, -2000.0, 0.0], dtype=F64))


# --- Task 5: a model that is solved exactly ----------------------------------------------------


def correlated(generator, N, D):
    """Rows of which some directions vary much more than others."""
    return normal(generator, N, D) * torch.linspace(3, 0.5, D, dtype=F64) @ torch.linalg.qr(normal(generator, D, D))[0] + 2


@number("5.1")
@weight(3)
@tags("ppca")
@pytest.mark.parametrize("part", ["mean and columns", "sigma2"])
def test_the_most_likely_model(agree, torch_rng, part):
    """The directions, lengths and signs of the columns, and the noise, for one latent and for several."""
    for N, D, k in ((9, 5, 2), (30, 4, 1)):
        x = correlated(torch_rng, N, D)
        if part == "sigma2":
            agree(lambda impl, x=x, k=k: impl.ppca_fit(x, k)[2])
            continue

        def directions(impl, x=x, k=k):
            """Lengths belong to the other part, because they depend on sigma2."""
            mean, W, _ = impl.ppca_fit(x, k)
            return mean, W / W.norm(dim=0)

        agree(directions)


@number("5.2")
@weight(2)
@tags("ppca")
def test_the_models_covariance_is_the_datas(agree, torch_rng):
    """Along each kept direction, the model has the variance of the data. Together with the noise, it has all of the data's variance."""
    x = correlated(torch_rng, 8, 5)

    def covariance(impl):
        _, W, sigma2 = impl.ppca_fit(x, 3)
        return W @ W.T + sigma2 * torch.eye(5, dtype=F64)

    model = agree(covariance)
    assert_close(torch.trace(model), x.var(0, correction=0).sum(), name="trace")


@number("5.3")
@weight(3)
@tags("ppca")
@pytest.mark.parametrize("shape", [(4, 5, 2), (3, 2, 4)], ids=["k < D", "k > D"])
def test_the_density(agree, torch_rng, shape):
    """The exact log-density for any W, also one with more columns than pixels."""
    B, D, k = shape
    agree("ppca_logp", normal(torch_rng, B, D), normal(torch_rng, D), normal(torch_rng, D, k), torch.tensor(0.3, dtype=F64))


@number("5.4")
@weight(3)
@tags("ppca")
@pytest.mark.parametrize("sigma2", [0.2, 3.0])
def test_the_posterior(agree, torch_rng, sigma2):
    """Means for each row and one covariance, which is not diagonal unless the columns of W are orthogonal."""
    for B, D, k in ((4, 5, 2), (2, 3, 3)):
        agree("ppca_posterior", normal(torch_rng, B, D), normal(torch_rng, D), normal(torch_rng, D, k), torch.tensor(sigma2, dtype=F64))


# --- Task 6: the linear VAE --------------------------------------------------------------------


def linear_vae(generator, D=4, k=2):
    """mean, W, sigma2, V and v, none of them the best."""
    return (
        normal(generator, D),
        normal(generator, D, k),
        torch.tensor(0.6, dtype=F64),
        normal(generator, k, D),
        torch.exp(normal(generator, k)),
    )


@number("6.1")
@weight(3)
@tags("linear_vae")
@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_the_bound_without_samples(agree, torch_rng, beta):
    """The bound of any linear encoder, also a bad one, for any beta."""
    for D, k in ((4, 2), (3, 3)):
        agree("linear_elbo", normal(torch_rng, 5, D), *linear_vae(torch_rng, D, k), beta=beta)


@number("6.2")
@weight(3)
@tags("linear_vae")
@pytest.mark.parametrize("beta", [1.0, 2.5])
def test_the_encoder_that_is_best_for_all(agree, torch_rng, beta):
    """Orthogonal columns and others, several noises."""
    W = normal(torch_rng, 5, 3)
    orthogonal = torch.linalg.qr(W)[0] * torch.tensor([2.0, 1.0, 0.5], dtype=F64)
    for decoder, sigma2 in ((W, 0.4), (orthogonal, 2.0)):
        agree("best_encoder", decoder, torch.tensor(sigma2, dtype=F64), beta=beta)


@number("6.3")
@weight(3)
@tags("linear_vae")
@pytest.mark.parametrize("beta", [1.0, 3.0, 0.25])
def test_which_units_survive(agree, rng, beta):
    """Eigenvalues above and below the one at which a unit begins to pay; a direction in which the data don't vary never pays."""
    eigenvalues = torch.from_numpy(np.append(rng.uniform(0, 6, size=8), [6.0, 0.0]))

    for sigma2 in (0.05, 1.0, 2.5):
        agree("unit_lengths", eigenvalues, sigma2=sigma2, beta=beta)


# --- Task 7: latents that say nothing ----------------------------------------------------------


@number("7.1")
@weight(4)
@tags("collapse")
@pytest.mark.parametrize("case", ["clear", "near the threshold", "another threshold"])
def test_which_latents_are_active(agree, case):
    """Latents whose means vary, by little or by much, around 0 or elsewhere; the variance is divided by N."""
    stds, threshold = {
        "clear": ((1.0, 0.001, 0.3, 0.0, 2.0, 0.005), 0.01),
        "near the threshold": ((0.05, 0.099, 0.101, 0.09, 0.11, 0.0), 0.01),
        "another threshold": ((2.0, 0.2, 0.0, 0.1, 0.9, 0.3), 0.4),
    }[case]
    around = torch.tensor([0.0, 3.0, -2.0, 1.0, 0.0, 5.0], dtype=F64)
    for n in (1, 3):
        # +std and -std around a center: the variance is std^2
        signs = torch.tensor([1.0, -1.0], dtype=F64).repeat(n)
        agree("active_units", around + signs[:, None] * torch.tensor(stds, dtype=F64), threshold=threshold)


@number("7.2")
@weight(1)
@tags("collapse")
@pytest.mark.parametrize("free", [0.0, 0.5])
def test_free_nats(agree, rng, free):
    """Each latent has its own free nats, and the mean over the batch is what counts."""
    kl = torch.from_numpy(rng.exponential(size=(5, 4))) * torch.tensor([0.1, 0.6, 2.0, 0.5], dtype=F64)

    agree("free_bits", kl, free=free)


@number("7.3")
@weight(1)
@tags("collapse")
def test_free_nats_have_no_gradient(agree, rng):
    """A latent below its free nats is not pushed at all, and each entry of another latent is pushed equally."""
    kl = torch.from_numpy(rng.uniform(0.5, 1, size=(4, 3))) * torch.tensor([0.3, 3.0, 1.0], dtype=F64)
    kl[:3, 2] = torch.tensor([0.1, 0.2, 1.5], dtype=F64)  # some below, and the mean above

    (gradient,) = agree.vjp("free_bits", kl, wrt=(0,), cotangent=torch.tensor(1.5, dtype=F64), free=0.4)

    assert not gradient[:, 0].any()


# --- Task 8: what the KL term pays for ---------------------------------------------------------


@number("8.1")
@weight(4)
@tags("aggregate")
@pytest.mark.parametrize("case", ["one example", "copies of one example", "different examples"])
def test_two_parts_of_the_kl(agree, torch_rng, case):
    """With noise that is exact for squares, both parts add up to the mean KL; the information is at most log N."""
    sizes = {"one example": ((1, 2, 1.0), (1, 3, 2.0)), "copies of one example": ((3, 2, 1.0), (4, 1, 3.0))}
    for N, k, spread in sizes.get(case, ((4, 2, 1.0), (3, 1, 30.0))):
        mu, log_var = spread * normal(torch_rng, N, k), normal(torch_rng, N, k)
        if case == "copies of one example":
            mu, log_var = mu[:1].repeat(N, 1), log_var[:1].repeat(N, 1)
        eps = torch.from_numpy(symmetric_noise(k))[:, None].expand(-1, N, -1)

        information, distance = agree("kl_split", mu, log_var, eps)

        kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1).mean()
        assert_close(information + distance, kl, name="sum of both parts")
        assert float(information) <= math.log(N) + 1e-9


@number("8.2")
@weight(2)
@tags("aggregate")
@pytest.mark.parametrize("case", ["equal norms", "other norms", "one direction"])
def test_along_the_arc(agree, torch_rng, case):
    """Points on the arc between vectors, row by row. Equal norms stay; between ends of one direction, the way is a straight line."""
    a, b = normal(torch_rng, 3, 5), normal(torch_rng, 3, 5)
    if case == "equal norms":
        a, b = a / a.norm(dim=-1, keepdim=True), b / b.norm(dim=-1, keepdim=True)
    if case == "other norms":
        b[1] = 2 * a[1]  # one direction, beside rows of two
    if case == "one direction":
        b = a * torch.tensor([[1.0], [2.0], [0.25]], dtype=F64)
    for t in (0.3, 0.5) if case == "one direction" else (0.3, 0.0, 1.0, 0.5):
        point = agree("slerp", a, b, t)
        if case == "equal norms":
            assert_close(point.norm(dim=-1), torch.ones(3, dtype=F64), name="norms")


# --- Task 9: a table of codes ------------------------------------------------------------------


@number("9.1")
@weight(1)
@tags("vq")
def test_the_nearest_code(agree, rng, torch_rng):
    """Codes of unequal lengths; codes that stand twice in the table, of which the first wins."""
    codebook = 2 * normal(torch_rng, 6, 3) * torch.linspace(0.2, 2, 6, dtype=F64)[:, None]
    codes = agree("nearest_codes", 2 * normal(torch_rng, 20, 3), codebook)
    assert len(set(codes.tolist())) > 1

    doubled = torch.from_numpy(with_ties(rng, (6, 2)))
    agree("nearest_codes", torch.from_numpy(with_ties(rng, (8, 2))), torch.cat([doubled, doubled]))


@number("9.2")
@weight(2)
@tags("vq")
@pytest.mark.parametrize("part", ["values", "gradients"])
def test_straight_through(agree, torch_rng, part):
    """The value is the code, the gradient is that of z; the two losses share a value and divide its gradient between them."""
    z, codebook, codes = normal(torch_rng, 5, 3), normal(torch_rng, 4, 3), torch.tensor([0, 2, 2, 0, 1])
    if part == "values":
        agree("quantize", z, codebook, codes)
        return
    cotangent = normal(torch_rng, 5, 3), torch.tensor(0.7, dtype=F64), torch.tensor(0.25, dtype=F64)
    agree.vjp("quantize", z, codebook, codes, wrt=(0, 1), cotangent=cotangent)


@number("9.3")
@weight(2)
@tags("vq")
@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_running_averages(agree, impl, torch_rng, decay):
    """Codes with several rows, with one and with none, twice in a row. The arguments stay as they are."""
    codebook = normal(torch_rng, 4, 2)
    counts = torch.tensor([1.0, 2.5, 0.5, 1.0], dtype=F64)
    state = codebook, counts, codebook * counts[:, None]
    for codes in ([0, 0, 2, 0, 3], [1, 2, 2, 0, 0]):
        batch = normal(torch_rng, 5, 2), torch.tensor(codes)
        assert_leaves_arguments(impl.ema_update, *state, *batch, decay=decay, name="ema_update")
        state = agree("ema_update", *state, *batch, decay=decay)


@number("9.4")
@weight(1)
@tags("vq")
def test_how_many_codes_are_in_use(agree, rng):
    """Equal and unequal shares, unused codes, a single code."""
    for n_codes, size in ((8, 30), (3, 7)):
        agree("perplexity", torch.from_numpy(rng.integers(0, n_codes - 1, size=size)), n_codes)
    agree("perplexity", torch.tensor([2, 2, 2]), 4)
