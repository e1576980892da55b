"""Graded checks of the representation assignment.

Everything is exact: no check trains and none samples. Inputs are float64 unless a check is about another dtype, they are never
centered, and N, d and k differ.
"""

import math

import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_commutes, assert_leaves_arguments, with_ties
from coursekit.compare import assert_close
from coursekit.exact import tuples

F64 = torch.float64
ONE = torch.tensor(1.5, dtype=F64)  # a cotangent that is not 1


def normal(generator, *shape, dtype=F64):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64).to(dtype)


def cloud(generator, N, d):
    """Examples with different variances along turned axes, around a point that is not 0."""
    return normal(generator, N, d) * torch.linspace(3, 0.5, d, dtype=F64) @ rotation(generator, d) + 2 * normal(generator, d) + 1


def rotation(generator, d):
    """A random orthogonal matrix."""
    return torch.linalg.qr(normal(generator, d, d)).Q


def shapes_and(at, answers):
    """One of several answers, and the shapes of all."""
    return answers[at], [tuple(answer.shape) for answer in answers]


def joint_of(generator, X, Y):
    """A table of probabilities, all positive, with unequal margins."""
    table = normal(generator, X, Y).exp()
    return table / table.sum()


# --- Task 1: directions of largest variance ----------------------------------------------------


@number("1.1")
@weight(3)
@tags("pca")
@pytest.mark.parametrize("shape", [(12, 5), (4, 6)], ids=["tall", "wide"])
def test_mean_and_components(agree, torch_rng, shape):
    """The components are orthonormal directions of the centered examples, in order, each with its largest entry positive."""
    x = cloud(torch_rng, *shape)
    _, components = agree(lambda impl, x: impl.pca(x, 3)[:2], x)

    assert_close(components @ components.T, torch.eye(3, dtype=F64), name="components @ components.T", atol=1e-9)


@number("1.2")
@weight(2)
@tags("pca")
def test_variances_along_the_components(agree, torch_rng):
    """Each variance is that of the examples along its component; it divides by N."""
    for N, d, k in ((9, 4, 3), (5, 7, 2)):
        agree(lambda impl, x, k: shapes_and(2, impl.pca(x, k)), cloud(torch_rng, N, d), k)


@number("1.3")
@weight(1)
@tags("pca")
def test_shares_of_the_total_variance(agree, torch_rng):
    """A share is of the variance of all features, so the shares of a few components add up to less than 1."""
    for N, d, k in ((9, 4, 2), (5, 7, 3)):
        agree(lambda impl, x, k: shapes_and(3, impl.pca(x, k)), cloud(torch_rng, N, d), k)


@number("1.4")
@weight(2)
@tags("pca")
@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_white_examples(agree, torch_rng, kind):
    """White examples have the identity as covariance. "pca" keeps the order of the components, "zca" the axes."""
    white = agree("whiten", cloud(torch_rng, 11, 4), kind=kind)

    assert_close(white.T @ white / 11, torch.eye(4, dtype=F64), name="the covariance", atol=1e-9)


@number("1.5")
@weight(1)
@tags("pca")
def test_whitening_with_eps(agree, torch_rng):
    """eps is added to a variance. With it, directions without variance do no harm."""
    agree("whiten", cloud(torch_rng, 9, 3), eps=0.3)
    flat = torch.cat([cloud(torch_rng, 9, 2), torch.full((9, 1), 4.0, dtype=F64)], 1)
    agree("whiten", flat, kind="zca", eps=0.5)


@number("1.6")
@weight(1)
@tags("pca")
def test_pca_changes_no_arguments(agree, torch_rng):
    """The examples are not centered in place, and a shift of all examples moves the mean and nothing else."""
    x = cloud(torch_rng, 8, 3)

    def moved(impl, x):
        assert_leaves_arguments(impl.pca, x, 2, name="pca")
        assert_leaves_arguments(impl.whiten, x, name="whiten")
        found = [impl.pca(z, 2)[:2] for z in (x, x + 40)]
        return [mean for mean, _ in found] + [rows.T @ rows for _, rows in found]  # whatever the signs

    *_, first, second = agree(moved, x, tol=(1e-8, 1e-8))  # 40 costs two digits
    assert_close(first, second, name="the plane of the moved examples' components", rtol=1e-8, atol=1e-8)


