"""Normalizing flows: invertible layers with their log-determinants, stacks of them, continuous flows, and flow matching.

Examples are rows, or images of shape (N, C, H, W). In Tasks 2 to 6, *forward* goes from data x to noise z. A log-det has one
number for each example, shape (N,). In Tasks 7 to 9, time runs from 0 (noise) to 1 (data). Results keep the dtype and
device of the inputs, and no input is changed in place. Networks and random numbers are handed in; training is left out.
"""

import itertools
import math

import torch

from coursekit.toys import mlp


def standard_normal_log_density(z):
    """log N(z; 0, I) of each example, summed over all axes but the first. Shape (N,). Given."""
    return (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def field(weights, x, t):
    """The velocity of a small network at the points x and the time t. Given.

    Args:
        weights: As `coursekit.toys.mlp_weights([d + 1, ..., d], rng)` returns; the last input is the time.
        x: Shape (N, d).
        t: A number, or a tensor of shape (N,).

    Returns:
        Shape (N, d), differentiable in the weights and in x.
    """
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(len(x))
    return mlp(weights, torch.cat([x, t[:, None]], 1))


# --- Task 1: whole numbers and their density ---------------------------------------------------


def to_logits(y, *, alpha):
    """Values in [0, 1] as real numbers, with the log-det of this map.

    p = alpha + (1 - 2 alpha) y stays away from 0 and 1, and x = log(p / (1 - p)).

    Args:
        y: Shape (N, ...), floating point, in [0, 1].
        alpha: Margin, 0 <= alpha < 1/2.

    Returns:
        (x, log_det), shapes (N, ...) and (N,).

    Raises:
        ValueError: If alpha is not in [0, 1/2).

    Example:
        y = (0.5, 0.8) and alpha = 0: x = (0, log 4), log_det = log 4 + log 6.25.
    """
    _check_alpha(alpha)
    # BEGIN SOLUTION change
    p = alpha + (1 - 2 * alpha) * y
    log_p, log_q = p.log(), torch.log1p(-p)
    slopes = math.log(1 - 2 * alpha) - log_p - log_q
    return log_p - log_q, slopes.flatten(1).sum(1)
    # END SOLUTION


def from_logits(x, *, alpha):
    """The inverse of `to_logits`, with the log-det of the inverse.

    Args:
        x: Shape (N, ...). The log-det is finite and right to nine digits for |x| up to 500.
        alpha: As for `to_logits`.

    Returns:
        (y, log_det), shapes (N, ...) and (N,): `log_det` is log|det dy/dx|.

    Raises:
        ValueError: If alpha is not in [0, 1/2).

    Example:
        x = (0, log 4) and alpha = 0: y = (0.5, 0.8), log_det = -log 4 - log 6.25.
    """
    _check_alpha(alpha)
    # BEGIN SOLUTION change
    y = (torch.sigmoid(x) - alpha) / (1 - 2 * alpha)
    slopes = torch.nn.functional.logsigmoid(x) + torch.nn.functional.logsigmoid(-x) - math.log(1 - 2 * alpha)
    return y, slopes.flatten(1).sum(1)
    # END SOLUTION


def bits_per_dimension(levels, u, log_density, *, n_levels=256):
    """What a model pays for each number of an image, in bits.

    A whole number k in 0 .. n_levels - 1 becomes a number of [0, 1): the noise u is added, and the sum is divided by n_levels.
    The model says the log-density of the result y. The price is that of k + u, whose unit is one level.

    Args:
        levels: Whole numbers, shape (N, ...), integers.
        u: Numbers in [0, 1), the same shape, floating point.
        log_density: Maps y, shape (N, ...), to the log-density of each example, shape (N,), in nats. Call it once.
        n_levels: How many levels there are.

    Returns:
        Bits per dimension of each example, shape (N,), in the dtype of u.

    Example:
        A model whose log-density is 0 everywhere in [0, 1): 8 bits for 256 levels, 2 bits for 4.
    """
    # Steps: the noisy values; their log-density under the model; the density in units of a level; bits; per dimension.
    # BEGIN SOLUTION change
    n_dimensions = levels[0].numel()
    nats = -log_density((levels + u) / n_levels)
    return nats / (n_dimensions * math.log(2)) + math.log2(n_levels)
    # END SOLUTION


# --- Task 2: a layer that inverts without inverting its network --------------------------------


def coupling(x, mask, network, *, bound):
    """An affine coupling layer, from data to noise.

    Where `mask` is True, z = x. Elsewhere z = x e^s + t, where s = bound * tanh(raw). The network gets x with zeros in place of
    all entries that change, and returns (raw, t). What it returns for unchanged entries is ignored, and may be NaN.

    Args:
        x: Shape (N, d).
        mask: Boolean, shape (d,): True at the entries that stay unchanged.
        network: Maps shape (N, d) to a pair of tensors (raw, t), each of shape (N, d). Call it once.
        bound: The largest |s|.

    Returns:
        (z, log_det), shapes (N, d) and (N,).
    """
    # Steps: what the network sees; its answer; s and t where entries change, and nothing elsewhere; z and the log-det.
    # BEGIN SOLUTION coupling
    raw, t = network(torch.where(mask, x, 0.0))
    s = torch.where(mask, 0.0, bound * torch.tanh(raw))
    t = torch.where(mask, 0.0, t)
    return x * s.exp() + t, s.sum(1)
    # END SOLUTION


def coupling_inverse(z, mask, network, *, bound):
    """The same layer, from noise to data.

    Args:
        z: Shape (N, d).
        mask, network, bound: As for `coupling`. Call the network once.

    Returns:
        (x, log_det), shapes (N, d) and (N,): `log_det` is log|det dx/dz|.
    """
    # BEGIN SOLUTION coupling
    raw, t = network(torch.where(mask, z, 0.0))
    s = torch.where(mask, 0.0, bound * torch.tanh(raw))
    t = torch.where(mask, 0.0, t)
    return (z - t) * (-s).exp(), -s.sum(1)
    # END SOLUTION


# --- Task 3: linear layers for images ----------------------------------------------------------


def actnorm_init(x):
    """The parameters with which `actnorm` gives each channel of this batch mean 0 and standard deviation 1.

    Mean and standard deviation of a channel are over all examples and pixels of the batch. The deviation is the root of the
    mean squared distance from the mean (biased).

    Args:
        x: Images, shape (N, C, H, W). No channel is constant.

    Returns:
        (log_scale, shift), each of shape (C,).

    Example:
        One channel with the values 1 and 5: log_scale = -log 2, shift = -3.
    """
    # BEGIN SOLUTION linear
    mean = x.mean((0, 2, 3))
    std = (x - mean[:, None, None]).square().mean((0, 2, 3)).sqrt()
    return -std.log(), -mean
    # END SOLUTION


def actnorm(x, log_scale, shift):
    """z = (x + shift) e^log_scale, channel by channel.

    Args:
        x: Images, shape (N, C, H, W).
        log_scale, shift: Each of shape (C,).

    Returns:
        (z, log_det), shapes (N, C, H, W) and (N,).
    """
    # BEGIN SOLUTION linear
    z = (x + shift[:, None, None]) * log_scale.exp()[:, None, None]
    return z, log_scale.sum().expand(len(x)) * math.prod(x.shape[2:])
    # END SOLUTION


def lu_conv(x, order, lower, upper, sign, log_scale):
    """A 1x1 convolution: at each pixel, the C channels are multiplied by W = P L U.

    P permutes: (P y)_i = y_order[i]. L has ones on its diagonal, and below it the entries of `lower`. U has sign * e^log_scale on
    its diagonal, and above it the entries of `upper`. The other entries of `lower` and `upper` are ignored.

    Args:
        x: Images, shape (N, C, H, W).
        order: A permutation of 0 .. C - 1, shape (C,), integers.
        lower, upper: Each of shape (C, C).
        sign: 1 or -1, shape (C,), floating point.
        log_scale: Shape (C,).

    Returns:
        (z, log_det), shapes (N, C, H, W) and (N,).
    """
    # Steps: the three factors; W; each pixel's channels times W; the log-det of a whole image.
    # BEGIN SOLUTION linear
    L = lower.tril(-1) + torch.eye(len(order), dtype=x.dtype, device=x.device)
    U = upper.triu(1) + torch.diag(sign * log_scale.exp())
    W = (L @ U)[order]
    z = torch.einsum("ij,njhw->nihw", W, x)
    return z, log_scale.sum().expand(len(x)) * math.prod(x.shape[2:])
    # END SOLUTION


def lu_conv_inverse(z, order, lower, upper, sign, log_scale):
    """The inverse of `lu_conv`.

    Args:
        z: Shape (N, C, H, W).
        order, lower, upper, sign, log_scale: As for `lu_conv`.

    Returns:
        (x, log_det), shapes (N, C, H, W) and (N,): `log_det` is log|det dx/dz|.
    """
    # BEGIN SOLUTION linear
    L = lower.tril(-1) + torch.eye(len(order), dtype=z.dtype, device=z.device)
    U = upper.triu(1) + torch.diag(sign * log_scale.exp())
    columns = torch.empty_like(z)
    columns[:, order] = z
    columns = columns.flatten(2)  # (N, C, H W)
    columns = torch.linalg.solve_triangular(L, columns, upper=False, unitriangular=True)
    x = torch.linalg.solve_triangular(U, columns, upper=True).reshape(z.shape)
    return x, -log_scale.sum().expand(len(z)) * math.prod(z.shape[2:])
    # END SOLUTION


# --- Task 4: a stack of layers -----------------------------------------------------------------


def log_density(x, layers):
    """The log-density of each example under a stack of layers, with a standard normal density on z.

    Args:
        x: Shape (N, ...).
        layers: A list of pairs of functions (forward, inverse), the first one next to the data. `forward(x)` returns (z, log_det).
            A layer may change the shape of an example, but not its number of entries. The list may be empty.

    Returns:
        Shape (N,).

    Example:
        One layer z = 2 x + 1: at x = 0, the log-density is -1/2 log(2 pi) - 1/2 + log 2 = -0.726.
    """
    # BEGIN SOLUTION compose
    total = 0.0
    for forward, _ in layers:
        x, log_det = forward(x)
        total = total + log_det
    return standard_normal_log_density(x) + total
    # END SOLUTION


def generate(z, layers):
    """Examples made of noise, and their log-density under the stack.

    Args:
        z: Standard normal noise, shape (N, ...).
        layers: As for `log_density`. `inverse(z)` returns (x, log_det), with the log-det of the inverse. Call only inverses.

    Returns:
        (x, log_density), shapes (N, ...) and (N,).
    """
    # BEGIN SOLUTION compose
    log_p = standard_normal_log_density(z)
    for _, inverse in reversed(layers):
        z, log_det = inverse(z)
        log_p = log_p - log_det
    return z, log_p
    # END SOLUTION


def squeeze(x):
    """Each 2 x 2 block of pixels as four channels.

    The pixel in row dy and column dx of its block (each 0 or 1) goes from channel c to channel 4 c + 2 dy + dx.

    Args:
        x: Images, shape (N, C, H, W).

    Returns:
        Shape (N, 4 C, H / 2, W / 2).

    Raises:
        ValueError: If H or W is odd.
    """
    N, C, H, W = x.shape
    if H % 2 or W % 2:
        raise ValueError(f"x must have even height and width, got {H} x {W}")
    # BEGIN SOLUTION compose
    blocks = x.reshape(N, C, H // 2, 2, W // 2, 2)
    return blocks.permute(0, 1, 3, 5, 2, 4).reshape(N, 4 * C, H // 2, W // 2)
    # END SOLUTION


def multiscale_log_density(x, scales):
    """The log-density under a stack that lets go of half of the channels after every scale but the last.

    A scale is a list of layers. After its layers, the *second* half of the channels is noise: it has the standard normal density,
    and no later layer sees it. The first half goes on to the next scale. After the last scale, everything is noise.

    Args:
        x: Images, shape (N, C, H, W).
        scales: A list of lists of layers, as for `log_density`, at least one list. The channels before each split are even in
            number.

    Returns:
        Shape (N,).
    """
    # Steps, scale by scale: the layers and their log-dets; the split; the density of what is done. Then the density of the rest.
    # BEGIN SOLUTION compose
    total = 0.0
    for k, layers in enumerate(scales):
        for forward, _ in layers:
            x, log_det = forward(x)
            total = total + log_det
        if k < len(scales) - 1:
            x, done = x.chunk(2, dim=1)
            total = total + standard_normal_log_density(done)
    return total + standard_normal_log_density(x)
    # END SOLUTION


# --- Task 5: one coordinate after the other ----------------------------------------------------


def made_masks(d, hidden):
    """Which weights of a network may stay, so that output i depends on the inputs 0 .. i - 1 alone.

    A hidden unit of degree m depends on input m and on all inputs before it, and on none after it. Output i gives what belongs to
    coordinate i. As many weights as possible stay.

    Args:
        d: The number of inputs, and of outputs.
        hidden: For each hidden layer, at least one, the degrees of its units, shape (H_k,), integers in 0 .. d - 2.

    Returns:
        A list of boolean masks, one for each layer of weights, len(hidden) + 1 in all. A mask has the shape (units of the next layer,
        units of this layer) and is True where the weight stays.
    """
    # Steps: the degrees of all layers, inputs and outputs too; a mask for each pair of neighboring layers.
    # BEGIN SOLUTION maf
    inputs = torch.arange(d, device=hidden[0].device)
    degrees = [inputs, *hidden]
    masks = [later[:, None] >= earlier for earlier, later in itertools.pairwise(degrees)]
    return [*masks, inputs[:, None] > degrees[-1]]
    # END SOLUTION


def maf_forward(x, network):
    """An autoregressive layer, from data to noise: z_i = (x_i - mu_i) e^(-s_i).

    Args:
        x: Shape (N, d).
        network: Maps shape (N, d) to a pair (mu, s), each of shape (N, d). mu_i and s_i depend on the inputs 0 .. i - 1 alone.
            Call it once.

    Returns:
        (z, log_det), shapes (N, d) and (N,).
    """
    # BEGIN SOLUTION maf
    mu, s = network(x)
    return (x - mu) * (-s).exp(), -s.sum(1)
    # END SOLUTION


def maf_inverse(z, network):
    """The same layer, from noise to data.

    Args:
        z: Shape (N, d).
        network: As for `maf_forward`. Call it d times, each time with all examples. What you put at places that are not known yet
            makes no difference, as long as it is finite.

    Returns:
        (x, log_det), shapes (N, d) and (N,): `log_det` is log|det dx/dz|.
    """
    # BEGIN SOLUTION maf
    x = torch.zeros_like(z)
    for i in range(z.shape[1]):
        mu, s = network(x)
        x[:, i] = z[:, i] * s[:, i].exp() + mu[:, i]
    return x, s.sum(1)
    # END SOLUTION


def iaf_generate(z, network):
    """An inverse autoregressive layer: the network reads the noise. x_i = z_i e^(s_i) + mu_i, where (mu, s) = network(z).

    Args:
        z: Standard normal noise, shape (N, d).
        network: As for `maf_forward`. Call it once.

    Returns:
        (x, log_density), shapes (N, d) and (N,): the examples, and the log-density of x.
    """
    # BEGIN SOLUTION maf
    mu, s = network(z)
    return z * s.exp() + mu, standard_normal_log_density(z) - s.sum(1)
    # END SOLUTION


# --- Task 6: the best linear flow --------------------------------------------------------------


def fit_linear_maf(x):
    """The autoregressive layer with linear means and constant scales that gives this data the highest likelihood.

    mu_i = bias_i + sum over j < i of weight_ij x_j, and s_i = log_std_i. The likelihood is that of the layer with a standard
    normal density on z, so no n - 1 stands in a divisor.

    Args:
        x: Shape (N, d), with N > d. No coordinate is a linear function of the others.

    Returns:
        (weight, bias, log_std), shapes (d, d), (d,) and (d,). `weight` is 0 on and above its diagonal.

    Example:
        The rows (0, 0), (2, 1), (4, 5): weight_10 = 5/4, bias = (2, -1/2), log_std = (1/2 log(8/3), -1/2 log 2).
    """
    # Steps, coordinate by coordinate: the line through those before it; its bias; the size of what is left over.
    # BEGIN SOLUTION gaussian
    N, d = x.shape
    weight, bias, log_std = x.new_zeros(d, d), x.new_zeros(d), x.new_zeros(d)
    mean = x.mean(0)
    centered = x - mean
    for i in range(d):
        found = torch.linalg.lstsq(centered[:, :i], centered[:, i : i + 1]).solution[:, 0] if i else x.new_zeros(0)
        weight[i, :i] = found
        bias[i] = mean[i] - found @ mean[:i]
        log_std[i] = (centered[:, i] - centered[:, :i] @ found).square().mean().log() / 2
    return weight, bias, log_std
    # END SOLUTION


def fitted_nll(log_std):
    """The mean of -log p(x) over the very data that `fit_linear_maf` was given, in nats per example.

    Args:
        log_std: As `fit_linear_maf` returned, shape (d,).

    Returns:
        A 0-d tensor.

    Example:
        d = 1 and log_std = 0: 1.4189.
    """
    # BEGIN SOLUTION gaussian
    return log_std.sum() + len(log_std) * 0.5 * math.log(2 * math.pi * math.e)
    # END SOLUTION


# --- Task 7: layers without number -------------------------------------------------------------


def rk4(velocity, x, *, n_steps, t0=0.0, t1=1.0):
    """The path of dx/dt = velocity(x, t) from x at time t0 to time t1, in equal steps of the classical Runge-Kutta method.

    With step h, slopes are taken at the beginning (k1), twice in the middle (k2, k3) and at the end (k4) of the step:
    k2 is at x + h/2 k1, k3 at x + h/2 k2, k4 at x + h k3. The step is h (k1 + 2 k2 + 2 k3 + k4) / 6.

    Args:
        velocity: Maps points of shape (N, d) and a time, a float, to velocities of shape (N, d). Call it 4 n_steps times.
        x: Shape (N, d).
        n_steps: At least 1.
        t0, t1: Floats. t1 may be smaller than t0: then the path runs back in time.

    Returns:
        Shape (n_steps + 1, N, d), x first.

    Raises:
        ValueError: If n_steps is below 1.
    """
    _check_steps(n_steps)
    # Steps: the step's length; the four slopes; the step; the path.
    # BEGIN SOLUTION continuous
    h = (t1 - t0) / n_steps
    path = [x]
    for n in range(n_steps):
        t = t0 + n * h
        k1 = velocity(x, t)
        k2 = velocity(x + h / 2 * k1, t + h / 2)
        k3 = velocity(x + h / 2 * k2, t + h / 2)
        k4 = velocity(x + h * k3, t + h)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(x)
    return torch.stack(path)
    # END SOLUTION


def divergence(weights, x, t):
    """The divergence of `field` at each point: the sum over i of the derivative of velocity i in x_i.

    Args:
        weights, x, t: As for `field`.

    Returns:
        Shape (N,), without a graph.
    """
    # BEGIN SOLUTION continuous
    x = x.detach().requires_grad_()
    v = field(weights, x, t)
    total = torch.zeros_like(v[:, 0])
    for i in range(x.shape[1]):
        (gradient,) = torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)  # examples don't mix
        total = total + gradient[:, i]
    return total.detach()
    # END SOLUTION


def probed_divergence(weights, x, t, probes):
    """An estimate of the divergence by one product with the Jacobian for each probe: the mean of v . J v over the probes v.

    Args:
        weights, x, t: As for `field`.
        probes: Shape (K, N, d): K probes for each point.

    Returns:
        Shape (N,), without a graph.
    """
    # BEGIN SOLUTION continuous
    x = x.detach().requires_grad_()
    velocities = field(weights, x, t)
    total = torch.zeros_like(x[:, 0])
    for probe in probes:
        (product,) = torch.autograd.grad(velocities, x, probe, retain_graph=True)
        total = total + (product * probe).sum(1)
    return (total / len(probes)).detach()
    # END SOLUTION


def log_density_along(path, divergences):
    """The log-density of points that move, at each moment of their path.

    At time 0 the points have the standard normal density. The times of the path are equally spaced from 0 to 1. An integral over
    time is the sum of trapezoids between neighboring times.

    Args:
        path: Shape (T, N, d) with T >= 2, the first at time 0.
        divergences: Of the velocity at the points and times of the path, shape (T, N).

    Returns:
        Shape (T, N).

    Example:
        One path in one dimension, x = 0 at all three times, with divergences (1, 1, 3): log-densities of the last time
        -1/2 log(2 pi) - 1.5.
    """
    # BEGIN SOLUTION continuous
    areas = (divergences[1:] + divergences[:-1]) / 2 / (len(path) - 1)
    areas = torch.cat([torch.zeros_like(areas[:1]), areas])
    return standard_normal_log_density(path[0]) - areas.cumsum(0)
    # END SOLUTION


# --- Task 8: regression on a velocity that nobody knows ----------------------------------------


def matching_loss(weights, x0, x1, t):
    """How far `field` is from the velocities of straight paths from noise to data.

    The path of an example goes from its noise x0 at time 0 to its data point x1 at time 1, in a straight line with constant
    velocity. The loss is the squared distance, summed over the d coordinates, between the field at the path's point at time t
    and the path's velocity there. The mean is over the N examples.

    Args:
        weights: As for `field`.
        x0, x1: Noise and data, each of shape (N, d).
        t: Times in [0, 1], one for each example, shape (N,).

    Returns:
        A 0-d tensor, differentiable in the weights.
    """
    # BEGIN SOLUTION matching
    x = x0 + t[:, None] * (x1 - x0)
    return (field(weights, x, t) - (x1 - x0)).square().sum(1).mean()
    # END SOLUTION


def marginal_velocity(x, t, points):
    """The mean velocity of all straight paths that go through x at time t.

    Noise x0 is standard normal, data x1 is one of the given points, each equally likely, and the two are independent. This mean is
    the field with the lowest expected matching loss.

    Args:
        x: Shape (N, d).
        t: A float in [0, 1).
        points: The data set, shape (M, d).

    Returns:
        Shape (N, d). Finite also where x is so far from all paths that every density is 0 in floating point.

    Raises:
        ValueError: If t is not in [0, 1).

    Example:
        Points -1 and 2 in one dimension, t = 1/2, x = 1/2: paths come from x0 = 2 and x0 = -1, their velocities are -3 and 3, and the
        mean velocity is 1.9054.
    """
    if not 0 <= t < 1:
        raise ValueError(f"t must lie in [0, 1), got {t}")
    # Steps: for each pair of a place and a data point, where the path began; how likely that is; the mean of the velocities.
    # BEGIN SOLUTION matching
    noise = (x[:, None] - t * points) / (1 - t)  # (N, M, d), where each path would have begun
    probability = (-0.5 * noise.square().sum(-1)).softmax(1)  # (N, M)
    return (probability[..., None] * (points - noise)).sum(1)
    # END SOLUTION


# --- Task 9: straight paths --------------------------------------------------------------------


def euler(velocity, x, *, n_steps):
    """The path of dx/dt = velocity(x, t) from time 0 to 1 in equal steps, each along the velocity at its beginning.

    Args:
        velocity: As for `rk4`. Call it n_steps times.
        x: Points at time 0, shape (N, d).
        n_steps: At least 1.

    Returns:
        Shape (n_steps + 1, N, d), x first.

    Raises:
        ValueError: If n_steps is below 1.
    """
    _check_steps(n_steps)
    # BEGIN SOLUTION straight
    path = [x]
    for n in range(n_steps):
        path.append(path[-1] + velocity(path[-1], n / n_steps) / n_steps)
    return torch.stack(path)
    # END SOLUTION


def best_pairing(x0, x1):
    """Which data point each noise is paired with, so that the sum of all squared distances is as small as possible.

    Args:
        x0, x1: Noise and data, each of shape (N, d), N at most 7. No two pairings are equally good.

    Returns:
        A permutation of 0 .. N - 1, shape (N,), int64: noise n is paired with data point x1[result[n]].
    """
    # Steps: the squared distance of each pair; all orders of the data points; their totals; the best.
    # BEGIN SOLUTION straight
    cost = (x0[:, None] - x1).square().sum(-1)
    orders = torch.tensor(list(itertools.permutations(range(len(x0)))), device=x0.device)  # (N!, N)
    totals = cost[torch.arange(len(x0), device=x0.device), orders].sum(1)
    return orders[totals.argmin()]
    # END SOLUTION


def straightness(path):
    """How far paths are from straight lines with constant velocity: the mean of ||v - (end - beginning)||^2.

    v is the velocity during a step: the change in that step, divided by the length of the step in time. All steps are equally long,
    from time 0 to 1. The squared length is summed over coordinates; the mean is over steps and points.

    Args:
        path: Shape (T, N, d) with T >= 2.

    Returns:
        A 0-d tensor; 0 for straight paths with constant velocity.
    """
    # BEGIN SOLUTION straight
    velocities = (len(path) - 1) * path.diff(dim=0)
    return (velocities - (path[-1] - path[0])).square().sum(-1).mean()
    # END SOLUTION


# --- checks of arguments -----------------------------------------------------------------------


def _check_alpha(alpha):
    if not 0 <= alpha < 0.5:
        raise ValueError(f"alpha must lie in [0, 1/2), got {alpha}")


def _check_steps(n_steps):
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
