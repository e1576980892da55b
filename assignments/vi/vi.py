"""Variational inference: a Gaussian over the weights, as close to the posterior as a Gaussian gets.

Holds Gaussian densities and divergences; the reparameterized sample; Bayesian linear regression, whose
posterior and evidence are known exactly; the ELBO in closed form and by sampling, with mini-batches; its
ascent; a network with random weights; what a sample of networks says about a new point; and dropout as a
sampler. Leaves out: full-covariance and other families for q, priors that are learned, and MCMC.

Weights are one flat vector theta of P numbers, so mu and rho have shape (P,), and S samples (S, P). The
approximation is q = N(mu, diag(sigma^2)) with sigma = softplus(rho), the prior N(0, prior_std^2 I). All
logarithms are natural. Nothing here draws random numbers: the noise comes in as an argument. Results have
the dtype and device of the inputs, and gradients flow from results to inputs.

Given, not yours to write: `kl_from_prior`, `linear_model`, `n_parameters`, `noisy_network`, `network_model`,
`predictive_samples`, and at the end the simple parts, which the checks hand to your functions in place of your
other functions, and the input checks.
"""

import math

import torch

# --- Task 1: densities and divergences ---------------------------------------------------------


def gaussian_logpdf(x, mean, std):
    """The log density of independent Gaussians at x, summed over the last axis.

    log N(x; mean, std^2) = sum_j [ -1/2 log(2 pi) - log std_j - (x_j - mean_j)^2 / (2 std_j^2) ].

    Args:
        x: Tensor; with the others it broadcasts to a shape (..., P).
        mean: Tensor or number.
        std: Standard deviations (not variances), tensor or number, positive.

    Returns:
        Shape (...): x, mean and std are broadcast first, and then the last axis is summed.

    Raises:
        ValueError: If a std is not positive, or all three are single numbers.
    """
    x, mean, std = _tensors(x=x, mean=mean, std=std)
    # Steps: the log density of each coordinate; the sum of the last axis.
    # YOUR CODE HERE
    raise NotImplementedError("task gaussians is not written yet")


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    """KL(q || p) = E_q[log q - log p] of two Gaussians with independent coordinates, in nats.

    Args:
        mean_q, std_q: Tensors; with the others they broadcast to a shape (..., P).
        mean_p, std_p: Tensors or numbers: the prior is often the same for all coordinates.

    Returns:
        Shape (...): all four are broadcast first, and then the last axis is summed.

    Raises:
        ValueError: If a std is not positive, or all four are single numbers.

    Example:
        One coordinate, q = N(0, 1) and p = N(0, 2^2): log 2 - 3/8.
    """
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    # Steps: the mean of log q - log p under q, for each coordinate; the sum of the last axis.
    # YOUR CODE HERE
    raise NotImplementedError("task gaussians is not written yet")


# --- Task 2: noise outside, parameters inside --------------------------------------------------