# --- Task 2: linear autoencoders ---------------------------------------------------------------


@number("2.1")
@weight(2)
@tags("autoencoder")
def test_loss_of_an_autoencoder(agree, torch_rng):
    """Squared errors are summed over features and averaged over examples."""
    x = cloud(torch_rng, 7, 5)
    agree(lambda impl, *args: shapes_and(0, impl.autoencoder_gradients(*args)), x, normal(torch_rng, 5, 2), normal(torch_rng, 2, 5))


@number("2.2")
@weight(3)
@tags("autoencoder")
@pytest.mark.parametrize("k", [1, 3])
def test_gradients_of_an_autoencoder(agree, torch_rng, k):
    """Both gradients are those of the loss; the encoder is not the decoder's transpose."""
    x, encoder, decoder = cloud(torch_rng, 7, 5), normal(torch_rng, 5, k), normal(torch_rng, k, 5)

    def gradients(impl, *args):
        return assert_leaves_arguments(impl.autoencoder_gradients, *args, name="autoencoder_gradients")[1:]

    agree(gradients, x, encoder, decoder)


@number("2.3")
@weight(3)
@tags("autoencoder")
def test_best_decoder(agree, torch_rng):
    """The best decoder of any encoder, one feature or several, leaves errors that no code predicts."""
    x = cloud(torch_rng, 9, 4)
    for k in (1, 3):
        encoder = normal(torch_rng, 4, k)
        decoder = agree("best_decoder", x, encoder)

        assert_close((x @ encoder).T @ (x @ encoder @ decoder - x), torch.zeros(k, 4, dtype=F64), name="codes.T @ errors", atol=1e-8)


@number("2.4")
@weight(1)
@tags("autoencoder")
def test_mixed_codes_have_an_unmixed_decoder(agree, torch_rng):
    """Any invertible mixing of the codes reconstructs the same."""
    x, encoder, mixing = cloud(torch_rng, 9, 4), normal(torch_rng, 4, 2), normal(torch_rng, 2, 2)

    def reconstructions(impl, x, encoder):
        return x @ encoder @ impl.best_decoder(x, encoder)

    first, second = agree(reconstructions, x, encoder), agree(reconstructions, x, encoder @ mixing)
    assert_close(first, second, name="reconstructions of mixed codes", rtol=1e-7, atol=1e-7)  # the mixing may be nearly singular


@number("2.5")
@weight(2)
@tags("autoencoder")
@pytest.mark.parametrize(("j", "k"), [(2, 2), (1, 3)])
def test_principal_cosines(agree, torch_rng, j, k):
    """The cosines belong to the subspaces, whatever bases span them."""
    a, b = normal(torch_rng, j, 6), 5 * normal(torch_rng, k, 6)
    mixing = 3 * torch.eye(k, dtype=F64) + 0.3 * normal(torch_rng, k, k)

    assert_commutes(lambda a, b: agree("principal_cosines", a, b), a, b, before=lambda a, b: (-2 * a, mixing @ b), after=lambda c: c)


@number("2.6")
@weight(3)
@tags("autoencoder")
def test_denoising_map(agree, torch_rng):
    """The map keeps more of directions that vary more, and depends on the variance of the noise."""
    for sigma in (0.3, 2.0):
        x = cloud(torch_rng, 9, 4)
        agree(lambda impl, *args: assert_leaves_arguments(impl.denoising_map, *args, name="denoising_map"), x, sigma)


# --- Task 3: what the neighbors say ------------------------------------------------------------


@number("3.1")
@weight(2)
@tags("neighbors")
def test_votes_of_the_neighbors(agree, torch_rng, rng):
    """The examples nearest to another one vote, and that one doesn't."""
    z = normal(torch_rng, 20, 3) * torch.tensor([1.0, 1, 20]).to(F64)
    labels = torch.from_numpy(rng.integers(0, 2, 20))
    for k in (1, 5, 19):
        agree("knn_predict", z, labels, k)


@number("3.2")
@weight(2)
@tags("neighbors")
@pytest.mark.parametrize("what", ["distances", "votes"])
def test_ties(agree, torch_rng, rng, what):
    """Of equal distances the lower index is nearer, and of equal votes the lower label wins."""
    if what == "votes":
        agree("knn_predict", normal(torch_rng, 18, 2), torch.from_numpy(rng.permutation(18) % 6), 4)
    else:
        agree("knn_predict", torch.from_numpy(with_ties(rng, (18, 2))), torch.from_numpy(rng.permutation(18)), 1)


