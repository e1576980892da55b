"""The representation reference against scikit-learn, SciPy, autograd, least squares on noisy copies, and enumeration."""

import itertools
import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.exact import symmetric_noise, tuples
from scipy.linalg import subspace_angles
from scipy.spatial.distance import squareform
from sklearn.decomposition import PCA
from sklearn.manifold import _t_sne
from sklearn.metrics import mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from torch.nn.functional import cross_entropy, mse_loss, normalize

F64 = torch.float64

rep = staff_files.reference("representation")


@pytest.fixture(params=range(3), ids="seed{}".format)
def rng(request):
    return np.random.default_rng(request.param)


def normal(rng, *shape):
    return torch.from_numpy(rng.standard_normal(shape))


def cloud(rng, N, d):
    return normal(rng, N, d) @ normal(rng, d, d) + 3 * normal(rng, d)


def same(got, want, rtol=1e-9, atol=1e-10):
    torch.testing.assert_close(
        torch.as_tensor(got), torch.as_tensor(want, dtype=torch.as_tensor(got).dtype), rtol=rtol, atol=atol
    )


# --- PCA and whitening -------------------------------------------------------------------------


@pytest.mark.parametrize(("N", "d", "k"), [(12, 5, 3), (4, 7, 2)])
def test_pca_is_that_of_scikit_learn(rng, N, d, k):
    """scikit-learn divides by N - 1 and chooses other signs; the shares are the same."""
    x = cloud(rng, N, d)
    model = PCA(k).fit(x.numpy())
    mean, components, variances, share = rep.pca(x, k)

    same(mean, model.mean_)
    same((components @ torch.from_numpy(model.components_).T).abs(), torch.eye(k, dtype=F64))
    same(variances, model.explained_variance_ * (N - 1) / N)
    same(share, model.explained_variance_ratio_)
    assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()


def test_the_error_of_a_reconstruction_is_what_was_dropped(rng):
    """The mean squared error with k components is the sum of the other variances."""
    x = cloud(rng, 15, 6)
    mean, components, variances, _ = rep.pca(x, 6)
    for k in (1, 4):
        rows = components[:k]
        same((x - mean - (x - mean) @ rows.T @ rows).square().sum(1).mean(), variances[k:].sum())


def test_white_examples_are_those_of_scikit_learn(rng):
    """PCA whitening up to signs and N - 1; ZCA is the inverse root of the covariance, which is symmetric."""
    x = cloud(rng, 14, 4)
    white = rep.whiten(x)
    same(white.abs(), np.abs(PCA(whiten=True).fit_transform(x.numpy())) * math.sqrt(14 / 13), atol=1e-8)

    values, vectors = np.linalg.eigh(np.cov(x.numpy().T, bias=True))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    same(rep.whiten(x, kind="zca"), (x - x.mean(0)).numpy() @ root, atol=1e-8)


# --- linear autoencoders -----------------------------------------------------------------------


def test_gradients_of_an_autoencoder_are_autograds(rng):
    """Both gradients, and the loss as torch's mean squared error times d."""
    x, encoder, decoder = cloud(rng, 9, 5), normal(rng, 5, 2).requires_grad_(), normal(rng, 2, 5).requires_grad_()
    loss = mse_loss(x @ encoder @ decoder, x) * 5
    want = torch.autograd.grad(loss, (encoder, decoder))

    got = rep.autoencoder_gradients(x, encoder.detach(), decoder.detach())
    for a, b in zip(got, (loss.detach(), *want)):
        same(a, b)


def test_the_best_decoder_is_that_of_least_squares(rng):
    """NumPy's least squares from the codes to the examples."""
    x, encoder = cloud(rng, 11, 5), normal(rng, 5, 3)
    same(rep.best_decoder(x, encoder), np.linalg.lstsq((x @ encoder).numpy(), x.numpy(), rcond=None)[0], rtol=1e-7)