def softplus(rho):
    """log(1 + e^rho): a positive scale from any real number.

    Exact to nine digits for every rho: about e^rho far below zero, about rho far above, never infinite. So
    is its gradient, the sigmoid of rho: also at rho = 0 (where it is 1/2) and at |rho| = 1000.

    Args:
        rho: Tensor of any shape.

    Returns:
        The shape of `rho`, not negative.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task reparameterize is not written yet")


def inverse_softplus(sigma):
    """The rho whose softplus is sigma, to start a fit from a chosen scale.

    Exact to nine digits for every sigma from 1e-300 to 1e300.

    Args:
        sigma: Tensor of any shape, positive.

    Returns:
        The shape of `sigma`.

    Raises:
        ValueError: If a sigma is not positive.
    """
    _positive("sigma", sigma)
    # Solve for rho; then write it so that nothing overflows, and nothing small is lost.
    # YOUR CODE HERE
    raise NotImplementedError("task reparameterize is not written yet")


def sample_weights(mu, rho, eps, *, scale=None):
    """Samples of q, as a differentiable function of its parameters.

    If eps is standard normal, theta is a draw from q. If eps is 0, it is the mean of q.

    Args:
        mu, rho: Parameters of q, shape (P,).
        eps: Noise, shape (..., P): one row for each sample.
        scale: Called as scale(rho) for the standard deviations of q. None: your `softplus`.

    Returns:
        Shape (..., P). Gradients flow to mu and to rho.

    Raises:
        ValueError: If mu and rho are not both (P,), or the last axis of eps is not P.
    """
    _check_parameters(mu, rho, eps)
    scale = scale or softplus
    # YOUR CODE HERE
    raise NotImplementedError("task reparameterize is not written yet")


def kl_from_prior(mu, rho, prior_std):
    """KL(q || prior), a 0-d tensor. Given: Tasks 1 and 2 put together."""
    return kl_gaussians(mu, softplus(rho), 0.0, prior_std)


# --- Task 3: a posterior that is known ---------------------------------------------------------


def linear_posterior(X, y, *, noise_std, prior_std):
    """The posterior of Bayesian linear regression: Gaussian, with a mean and a precision.

    The model: theta ~ N(0, prior_std^2 I), and y_i ~ N(x_i . theta, noise_std^2), independent. The log of
    prior times likelihood is quadratic in theta, and so the posterior is Gaussian.

    Args:
        X: Inputs, shape (N, P). No intercept is added: a column of ones makes one. N may be 0.
        y: Targets, shape (N,).
        noise_std: Standard deviation of the noise, positive, known.
        prior_std: Standard deviation of each weight under the prior, positive.

    Returns:
        (mean, precision): shapes (P,) and (P, P). The precision is the inverse of the covariance.

    Raises:
        ValueError: If X is not (N, P) or y not (N,), or a std is not positive.

    Example:
        X = (1, 1)^T, y = (1, 3), noise_std = 2 and prior_std = 1: precision 1.5 and mean 2/3.

    Source:
        Bishop 2006, equations 3.53 and 3.54.
    """
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    # Steps: the precision; the mean, by solving a system rather than by inverting a matrix.
    # YOUR CODE HERE
    raise NotImplementedError("task posterior is not written yet")


def log_evidence(X, y, *, noise_std, prior_std):
    """log p(D), the log marginal likelihood of Bayesian linear regression.

    With theta integrated out, y is Gaussian with mean 0 and covariance C = noise_std^2 I + prior_std^2 X X^T:
    log p(D) = -1/2 [ N log(2 pi) + log |C| + y^T C^-1 y ].

    Args:
        X, y, noise_std, prior_std: As in `linear_posterior`. N may be in the hundreds, where |C| itself is
            too small or too large for a float. For N = 0 the result is 0.

    Returns:
        A 0-d tensor.

    Raises:
        ValueError: As `linear_posterior`.

    Source:
        Bishop 2006, section 3.5.
    """
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    # Steps: the covariance of y; the logarithm of its determinant; y^T C^-1 y, by solving a system.
    # YOUR CODE HERE
    raise NotImplementedError("task posterior is not written yet")


def kl_to_posterior(mu, sigma, mean, precision):
    """KL(q || posterior) for q = N(mu, diag(sigma^2)) and the posterior N(mean, precision^-1).

    Without correlations in the posterior it is the divergence of Task 1.

    Args:
        mu, sigma: Shape (P,); sigma positive.
        mean, precision: Shapes (P,) and (P, P), as `linear_posterior` returns them.

    Returns:
        A 0-d tensor.

    Raises:
        ValueError: If a sigma is not positive, or the shapes don't fit.

    Example:
        precision [[2, 1], [1, 2]], mu = mean and sigma = (1, 1): 1 - log(3) / 2.
    """
    _positive("sigma", sigma)
    _check_posterior(mean, precision)
    if mu.shape != mean.shape or sigma.shape != mean.shape:
        raise ValueError(
            f"mu and sigma must be {tuple(mean.shape)}, got {tuple(mu.shape)} and {tuple(sigma.shape)}"
        )
    # Steps: the mean of log q under q; the mean of the log posterior under q; their difference.
    # YOUR CODE HERE
    raise NotImplementedError("task posterior is not written yet")


# --- Task 4: the ELBO in closed form -----------------------------------------------------------


def linear_elbo(mu, sigma, X, y, *, noise_std, prior_std, kl=None):
    """The ELBO of q = N(mu, diag(sigma^2)) in Bayesian linear regression, exactly.

    ELBO = E_q[log p(y | theta)] - KL(q || prior). The likelihood is quadratic in theta, so its mean under q
    needs the mean and the variances of q only.

    Args:
        mu, sigma: Shape (P,); sigma positive. Here q is given by its sigma, not by rho.
        X, y, noise_std, prior_std: As in `linear_posterior`. N may be 0.
        kl: Called as kl(mean_q, std_q, mean_p, std_p). None: your `kl_gaussians`.

    Returns:
        A 0-d tensor. The likelihood is summed over rows, not averaged.

    Raises:
        ValueError: If a std is not positive or a shape doesn't fit.
    """
    _positive("sigma", sigma)
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    kl = kl or kl_gaussians
    # Steps: the expected squared error of each row; the expected log likelihood; the divergence.
    # YOUR CODE HERE
    raise NotImplementedError("task linear_elbo is not written yet")


def mean_field_optimum(mean, precision):
    """The q with independent coordinates that is closest to a Gaussian posterior: minimal KL(q || posterior).

    Args:
        mean, precision: Shapes (P,) and (P, P): those of the posterior.

    Returns:
        (mu, sigma), each of shape (P,).

    Raises:
        ValueError: If the shapes don't fit.

    Example:
        precision [[4, 1], [1, 25]]: sigma = (1/2, 1/5).
    """
    _check_posterior(mean, precision)
    # Where are the derivatives of kl_to_posterior zero?
    # YOUR CODE HERE
    raise NotImplementedError("task linear_elbo is not written yet")


# --- Task 5: the ELBO by sampling --------------------------------------------------------------


def linear_model(noise_std):
    """The log likelihood of linear regression, as a function for `elbo`. Given.

    Returns:
        log_likelihood(theta, X, y): for theta (S, P), X (B, P) and y (B,) it gives log p(y_i | x_i, theta_s),
        shape (S, B); for theta (P,), shape (B,).
    """

    def log_likelihood(theta, X, y):
        return gaussian_logpdf(y[:, None], (theta @ X.T)[..., None], noise_std)

    return log_likelihood


def elbo(mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=None, kl=None):
    """An unbiased estimate of the ELBO of any model, from S samples of q and a batch of the data.

    The samples are theta_s = sample(mu, rho, eps_s). The mean over all batches of an epoch is the estimate from
    all n_total rows.

    Args:
        mu, rho: Parameters of q, shape (P,).
        eps: Noise, shape (S, P), S at least 1.
        X, y: The batch: B rows each, B at least 1.
        log_likelihood: The model, called as log_likelihood(theta, X, y); see `linear_model`.
        prior_std: Standard deviation of each weight under the prior, positive.
        n_total: N, how many rows all the data have, of which this batch is a part. None: the batch is all.
        sample: Called as sample(mu, rho, eps). None: your `sample_weights`.
        kl: Called as kl(mu, rho, prior_std). None: `kl_from_prior`. The divergence is exact, not sampled.

    Returns:
        A 0-d tensor. Gradients flow to mu and rho.

    Raises:
        ValueError: If shapes don't fit, prior_std is not positive, or n_total is smaller than the batch.
    """
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    sample, kl = sample or sample_weights, kl or kl_from_prior
    # Steps: the samples; log likelihoods (S, B); what they say about all the data; the divergence.
    # YOUR CODE HERE
    raise NotImplementedError("task elbo is not written yet")


# --- Task 6: climbing the ELBO -----------------------------------------------------------------


def elbo_gradient(mu, rho, eps, X, y, *, objective=None, **settings):
    """The ELBO and its gradients in mu and rho, by automatic differentiation.

    Args:
        mu, rho, eps, X, y: As for `elbo`. Whether mu and rho already ask for gradients doesn't matter.
        objective: Called once, as objective(mu, rho, eps, X, y, **settings): a 0-d tensor that depends on
            both mu and rho. None: your `elbo`. Nobody calls this inside `torch.no_grad()`.
        **settings: Passed on to it: log_likelihood, prior_std, n_total.

    Returns:
        (value, gradient in mu, gradient in rho): shapes (), (P,), (P,), all detached. They are the gradients
        of the ELBO itself, uphill. mu and rho are left as they were, their `.grad` too.
    """
    objective = objective or elbo
    # YOUR CODE HERE
    raise NotImplementedError("task fit is not written yet")


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=None, **settings):
    """Gradient ascent on the ELBO, in mu and rho at once, with new noise in every step.

    In step t: value, g_mu, g_rho = gradient(mu, rho, eps[t], X_t, y_t, n_total=N, **settings), and then
    mu <- mu + lr g_mu, rho <- rho + lr g_rho. N is the number of rows of X.

    Args:
        mu, rho: Where to start, shape (P,). Not changed in place.
        eps: Noise, shape (T, S, P): T steps with S samples each. No check has T = 0.
        X, y: All the data, N rows.
        lr: Length of a step, positive.
        batches: T tensors of row numbers, int64; X_t and y_t are these rows. None: all rows in every step.
        gradient: Called exactly once in each step. None: your `elbo_gradient`.
        **settings: Passed on to it.

    Returns:
        (mu, rho, values): the parameters after the last step, shape (P,) each, and the T values that
        `gradient` returned, in a tensor of shape (T,).

    Raises:
        ValueError: If shapes don't fit, lr is not positive, or there are not T batches.
    """
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    if eps.ndim != 3:
        raise ValueError(f"eps must be (T, S, P), got {tuple(eps.shape)}")
    if batches is not None and len(batches) != len(eps):
        raise ValueError(f"batches must hold one for each of {len(eps)} steps, got {len(batches)}")
    gradient = gradient or elbo_gradient
    # For each step: its rows; one call of `gradient`; both parameters uphill; the value written down.
    # YOUR CODE HERE
    raise NotImplementedError("task fit is not written yet")


# --- Task 7: many networks at once -------------------------------------------------------------


def n_parameters(sizes):
    """How many numbers a fully connected network of these sizes has, biases included. Given.

    Args:
        sizes: Widths from the inputs to the outputs, at least two: (2, 5, 1) has one hidden layer of 5.

    Returns:
        An int.

    Raises:
        ValueError: If there are fewer than two sizes, or one is below 1.
    """
    _check_sizes(sizes)
    return sum((n_in + 1) * n_out for n_in, n_out in zip(sizes, sizes[1:]))


def mlp(theta, X, sizes):
    """The outputs of a fully connected network, for one or many vectors of weights at once.

    Layer l maps a to W_l a + b_l, then tanh; the last layer has no tanh. theta holds the layers in order, for
    each W_l row by row, of shape (n_l, n_{l-1}), and then b_l, of shape (n_l,).

    Args:
        theta: Weights, shape (..., P) with P = n_parameters(sizes): every leading index is a network.
        X: Inputs, shape (B, sizes[0]): every network sees all of them.
        sizes: Widths, as in `n_parameters`.

    Returns:
        Shape (..., B, sizes[-1]).

    Raises:
        ValueError: If X doesn't fit sizes.
    """
    _check_sizes(sizes)
    if X.ndim != 2 or X.shape[1] != sizes[0]:
        raise ValueError(f"X must be (B, {sizes[0]}), got {tuple(X.shape)}")
    # For each layer: cut W and b from theta; multiply, add, tanh. b needs an axis for the rows of X.
    # YOUR CODE HERE
    raise NotImplementedError("task network is not written yet")


def noisy_network(theta, X, sizes):
    """Mean and noise level of y at each row of X, by networks with two outputs. Given.

    Returns:
        (means, stds), each of shape (..., B): the first output, and softplus of the second.
    """
    outputs = mlp(theta, X, sizes)
    return outputs[..., 0], softplus(outputs[..., 1])


def network_model(sizes):
    """The log likelihood of `noisy_network`, as a function for `elbo`. Given. sizes[-1] is 2."""

    def log_likelihood(theta, X, y):
        means, stds = noisy_network(theta, X, sizes)
        return gaussian_logpdf(y[:, None], means[..., None], stds[..., None])

    return log_likelihood


# --- Task 8: two kinds of uncertainty ----------------------------------------------------------


def decompose_variance(means, stds):
    """The variance of y at each point, in two parts: what the models call noise, and where they disagree.

    The two add up to the variance of the mixture of S Gaussians with equal weights. The first (aleatoric) is 0
    if no model has noise, the second (epistemic) is 0 if all models have the same mean.

    Args:
        means: E[y | theta_s] of S sampled models, shape (S, ...).
        stds: Standard deviations of y given theta_s, the same shape, not negative.

    Returns:
        (aleatoric, epistemic): variances, each of shape (...). The S models are the whole mixture, so every
        mean over them divides by S, not by S - 1.

    Raises:
        ValueError: If the shapes differ, or there is no sample.
    """
    _check_samples(means, stds)
    # YOUR CODE HERE
    raise NotImplementedError("task uncertainty is not written yet")


def predictive_moments(means, stds, *, decompose=None):
    """Mean and standard deviation of y, all uncertainty included: those of a mixture of S Gaussians.

    Args:
        means, stds: As in `decompose_variance`.
        decompose: Called as decompose(means, stds). None: your `decompose_variance`.

    Returns:
        (mean, std), each of shape (...).

    Raises:
        ValueError: As `decompose_variance`.
    """
    _check_samples(means, stds)
    decompose = decompose or decompose_variance
    # YOUR CODE HERE
    raise NotImplementedError("task uncertainty is not written yet")


def predictive_logpdf(y, means, stds):
    """The log density of y under the mixture of S Gaussians with equal weights.

    log p(y | x, D) = log [ (1/S) sum_s N(y; mean_s, std_s^2) ], also where every density underflows.

    Args:
        y: Tensor of shape (...), or of one that broadcasts to it.
        means, stds: Shape (S, ...); stds positive.

    Returns:
        Shape (...).

    Raises:
        ValueError: As `decompose_variance`, or if a std is not positive.
    """
    _check_samples(means, stds)
    _positive("stds", stds)
    # YOUR CODE HERE
    raise NotImplementedError("task uncertainty is not written yet")


def predictive_samples(means, stds, noise):
    """One draw of y from each sampled model. Given.

    Args:
        means, stds: Shape (S, ...).
        noise: Standard normal numbers, the same shape.

    Returns:
        The same shape: y_s = mean_s + std_s * noise_s.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_samples(means, stds)
    _check_samples(means, noise)
    return means + stds * noise


