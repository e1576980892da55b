"""A variational autoencoder, its linear case that is solved on paper, and its relative with a table of codes.

Holds likelihoods of pixels, the evidence lower bound (ELBO) of an encoder and a decoder, gradient estimators, the bound with
several samples, probabilistic PCA, the linear VAE, tools that tell a dead latent from a live one, the split of the KL term,
and vector quantization. Leaves out convolutions, flows in the encoder, and training loops.

Rows are examples. x has shape (B, D), latents have shape (B, k), and samples stand along a new first axis, (S, B, k). An encoder
gives mu and log_var, the mean and the **logarithm of the variance** of q(z|x). The prior is N(0, I). Logarithms are natural.
Nothing here draws random numbers: noise is an argument. Results have the dtype and device of the inputs, unless a docstring names another
dtype. No input is changed in place.

Given, not yours to write: `normal_logp`, `mlp` and the checks of arguments.
"""

import math

import torch

from coursekit.toys import mlp  # mlp(weights, x): a network of dense layers, x of shape (..., width)


def normal_logp(x, mean, var):
    """The log-density of N(mean, var) at x, entry by entry: nothing is summed. Given, for Tasks 4 and 8."""
    return -0.5 * (math.log(2 * math.pi) + torch.log(var) + (x - mean) ** 2 / var)


# --- Task 1: the noise that a loss assumes -----------------------------------------------------


def bernoulli_logp(x, logits):
    """The log-likelihood of pixels that are on with probability sigmoid(logit), summed over the pixels.

    Each pixel adds x log p + (1 - x) log(1 - p) with p = sigmoid(logit). Targets between 0 and 1 are allowed.

    Args:
        x: Shape (..., D), entries in [0, 1].
        logits: Shape (..., D), of any size: also 1000 and -1000.

    Returns:
        Shape (...). Finite for every finite logit, and so are the gradients.

    Example:
        x = (1, 0), logits = (0, log 3): -log 2 - log 4.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task likelihoods is not written yet")


def gaussian_logp(x, mean, sigma):
    """The log-density of pixels with independent normal noise around their means, summed over the pixels.

    Args:
        x, mean: Shape (..., D), or shapes that broadcast to it.
        sigma: The standard deviation of a pixel: a positive number, the same for all pixels.

    Returns:
        Shape (...). All constants count.

    Example:
        x = (1, 3), mean = (1, 1), sigma = 2: -log(2 pi) - 2 log 2 - 1/2.
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    # YOUR CODE HERE
    raise NotImplementedError("task likelihoods is not written yet")


def best_sigma2(x, mean):
    """The one variance for all pixels and all examples under which the batch is most likely, by your formula.

    Args:
        x, mean: Shape (B, D). They differ somewhere.

    Returns:
        Shape (): a variance, which maximizes the sum of `gaussian_logp` over the batch.

    Example:
        One image, x = (1, 3), mean = (0, 0): 5.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task likelihoods is not written yet")


def implied_sigma(n_pixels, kl_weight):
    """The standard deviation of a pixel that a common loss has chosen without saying so.

    The loss of an image is (the mean squared error over its D pixels) + kl_weight * KL. Up to a factor and a constant, this is
    -log N(x; mean, sigma^2 I) + KL for exactly one sigma.

    Args:
        n_pixels: D.
        kl_weight: Positive.

    Returns:
        sigma, a float.

    Raises:
        ValueError: If kl_weight is not positive or n_pixels is below 1.

    Example:
        D = 1 pixel and kl_weight 2: sigma = 1.
    """
    if kl_weight <= 0 or n_pixels < 1:
        raise ValueError(f"kl_weight must be positive and n_pixels at least 1, got {kl_weight} and {n_pixels}")
    # YOUR CODE HERE
    raise NotImplementedError("task likelihoods is not written yet")


# --- Task 2: the bound -------------------------------------------------------------------------


def kl_to_prior(mu, log_var):
    """KL(q || prior) of each latent, in nats, for q = N(mu, exp(log_var)) and the prior N(0, 1).

    Args:
        mu, log_var: Shape (..., k).

    Returns:
        Shape (..., k): one divergence for each latent. Nothing is summed or averaged.

    Example:
        mu = (1, 0) and log_var = (0, log 4): (1/2, 3/2 - log 2).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task elbo is not written yet")


