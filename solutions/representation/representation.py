"""What a network keeps of its inputs: PCA, autoencoders, contrastive losses, collapse, and scores that compare representations.

A *representation* is a matrix with a row for each example and a column for each feature. *Centered* means that the mean of
each column was subtracted. A *covariance* divides by the number N of rows, unless a docstring says otherwise. Results keep
the dtype of the inputs, and no input is changed in place. Nothing here draws random numbers.

Code outside the blocks that you write already works: the checks of arguments, and `positive`.
"""

import math

import torch


def positive(components):
    """Flip rows so that in each row the entry of largest absolute value is positive; of equal ones, the first. Given.

    Args:
        components: Shape (k, d).

    Returns:
        Shape (k, d), a new tensor.
    """
    largest = components.gather(1, components.abs().argmax(1, keepdim=True))  # (k, 1)
    return components * torch.where(largest < 0, -1.0, 1.0).to(components)


def _check_matrix(x, name):
    """Given: raises a ValueError unless x has two axes and at least two rows."""
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"{name} must have shape (N, d) with N of at least 2, got {tuple(x.shape)}")


def _check_same_rows(x, y):
    """Given: raises a ValueError unless both are matrices with the same number of rows."""
    _check_matrix(x, "x")
    _check_matrix(y, "y")
    if len(x) != len(y):
        raise ValueError(f"x and y must have the same number of rows, got {len(x)} and {len(y)}")


def _check_views(z, tau):
    """Given: raises a ValueError unless z holds pairs of views and tau is positive."""
    _check_matrix(z, "z")
    if len(z) % 2:
        raise ValueError(f"z must have an even number of rows, two views of each example, got {len(z)}")
    if not tau > 0:
        raise ValueError(f"tau must be positive, got {tau}")


# --- Task 1: directions of largest variance ----------------------------------------------------


def pca(x, k):
    """The k directions in which the examples vary most, and how much they vary there.

    Args:
        x: Examples, shape (N, d). They need not be centered.
        k: How many directions, 1 .. min(N, d).

    Returns:
        (mean, components, variances, share):
        mean, shape (d,), of the examples;
        components, shape (k, d): orthonormal rows in order of falling variance, with the signs of `positive`;
        variances, shape (k,): the variance of the examples along each component (divides by N);
        share, shape (k,): each of these variances divided by the total variance of all d features.

    Raises:
        ValueError: If x is no matrix, or k is out of range.

    Example:
        Rows (4, 0), (-4, 0), (0, 2), (0, -2) with k = 1: mean (0, 0), components ((1, 0)), variances (8), share (0.8).
    """
    _check_matrix(x, "x")
    if not 1 <= k <= min(x.shape):
        raise ValueError(f"k must be in 1 .. {min(x.shape)}, the smaller side of x, got {k}")
    # Steps: center; the singular value decomposition; signs; from singular values to variances; shares of the total.
    # BEGIN SOLUTION pca
    mean = x.mean(0)
    _, singular, rows = torch.linalg.svd(x - mean, full_matrices=False)
    variances = singular.square() / len(x)
    return mean, positive(rows[:k]), variances[:k], variances[:k] / variances.sum()
    # END SOLUTION


def whiten(x, *, kind="pca", eps=0.0):
    """The centered examples, rotated and rescaled so that no feature is larger than another and none are correlated.

    Args:
        x: Examples, shape (N, d), with N > d and no direction without variance, unless eps is positive.
        kind: "pca": column j is the coordinate along component j, with the order and signs of `pca`, divided by a scale.
            "zca": the same, and then rotated back to the original axes.
        eps: The scale is √(variance along the component + eps). Not negative.

    Returns:
        Shape (N, d). With eps = 0, its covariance is the identity. For "pca", columns of directions without variance are 0.

    Raises:
        ValueError: If x is no matrix, kind is unknown, or eps is negative.

    Example:
        Rows (4, 0), (-4, 0), (0, 2), (0, -2), either kind: the first row becomes (√2, 0), the third (0, √2).
    """
    _check_matrix(x, "x")
    if kind not in ("pca", "zca"):
        raise ValueError(f'kind must be "pca" or "zca", got {kind!r}')
    if not eps >= 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    # Steps: components and variances; coordinates along the components; the scale of each; for "zca", rotate back.
    # BEGIN SOLUTION pca
    centered = x - x.mean(0)
    variances, columns = torch.linalg.eigh(centered.T @ centered / len(x))
    variances, components = variances.flip(0), positive(columns.flip(1).T)
    white = centered @ components.T / (variances + eps).sqrt()
    return white @ components if kind == "zca" else white
    # END SOLUTION