def credible_interval(samples, mass):
    """The interval with `mass` of the samples in it and equally many left out on either side.

    From the quantile (1 - mass)/2 to the quantile (1 + mass)/2. The quantile p of S sorted numbers stands at
    position p (S - 1), counted from 0; between two positions it is interpolated linearly, as `torch.quantile`
    and `numpy.quantile` do by default.

    Args:
        samples: Shape (S, ...): of a weight, of a mean, of y; the interval is about whatever they are.
        mass: Share of the samples inside, strictly between 0 and 1.

    Returns:
        (lower, upper), each of shape (...).

    Raises:
        ValueError: If mass is not strictly between 0 and 1, or there is no sample.
    """
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}")
    _check_samples(samples, samples)
    # YOUR CODE HERE
    raise NotImplementedError("task uncertainty is not written yet")


# --- Task 9: dropout as a sampler --------------------------------------------------------------


def dropout(x, u, *, p):
    """x with entries dropped at random and the others enlarged, so that the mean over u is x.

    An entry with u >= p is kept and enlarged; one with u < p becomes 0.

    Args:
        x: Tensor.
        u: Uniform numbers in [0, 1), of a shape that broadcasts with x.
        p: The probability of being dropped, 0 <= p < 1.

    Returns:
        The shape that x and u broadcast to.

    Raises:
        ValueError: If p is not in [0, 1).

    Example:
        p = 0.2, x = (8, 4, 4) and u = (0.1, 0.2, 0.9): (0, 5, 5).
    """
    _check_dropped(p)
    # YOUR CODE HERE
    raise NotImplementedError("task dropout is not written yet")