@pytest.mark.parametrize(("j", "k"), [(2, 2), (1, 3), (4, 2)])
def test_principal_cosines_are_those_of_scipy(rng, j, k):
    """The cosines of SciPy's angles, which come in falling order."""
    a, b = normal(rng, j, 6), normal(rng, k, 6)
    same(rep.principal_cosines(a, b), np.cos(subspace_angles(a.numpy().T, b.numpy().T))[::-1].copy(), rtol=1e-8)


def test_the_denoising_map_is_that_of_least_squares(rng):
    """Every example with every noise of a symmetric set, whose covariance is exact: then least squares is the expectation."""
    x, sigma = cloud(rng, 10, 4), 0.7
    clean = (x - x.mean(0)).numpy()
    noise = symmetric_noise(4, std=sigma)
    noisy = (clean[:, None] + noise[None]).reshape(-1, 4)

    want = np.linalg.lstsq(noisy, np.repeat(clean, len(noise), axis=0), rcond=None)[0]
    same(rep.denoising_map(x, sigma), want, rtol=1e-7)


# --- neighbors ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 4])
def test_votes_are_those_of_scikit_learn(rng, k):
    """A classifier that is fitted without the example itself predicts the same."""
    z, labels = cloud(rng, 15, 3), rng.integers(0, 3, 15)
    want = []
    for i in range(15):
        others = np.arange(15) != i
        want.append(KNeighborsClassifier(k).fit(z.numpy()[others], labels[others]).predict(z.numpy()[i : i + 1])[0])
    assert rep.knn_predict(z, torch.from_numpy(labels), k).tolist() == want


def test_recall_by_sorting(rng):
    """The place of the partner in the sorted list of all others, for each view."""
    z = normal(rng, 10, 3)
    cosines = np.corrcoef(
        np.hstack([z.numpy(), -z.numpy()])
    )  # rows z, -z have mean 0, so the correlation is the cosine
    ranks = []
    for i in range(10):
        order = [j for j in np.argsort(-cosines[i]) if j != i]
        ranks.append(order.index((i + 5) % 10))
    for k in (1, 3, 9):
        same(rep.pair_recall(z, k), float(np.mean(np.array(ranks) < k)))


# --- contrastive losses ------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [1.0, 0.1])
def test_contrastive_losses_are_cross_entropies(rng, tau):
    """torch's cross-entropy over the rows of a matrix of cosines, with partners as classes."""
    z = normal(rng, 10, 4)
    scores = torch.cosine_similarity(z[:, None], z[None], dim=-1) / tau
    others = scores.masked_fill(torch.eye(10, dtype=torch.bool), -math.inf)
    same(rep.nt_xent(z, tau), cross_entropy(others, torch.arange(10).roll(5)))

    towers = scores[:5, 5:]
    want = (cross_entropy(towers, torch.arange(5)) + cross_entropy(towers.T, torch.arange(5))) / 2
    same(rep.clip_loss(z[:5], z[5:], tau), want)


@pytest.mark.parametrize(("N", "d", "tau"), [(1, 3, 0.5), (4, 2, 1.0), (6, 5, 0.07)])
def test_the_contrastive_gradient_is_autograds(rng, N, d, tau):
    """The gradient in rows of any length."""
    z = (3 * normal(rng, 2 * N, d)).requires_grad_()
    (want,) = torch.autograd.grad(rep.nt_xent(z, tau), z)
    got = rep.nt_xent_gradient(z.detach(), tau)
    same(got, want)
    same((got * z.detach()).sum(1), torch.zeros(2 * N), atol=1e-9)


def test_what_a_contrastive_loss_does_not_see(rng):
    """Turns and lengths; and one point for all has the loss log(2N - 1)."""
    z, turn = normal(rng, 8, 4), torch.linalg.qr(normal(rng, 4, 4)).Q
    lengths = torch.linspace(0.1, 9, 8, dtype=F64)[:, None]
    same(rep.nt_xent(lengths * z @ turn, 0.3), rep.nt_xent(z, 0.3))
    for tau in (0.1, 1.0):
        same(rep.nt_xent(torch.ones(8, 3, dtype=F64), tau), math.log(7))


