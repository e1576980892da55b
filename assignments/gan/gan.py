"""Generative adversarial networks: the losses of both players, their game, limits on the critic, and scores of samples.

A generator turns noise into samples, the *fakes*. A critic gives each sample a number, its *logit*, which is large for samples
that look real. Both players minimize a loss of their own. The second half judges fakes by their *features*, which are vectors.

Tensors are floating point. Results keep the dtype and device of the inputs, and no input is changed in place. All noise is
handed in. Given, not yours to write: `mlp` of coursekit.toys and `critic_scores`.
"""

import math

import torch

from coursekit.toys import mlp

CRITIC_KINDS = ("logistic", "hinge", "least_squares", "wasserstein")
GENERATOR_KINDS = ("minimax", "non_saturating", "hinge", "least_squares", "wasserstein")
STEP_KINDS = ("simultaneous", "alternating", "extragradient")


def critic_scores(weights, x):
    """The logit that the critic gives each sample. Given.

    Args:
        weights: Weights of `mlp`, [W_1, b_1, W_2, b_2, ...], where W_i has shape (in, out). The last layer has width 1.
        x: Samples, shape (n, ...); all axes but the first are flattened.

    Returns:
        Shape (n,), differentiable in the weights and in x.
    """
    return mlp(weights, x.flatten(1)).squeeze(-1)


# --- Task 1: losses from logits ----------------------------------------------------------------