def mc_dropout(layers, X, u, *, p, drop=None):
    """S forward passes of a network, each with other units dropped: a sample of predictions.

    Every hidden activation goes through `drop`, after its tanh. Inputs and outputs are not dropped, and the
    last layer has no tanh. In pass s, unit j of a layer is dropped for all rows of X or for none: a pass is a
    function.

    Args:
        layers: List of pairs (W, b), shapes (n_out, n_in) and (n_out,).
        X: Inputs, shape (B, n_0).
        u: Uniform numbers, one tensor (S, n_l) for each hidden layer; S is the same in all.
        p: The probability of being dropped, 0 <= p < 1.
        drop: Called as drop(a, u, p=p), for all passes at once or one by one; what you give it as u must
            broadcast with a. None: your `dropout`.

    Returns:
        Shape (S, B, n_L).

    Raises:
        ValueError: If p is not in [0, 1), or u doesn't hold one tensor for each hidden layer, at least one.
    """
    _check_dropped(p)
    if len(u) != len(layers) - 1 or not u:
        raise ValueError(f"u must hold one tensor for each of {len(layers) - 1} hidden layers, got {len(u)}")
    drop = drop or dropout
    # YOUR CODE HERE
    raise NotImplementedError("task dropout is not written yet")


# --- Simple parts, given: a check hands them to one of your functions in place of your others -----------