def reparameterize(mu, log_var, eps):
    """Samples of q(z|x), as a differentiable function of mu and log_var. If eps is 0, the sample is the mean.

    Args:
        mu, log_var: Shape (B, k).
        eps: Standard normal noise, shape (S, B, k).

    Returns:
        Shape (S, B, k).

    Example:
        mu = 1, log_var = log 4 and eps = -3: z = -5.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task elbo is not written yet")


def elbo(x, encoder, decoder, eps, *, sigma, beta=1.0):
    """The evidence lower bound of each example, from S samples of its q(z|x).

        ELBO = E_q [ log N(x; decoded z, sigma^2 I) ] - beta KL(q(z|x) || prior)

    The expectation is the mean over the samples. The KL term is exact, and summed over the latents. The encoder's network maps
    x to 2k numbers: the first k are mu, and the last k are log_var. The decoder's network maps z to the means of the D pixels.

    Args:
        x: Shape (B, D).
        encoder, decoder: Lists of weights for `mlp`, from width D to 2k and from k to D.
        eps: Noise, shape (S, B, k).
        sigma: The standard deviation of a pixel, a positive number.
        beta: Multiplies the KL term only.

    Returns:
        Shape (B,), differentiable in the weights. The training loss is minus its mean.
    """
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    # YOUR CODE HERE
    raise NotImplementedError("task elbo is not written yet")


# --- Task 3: a gradient from samples -----------------------------------------------------------


def pathwise(mu, sigma, eps, slope):
    """For each sample, the pathwise estimate of the gradient of E_q f(z), with q = N(mu, diag(sigma^2)) and z = mu + sigma eps.

    Args:
        mu, sigma: Shape (k,); sigma positive, a standard deviation.
        eps: Noise, shape (S, k).
        slope: slope(z), for z of shape (S, k): the gradient of f in z, shape (S, k).

    Returns:
        (in mu, in sigma), each of shape (S, k). Nothing is averaged.

    Example:
        f = z^2, mu = 1, sigma = 2, eps = -1, so z = -1: (-2, 2).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task gradients is not written yet")


def score_function(mu, sigma, eps, f, *, baseline=False):
    """For each sample, the score-function estimate of the same gradient: f(z) times the gradient of log q(z), with z held fixed.

    With a baseline, each sample's f(z) is first reduced by the mean of f over the **other** samples.

    Args:
        mu, sigma, eps: As for `pathwise`; S is at least 2 if there is a baseline.
        f: f(z), for z of shape (S, k): shape (S,).
        baseline: Whether to subtract.

    Returns:
        (in mu, in sigma), each of shape (S, k). Nothing is averaged.

    Raises:
        ValueError: If there is a baseline and S is below 2.

    Example:
        f = z^2, mu = 1, sigma = 2, eps = 3, so z = 7: (73.5, 196).
    """
    if baseline and len(eps) < 2:
        raise ValueError(f"eps must have at least 2 samples for a baseline, got {len(eps)}")
    # YOUR CODE HERE
    raise NotImplementedError("task gradients is not written yet")


def elbo_gradient(mu, sigma, eps, slope, *, path_only):
    """For each sample, an estimate of the gradient of the ELBO, E_q [ log p(x, z) - log q(z) ], along z = mu + sigma eps.

    In log q(z), mu and sigma enter in two places: through z, and as parameters of the density. With path_only, only the first place is
    differentiated, and the density's parameters are held fixed. Otherwise both places count.

    Args:
        mu, sigma, eps: As for `pathwise`.
        slope: slope(z): the gradient of log p(x, z) in z, shape (S, k).
        path_only: Which of the two.

    Returns:
        (in mu, in sigma), each of shape (S, k). Nothing is averaged.

    Example:
        slope(z) = -z, mu = 1, sigma = 2, eps = -2, so z = -3. Both places: (3, -5.5). path_only: (2, -4).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task gradients is not written yet")


# --- Task 4: more samples ----------------------------------------------------------------------


def log_weights(log_lik, z, mu, log_var):
    """The logarithm of the importance weight of each sample, log p(x, z) - log q(z|x).

    Args:
        log_lik: log p(x|z) of each sample, shape (K, B).
        z: The samples, shape (K, B, k).
        mu, log_var: Those of q(z|x), shape (B, k).

    Returns:
        Shape (K, B).

    Example:
        One latent, mu = 1, log_var = log 4, z = 3 and log_lik = 0: log 2 - 4.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task iwae is not written yet")


def iwae_bound(log_w):
    """The bound of the importance weighted autoencoder (IWAE): the logarithm of the mean weight of K samples.

    Args:
        log_w: Shape (K, B), of any size: also 1000 and -1000.

    Returns:
        Shape (B,), differentiable.

    Example:
        Weights 1 and 3: log 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task iwae is not written yet")


def effective_sample_size(log_w):
    """How many equally good samples the K weighted samples are worth: 1 / (the sum of their squared shares).

    The share of a sample is its weight, divided by the sum of the K weights.

    Args:
        log_w: Shape (K, B), of any size.

    Returns:
        Shape (B,), between 1 and K.

    Example:
        Weights 1 and 3: 1.6.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task iwae is not written yet")