# --- information -------------------------------------------------------------------------------


def test_mutual_information_is_that_of_scikit_learn(rng):
    """Of a table of counts, divided by their sum; and 0 for a product."""
    counts = rng.integers(0, 6, (3, 5))
    counts[0, 0] = 0
    counts[1, 1] = 4
    want = mutual_info_score(None, None, contingency=counts)
    same(rep.mutual_information(torch.from_numpy(counts / counts.sum())), want)


def mean_over_all_batches(joint, critic, N):
    """The expected estimate, by all batches of N pairs at their probabilities."""
    X, Y = joint.shape
    batches = torch.from_numpy(tuples(range(X * Y), N).astype(int))
    x, y = batches // Y, batches % Y
    return (joint.flatten()[batches].prod(1) * rep.infonce(critic[x[:, :, None], y[:, None, :]])).sum()


def test_the_best_critic_is_best(rng):
    """By enumeration of all batches: other critics are below it, and it is below the information and log N, and rises with N."""
    joint = torch.from_numpy(rng.dirichlet(np.ones(6)).reshape(2, 3))
    critic, information = rep.best_critic(joint), rep.mutual_information(joint)
    estimates = [mean_over_all_batches(joint, critic, N) for N in (1, 2, 3, 4)]
    same(estimates[0], 0.0)
    assert all(a < b for a, b in zip(estimates, estimates[1:]))
    for N, estimate in zip((1, 2, 3, 4), estimates):
        assert estimate <= min(float(information), math.log(N)) + 1e-12
        same(
            mean_over_all_batches(joint, critic + normal(rng, 2, 1), N), estimate
        )  # what depends on x alone changes nothing
        for _ in range(3):
            assert mean_over_all_batches(joint, critic + 0.5 * normal(rng, 2, 3), N) <= estimate + 1e-12


# --- collapse ----------------------------------------------------------------------------------


def test_uniformity_is_that_of_its_authors(rng):
    """Wang and Isola's line, with torch.pdist."""
    z = normal(rng, 9, 4)
    same(rep.uniformity(z, t=2.0), torch.pdist(normalize(z)).pow(2).mul(-2).exp().mean().log())


def test_effective_rank_by_eigenvalues(rng):
    """From the eigenvalues of NumPy's covariance; 1 for one direction, d for equal variances."""
    z = cloud(rng, 12, 4)
    share = np.linalg.eigvalsh(np.cov(z.numpy().T))
    share = share / share.sum()
    same(rep.effective_rank(z), np.exp(-(share * np.log(share)).sum()), rtol=1e-7)
    same(rep.effective_rank(z[:, :1].expand(12, 4)), 1.0, atol=1e-7)
    same(rep.effective_rank(rep.whiten(z)), 4.0, atol=1e-7)


def test_terms_of_vicreg_by_definition(rng):
    """With torch.cov and torch.std."""
    a, b = 2 * normal(rng, 7, 3), 0.5 * normal(rng, 7, 3)
    variance = sum((1 - (z.var(0) + 1e-4).sqrt()).relu().mean() for z in (a, b))
    covariance = sum((torch.cov(z.T) - torch.diag(torch.diag(torch.cov(z.T)))).pow(2).sum() / 3 for z in (a, b))
    for got, want in zip(rep.vicreg_terms(a, b), (3 * mse_loss(a, b), variance, covariance)):
        same(got, want)


# --- CKA ---------------------------------------------------------------------------------------