def exponential(rho):
    """e^rho, for the `scale` of `sample_weights`: what many papers take for it."""
    return rho.exp()


def squared_distance(mean_q, std_q, mean_p, std_p):
    """The squared distance of the parameters, for the `kl` of `linear_elbo`."""
    return ((mean_q - mean_p) ** 2 + (std_q - std_p) ** 2).sum()


def shifted(mu, rho, eps):
    """mu + 2 rho + eps, for the `sample` of `elbo`."""
    return mu + 2 * rho + eps


def parabola(theta, X, y):
    """Minus the squared errors, (S, B), for the `log_likelihood` of `elbo`."""
    return -((theta @ X.T - y) ** 2)


def squared_length(mu, rho, prior_std):
    """The squared length of mu / prior_std and rho, for the `kl` of `elbo`."""
    return ((mu / prior_std) ** 2 + rho**2).sum()


def hill(mu, rho, eps, X, y, *, n_total=10, prior_std=1.0):
    """A hill that every argument shapes, for the `objective` of `elbo_gradient`."""
    top = eps.mean(0) + y @ X / n_total
    return -((mu - top) ** 2).sum() - 3 * ((rho + top) ** 2).sum() / prior_std


# --- Input checks, given -----------------------------------------------------------------------


def _tensors(**values):
    """The values as tensors of one dtype, nothing broadcast yet; those called std... must be positive."""
    given = [value for value in values.values() if isinstance(value, torch.Tensor)]
    if max((value.ndim for value in given), default=0) == 0:
        raise ValueError(f"one of {', '.join(values)} must have an axis to sum over, got single numbers")
    for name, value in values.items():
        if name.startswith("std"):
            _positive(name, value)
    like = given[0]
    return [torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in values.values()]