# --- Task 2: linear autoencoders ---------------------------------------------------------------


def autoencoder_gradients(x, encoder, decoder):
    """How well a linear autoencoder reconstructs its inputs, and which way to change it. Without autograd.

    The code of an example x is z = x @ encoder, and its reconstruction is z @ decoder. There are no biases, and x is used as
    it is. The loss is the squared length of the error of an example, summed over features, averaged over examples.

    Args:
        x: Examples, shape (N, d).
        encoder: Shape (d, k).
        decoder: Shape (k, d).

    Returns:
        (loss, gradient in encoder, gradient in decoder), shapes (), (d, k), (k, d).

    Raises:
        ValueError: If the shapes don't fit.

    Example:
        One feature and two rows 1, 3, with encoder 1 and decoder 0.5: loss 1.25, gradients -2.5 and -5.
    """
    _check_matrix(x, "x")
    if encoder.ndim != 2 or encoder.shape[0] != x.shape[1] or decoder.shape != encoder.T.shape:
        shapes = f"{tuple(encoder.shape)} and {tuple(decoder.shape)}"
        raise ValueError(f"encoder and decoder must have shapes (d, k) and (k, d) with d = {x.shape[1]}, got {shapes}")
    # Steps: codes and errors; the loss; the chain rule through each of the two products.
    # BEGIN SOLUTION autoencoder
    codes = x @ encoder
    errors = codes @ decoder - x
    loss = errors.square().sum(1).mean()
    slope = 2 * errors / len(x)  # (N, d)
    return loss, x.T @ slope @ decoder.T, codes.T @ slope
    # END SOLUTION


def best_decoder(x, encoder):
    """The decoder with the smallest loss for a given encoder, by your formula.

    Args:
        x: Examples, shape (N, d), used as they are.
        encoder: Shape (d, k). The k columns of the codes are linearly independent.

    Returns:
        Shape (k, d).

    Raises:
        ValueError: If the shapes don't fit.

    Example:
        Rows (4, 0), (-4, 0), (0, 2), (0, -2) with the encoder (1, 1) as a column: (0.8, 0.2).
    """
    _check_matrix(x, "x")
    if encoder.ndim != 2 or encoder.shape[0] != x.shape[1]:
        raise ValueError(f"encoder must have shape (d, k) with d = {x.shape[1]}, got {tuple(encoder.shape)}")
    # BEGIN SOLUTION autoencoder
    codes = x @ encoder
    return torch.linalg.solve(codes.T @ codes, codes.T @ x)
    # END SOLUTION