# --- Task 5: a model that is solved exactly ----------------------------------------------------


def ppca_fit(x, n_latents):
    """The most likely model of the form z ~ N(0, I), x given z ~ N(mean + W z, sigma2 I), for the rows of x.

    Args:
        x: Shape (N, D).
        n_latents: k, with 1 <= k < D. The smallest D - k eigenvalues of the covariance aren't all 0.

    Returns:
        mean, shape (D,); W, shape (D, k); sigma2, shape (). Column j of W is a multiple of the eigenvector that has the j-th
        largest eigenvalue of the covariance of x (divided by N). The entry of a column that is largest in size is positive.

    Raises:
        ValueError: If n_latents is not in 1 .. D - 1.

    Example:
        A covariance with the eigenvalues 4, 2, 1, 1 and k = 2: sigma2 = 1, and the columns have the squared lengths 3 and 1.
    """
    if not 1 <= n_latents < x.shape[1]:
        raise ValueError(f"n_latents must be in 1 .. {x.shape[1] - 1}, got {n_latents}")
    # YOUR CODE HERE
    raise NotImplementedError("task ppca is not written yet")


def ppca_logp(x, mean, W, sigma2):
    """log p(x) of each row, with z integrated out.

    Args:
        x: Shape (B, D).
        mean, W, sigma2: The model: shapes (D,), (D, k) and (). W may be any matrix.

    Returns:
        Shape (B,).

    Example:
        D = 2, mean = 0, W = (1, 1)^T, sigma2 = 1, x = (1, 1): -log(2 pi) - (log 3)/2 - 1/3.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task ppca is not written yet")


def ppca_posterior(x, mean, W, sigma2):
    """The exact posterior p(z|x) of each row, which is normal.

    Args:
        x, mean, W, sigma2: As for `ppca_logp`.

    Returns:
        Means, shape (B, k); the covariance, shape (k, k), which all rows share. It is not diagonal in general.

    Example:
        As in `ppca_logp`: mean 2/3 and variance 1/3.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task ppca is not written yet")


# --- Task 6: the linear VAE --------------------------------------------------------------------


def linear_elbo(x, mean, W, sigma2, V, v, *, beta=1.0):
    """The ELBO of each row for a linear decoder and a linear encoder, exactly: nothing is sampled.

    Decoder: x given z ~ N(mean + W z, sigma2 I). Encoder: q(z|x) = N(V (x - mean), diag(v)).

    Args:
        x: Shape (B, D).
        mean, W, sigma2: Tensors of shapes (D,), (D, k) and ().
        V, v: Shapes (k, D) and (k,); v are variances, the same for all rows.
        beta: Multiplies the KL term only.

    Returns:
        Shape (B,), differentiable.

    Example:
        D = 1, mean = 0, W = 1, sigma2 = 1, V = 1/2, v = 1/2, x = 2: -(log 4 pi)/2 - 1, which is log p(x).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task linear_vae is not written yet")


def best_encoder(W, sigma2, *, beta=1.0):
    """The encoder V, v that maximizes `linear_elbo` for a given decoder, for every x at once.

    Args:
        W, sigma2: Tensors of shapes (D, k) and (). The columns of W need not be orthogonal.
        beta: As for `linear_elbo`, positive.

    Returns:
        V, shape (k, D), and v, shape (k,).

    Example:
        D = 1, W = 1, sigma2 = 1: V = 1/2 and v = 1/2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task linear_vae is not written yet")


def unit_lengths(eigenvalues, *, sigma2, beta):
    """The squared length w^2 of the decoder's column along each eigenvector that maximizes the mean `linear_elbo`.

    Each eigenvector of the data's covariance has a unit of its own, with the best encoder. sigma2 stays as it is.

    Args:
        eigenvalues: Variances of the data along the eigenvectors, shape (n,), not negative.
        sigma2, beta: Positive numbers, no tensors.

    Returns:
        Shape (n,): squared lengths.

    Example:
        Eigenvalues 4 and 2, sigma2 = 1, beta = 1: 3 and 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task linear_vae is not written yet")


# --- Task 7: latents that say nothing ----------------------------------------------------------


def active_units(mu, *, threshold=0.01):
    """Which latents say something about x: those whose posterior **mean** varies over the data.

    Args:
        mu: Posterior means of all examples, shape (N, k).
        threshold: A latent is active if the variance of its means (divided by N) is **above** this.

    Returns:
        Boolean, shape (k,).

    Example:
        Means (0, 0), (1, 0.1): True, False. The variances are 0.25 and 0.0025.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task collapse is not written yet")


