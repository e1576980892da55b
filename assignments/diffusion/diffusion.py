"""Diffusion: noise in many small steps, the best denoiser, samplers whose distribution is known exactly, and guidance.

Tensors are float64, and results are too. Functions draw nothing, and change no argument. `abar` has shape (T + 1,): abar[0] = 1, and
abar[t] is what is left of the image's variance after t steps of noise. Times run from 1 to T. A tensor of times has one for each
sample. Samples have shape (N, ...), with any number of further axes. Given, not yours to write: `at`.
"""

import math

import torch

TARGETS = ("noise", "x0", "v")
WEIGHTINGS = ("noise", "min_snr", "bound")
VARIANCES = ("beta", "posterior")


def at(abar, t, x):
    """abar at each sample's time, shaped to multiply x. Given.

    Args:
        abar: Shape (T + 1,).
        t: Times, whole numbers, shape (N,).
        x: Samples, shape (N, ...).

    Returns:
        Shape (N, 1, ..., 1), with as many axes as x.
    """
    return abar[t].reshape(-1, *[1] * (x.dim() - 1))


# --- Task 1: adding noise ----------------------------------------------------------------------


def cumulative(betas):
    """abar of noise variances. Step t is  x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) z  with fresh standard normal z.

    Many steps equal one jump:  x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise.

    Args:
        betas: beta_1 ... beta_T, each above 0 and at most 1, shape (T,).

    Returns:
        Shape (T + 1,), where entry 0 is 1.

    Raises:
        ValueError: If a beta isn't above 0 and at most 1.

    Example:
        betas = (0.1, 0.2): (1, 0.9, 0.72).
    """
    if not bool(((betas > 0) & (betas <= 1)).all()):
        raise ValueError(f"betas must be above 0 and at most 1, got {betas.tolist()}")
    # YOUR CODE HERE
    raise NotImplementedError("task forward is not written yet")


def cosine_schedule(T, *, s=0.008, max_beta=0.999):
    """abar of the cosine schedule.

    Let f(t) = cos^2(pi/2 * (t/T + s) / (1 + s)). Before the cap, abar_t = f(t) / f(0). Each beta is capped at max_beta, and the returned
    abar is that of the capped betas.

    Args:
        T: The number of steps.
        s: Keeps the first betas from being too small.
        max_beta: The largest beta, at most 1.

    Returns:
        Shape (T + 1,), where entry 0 is 1.

    Example:
        T = 2, s = 0: (1, 1/2, 0.0005).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task forward is not written yet")


def zero_terminal(abar):
    """A schedule that ends in pure noise. For t = 1 ... T, sqrt(abar_t) is shifted and then scaled, by the same two numbers for all t.

    They are chosen so that the entry T becomes 0, and the entry 1 stays as it is. Entry 0 stays 1.

    Args:
        abar: Shape (T + 1,), T at least 2.

    Returns:
        Shape (T + 1,).

    Example:
        abar = (1, 0.81, 0.36, 0.09): (1, 0.81, 0.2025, 0).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task forward is not written yet")


def q_sample(x0, t, noise, abar):
    """The noisy sample x_t, in one jump.

    Args:
        x0: Shape (N, ...).
        t: Shape (N,).
        noise: Standard normal numbers, shape of x0.
        abar: Shape (T + 1,).

    Returns:
        Shape of x0.

    Example:
        x0 = 1, noise = 2, abar_t = 0.36: 0.6 + 1.6 = 2.2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task forward is not written yet")


# --- Task 2: one step back, if the image is known ----------------------------------------------


def posterior(x0, xt, t, abar):
    """Mean and variance of x_(t-1) for given x_t and x_0. It is normal, with one variance for all entries of a sample.

    Args:
        x0, xt: Shape (N, ...).
        t: Shape (N,).
        abar: Shape (T + 1,).

    Returns:
        (mean, variance): shape of x0 and shape (N,). For t = 1 they are x0 and 0.

    Example:
        betas = (0.1, 0.2), t = 2, x0 = 1, xt = 0: 0.678 and 0.0714.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task posterior is not written yet")