@number("3.3")
@weight(2)
@tags("neighbors")
def test_recall_of_the_partner(agree, torch_rng):
    """A view's partner stands N rows away, and lengths don't matter."""
    z = normal(torch_rng, 8, 4)
    z = torch.cat([z, z + 0.7 * normal(torch_rng, 8, 4)]) * torch.linspace(0.05, 20, 16, dtype=F64)[:, None]
    agree(lambda impl, z: [assert_leaves_arguments(impl.pair_recall, z, k, name="pair_recall") for k in (1, 2, 4, 8)], z)


# --- Task 4: contrastive losses ----------------------------------------------------------------


def views(generator, N, d, dtype=F64):
    """Two views of N examples, of different lengths."""
    first = normal(generator, N, d)
    z = torch.cat([first, first + 0.5 * normal(generator, N, d)])
    return (z * torch.linspace(0.4, 3, 2 * N, dtype=F64)[:, None]).to(dtype)


@number("4.1")
@weight(3)
@tags("contrastive")
@pytest.mark.parametrize(("N", "tau"), [(2, 1.0), (5, 0.5), (5, 0.1)])
def test_contrastive_loss(agree, torch_rng, N, tau):
    """Each of the 2N views picks among all the other views."""
    agree("nt_xent", views(torch_rng, N, 3), tau)


@number("4.2")
@weight(1)
@tags("contrastive")
def test_contrastive_loss_in_float32(agree, torch_rng):
    """Results keep the dtype, and a small temperature overflows nothing."""
    z = views(torch_rng, 4, 3, torch.float32)
    agree(lambda impl, z: assert_leaves_arguments(impl.nt_xent, z, 0.004, name="nt_xent"), z)


@number("4.3")
@weight(4)
@tags("contrastive")
@pytest.mark.parametrize(("N", "tau"), [(2, 1.0), (5, 0.2)])
def test_gradient_of_the_contrastive_loss(agree, torch_rng, N, tau):
    """The gradient counts a view as an anchor and as one of the others, and a longer vector doesn't change the loss."""
    z = views(torch_rng, N, 3)
    agree(lambda impl, *args: assert_leaves_arguments(impl.nt_xent_gradient, *args, name="nt_xent_gradient"), z, tau)


@number("4.4")
@weight(1)
@tags("contrastive")
def test_gradient_of_longer_vectors(agree, torch_rng):
    """Vectors that are twice as long have half the gradient."""
    z = views(torch_rng, 3, 4)
    short, long = agree(lambda impl, z: [impl.nt_xent_gradient(z, 0.5), impl.nt_xent_gradient(2 * z, 0.5)], z)
    assert_close(2 * long, short, name="twice the gradient of doubled vectors")


@number("4.5")
@weight(1)
@tags("contrastive")
def test_contrastive_loss_carries_a_gradient(agree, torch_rng):
    """Autograd goes through the loss, also where all views of a batch coincide."""
    z = views(torch_rng, 3, 4)
    agree.vjp("nt_xent", z, 0.5, wrt=0, cotangent=ONE)


@number("4.6")
@weight(4)
@tags("contrastive")
@pytest.mark.parametrize("N", [3, 6])
def test_two_towers(agree, torch_rng, N):
    """Images pick among texts, and texts among images; the matrix of scores is not symmetric."""
    a, b = views(torch_rng, N, 4)[:N], views(torch_rng, N, 4)[N:]
    agree(lambda impl, *args: assert_leaves_arguments(impl.clip_loss, *args, name="clip_loss"), a, b, 0.3)


@number("4.7")
@weight(1)
@tags("contrastive")
def test_two_towers_exchanged(agree, torch_rng):
    """Images and texts may change places, and a tiny temperature overflows nothing."""
    a, b = views(torch_rng, 5, 4)[:5], views(torch_rng, 5, 4)[5:]
    assert_commutes(lambda a, b: agree("clip_loss", a, b, 0.001), a, b, before=lambda a, b: (b, a), after=lambda loss: loss)


# --- Task 5: a loss that measures information --------------------------------------------------