def test_both_forms_of_cka_and_the_centering_matrix(rng):
    """HSIC with the matrix I - 1/N, as Kornblith et al. write it."""
    x, y = cloud(rng, 9, 3), cloud(rng, 9, 5)
    h = torch.eye(9, dtype=F64) - 1 / 9

    def hsic(k, l):
        return torch.trace(k @ h @ l @ h)

    k, l = x @ x.T, y @ y.T
    want = hsic(k, l) / (hsic(k, k) * hsic(l, l)).sqrt()
    same(rep.cka(x, y), want)
    same(rep.cka_from_grams(k, l), want)
    turn = torch.linalg.qr(normal(rng, 5, 5)).Q
    same(rep.cka(y, 3 * y @ turn + 4), 1.0)
    assert rep.cka(y, y @ torch.diag(torch.tensor([9.0, 1, 1, 1, 1], dtype=F64))) < 0.999


def test_the_unbiased_numerator_is_an_average_over_distinct_examples(rng):
    """H(K, L) is N(N - 3) times the U-statistic of HSIC over all quadruples of different examples."""

    N = 6
    x, y = normal(rng, N, 2), normal(rng, N, 3)
    k, l = (x @ x.T).numpy(), (y @ y.T).numpy()

    def u_statistic(k, l):
        terms = [
            k[i, j] * l[i, j] + k[i, j] * l[q, r] - 2 * k[i, j] * l[i, q]
            for i, j, q, r in itertools.permutations(range(N), 4)
        ]
        return np.mean(terms)

    same(rep.unbiased_cka(x, y), u_statistic(k, l) / np.sqrt(u_statistic(k, k) * u_statistic(l, l)))
    shifted = rep.unbiased_cka(x + 5, y - 2)
    same(shifted, rep.unbiased_cka(x, y), rtol=1e-7)


def test_the_unbiased_numerator_vanishes_on_average():
    """Over all orders of the rows of one representation, the numerator averages 0."""

    rng = np.random.default_rng(0)
    x, y = normal(rng, 5, 2), normal(rng, 5, 3)
    values = [float(rep.unbiased_cka(x, y[list(order)])) for order in itertools.permutations(range(5))]
    assert abs(np.mean(values)) < 1e-12  # the denominator is the same for all orders


# --- t-SNE -------------------------------------------------------------------------------------


def test_affinities_are_those_of_scikit_learn(rng):
    """Its search stops at 1e-5 in the entropy, and computes in float32."""
    x = normal(rng, 12, 3)
    distances2 = torch.cdist(x, x).square().numpy().astype(np.float32)

    want = squareform(_t_sne._joint_probabilities(distances2, 4.0, 0))
    same(rep.affinities(x, 4.0), want, rtol=1e-3, atol=1e-6)


def test_the_perplexity_is_met(rng):
    """Two clouds so far apart that each has a search of its own: then rows of the picks can be read off for N = 3."""
    for a, b in ((1.0, 3.0), (2.0, 2.5)):
        x = torch.tensor([[0.0], [a], [a + b]], dtype=F64)
        p = rep.affinities(x, 1.7)
        pick = float(3 * p[0, 1])
        assert -pick * math.log(pick) - (1 - pick) * math.log(1 - pick) == pytest.approx(math.log(1.7), rel=1e-8)


def test_the_gradient_of_a_map_is_autograds_and_scikit_learns(rng):
    """Autograd on the loss; scikit-learn's loss and gradient agree as well."""
    x, y = normal(rng, 9, 4), normal(rng, 9, 2).requires_grad_()
    p = rep.affinities(x, 3.0)
    w = 1 / (1 + (y[:, None] - y[None]).square().sum(-1))
    w = w * (1 - torch.eye(9, dtype=F64))
    loss = torch.nn.functional.kl_div((w / w.sum() + torch.eye(9, dtype=F64)).log(), p, reduction="sum")
    (want,) = torch.autograd.grad(loss, y)

    got_loss, got = rep.tsne_gradient(p, y.detach())
    same(got_loss, loss.detach())
    same(got, want)

    condensed = p.numpy()[np.triu_indices(9, 1)]
    their_loss, theirs = _t_sne._kl_divergence(y.detach().numpy().ravel(), condensed, 1, 9, 2)
    same(got_loss, float(their_loss), rtol=1e-6)
    same(got, theirs.reshape(9, 2), rtol=1e-5, atol=1e-8)