def posterior_from_noise(noise, xt, t, abar):
    """The mean of `posterior`, if the noise of q_sample is known in place of x_0.

    Args:
        noise, xt: Shape (N, ...).
        t: Shape (N,).
        abar: Shape (T + 1,), all positive.

    Returns:
        Shape of xt.

    Example:
        betas = (0.1, 0.2), t = 2, xt = 1, noise = 0: 1.118.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task posterior is not written yet")


# --- Task 3: three names for one answer --------------------------------------------------------


def to_x0(value, xt, t, abar, *, kind):
    """The image x_0 that an answer of a network means.

    "noise": the noise of x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) noise.
    "x0":    the image itself.
    "v":     sqrt(abar_t) noise - sqrt(1 - abar_t) x_0.

    Args:
        value: What the network answers, shape (N, ...).
        xt: The noisy sample, shape of value.
        t: Shape (N,).
        abar: Shape (T + 1,). For "noise" it is positive; for "v" it may end in 0.
        kind: One of the three names.

    Returns:
        Shape of value, differentiable in value.

    Raises:
        ValueError: If kind is unknown.

    Example:
        abar_t = 0.36, xt = 2.2: noise 2 means 1, v = 0.4 means 1.
    """
    if kind not in TARGETS:
        raise ValueError(f"kind must be one of {', '.join(TARGETS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task targets is not written yet")


def from_x0(x0, xt, t, abar, *, kind):
    """The inverse of `to_x0`: what a network of this kind answers, if it means the image x0.

    Args:
        x0, xt: Shape (N, ...).
        t: Shape (N,).
        abar: Shape (T + 1,).
        kind: One of the three names of `to_x0`.

    Returns:
        Shape of x0, differentiable in x0.

    Raises:
        ValueError: If kind is unknown.

    Example:
        abar_t = 0.36, xt = 2.2, x0 = 1: noise 2 and v = 0.4.
    """
    if kind not in TARGETS:
        raise ValueError(f"kind must be one of {', '.join(TARGETS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task targets is not written yet")


def x0_error(t, abar):
    """How many times larger than an error in the noise the error in x_0 is that follows from it. x_t is right.

    Args:
        t: Shape (N,).
        abar: Shape (T + 1,), all positive.

    Returns:
        Shape (N,), positive.

    Example:
        abar_t = 0.36: 4/3.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task targets is not written yet")


# --- Task 4: losses ----------------------------------------------------------------------------


def loss_weight(t, abar, *, kind, weighting, gamma=5.0):
    """The weight of a sample's squared error in the target which makes its loss equal to one that is defined elsewhere.

    SNR_t = abar_t / (1 - abar_t) is the signal-to-noise ratio. The weightings are defined by
    "noise":   weight 1 on the squared error in the noise;
    "min_snr": weight min(SNR_t, gamma) on the squared error in x_0;
    "bound":   the weight on the squared error in x_0 which makes its sum over the entries equal to `bound_term`.

    Args:
        t: Shape (N,).
        abar: Shape (T + 1,), all positive.
        kind: What the network answers: "noise", "x0" or "v", as in `to_x0`.
        weighting: One of the three names.
        gamma: Used by "min_snr".

    Returns:
        Shape (N,).

    Raises:
        ValueError: If kind or weighting is unknown, or weighting is "bound" and a time is 1.

    Example:
        abar_t = 0.36, weighting "noise": 1 for the noise, and 0.5625 for x0.
    """
    if kind not in TARGETS:
        raise ValueError(f"kind must be one of {', '.join(TARGETS)}, got {kind!r}")
    if weighting not in WEIGHTINGS:
        raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}, got {weighting!r}")
    if weighting == "bound" and bool((t < 2).any()):
        raise ValueError(f"t must be at least 2 for the weighting bound, got {t.min().item()}")
    # YOUR CODE HERE
    raise NotImplementedError("task loss is not written yet")