def free_bits(kl, *, free):
    """The KL term of a batch where each latent may use `free` nats without a price.

    A latent pays for the mean of its KL over the batch, or for `free` if the mean is smaller. The term is the sum over latents.

    Args:
        kl: Divergence of each example and latent, shape (B, k).
        free: Not negative.

    Returns:
        Shape (), differentiable in kl.

    Example:
        KL rows (3, 0.1) and (0, 0.3), free = 1: 1.5 + 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task collapse is not written yet")


# --- Task 8: what the KL term pays for ---------------------------------------------------------


def kl_split(mu, log_var, eps):
    """The mean KL over N examples, split in two: what q says about *which* example, and how far all q together are from the prior.

    With z_sn = mu_n + sigma_n eps_sn and the aggregate q(z) = (1/N) sum_m q(z|x_m), these are

        information = mean over s and n of  log q(z_sn|x_n) - log q(z_sn)
        distance    = mean over s and n of  log q(z_sn) - log p(z_sn).

    Args:
        mu, log_var: Shape (N, k).
        eps: Noise, shape (S, N, k).

    Returns:
        (information, distance), each of shape (), in nats. Both stay finite for samples that are far from the other examples' means.

    Example:
        One example: information 0.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task aggregate is not written yet")


def slerp(a, b, t):
    """A point on the way from a to b, at the share t of the **angle** between them.

        (sin((1 - t) angle) a + sin(t angle) b) / sin(angle)

    Args:
        a, b: Shape (..., d), not 0, and not of opposite directions.
        t: A number from 0 to 1.

    Returns:
        Shape (..., d). If a and b have the same direction, the point is (1 - t) a + t b. Where the sine of the angle is below
        1e-6, the straight line is accepted for all directions.

    Example:
        (1, 0) and (0, 1), t = 1/3: (0.866, 0.5).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task aggregate is not written yet")


# --- Task 9: a table of codes ------------------------------------------------------------------


def nearest_codes(z, codebook):
    """The index of the code vector that is nearest to each row, by squared distance. The lower index wins a tie.

    Args:
        z: Shape (N, d).
        codebook: The code vectors, shape (n_codes, d).

    Returns:
        Indices of rows of the codebook, shape (N,), int64.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task vq is not written yet")


def quantize(z, codebook, codes):
    """The code vectors of the rows with a straight-through gradient, and the two losses that replace the missing gradients.

    Args:
        z: Shape (N, d), from the encoder.
        codebook: Shape (n_codes, d).
        codes: The index of each row's code vector, shape (N,).

    Returns:
        quantized: Shape (N, d). Its value is the row's code vector. Its gradient passes to z unchanged, and none to the codebook.
        codebook_loss: Shape (): mean over rows of the squared distance to the code vector. Its gradient reaches the codebook only.
        commitment_loss: Shape (): the same number. Its gradient reaches z only.

    Example:
        z = (3) and the code vector (1): quantized (1), both losses 4. Their gradients: -4 in the code vector, 4 in z.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task vq is not written yet")


def ema_update(codebook, counts, sums, z, codes, *, decay):
    """One step of the codebook by running averages, without gradients.

    For each code, with n rows in this batch whose sum is s: counts becomes decay * counts + (1 - decay) * n, sums becomes
    decay * sums + (1 - decay) * s, and the code vector becomes sums / counts. A code with no rows in this batch keeps its code vector,
    its count and its sum.

    Args:
        codebook, counts, sums: Shapes (n_codes, d), (n_codes,) and (n_codes, d).
        z, codes: The batch, and the index of each row's code vector: shapes (N, d) and (N,).
        decay: From 0 to below 1.

    Returns:
        The new (codebook, counts, sums).

    Raises:
        ValueError: If decay is not in [0, 1).

    Example:
        One code vector (4) with count 1 and sum 4, decay = 1/2, rows 0 and 2: count 1.5, sum 3, code vector (2).
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")
    # YOUR CODE HERE
    raise NotImplementedError("task vq is not written yet")


def perplexity(codes, n_codes):
    """How many codes are in use, if each counts by its share: e to the entropy of the shares, in nats.

    Args:
        codes: Indices, shape (N,), int64, N at least 1.
        n_codes: The size of the codebook.

    Returns:
        Shape (), float64, between 1 and n_codes.

    Example:
        Codes 0, 0, 2, 2: 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task vq is not written yet")
