"""The checks you can run yourself: `pytest` in this folder, or `pytest --task pca` for one task."""

import math

import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

F64 = torch.float64


def numbers(*values):
    """A float64 tensor."""
    return torch.tensor(values, dtype=F64)


def column(*values):
    """A float64 tensor of shape (N, 1)."""
    return numbers(*values)[:, None]


def cross():
    """Four points on two axes, with variances 8 and 2."""
    return numbers([4, 0], [-4, 0], [0, 2], [0, -2])


# --- Task 1 ------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("pca")
def test_pca_by_hand(impl):
    """Four points on two axes around (1, 3) vary by 8 along the first axis and by 2 along the second."""
    mean, components, variances, share = assert_leaves_arguments(impl.pca, cross() + numbers(1, 3), 1, name="pca")

    assert_close(mean, numbers(1, 3), name="mean")
    assert_close(components, numbers([1, 0]), name="components", atol=1e-7)
    assert_close(variances, numbers(8), name="variances")
    assert_close(share, numbers(0.8), name="share")


@number("1.p2")
@weight(1)
@tags("pca")
def test_whiten_by_hand(impl):
    """Turned by 45 degrees and moved, the four points keep their variances; "zca" turns the white points back."""
    turn = numbers([1, 1], [-1, 1]) / math.sqrt(2)
    white = numbers([1, 0], [-1, 0], [0, 1], [0, -1]) * math.sqrt(2)
    found = assert_leaves_arguments(impl.whiten, cross() @ turn + 1, kind="zca", name="whiten")

    assert_close(found, white @ turn, name='whiten with kind="zca"')
    assert_close(impl.whiten(cross(), eps=1.0)[0], numbers(4 / 3, 0), name="the first row with eps = 1", atol=1e-7)


# --- Task 2 ------------------------------------------------------------------------------------


@number("2.p1")
@weight(1)
@tags("autoencoder")
def test_autoencoder_gradients_by_hand(impl):
    """One feature: the rows 1 and 3 become 0.5 and 1.5, so the errors are 0.5 and 1.5. Two features: one of them is lost."""
    found = assert_leaves_arguments(
        impl.autoencoder_gradients, column(1, 3), numbers([1]), numbers([0.5]), name="autoencoder_gradients"
    )
    assert_close(found, (numbers(1.25)[0], numbers([-2.5]), numbers([-5])), name="one feature")

    loss, encoder, decoder = impl.autoencoder_gradients(numbers([2, 1], [2, -1]), column(1, 0), numbers([1, 0]))
    assert_close(loss, numbers(1)[0], name="the loss with two features")
    assert_close((encoder, decoder), (numbers([0], [0]), numbers([0, 0])), name="the gradients with two features")


@number("2.p2")
@weight(1)
@tags("autoencoder")
def test_best_decoder_by_hand(impl):
    """Codes 4, -4, 2, -2: the best multiples of the codes for the two features are 0.8 and 0.2."""
    found = assert_leaves_arguments(impl.best_decoder, cross(), column(1, 1), name="best_decoder")

    assert_close(found, numbers([0.8, 0.2]), name="best_decoder")


@number("2.p3")
@weight(1)
@tags("autoencoder")
def test_principal_cosines_by_hand(impl):
    """A line at 60 degrees to a plane, and the plane in another basis."""
    plane, other = numbers([1, 0, 0], [0, 2, 0]), numbers([1, 1, 0], [1, 2, 0])
    line = numbers([0.5, 0, math.sqrt(0.75)])

    assert_close(impl.principal_cosines(3 * line, other), numbers(0.5), name="a line and a plane")
    assert_close(impl.principal_cosines(plane, other), numbers(1, 1), name="one plane in two bases")


@number("2.p4")
@weight(1)
@tags("autoencoder")
def test_denoising_map_by_hand(impl):
    """Variances 8 and 2 with noise of variance 2: of what is seen, four fifths and one half are kept."""
    found = assert_leaves_arguments(impl.denoising_map, cross() + 1, math.sqrt(2), name="denoising_map")

    assert_close(found, numbers([0.8, 0], [0, 0.5]), name="denoising_map")