def denoising_loss(prediction, x0, noise, weights, t, abar, *, kind):
    """The loss of a network's answers: the mean over all entries of weight times squared error. Each sample has one weight.

    Args:
        prediction: The answers to x_t of `q_sample`, shape (N, ...).
        x0, noise: Shape of prediction.
        weights: Shape (N,). They are not divided by their sum.
        t: Shape (N,).
        abar: Shape (T + 1,).
        kind: What the network answers: "noise", "x0" or "v", as in `to_x0`.

    Returns:
        Shape (), differentiable in prediction.

    Raises:
        ValueError: If kind is unknown.

    Example:
        prediction (0, 1), x0 (1, 1), noise (2, 0), weights (1, 3), kind "noise": (1 * 4 + 3 * 1) / 2 = 3.5.
    """
    if kind not in TARGETS:
        raise ValueError(f"kind must be one of {', '.join(TARGETS)}, got {kind!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task loss is not written yet")


def bound_term(x0, x0_hat, t, abar):
    """KL(q || p) of two normal distributions of x_(t-1): q is the `posterior` of x0, and p that of x0_hat, with the same x_t.

    Args:
        x0, x0_hat: Shape (N, ...).
        t: At least 2, shape (N,).
        abar: Shape (T + 1,).

    Returns:
        The divergence of each sample in nats, summed over its entries, shape (N,).

    Example:
        betas = (0.1, 0.2), t = 2, x0 = 1, x0_hat = 0: 3.21.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task loss is not written yet")


def perfect_loss(abar, var):
    """The expected squared error in the noise that the best possible network keeps, averaged over t = 1 ... T.

    Data is N(0, var), with one entry. The best network answers the mean of the noise for given x_t.

    Args:
        abar: Shape (T + 1,).
        var: The variance of the data.

    Returns:
        Shape ().

    Example:
        abar = (1, 0.9, 0.72), var = 1/2: 0.690.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task loss is not written yet")


# --- Task 5: the best denoiser -----------------------------------------------------------------


def gaussian_denoiser(xt, t, abar, *, mean, var):
    """The mean of x_0 for given x_t. All entries of x_0 are independent and N(mean, var).

    Args:
        xt: Shape (N, ...).
        t: Shape (N,).
        abar: Shape (T + 1,).
        mean, var: Numbers.

    Returns:
        Shape of xt.

    Example:
        abar_t = 0.36, mean 1, var 4, xt = 0: 0.308.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task score is not written yet")


def point_weights(xt, t, abar, points):
    """The probability of each of K training points, given x_t. Beforehand, each point is as probable as any other.

    Args:
        xt: Shape (N, d).
        t: Shape (N,).
        abar: Shape (T + 1,).
        points: Shape (K, d).

    Returns:
        Shape (N, K); rows add up to 1, also where every point is far away.

    Example:
        points 0 and 1, abar_t = 0.36, xt = 0.6: 0.430 and 0.570.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task score is not written yet")


def point_denoiser(xt, t, abar, points):
    """The mean of x_0 for given x_t, if x_0 is one of K training points.

    Args:
        xt: Shape (N, d).
        t: Shape (N,).
        abar: Shape (T + 1,).
        points: Shape (K, d).

    Returns:
        Shape (N, d).

    Example:
        points 2 and 4, abar_t = 0.36, xt = 1.8: 3.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task score is not written yet")


def score_from_x0(x0_hat, xt, t, abar):
    """The score, which is the gradient of log p(x_t) in x_t. x0_hat is the mean of x_0 for given x_t.

    Args:
        x0_hat, xt: Shape (N, ...).
        t: Shape (N,).
        abar: Shape (T + 1,).

    Returns:
        Shape of xt.

    Example:
        abar_t = 0.36, xt = 2.2, x0_hat = 1: -2.5.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task score is not written yet")


# --- Task 6: sampling with fresh noise ---------------------------------------------------------


def ddpm_step(xt, x0_hat, t, noise, abar, *, variance, clip=None):
    """A sample of x_(t-1): the mean of `posterior` for x0_hat, plus noise. The step from 1 to 0 adds no noise.

    "beta":      the noise has the variance beta_t.
    "posterior": the noise has the variance of `posterior`.

    Args:
        xt, x0_hat: Shape (N, d).
        t: A whole number from 1 to T, the same for all samples.
        noise: Standard normal numbers, shape (N, d).
        abar: Shape (T + 1,).
        variance: One of the two names.
        clip: If given, entries of x0_hat are first clipped to -clip ... clip.

    Returns:
        Shape (N, d).

    Raises:
        ValueError: If variance is unknown.

    Example:
        betas = (0.1, 0.2), t = 2, xt = 0, x0_hat = 1, noise = 1: 1.125 with "beta" and 0.945 with "posterior".
    """
    if variance not in VARIANCES:
        raise ValueError(f"variance must be one of {', '.join(VARIANCES)}, got {variance!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task ddpm is not written yet")