@number("5.1")
@weight(3)
@tags("bound")
def test_mutual_information(agree, torch_rng):
    """The information of a table with unequal margins, and of one with zeros, in nats."""
    sparse = torch.block_diag(joint_of(torch_rng, 2, 1), joint_of(torch_rng, 1, 3)) / 2
    agree(lambda impl, *tables: [impl.mutual_information(table) for table in tables], joint_of(torch_rng, 2, 5), sparse)


@number("5.2")
@weight(1)
@tags("bound")
@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 5, 5)], ids=["one", "many"])
def test_estimate_of_a_batch(agree, torch_rng, shape):
    """The mean over the rows of a batch, one estimate for each batch; rows pick among columns."""
    agree("infonce", 2 * normal(torch_rng, *shape))


@number("5.3")
@weight(1)
@tags("bound")
def test_estimate_of_extreme_scores(agree, torch_rng):
    """Scores of thousands overflow nothing, and a pair that never happens has the score -inf."""
    scores = 3000 * normal(torch_rng, 4, 4)
    scores[0, 2] = scores[1, 3] = -math.inf
    agree("infonce", scores)


@number("5.4")
@weight(1)
@tags("bound")
def test_estimates_of_all_batches(agree, torch_rng):
    """Averaged over all batches of three pairs, the estimate stays below the information, whatever the critic."""
    joint, critic = joint_of(torch_rng, 2, 2), normal(torch_rng, 2, 2)
    batches = torch.from_numpy(tuples([0, 1, 2, 3], 3).astype(int))  # which cell of the table each pair is
    x, y = batches // 2, batches % 2
    estimates = agree("infonce", critic[x[:, :, None], y[:, None, :]])

    information = (joint * (joint / joint.sum(1, keepdim=True) / joint.sum(0)).log()).sum()
    assert (joint.flatten()[batches].prod(1) * estimates).sum() <= information + 1e-9


@number("5.5")
@weight(3)
@tags("bound")
def test_best_critic(agree, torch_rng):
    """The best critic of tables with unequal margins, one of them with a pair that never happens."""
    for X, Y in ((3, 4), (4, 2)):
        joint = joint_of(torch_rng, X, Y)
        joint[1, 0] = 0.0 if X == 4 else joint[1, 0]
        joint = joint / joint.sum()
        critic = agree(lambda impl, joint: assert_leaves_arguments(impl.best_critic, joint, name="best_critic"), joint)

        assert_close((critic.exp() * joint.sum(0)).sum(1), torch.ones(X, dtype=F64), name="the mean of exp(score) over y")


# --- Task 6: collapse --------------------------------------------------------------------------


@number("6.1")
@weight(2)
@tags("collapse")
def test_uniformity(agree, torch_rng):
    """The mean is over pairs of different examples, and directions count, not lengths."""
    z = views(torch_rng, 4, 3)
    agree(lambda impl, z: [impl.uniformity(z), assert_leaves_arguments(impl.uniformity, z, t=0.7, name="uniformity")], z)


@number("6.2")
@weight(2)
@tags("collapse")
def test_effective_rank(agree, torch_rng):
    """How many directions the examples use, around any mean, also where some directions are without variance."""
    flat = cloud(torch_rng, 9, 2) @ normal(torch_rng, 2, 5) + 3
    for z in (cloud(torch_rng, 9, 4), cloud(torch_rng, 4, 6)):
        agree("effective_rank", z)
    agree("effective_rank", flat, tol=(1e-7, 1e-7))  # the rounding of a variance of 0 has an entropy of 1e-15 times 35


@number("6.3")
@weight(3)
@tags("collapse")
@pytest.mark.parametrize("part", ["invariance", "variance", "covariance"])
def test_terms_of_vicreg(agree, torch_rng, part):
    """Each of the three terms, on views with standard deviations on both sides of 1."""
    at = ("invariance", "variance", "covariance").index(part)
    scale = torch.tensor([0.2, 1.5, 0.8]).to(F64)
    a, b = normal(torch_rng, 5, 3) * scale + 1, normal(torch_rng, 5, 3) * scale - 1

    agree(lambda impl, a, b: assert_leaves_arguments(impl.vicreg_terms, a, b, name="vicreg_terms")[at], a, b)
    agree(lambda impl, a, b: impl.vicreg_terms(a, b, eps=0.5)[at], a, b)