# --- Task 3 ------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("neighbors")
def test_knn_predict_by_hand(impl):
    """Points 0, 1, 3, 7 on a line. With two neighbors the votes of most points are tied, and the lower label wins."""
    labels = torch.tensor([2, 0, 0, 1])
    found = assert_leaves_arguments(impl.knn_predict, column(0, 1, 3, 7), labels, 1, name="knn_predict")

    assert_close(found, torch.tensor([0, 2, 0, 0]), name="knn_predict with k = 1")
    assert_close(impl.knn_predict(column(0, 1, 3, 7), labels, 2), torch.tensor([0, 0, 0, 0]), name="knn_predict with k = 2")


@number("3.p2")
@weight(1)
@tags("neighbors")
def test_pair_recall_by_hand(impl):
    """Views 1 and 3 are closest to each other; views 0 and 2 are at a right angle, and both others are closer."""
    z = numbers([1, 0], [3, 1], [0, 1], [2, 1])

    assert_close(assert_leaves_arguments(impl.pair_recall, z, 1, name="pair_recall"), numbers(0.5)[0], name="k = 1")
    assert_close(impl.pair_recall(z, 3), numbers(1)[0], name="k = 3")


# --- Task 4 ------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
@tags("contrastive")
def test_nt_xent_by_hand(impl):
    """Two pairs, orthogonal to each other: an anchor has one partner at cosine 1 and two others at cosine 0."""
    z = numbers([1, 0], [0, 1], [3, 0], [0, 1])
    want = -math.log(math.e**2 / (math.e**2 + 2))

    assert_close(assert_leaves_arguments(impl.nt_xent, z, 0.5, name="nt_xent"), numbers(want)[0], name="nt_xent")


@number("4.p2")
@weight(1)
@tags("contrastive")
def test_nt_xent_gradient_against_finite_differences(impl):
    """Four views in the plane at tau = 1. The numbers come from central differences of the loss."""
    z = numbers([1, 0], [1, 1], [0, 2], [-1, 1])
    want = numbers([0, -0.157323], [0.205234, -0.205234], [-0.205234, 0], [-0.078662, -0.078662])

    found = assert_leaves_arguments(impl.nt_xent_gradient, z, 1.0, name="nt_xent_gradient")
    assert_close(found, want, name="nt_xent_gradient", atol=2e-6)  # six digits are given


@number("4.p3")
@weight(1)
@tags("contrastive")
def test_clip_loss_by_hand(impl):
    """Two images at a right angle, and two texts that both say the first: images pick by chance, the texts both pick the first image."""
    images, texts = numbers([1, 0], [0, 2]), numbers([1, 0], [5, 0])
    want = (math.log(2) + math.log(1 + math.e) - 0.5) / 2

    assert_close(impl.clip_loss(images, texts, 1.0), numbers(want)[0], name="clip_loss")


# --- Task 5 ------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("bound")
def test_mutual_information_by_hand(impl):
    """Two equal coins share log 2. Two independent coins share nothing."""
    equal, independent = numbers([0.5, 0], [0, 0.5]), numbers([0.2, 0.3], [0.2, 0.3])

    assert_close(impl.mutual_information(equal), numbers(math.log(2))[0], name="two equal coins")
    assert_close(impl.mutual_information(independent), numbers(0)[0], name="two independent coins")


@number("5.p2")
@weight(1)
@tags("bound")
def test_infonce_by_hand(impl):
    """exp(score) is 3 for the pair and 1 for the other, with the mean 2: the estimate is log 3/2. Two batches give two."""
    scores = numbers([[3, 1], [1, 3]], [[1, 1], [1, 1]]).log()

    assert_close(impl.infonce(scores), numbers(math.log(1.5), 0), name="infonce")


@number("5.p3")
@weight(1)
@tags("bound")
def test_best_critic_by_hand(impl):
    """Two fair coins that agree in four of five cases."""
    found = assert_leaves_arguments(impl.best_critic, numbers([0.4, 0.1], [0.1, 0.4]), name="best_critic")

    assert_close(found, numbers([1.6, 0.4], [0.4, 1.6]).log(), name="best_critic")