def ddpm_sample(denoise, xT, noises, abar, *, variance, clip=None):
    """Samples of x_0: all steps of `ddpm_step` from T down to 0.

    Args:
        denoise: A function of (x, t) that gives the mean of x_0. x has shape (N, d), and t has shape (N,). Called T times.
        xT: Where the samples start, shape (N, d).
        noises: Shape (T + 1, N, d). noises[t] is the noise of the step from t; noises[0] and noises[1] aren't used.
        abar: Shape (T + 1,).
        variance, clip: As in `ddpm_step`.

    Returns:
        Shape (N, d).

    Raises:
        ValueError: If variance is unknown.
    """
    if variance not in VARIANCES:
        raise ValueError(f"variance must be one of {', '.join(VARIANCES)}, got {variance!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task ddpm is not written yet")


def ddpm_variance(abar, var, *, variance):
    """The variance of what `ddpm_sample` returns, without sampling: denoise is the best one for data N(0, var), and x_T is N(0, 1).

    Args:
        abar: Shape (T + 1,).
        var: The variance of the data, which has one entry.
        variance: As in `ddpm_step`.

    Returns:
        Shape ().

    Raises:
        ValueError: If variance is unknown.

    Example:
        betas = (0.1, 0.2), var = 1/2: 0.588 with "beta" and 0.493 with "posterior".
    """
    if variance not in VARIANCES:
        raise ValueError(f"variance must be one of {', '.join(VARIANCES)}, got {variance!r}")
    # YOUR CODE HERE
    raise NotImplementedError("task ddpm is not written yet")


# --- Task 7: longer steps ----------------------------------------------------------------------


def ddim_step(xt, x0_hat, t, s, noise, abar, *, eta, clip=None):
    """A step from time t to any earlier time s. Where x_t lies says which noise belongs to x0_hat.

    The answer is sqrt(abar_s) x0_hat, plus that noise times a number, plus fresh noise. Take the way from s to t as one step. The
    deviation of the fresh noise is eta times the deviation that x_s has for given x_t and x_0, as in `posterior`. The two noises
    together have the variance 1 - abar_s.

    Args:
        xt, x0_hat: Shape (N, d).
        t, s: Whole numbers, T >= t > s >= 0, the same for all samples.
        noise: Fresh standard normal numbers, shape (N, d).
        abar: Shape (T + 1,), all positive.
        eta: 0 adds no fresh noise. At most 1.
        clip: If given, entries of x0_hat are first clipped to -clip ... clip.

    Returns:
        Shape (N, d).

    Example:
        abar_t = 0.36, abar_s = 0.64, xt = 2.2, x0_hat = 1, noise = 1: 2 with eta = 0, and 1.97 with eta = 1.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task ddim is not written yet")


def ddim_sample(denoise, xT, noises, times, abar, *, eta, clip=None):
    """Samples of x_0: a `ddim_step` from each of the times to the next one.

    Args:
        denoise: A function of (x, t) that gives the mean of x_0. x has shape (N, d), and t has shape (N,). Called once for each step.
        xT: Where the samples start, at times[0], shape (N, d).
        noises: Shape (len(times) - 1, N, d). noises[i] is the fresh noise of the step from times[i].
        times: Falling whole numbers, a list whose last one is 0.
        abar: Shape (T + 1,).
        eta, clip: As in `ddim_step`.

    Returns:
        Shape (N, d).

    Raises:
        ValueError: If times don't fall, or don't end in 0.
    """
    if list(times) != sorted(set(times), reverse=True) or times[-1] != 0:
        raise ValueError(f"times must fall and end in 0, got {list(times)}")
    # YOUR CODE HERE
    raise NotImplementedError("task ddim is not written yet")


def ddim_invert(denoise, x0, times, abar):
    """The way back: from an image to the noise that leads to it, for eta = 0.

    A step goes from time s to the next larger time t of the list. It asks denoise(x_s, t), because no noise is defined at time 0. Which
    noise belongs to the answer is found as if x_s stood at time t. With this noise, x_s at its own time s means an image, and
    image and noise are then mixed for time t.

    Args:
        denoise: As in `ddim_sample`.
        x0: Shape (N, d).
        times: The list of `ddim_sample`, falling to 0. The steps go through it from the end.
        abar: Shape (T + 1,), all positive.

    Returns:
        What stands at times[0], shape (N, d).

    Example:
        times = [1, 0], abar_1 = 0.36, x0 = 2, and denoise(x, t) = x / 2: 2.6.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task ddim is not written yet")