def principal_cosines(a, b):
    """How far two subspaces agree: the cosines of the principal angles between them.

    The first cosine is the largest that a direction of one subspace has with a direction of the other. The next one is the
    largest among directions that are orthogonal to those already taken, and so on.

    Args:
        a: Shape (j, d). Its rows span a subspace. They are linearly independent, and neither orthogonal nor of length 1 in general.
        b: Shape (k, d), likewise.

    Returns:
        Shape (min(j, k),), in falling order. All 1 if one subspace contains the other.

    Raises:
        ValueError: If a and b differ in d.

    Example:
        a with the row (2, 0) and b with the row (1, 1): (0.7071).
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"a and b must have shapes (j, d) and (k, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    # Steps: an orthonormal basis of each subspace; the products of the bases; which numbers of this matrix are the cosines?
    # BEGIN SOLUTION autoencoder
    basis_a, basis_b = torch.linalg.qr(a.T).Q, torch.linalg.qr(b.T).Q  # (d, j), (d, k)
    return torch.linalg.svdvals(basis_a.T @ basis_b)
    # END SOLUTION


def denoising_map(x, sigma):
    """The linear map that best undoes noise: where training of a linear denoising autoencoder ends.

    Let x_c be the centered examples. To each feature, independent noise with mean 0 and standard deviation sigma is added. The
    map M gives (x_c + noise) @ M, and the mean squared distance to x_c is smallest on average over all noise. M may have rank d.

    Args:
        x: Examples, shape (N, d), not centered.
        sigma: Standard deviation of the noise, positive.

    Returns:
        M, shape (d, d).

    Raises:
        ValueError: If x is no matrix, or sigma is not positive.

    Example:
        Rows (4, 0), (-4, 0), (0, 2), (0, -2), with variances 8 and 2. For sigma = √2: ((0.8, 0), (0, 0.5)).
    """
    _check_matrix(x, "x")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    # BEGIN SOLUTION autoencoder
    centered = x - x.mean(0)
    covariance = centered.T @ centered / len(x)
    return torch.linalg.solve(covariance + sigma**2 * torch.eye(len(covariance)).to(x), covariance)
    # END SOLUTION


# --- Task 3: what the neighbors say ------------------------------------------------------------


def knn_predict(z, labels, k):
    """The label that most of an example's k nearest neighbors have, for each example. An example is not its own neighbor.

    Args:
        z: Representations, shape (N, d). Distances are Euclidean. Of equally near examples, the one of lower index comes first.
        labels: Shape (N,), integers from 0.
        k: Number of neighbors, 1 .. N - 1.

    Returns:
        Shape (N,), int64. Of labels with equally many votes, the lowest.

    Raises:
        ValueError: If k is out of range, or labels don't fit.

    Example:
        z = 0, 1, 3, 7 (one column) with labels 2, 0, 0, 1 and k = 1: (0, 2, 0, 0).
    """
    _check_matrix(z, "z")
    if labels.shape != z.shape[:1]:
        raise ValueError(f"labels must have shape ({len(z)},), got {tuple(labels.shape)}")
    if not 1 <= k <= len(z) - 1:
        raise ValueError(f"k must be in 1 .. {len(z) - 1}, got {k}")
    # Steps: all distances; which one doesn't count; the k nearest of each, ties by index; votes.
    # BEGIN SOLUTION neighbors
    distances = (z[:, None] - z[None]).square().sum(-1)  # (N, N)
    distances.fill_diagonal_(math.inf)
    nearest = distances.argsort(dim=1, stable=True)[:, :k]  # (N, k)
    votes = torch.nn.functional.one_hot(labels[nearest]).sum(1)  # (N, classes)
    return votes.argmax(1)
    # END SOLUTION


def pair_recall(z, k):
    """How often the other view of an example is among the k most similar ones: recall@k.

    Args:
        z: Representations, shape (2N, d). Rows i and i + N are two views of example i. No row is zero.
        k: 1 .. 2N - 1.

    Returns:
        The share of the 2N views whose partner is among the k views of largest cosine, the view itself not counted. Shape (),
        with the dtype of z. Equal cosines are not tested.

    Raises:
        ValueError: If the number of rows is odd, or k is out of range.

    Example:
        Rows (1, 0), (3, 1), (0, 1), (2, 1): 0.5 for k = 1 and for k = 2, and 1 for k = 3.
    """
    _check_views(z, 1.0)
    if not 1 <= k <= len(z) - 1:
        raise ValueError(f"k must be in 1 .. {len(z) - 1}, got {k}")
    # Steps: cosines; which one doesn't count; the k most similar views; is the partner there?
    # BEGIN SOLUTION neighbors
    unit = z / z.norm(dim=1, keepdim=True)
    cosines = (unit @ unit.T).fill_diagonal_(-math.inf)
    similar = cosines.topk(k, dim=1).indices  # (2N, k)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return (similar == partner[:, None]).any(1).to(z.dtype).mean()
    # END SOLUTION


# --- Task 4: contrastive losses ----------------------------------------------------------------


def nt_xent(z, tau):
    """How badly each view picks out its partner among all other views: the NT-Xent loss of SimCLR.

    Let s_ij be the cosine of rows i and j, divided by tau. Each of the 2N rows i is an anchor. Its loss is the negative logarithm of
    the softmax of s_ij over all j other than i, at its partner. The result is the mean over all anchors.

    Args:
        z: Representations, shape (2N, d). Rows i and i + N are partners. No row is zero, and rows have any length.
        tau: Temperature, positive.

    Returns:
        Shape (). Differentiable.

    Raises:
        ValueError: If the number of rows is odd, or tau is not positive.

    Example:
        Rows (1, 0), (0, 1), (1, 0), (0, 1) at tau = 1/2: 0.2395.
    """
    _check_views(z, tau)
    # BEGIN SOLUTION contrastive
    unit = z / z.norm(dim=1, keepdim=True)
    scores = (unit @ unit.T / tau).masked_fill(torch.eye(len(z), device=z.device).bool(), -math.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(z) // 2)
    return -scores.log_softmax(1).gather(1, partner[:, None]).mean()
    # END SOLUTION


def nt_xent_gradient(z, tau):
    """The gradient of `nt_xent` in z, by your formula. Without autograd.

    Args:
        z, tau: As for `nt_xent`.

    Returns:
        Shape (2N, d).

    Raises:
        ValueError: As for `nt_xent`.

    Example:
        Rows (1, 0), (0, 1), (2, 0), (0, 2) at tau = 1/2: the first row is (0, 0.2130), the third is (0, 0.1065).
    """
    _check_views(z, tau)
    # Steps: slopes in the scores; each row is an anchor once and stands among the others often; the slope through the length of a row.
    # BEGIN SOLUTION contrastive
    lengths = z.norm(dim=1, keepdim=True)
    unit = z / lengths
    scores = (unit @ unit.T / tau).fill_diagonal_(-math.inf)
    slopes = scores.softmax(1)
    rows = torch.arange(len(z), device=z.device)
    slopes[rows, rows.roll(len(z) // 2)] -= 1
    slopes = slopes / (len(z) * tau)  # of the mean loss in the cosines
    pull = (slopes + slopes.T) @ unit
    return (pull - (pull * unit).sum(1, keepdim=True) * unit) / lengths
    # END SOLUTION


def clip_loss(a, b, tau):
    """How badly images and texts pick each other out: the two-tower loss of CLIP.

    Let s_ij be the cosine of image i and text j, divided by tau. An image picks among all texts: the mean over images of the negative
    logarithm of the softmax at the right text. A text picks among all images likewise. The loss is the mean of the two.

    Args:
        a: Images, shape (N, d). No row is zero, and rows have any length.
        b: Texts, shape (N, d). Row i belongs to row i of a.
        tau: Temperature, positive.

    Returns:
        Shape (). Differentiable.

    Raises:
        ValueError: If the shapes differ, or tau is not positive.

    Example:
        a = (1, 0), (0, 1) and b = (1, 0), (1, 0) at tau = 1: 0.7532, of which images have 0.6931 and texts 0.8133.
    """
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"a and b must have the same shape (N, d), got {tuple(a.shape)} and {tuple(b.shape)}")
    if not tau > 0:
        raise ValueError(f"tau must be positive, got {tau}")
    # BEGIN SOLUTION contrastive
    unit_a, unit_b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    scores = unit_a @ unit_b.T / tau
    images, texts = scores.log_softmax(1).diagonal(), scores.log_softmax(0).diagonal()
    return -(images.mean() + texts.mean()) / 2
    # END SOLUTION


# --- Task 5: a loss that measures information --------------------------------------------------


def mutual_information(joint):
    """What X tells about Y, in nats: the mean over the joint distribution of log p(x, y) / (p(x) p(y)).

    Args:
        joint: Probabilities p(x, y), shape (X, Y), with sum 1. A pair of probability 0 adds nothing.

    Returns:
        Shape ().

    Raises:
        ValueError: If joint is no matrix, has a negative entry, or doesn't add up to 1.

    Example:
        ((1/2, 0), (0, 1/2)): log 2.
    """
    _check_joint(joint)
    # BEGIN SOLUTION bound
    product = joint.sum(1, keepdim=True) * joint.sum(0)  # (X, Y)
    return (torch.special.xlogy(joint, joint) - torch.special.xlogy(joint, product)).sum()
    # END SOLUTION


def infonce(scores):
    """The InfoNCE estimate of mutual information from one batch of N pairs, and from the scores that a critic gives.

    Score ij says how well x_i fits y_j. For each i, divide exp(score ii) by the mean of exp(score ij) over all N of the y_j, the right
    one included, and take the logarithm. The estimate is the mean over i.

    Args:
        scores: Shape (..., N, N): pairs stand on the diagonal. A score off the diagonal may be -inf.

    Returns:
        Shape (...), one estimate for each batch. Differentiable. Right for scores up to 10,000.

    Raises:
        ValueError: If the last two axes differ.

    Example:
        ((log 3, 0), (0, log 3)): log 1.5.
    """
    if scores.ndim < 2 or scores.shape[-1] != scores.shape[-2]:
        raise ValueError(f"scores must have shape (..., N, N), got {tuple(scores.shape)}")
    # BEGIN SOLUTION bound
    log_mean = scores.logsumexp(-1) - math.log(scores.shape[-1])  # (..., N)
    return (scores.diagonal(dim1=-2, dim2=-1) - log_mean).mean(-1)
    # END SOLUTION


def best_critic(joint):
    """The scores for which InfoNCE is largest on average, by your formula.

    Adding to the scores a number that depends on x alone changes no estimate. Of all best critics, this is the one for which the
    mean of exp(score) over y, drawn from p(y), is 1 for each x.

    Args:
        joint: Probabilities p(x, y), shape (X, Y), with sum 1. No row and no column is all 0.

    Returns:
        Shape (X, Y). The score of a pair of probability 0 is -inf.

    Raises:
        ValueError: As for `mutual_information`.

    Example:
        ((0.4, 0.1), (0.1, 0.4)): log 1.6 on the diagonal, log 0.4 beside it.
    """
    _check_joint(joint)
    # BEGIN SOLUTION bound
    return joint.log() - joint.sum(1, keepdim=True).log() - joint.sum(0).log()
    # END SOLUTION


def _check_joint(joint):
    """Given: raises a ValueError unless joint is a table of probabilities."""
    if joint.ndim != 2 or bool((joint < 0).any()) or abs(float(joint.sum()) - 1) > 1e-6:
        raise ValueError(f"joint must be a matrix of probabilities with sum 1, got shape {tuple(joint.shape)}, sum {float(joint.sum())}")


# --- Task 6: collapse --------------------------------------------------------------------------


def uniformity(z, *, t=2.0):
    """How evenly directions cover the sphere; lower is more even. The logarithm of the mean of exp(-t distance²) over pairs.

    Args:
        z: Representations, shape (N, d), each divided by its length first. No row is zero.
        t: Positive.

    Returns:
        Shape (). The mean is over all pairs of two different examples. 0 if all directions are equal.

    Raises:
        ValueError: If z is no matrix, or t is not positive.

    Example:
        Rows (1, 0), (3, 0), (0, 1): log((1 + 2 exp(-4)) / 3) = -1.0626.
    """
    _check_matrix(z, "z")
    if not t > 0:
        raise ValueError(f"t must be positive, got {t}")
    # BEGIN SOLUTION collapse
    unit = z / z.norm(dim=1, keepdim=True)
    first, second = torch.triu_indices(len(z), len(z), offset=1)
    distances2 = (unit[first] - unit[second]).square().sum(1)
    return torch.logsumexp(-t * distances2, 0) - math.log(len(first))
    # END SOLUTION


def effective_rank(z):
    """How many directions a representation uses: exp of the entropy (in nats) of its variances, which are divided by their sum.

    The variances are the eigenvalues of the covariance. A direction without variance adds nothing.

    Args:
        z: Representations, shape (N, d), not centered. Not all rows are equal.

    Returns:
        Shape ().

    Raises:
        ValueError: If z is no matrix.

    Example:
        Rows (4, 0), (-4, 0), (0, 2), (0, -2), with variances 8 and 2: 1.6494.
    """
    _check_matrix(z, "z")
    # BEGIN SOLUTION collapse
    variances = torch.linalg.svdvals(z - z.mean(0)).square()
    share = variances / variances.sum()
    return (-torch.special.xlogy(share, share).sum()).exp()
    # END SOLUTION


def vicreg_terms(a, b, *, eps=1e-4):
    """The three terms of VICReg (Bardes et al. 2022), which keeps a representation from collapsing without negatives.

    Args:
        a, b: Two views of N examples, shape (N, d). Row i of both shows example i.
        eps: Is added to a variance inside the root.

    Returns:
        (invariance, variance, covariance), each of shape (). Variances and covariances divide by N - 1 here.
        invariance: the squared distance of the two views, summed over features, averaged over examples;
        variance: how far the standard deviation of a feature, √(variance + eps), falls short of 1, or 0 if it doesn't; averaged over
        features, and added for a and b;
        covariance: the squared covariances of two different features, summed over both orders and divided by d; added for a and b.

    Raises:
        ValueError: If the shapes differ, or N is below 2.

    Example:
        a = (0, 0), (1, 2) and b = (0, 0), (0, 0) with eps = 0: (2.5, (1 - √0.5)/2 + 1, 1).
    """
    _check_same_rows(a, b)
    if a.shape != b.shape:
        raise ValueError(f"a and b must have the same shape, got {tuple(a.shape)} and {tuple(b.shape)}")
    # BEGIN SOLUTION collapse
    invariance = (a - b).square().sum(1).mean()
    variance, covariance = 0.0, 0.0
    for z in (a, b):
        centered = z - z.mean(0)
        products = centered.T @ centered / (len(z) - 1)  # (d, d)
        variance = variance + (1 - (products.diagonal() + eps).sqrt()).clamp(min=0).mean()
        covariance = covariance + (products.square().sum() - products.diagonal().square().sum()) / z.shape[1]
    return invariance, variance, covariance
    # END SOLUTION


# --- Task 7: comparing two networks ------------------------------------------------------------


def cka_from_grams(k, l):  # noqa: E741 - the letters of the paper
    """Centered kernel alignment: the cosine of two centered Gram matrices, each read as a vector of N² numbers.

    Args:
        k, l: Gram matrices, shape (N, N): the inner products of all pairs of rows of two representations that are not centered. To center
            a Gram matrix, subtract the mean of each column, then the mean of each row of the result.

    Returns:
        Shape ().

    Raises:
        ValueError: If k and l are no square matrices of one shape.

    Example:
        The Gram matrices of the rows 1, -1, 0 and of the rows 1, 0, -1, one column each: 0.25.
    """
    if k.ndim != 2 or k.shape[0] != k.shape[1] or k.shape != l.shape:
        raise ValueError(f"k and l must have the same shape (N, N), got {tuple(k.shape)} and {tuple(l.shape)}")
    # BEGIN SOLUTION cka
    k, l = (gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean() for gram in (k, l))  # noqa: E741
    return (k * l).sum() / (k.norm() * l.norm())
    # END SOLUTION


def cka(x, y):
    """Linear CKA of two representations without any matrix of shape (N, N), by your formula.

    Args:
        x: Shape (N, d), not centered.
        y: Shape (N, e), not centered. Row i of both belongs to example i.

    Returns:
        Shape (): what `cka_from_grams` gives for the Gram matrices x @ x.T and y @ y.T.

    Raises:
        ValueError: If x and y differ in N.

    Example:
        The rows 1, -1, 0 and the rows 1, 0, -1, one column each: 0.25.
    """
    _check_same_rows(x, y)
    # BEGIN SOLUTION cka
    x, y = x - x.mean(0), y - y.mean(0)
    return (x.T @ y).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    # END SOLUTION


def unbiased_cka(x, y):
    """CKA whose numerator is 0 on average for independent representations, also if there are few examples.

    Let K be x @ x.T with zeros on its diagonal, L likewise for y, and let sum(M) be the sum of all entries of a matrix. Define
    H(K, L) = Σ_ij K_ij L_ij + sum(K) sum(L) / ((N - 1)(N - 2)) - 2 sum(K @ L) / (N - 2).
    The result is H(K, L) / √(H(K, K) H(L, L)). It may be negative.

    Args:
        x, y: As for `cka`, with N of at least 4. Centering changes nothing here.

    Returns:
        Shape ().

    Raises:
        ValueError: If x and y differ in N, or N is below 4.

    Source:
        Song et al. 2012, equation 5; Nguyen et al. 2021.

    Example:
        The rows 1, 0, 0, 2 and the rows 0, 0, 1, 3, one column each: -0.5.
    """
    _check_same_rows(x, y)
    if len(x) < 4:
        raise ValueError(f"x and y must have at least 4 rows, got {len(x)}")
    # BEGIN SOLUTION cka
    n = len(x)
    k, l = ((z @ z.T).fill_diagonal_(0.0) for z in (x, y))  # noqa: E741

    def h(k, l):  # noqa: E741
        return (k * l).sum() + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 * (k @ l).sum() / (n - 2)

    return h(k, l) / (h(k, k) * h(l, l)).sqrt()
    # END SOLUTION


# --- Task 8: a map of the neighbors ------------------------------------------------------------


def affinities(x, perplexity):
    """How much each pair of examples are neighbors: the joint probabilities of t-SNE.

    Example i picks a neighbor j ≠ i with the probability p_j|i ∝ exp(-distance_ij² / (2 σ_i²)). Each σ_i is such that the perplexity of
    its p_j|i is the given one. The perplexity is 2^H for the entropy H in bits. The result is p_ij = (p_j|i + p_i|j) / (2N).

    Args:
        x: Examples, shape (N, d), at any distances from 1e-6 to 1e6. The equation of each σ_i has one solution.
        perplexity: Above 1 and below N - 1. Must be met to a relative precision of 1e-8: search in float64.

    Returns:
        Shape (N, N), symmetric, with zeros on the diagonal and the sum 1.

    Raises:
        ValueError: If x is no matrix, or perplexity is out of range.

    Example:
        Points 0, 1, 3 on a line with perplexity 1.5: 0.2866 for the first two, 1/6 for the last two, 0.0468 for the outer two.
    """
    _check_matrix(x, "x")
    if not 1 < perplexity < len(x) - 1:
        raise ValueError(f"perplexity must be above 1 and below {len(x) - 1}, got {perplexity}")
    # Steps: squared distances without the own one; halve an interval of log σ for each row; does entropy rise or fall with σ?
    # BEGIN SOLUTION tsne
    n = len(x)
    distances2 = (x[:, None] - x[None]).square().sum(-1)
    others = distances2[~torch.eye(n, device=x.device).bool()].view(n, n - 1)
    others = others - others.amin(1, keepdim=True)  # changes no probability
    low, high = torch.full((n, 1), -25.0).to(x), torch.full((n, 1), 25.0).to(x)  # of log σ
    for _ in range(60):
        middle = (low + high) / 2
        p = (-others * (-2 * middle).exp() / 2).softmax(1)
        too_wide = -torch.special.xlogy(p, p).sum(1, keepdim=True) > math.log(perplexity)
        low, high = torch.where(too_wide, low, middle), torch.where(too_wide, middle, high)
    picks = torch.zeros_like(distances2)
    picks[~torch.eye(n, device=x.device).bool()] = p.flatten()
    return (picks + picks.T) / (2 * n)
    # END SOLUTION


def tsne_gradient(p, y):
    """The loss of a map, and the gradient in the places of its points by your formula. Without autograd.

    Let w_ij = 1 / (1 + distance_ij²) for two different points of the map, and let q_ij be w_ij divided by the sum of w over all
    ordered pairs. The loss is the sum over all ordered pairs of p_ij log(p_ij / q_ij), where p_ij = 0 adds nothing.

    Args:
        p: Shape (N, N): symmetric, with zeros on the diagonal and the sum 1.
        y: Places in the map, shape (N, m).

    Returns:
        (loss, gradient), shapes () and (N, m).

    Raises:
        ValueError: If the shapes don't fit.

    Example:
        Points 0, 1, 3 on a line, p = 1/2 between the first two (1/4 each way) and between the last two: the loss is 0.2350.
    """
    _check_matrix(y, "y")
    if p.shape != (len(y), len(y)):
        raise ValueError(f"p must have shape ({len(y)}, {len(y)}), got {tuple(p.shape)}")
    # BEGIN SOLUTION tsne
    apart = y[:, None] - y[None]  # (N, N, m)
    w = (1 / (1 + apart.square().sum(-1))).fill_diagonal_(0.0)
    q = w / w.sum()
    loss = torch.special.xlogy(p, p).sum() - torch.special.xlogy(p, q).sum()
    return loss, 4 * (((p - q) * w)[..., None] * apart).sum(1)
    # END SOLUTION