# --- Task 6 ------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("collapse")
def test_uniformity_by_hand(impl):
    """Of three pairs of directions, one is equal, and two are at a right angle, with the squared distance 2."""
    want = math.log((1 + 2 * math.exp(-4)) / 3)

    assert_close(impl.uniformity(numbers([1, 0], [3, 0], [0, 1])), numbers(want)[0], name="uniformity")


@number("6.p2")
@weight(1)
@tags("collapse")
def test_effective_rank_by_hand(impl):
    """Variances 8 and 2 have the shares 0.8 and 0.2, with the entropy 0.5004. The mean (5, 5) doesn't matter."""
    assert_close(impl.effective_rank(cross() + 5), numbers(5 / 4**0.8)[0], name="effective_rank")


@number("6.p3")
@weight(1)
@tags("collapse")
def test_vicreg_terms_by_hand(impl):
    """View a has the variances 0.5 and 2 with the covariance 1. View b is one point."""
    a, b = numbers([0, 0], [1, 2]), numbers([0, 0], [0, 0])
    want = numbers(2.5)[0], numbers(1 + (1 - math.sqrt(0.5)) / 2)[0], numbers(1)[0]

    assert_close(impl.vicreg_terms(a, b, eps=0.0), want, name="vicreg_terms")


# --- Task 7 ------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("cka")
def test_cka_from_grams_by_hand(impl):
    """The centered rows 1, -1, 0 and 1, 0, -1 have the inner product 1, and the lengths √2. Both have other means here."""
    x, y = column(3, 1, 2), column(0, -1, -2)
    found = assert_leaves_arguments(impl.cka_from_grams, x @ x.T, y @ y.T, name="cka_from_grams")

    assert_close(found, numbers(0.25)[0], name="cka_from_grams")


@number("7.p2")
@weight(1)
@tags("cka")
def test_cka_by_hand(impl):
    """The same rows: the cosine 1/2, squared. A second feature that is three times the first changes nothing."""
    x, y = column(3, 1, 2), column(0, -1, -2)

    assert_close(assert_leaves_arguments(impl.cka, x, y, name="cka"), numbers(0.25)[0], name="cka")
    assert_close(impl.cka(x, torch.cat([y, 3 * y], 1)), numbers(0.25)[0], name="cka with a second feature")


@number("7.p3")
@weight(1)
@tags("cka")
def test_unbiased_cka_by_hand(impl):
    """Off its diagonal, each Gram matrix has one number, twice: 2 or 3. So H(K, L) = 4 - 6, H(K, K) = 8/3 and H(L, L) = 6."""
    found = impl.unbiased_cka(column(1, 0, 0, 2), column(0, 0, 1, 3))

    assert_close(found, numbers((4 - 6) / math.sqrt(8 / 3 * 6))[0], name="unbiased_cka")


# --- Task 8 ------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("tsne")
def test_affinities_by_hand(impl):
    """Points 0, 1, 3 on a line: each picks its nearer neighbor with p and the other with 1 - p, and log 1.5 is the entropy of both."""
    found = assert_leaves_arguments(impl.affinities, column(0, 1, 3), 1.5, name="affinities")

    assert_close(found[1, 2], numbers(1 / 6)[0], name="affinity of the last two points")
    assert_close(found, found.T, name="affinities with rows and columns exchanged")
    p = 3 * float(found[0, 1])
    assert_close(3 * float(found[0, 2]), 1 - p, name="1 - p", atol=1e-9)
    assert 0.5 < p < 1
    assert_close(-p * math.log(p) - (1 - p) * math.log(1 - p), math.log(1.5), name="the entropy", rtol=1e-6)


@number("8.p2")
@weight(1)
@tags("tsne")
def test_tsne_gradient_by_hand(impl):
    """Points 0, 1, 3 on a line have w = 1/2, 1/10, 1/5, so q = 5/16, 1/16, 1/8."""
    p = numbers([0, 1, 0], [1, 0, 1], [0, 1, 0]) / 4
    loss, gradient = assert_leaves_arguments(impl.tsne_gradient, p, column(0, 1, 3), name="tsne_gradient")

    assert_close(loss, numbers((math.log(0.8) + math.log(2)) / 2)[0], name="the loss")
    assert_close(gradient, column(0.2, -0.325, 0.125), name="the gradient")