# --- Task 7: comparing two networks ------------------------------------------------------------


@number("7.1")
@weight(3)
@tags("cka")
def test_cka_of_gram_matrices(agree, torch_rng):
    """The cosine of two Gram matrices, both of them centered in rows and columns."""
    x, y = cloud(torch_rng, 7, 3), cloud(torch_rng, 7, 5)
    agree(lambda impl, *grams: assert_leaves_arguments(impl.cka_from_grams, *grams, name="cka_from_grams"), x @ x.T, y @ y.T)


@number("7.2")
@weight(2)
@tags("cka")
@pytest.mark.parametrize(("N", "d", "e"), [(8, 3, 5), (5, 6, 2)], ids=["tall", "wide"])
def test_cka(agree, torch_rng, N, d, e):
    """The similarity of two representations of different widths."""
    x, y = cloud(torch_rng, N, d), cloud(torch_rng, N, e)
    agree(lambda impl, *args: assert_leaves_arguments(impl.cka, *args, name="cka"), x, y)


@number("7.3")
@weight(3)
@tags("cka")
@pytest.mark.parametrize(("N", "d", "e"), [(9, 4, 2), (4, 3, 6)], ids=["tall", "wide"])
def test_unbiased_cka(agree, torch_rng, N, d, e):
    """The estimate that leaves each example's product with itself out."""
    x, y = normal(torch_rng, N, d), normal(torch_rng, N, e)
    agree(lambda impl, *args: assert_leaves_arguments(impl.unbiased_cka, *args, name="unbiased_cka"), x, y)


@number("7.4")
@weight(1)
@tags("cka")
def test_what_changes_nothing(agree, torch_rng):
    """Turning, scaling and moving one representation changes nothing."""
    x, y, turn = cloud(torch_rng, 8, 3), cloud(torch_rng, 8, 4), rotation(torch_rng, 4)
    first, second = agree(lambda impl, *pairs: [impl.cka(*pair) for pair in pairs], (x, y), (x, -3 * y @ turn + 5))
    assert_close(first, second, name="cka of a changed representation")


# --- Task 8: a map of the neighbors ------------------------------------------------------------


@number("8.1")
@weight(3)
@tags("tsne")
@pytest.mark.parametrize("perplexity", [2.5, 6.0])
def test_affinities(agree, torch_rng, perplexity):
    """Each example picks among as many neighbors as the perplexity says, in dense and in sparse regions; then both directions meet."""
    x = torch.cat([normal(torch_rng, 5, 3), 30 * normal(torch_rng, 6, 3)])
    # the perplexity is met to 1e-8, and the probabilities are as exact as that, times the number of neighbors
    agree("affinities", x, perplexity, tol=(1e-6, 1e-9))


@number("8.2")
@weight(1)
@tags("tsne")
def test_affinities_of_other_units(agree, torch_rng):
    """In other units, the examples are the same neighbors."""
    x = normal(torch_rng, 7, 2)
    p = [agree("affinities", x * unit, 3.0, tol=(1e-6, 1e-9)) for unit in (1e-4, 1e4)]  # as above
    assert_close(*p, name="affinities in other units", rtol=1e-6, atol=1e-9)


@number("8.3")
@weight(2)
@tags("tsne")
def test_loss_of_a_map(agree, torch_rng):
    """The divergence of the map's neighbors from the data's, over all pairs."""
    table = normal(torch_rng, 6, 6).exp().triu(1)
    table[0, 1] = 0.0
    table = table + table.T
    agree(lambda impl, *args: shapes_and(0, impl.tsne_gradient(*args)), table / table.sum(), normal(torch_rng, 6, 2))


@number("8.4")
@weight(2)
@tags("tsne")
@pytest.mark.parametrize("m", [1, 3])
def test_gradient_of_a_map(agree, torch_rng, m):
    """The gradient of the loss in the places, on maps of any dimension, near and far."""
    table = normal(torch_rng, 7, 7).exp().triu(1)
    p = (table + table.T) / (2 * table.sum())

    def gradient(impl, *args):
        return assert_leaves_arguments(impl.tsne_gradient, *args, name="tsne_gradient")[1]

    for spread in (0.5, 5.0):
        agree(gradient, p, spread * normal(torch_rng, 7, m))