def _positive(name, value):
    """Refuse a number or a tensor that is not positive everywhere; NaN is not."""
    if not isinstance(value, torch.Tensor):
        value = torch.tensor(value, dtype=torch.float64)
    if not (value > 0).all():
        raise ValueError(f"{name} must be positive, got {value[~(value > 0)].flatten()[0].item()}")


def _check_parameters(mu, rho, eps):
    """Refuse parameters that are not both (P,), and noise for another number of weights."""
    if mu.ndim != 1 or rho.shape != mu.shape:
        raise ValueError(f"mu and rho must both be (P,), got {tuple(mu.shape)} and {tuple(rho.shape)}")
    if eps.ndim == 0 or eps.shape[-1] != len(mu):
        raise ValueError(f"eps must be (..., {len(mu)}), got {tuple(eps.shape)}")


def _check_data(X, y, *, noise_std, prior_std):
    """Refuse data that are not (N, P) and (N,), and scales that are not positive."""
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X must be (N, P) and y (N,), got {tuple(X.shape)} and {tuple(y.shape)}")
    _positive("noise_std", noise_std)
    _positive("prior_std", prior_std)


def _check_posterior(mean, precision):
    """Refuse a precision that is not square, or not as wide as the mean is long."""
    if mean.ndim != 1 or precision.shape != (len(mean), len(mean)):
        raise ValueError(
            f"mean must be (P,) and precision (P, P), got {tuple(mean.shape)}, {tuple(precision.shape)}"
        )


def _check_batch(eps, X, y, n_total):
    """Refuse an empty batch, rows without a target, no samples, and less data than the batch holds."""
    if eps.ndim != 2 or len(eps) == 0:
        raise ValueError(f"eps must be (S, P) with S at least 1, got {tuple(eps.shape)}")
    if y.ndim != 1 or len(X) != len(y) or len(y) == 0:
        raise ValueError(f"X and y must have the same B >= 1 rows, got {tuple(X.shape)}, {tuple(y.shape)}")
    if n_total is not None and n_total < len(y):
        raise ValueError(f"n_total must be at least {len(y)}, the rows of the batch, got {n_total}")


def _check_sizes(sizes):
    """Refuse a network without layers, and layers without units."""
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be two or more numbers from 1 up, got {tuple(sizes)}")


def _check_samples(samples, others):
    """Refuse no samples, and two sets of them that differ in shape."""
    if samples.ndim == 0 or len(samples) == 0:
        raise ValueError(f"the first axis must hold at least one sample, got {tuple(samples.shape)}")
    if others.shape != samples.shape:
        raise ValueError(f"both must have one shape, got {tuple(samples.shape)} and {tuple(others.shape)}")


def _check_dropped(p):
    """Refuse a probability that drops everything, or none that makes sense."""
    if not 0 <= p < 1:
        raise ValueError(f"p must be at least 0 and below 1, got {p}")