def critic_loss(real, fake, *, kind):
    """What the critic minimizes. D = sigmoid(logit) is the probability that the critic gives to "real".

    "logistic":      -mean(log D) over the real samples  -  mean(log(1 - D)) over the fakes; the sum isn't halved.
    "hinge":         mean(max(0, 1 - logit)) over the real samples  +  mean(max(0, 1 + logit)) over the fakes.
    "least_squares": mean((logit - 1)^2) over the real samples  +  mean(logit^2) over the fakes; not halved.
    "wasserstein":   mean(logit) over the fakes  -  mean(logit) over the real samples.

    Args:
        real: Logits of real samples, shape (n,).
        fake: Logits of fakes, shape (m,).
        kind: One of the four names.

    Returns:
        Shape (), differentiable in both. Loss and gradient are right to nine digits for logits from -800 to 800.

    Raises:
        ValueError: If kind is unknown.

    Example:
        real = (log 3,), fake = (0,): logistic log(8/3), hinge 1, least squares (log 3 - 1)^2, Wasserstein -log 3.
    """
    if kind not in CRITIC_KINDS:
        raise ValueError(f"kind must be one of {', '.join(CRITIC_KINDS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


def generator_loss(fake, *, kind):
    """What the generator minimizes. D = sigmoid(logit) is the probability that the critic gives to "real".

    "minimax":        mean(log(1 - D)).
    "non_saturating": -mean(log D).
    "least_squares":  mean((logit - 1)^2).
    "hinge":          -mean(logit), although the critic's hinge loss has a max.
    "wasserstein":    -mean(logit).

    Args:
        fake: Logits of fakes, shape (m,).
        kind: One of the five names.

    Returns:
        Shape (), differentiable. Loss and gradient are right to nine digits for logits from -800 to 800.

    Raises:
        ValueError: If kind is unknown.

    Example:
        fake = (log 3,): minimax -log 4, non-saturating log(4/3), hinge and Wasserstein -log 3.
    """
    if kind not in GENERATOR_KINDS:
        raise ValueError(f"kind must be one of {', '.join(GENERATOR_KINDS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


def generator_slope(fake, *, kind):
    """The derivative of one fake's own generator loss in its logit, by your formula, without autograd.

    Nothing is averaged: entry i is what the loss of a batch with only fake i would give.

    Args:
        fake: Logits of fakes, shape (m,).
        kind: "minimax" or "non_saturating".

    Returns:
        Shape (m,), right to nine digits for logits from -800 to 800.

    Raises:
        ValueError: If kind is unknown.

    Example:
        A logit of log 3: minimax -0.75, non-saturating -0.25.
    """
    if kind not in ("minimax", "non_saturating"):
        raise ValueError(f"kind must be minimax or non_saturating, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task losses is not written yet")


# --- Task 2: the best critic -------------------------------------------------------------------


def best_logit(p, q):
    """The logit of each outcome that makes the critic's value as large as it can be.

    The value of logits a is  V(a) = sum over outcomes of  p log D  +  q log(1 - D),  where D = sigmoid(a).

    Args:
        p: Probability of each outcome among real samples, shape (K,).
        q: Probability of each outcome among fakes, shape (K,).

    Returns:
        Shape (K,). It is inf or -inf where that is best, and 0 where neither p nor q ever gives the outcome.

    Example:
        p = (1/2, 1/2), q = (1/4, 3/4): (0.693, -0.405).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def js_divergence(p, q):
    """The Jensen-Shannon divergence  JS = 1/2 KL(p || m) + 1/2 KL(q || m),  where m = (p + q) / 2.

    KL(p || m) = sum of p log(p / m), with the natural logarithm. A term with p = 0 counts 0.

    Args:
        p, q: Probabilities, shape (K,).

    Returns:
        Shape ().

    Example:
        p = (1/2, 1/2, 0), q = (0, 1/2, 1/2): (log 2) / 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def best_value(p, q):
    """The largest value V that a critic can reach, by your formula. `best_logit` defines V.

    Args:
        p, q: Probabilities, shape (K,).

    Returns:
        Shape ().

    Example:
        p = (1/2, 1/2, 0), q = (0, 1/2, 1/2): -log 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


def generator_gradient(logits, p, *, kind):
    """The gradient of the generator's expected loss in its logits, while the critic is the best one and held fixed.

    The generator's probabilities are q = softmax(logits). Its expected loss is a sum over outcomes: q times the loss of a fake
    with this outcome, log(1 - D) for "minimax" and -log D for "non_saturating". D belongs to the best critic for p and this q.
    D is data here: it isn't differentiated.

    Args:
        logits: Shape (K,).
        p: Probabilities of the real outcomes, all positive, shape (K,).
        kind: "minimax" or "non_saturating".

    Returns:
        Shape (K,).

    Raises:
        ValueError: If kind is unknown, or an entry of p isn't positive.

    Example:
        logits = (0, 0), p = (1/4, 3/4): minimax (0.128, -0.128), non-saturating (0.147, -0.147).
    """
    if kind not in ("minimax", "non_saturating"):
        raise ValueError(f"kind must be minimax or non_saturating, got {kind!r}")
    if not bool((p > 0).all()):
        raise ValueError(f"p must be positive everywhere, got a smallest entry of {p.min().item()}")
    # YOUR CODE HERE
    raise NotImplementedError("task optimum is not written yet")


# --- Task 3: the dynamics of two players -------------------------------------------------------


def game_step(theta, psi, slopes, *, eta, kind):
    """One step of both players, each downhill on a loss of its own. A player's step is -eta times its slope.

    "simultaneous":  both slopes are taken at the current point.
    "alternating":   the critic steps first. The generator's slope is taken where the critic is then.
    "extragradient": a simultaneous step leads to a look-ahead point. The slopes there move both players from the
                     *current* point.

    Args:
        theta: Parameters of the generator, any shape.
        psi: Parameters of the critic, any shape.
        slopes: A function of (theta, psi). Returns the slope of the generator's loss in theta and the slope of the critic's loss
            in psi, both taken at this point.
        eta: The step size.
        kind: One of the three names. "simultaneous" calls `slopes` once, the others call it twice.

    Returns:
        (theta, psi) after the step.

    Raises:
        ValueError: If kind is unknown.

    Example:
        theta = 1, psi = 1, slopes (-psi, theta) and eta = 1/2: simultaneous (3/2, 1/2), alternating (5/4, 1/2),
        extragradient (5/4, 1/4).
    """
    if kind not in STEP_KINDS:
        raise ValueError(f"kind must be one of {', '.join(STEP_KINDS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task dynamics is not written yet")


def step_matrix(*, eta, gamma, kind):
    """The matrix M of one step of the Dirac game:  (theta, psi) after it, as a column, is M (theta, psi).

    The generator's loss is -theta psi. The critic's loss is theta psi + gamma / 2 psi^2. The steps are those of `game_step`.

    Args:
        eta: The step size.
        gamma: The strength of the critic's penalty, not negative.
        kind: One of the three names of `game_step`.

    Returns:
        Shape (2, 2), float64.

    Raises:
        ValueError: If kind is unknown or gamma is negative.

    Example:
        eta = 1/2, gamma = 0, simultaneous: theta = 1, psi = 0 goes to (1, -1/2), the first column.
    """
    if kind not in STEP_KINDS:
        raise ValueError(f"kind must be one of {', '.join(STEP_KINDS)}, got {kind!r}")
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    # YOUR CODE HERE
    raise NotImplementedError("task dynamics is not written yet")


# --- Task 4: one step of training --------------------------------------------------------------


def gan_step(generator, critic, reals, critic_noise, generator_noise, *, lr):
    """One round of training: n_critic steps of the critic, and then one step of the generator.

    The losses are those of "hinge". The critic minimizes mean(max(0, 1 - logit)) over the real samples + mean(max(0, 1 + logit))
    over the fakes. The generator minimizes -mean(logit) over its fakes. Logits are those of `critic_scores`, and fakes are
    mlp(generator, noise). Each step is plain gradient descent on one player's weights, without `torch.optim`. The generator's step
    uses the critic as it is *after* the critic's steps.

    Args:
        generator, critic: Lists of weights of `mlp`, [W_1, b_1, W_2, b_2, ...].
        reals: One batch of real samples for each step of the critic, shape (n_critic, B, d).
        critic_noise: One batch of noise for each step of the critic, shape (n_critic, B, d_z).
        generator_noise: The noise of the generator's own step, shape (B, d_z).
        lr: The step size of both players.

    Returns:
        The new generator and the new critic: lists of new tensors, without a graph and not requiring gradients.

    Raises:
        ValueError: If reals and critic_noise have different numbers of batches.
    """
    if len(reals) != len(critic_noise):
        raise ValueError(f"reals and critic_noise must share n_critic, got {len(reals)} and {len(critic_noise)}")
    # YOUR CODE HERE
    raise NotImplementedError("task step is not written yet")


# --- Task 5: a distance with a slope -----------------------------------------------------------


def w1_distance(x, y):
    """The Wasserstein distance of order 1 between two samples of the line: the cheapest way to move one onto the other.

    Each point of x is moved to a point of y of its own. The cost of this assignment is the *mean* distance that a point moves. The
    distance is the smallest cost of any assignment.

    Args:
        x, y: Numbers in any order, both of shape (n,).

    Returns:
        Shape ().

    Raises:
        ValueError: If the shapes differ.

    Example:
        x = (4, 0), y = (1, 3): 1. Both means are 2.
    """
    if x.shape != y.shape:
        raise ValueError(f"x and y must have one shape, got {tuple(x.shape)} and {tuple(y.shape)}")
    # YOUR CODE HERE
    raise NotImplementedError("task wasserstein is not written yet")


def clipped_slope(sizes, *, clip):
    """The largest slope that a critic can have anywhere if each weight lies between -clip and clip, by your formula.

    The critic is a network of dense layers with ReLU after each layer but the last. A slope is the norm of the gradient in the
    input. Biases can take any value.

    Args:
        sizes: Width of the input, of each hidden layer, and of the output, which is 1. At least two numbers.
        clip: The largest absolute value of a weight, positive.

    Returns:
        A Python float: the slope that some such critic has at some input, and that none exceeds.

    Raises:
        ValueError: If there are fewer than two sizes or clip isn't positive.

    Example:
        sizes = (4, 1), clip = 3: 6. sizes = (2, 8, 1), clip = 1/2: 2.83.
    """
    if len(sizes) < 2 or clip <= 0:
        raise ValueError(f"sizes must name two layers or more and clip must be positive, got {sizes} and {clip}")
    # YOUR CODE HERE
    raise NotImplementedError("task wasserstein is not written yet")


def spectral_norm(weight, u, *, n_steps):
    """An estimate of the largest factor by which the matrix of a layer stretches a vector, by power iteration.

    The matrix W has one row for each output: weight of shape (out, ...) is flattened to (out, rest). A step replaces v by the
    direction of W^T u and then u by the direction of W v; a direction has norm 1. After the last step the estimate is u^T W v.
    For a convolution, W acts on one patch of the image. The convolution itself can stretch a whole image more.

    Args:
        weight: Shape (out, in), or (out, in, height, width) of a convolution. A matrix of `mlp` must be transposed first.
        u: The first direction, shape (out,). It needn't have norm 1. W^T u and W v are never 0 in a check.
        n_steps: At least 1.

    Returns:
        The estimate, shape (), and the last u, shape (out,), which is where the next call can start. Checks compare these values,
        and no gradients of them.

    Raises:
        ValueError: If n_steps is below 1.

    Example:
        W = [[3, 0], [0, 4]], u = (1, 1), one step: v = (0.6, 0.8), u = (0.490, 0.872), and the estimate is 3.672.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    # YOUR CODE HERE
    raise NotImplementedError("task wasserstein is not written yet")


# --- Task 6: penalties on the slope ------------------------------------------------------------


def gradient_penalty(weights, real, fake, eps, *, strength):
    """Strength times the mean of (norm - 1)^2, where a norm is that of the critic's gradient in one *mixed* sample.

    Mixed sample i is eps_i real_i + (1 - eps_i) fake_i. The gradient of its own logit, over all of its entries, has one norm.

    Args:
        weights: Weights of the critic, `critic_scores`.
        real, fake: Samples, shape (n, ...) with one axis or more after the first.
        eps: One number for each sample, shape (n,). real, fake and eps are data: no gradient goes to them.
        strength: The factor, often 10.

    Returns:
        Shape (), differentiable in the weights. Where a gradient is exactly 0, its norm is 0, and the gradient that this sample
        sends to the weights is 0, not NaN.

    Raises:
        ValueError: If real and fake have different shapes, or eps doesn't have shape (n,).
    """
    if real.shape != fake.shape or eps.shape != real.shape[:1]:
        shapes = f"{tuple(real.shape)}, {tuple(fake.shape)} and {tuple(eps.shape)}"
        raise ValueError(f"real and fake must have one shape (n, ...), and eps must have shape (n,), got {shapes}")
    # YOUR CODE HERE
    raise NotImplementedError("task penalty is not written yet")


def r1_penalty(weights, real, *, strength):
    """Half of strength times the mean squared norm of the critic's gradient at the real samples.

    Args:
        weights: Weights of the critic, `critic_scores`.
        real: Samples, shape (n, ...). They are data: no gradient goes to them.
        strength: The factor, called gamma in Task 3.

    Returns:
        Shape (), differentiable in the weights.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task penalty is not written yet")


# --- Task 7: the Frechet distance --------------------------------------------------------------


def frechet_distance(mean_1, cov_1, mean_2, cov_2):
    """The Frechet distance between two normal distributions:  |mean_1 - mean_2|^2 + tr(C_1) + tr(C_2) - 2 tr(R).

    R is the square root of the *matrix product* C_1 C_2: its eigenvalues are the nonnegative roots of that product's eigenvalues.

    Args:
        mean_1, mean_2: Shape (d,).
        cov_1, cov_2: Covariance matrices, shape (d, d). They may be singular.

    Returns:
        Shape (), real. Right to nine digits if both covariances have full rank, and to six decimals if not. Nothing is added to
        a covariance.

    Example:
        d = 1, N(0, 1) and N(1, 4), where 4 is the variance: 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task fid is not written yet")


def fid(x, y):
    """The Frechet distance between normal distributions with the means and covariances of two samples of features.

    A covariance divides by the number of samples less 1.

    Args:
        x: Features, shape (n, d).
        y: Features, shape (m, d).

    Returns:
        Shape (). Right to six decimals.

    Raises:
        ValueError: If a sample has fewer than two rows, or the numbers of features differ.

    Example:
        d = 1, x = (0, 2), y = (0, 4): means 1 and 2, variances 2 and 8, so the distance is 3.
    """
    if min(len(x), len(y)) < 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have two rows or more and share d, got {tuple(x.shape)} and {tuple(y.shape)}")
    # YOUR CODE HERE
    raise NotImplementedError("task fid is not written yet")


def fid_of_equals(d, n):
    """The mean of `fid` for two samples of n from one and the same distribution N(0, I_d), to order 1/n, by your formula.

    Args:
        d: Number of features.
        n: Number of rows of each sample.

    Returns:
        A Python float, which is exactly proportional to 1/n.

    Example:
        d = 2, n = 100: 0.07.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task fid is not written yet")


# --- Task 8: two other scores ------------------------------------------------------------------


def kid(x, y):
    """The kernel inception distance: an estimate of a squared distance, without bias.

    The kernel of two vectors of d features is  k(a, b) = (a.b / d + 1)^3. The squared distance of two distributions is
    E k(a, a') + E k(b, b') - 2 E k(a, b), where a and a' are independent draws from one and b and b' from the other. Each of the
    three expectations is replaced by a mean over pairs of independent draws. So a row makes no pair with itself, but two rows of
    one sample make a pair even if their numbers are equal. Between the samples, all n m pairs count.

    Args:
        x: Features, shape (n, d), n at least 2.
        y: Features, shape (m, d), m at least 2.

    Returns:
        Shape ().

    Raises:
        ValueError: If a sample has fewer than two rows, or the numbers of features differ.

    Example:
        d = 1, x = (0, 1), y = (1, 2): 1 + 27 - 2 (1 + 1 + 8 + 27) / 4 = 9.5.
    """
    if min(len(x), len(y)) < 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have two rows or more and share d, got {tuple(x.shape)} and {tuple(y.shape)}")
    # YOUR CODE HERE
    raise NotImplementedError("task kid_is is not written yet")


def inception_score(probs):
    """The inception score: exp of the mean, over fakes, of KL(row || mean of the rows).

    A row holds the probabilities that a classifier gives to the classes of one fake. A probability of 0 counts 0 in KL.

    Args:
        probs: Shape (n, K); each row sums to 1.

    Returns:
        Shape ().

    Example:
        Rows (1, 0) and (1/2, 1/2): KL is log(4/3) and 0.144, so the score is 1.241.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task kid_is is not written yet")


# --- Task 9: quality and coverage apart --------------------------------------------------------


def precision_recall(real, fake, *, k):
    """Which share of the fakes lies among the real points, and which share of the real points lies among the fakes.

    Each point has a *ball*. The ball's radius is the distance to the k-th nearest *other* point of the point's own set. A point lies
    among a set if it lies in the ball of at least one point of the set: its distance to the center is *less* than the radius.
    Ties have to stay exact: for more than 25 points, `torch.cdist` takes a shortcut by default, whose rounding can break them.

    Args:
        real: Features, shape (n, d).
        fake: Features, shape (m, d).
        k: At least 1, and less than n and m.

    Returns:
        (precision, recall), each of shape (), in the dtype of the features.

    Raises:
        ValueError: If k is out of range.

    Example:
        d = 1, k = 1, real = (0, 1, 4), fake = (0.5, 2, 9, 9.5): precision 1/2, recall 2/3.
    """
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k must be in 1 .. {min(len(real), len(fake)) - 1}, got {k}")
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")


def density_coverage(real, fake, *, k):
    """How many real balls a fake lies in, relative to k, and which share of the real balls holds a fake.

    The balls are those of `precision_recall`, around the *real* points only. Density is the mean, over fakes, of the number of real
    balls that the fake lies in, divided by k. Coverage is the share of the real balls in which at least one fake lies.

    Args:
        real: Features, shape (n, d).
        fake: Features, shape (m, d), m at least 1.
        k: At least 1 and less than n.

    Returns:
        (density, coverage), each of shape (), in the dtype of the features.

    Raises:
        ValueError: If k is out of range.

    Example:
        d = 1, k = 1, real = (0, 1, 4), fake = (0.5, 2, 9, 9.5): density 3/4, coverage 1.
    """
    if not 1 <= k < len(real):
        raise ValueError(f"k must be in 1 .. {len(real) - 1}, got {k}")
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")