def ddim_std(times, abar, std):
    """The deviation of what `ddim_sample` returns with eta = 0: denoise is the best one for data N(0, std^2), the start is N(0, 1).

    Args:
        times: Falling to 0, as in `ddim_sample`.
        abar: Shape (T + 1,).
        std: The deviation of the data, which has one entry.

    Returns:
        Shape ().

    Example:
        abar = (1, 0.64, 0.36), std = 1, times = [2, 1, 0]: 0.768.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task ddim is not written yet")


# --- Task 8: guidance --------------------------------------------------------------------------


def guide(without, with_condition, *, scale):
    """Classifier-free guidance: the straight line through both answers of a network. Scale 0 is without condition, and 1 is with it.

    Args:
        without, with_condition: Answers of any one kind, such as the noise, of equal shape.
        scale: Any number; above 1 exaggerates the condition.

    Returns:
        Shape of the arguments.

    Example:
        without = 1, with_condition = 3, scale = 4: 9.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task guidance is not written yet")


def classifier_guidance(noise, slope, t, abar, *, scale):
    """The predicted noise that belongs to the score of p(x_t) p(c | x_t)^scale.

    Args:
        noise: Predicted without a condition: the mean of the noise for given x_t, shape (N, ...).
        slope: The gradient of log p(c | x_t) in x_t, by a classifier, shape of noise.
        t: Shape (N,).
        abar: Shape (T + 1,).
        scale: Any number.

    Returns:
        Shape of noise.

    Example:
        abar_t = 0.36, noise = 1, slope = 2, scale = 3: -3.8.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task guidance is not written yet")


def drop_labels(labels, uniforms, *, p, null):
    """Labels for training a network with and without condition: each label is replaced by null with probability p.

    Args:
        labels: Whole numbers, shape (N,).
        uniforms: Uniform numbers from 0 to 1, one for each label, shape (N,). A label is replaced where its number is below p.
        p: From 0 to 1.
        null: The label that stands for no condition.

    Returns:
        Shape (N,), of the dtype of labels.

    Raises:
        ValueError: If p isn't from 0 to 1.

    Example:
        labels (3, 4, 5), uniforms (0.05, 0.1, 0.7), p = 0.1, null = 9: (9, 4, 5).
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
    # YOUR CODE HERE
    raise NotImplementedError("task guidance is not written yet")


def tilted_law(mean, var, mean_c, var_c, *, scale):
    """Mean and variance of the density in proportion to p(x) p(c | x)^scale. x is N(mean, var), and for given c it is N(mean_c, var_c).

    Args:
        mean, var: Numbers, without condition.
        mean_c, var_c: Numbers, with the condition. var_c is at most var.
        scale: Not negative.

    Returns:
        (mean, variance), two floats.

    Example:
        N(0, 4), N(1, 1) and scale 1/2: 0.8 and 1.6.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task guidance is not written yet")


def guided_variance(var, var_c, *, scale):
    """The variance of what a sampler returns with classifier-free guidance: DDIM, eta = 0, in the limit of infinitely many steps.

    Both answers are the best ones, for N(m, var) without and N(m_c, var_c) with condition. abar_T goes to 0, and x_T is N(0, 1).

    Args:
        var, var_c: Positive numbers.
        scale: Not negative.

    Returns:
        A float.

    Example:
        var = 4, var_c = 1, scale = 1/2: 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task guidance is not written yet")
