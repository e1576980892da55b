"""The whole assignment in another idiom: loops over examples and coordinates, explicit matrices, autograd for Jacobians."""

import math
from itertools import permutations

import numpy as np
import torch

from coursekit.toys import mlp


def standard_normal_log_density(z):
    return (-0.5 * z.square() - 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def field(weights, x, t):
    t = torch.as_tensor(t, dtype=x.dtype, device=x.device).expand(len(x))
    return mlp(weights, torch.cat([x, t[:, None]], 1))


def _per_example(values):
    return torch.stack([value.sum() for value in values])


def to_logits(y, *, alpha):
    width = 1 - 2 * alpha
    p = alpha + width * y
    return torch.log(p / (1 - p)), _per_example(torch.log(width / (p * (1 - p))))


def from_logits(x, *, alpha):
    width = 1 - 2 * alpha
    e = torch.exp(-x.abs())  # the slope of the sigmoid is even in x
    slope = -x.abs() - 2 * torch.log1p(e)
    return (torch.sigmoid(x) - alpha) / width, _per_example(slope - math.log(width))


def bits_per_dimension(levels, u, log_density, *, n_levels=256):
    D = math.prod(levels.shape[1:])
    nats_of_levels = log_density((u + levels) / n_levels) - D * math.log(n_levels)
    return -nats_of_levels / math.log(2) / D


def coupling(x, mask, network, *, bound):
    changed = torch.nonzero(~mask)[:, 0]
    seen = x.clone()
    seen[:, changed] = 0.0
    raw, t = network(seen)
    s = bound * raw[:, changed].tanh()
    z = x.clone()
    z[:, changed] = t[:, changed] + s.exp() * x[:, changed]
    return z, s.sum(-1)


def coupling_inverse(z, mask, network, *, bound):
    changed = torch.nonzero(~mask)[:, 0]
    seen = z.clone()
    seen[:, changed] = 0.0
    raw, t = network(seen)
    s = bound * raw[:, changed].tanh()
    x = z.clone()
    x[:, changed] = (z[:, changed] - t[:, changed]) / s.exp()
    return x, -s.sum(-1)


def actnorm_init(x):
    rows = x.transpose(0, 1).flatten(1)  # (C, N H W)
    return -0.5 * rows.var(1, correction=0).log(), -rows.mean(1)


def actnorm(x, log_scale, shift):
    z = torch.stack([(x[:, c] + shift[c]) * torch.exp(log_scale[c]) for c in range(x.shape[1])], 1)
    pixels = x.shape[2] * x.shape[3]
    return z, torch.full((len(x),), float(log_scale.sum()) * pixels, dtype=x.dtype, device=x.device)


def _matrix(order, lower, upper, sign, log_scale):
    C = len(order)
    P, L, U = (torch.zeros(C, C, dtype=lower.dtype) for _ in range(3))
    for i in range(C):
        P[i, order[i]] = 1
        L[i, i], U[i, i] = 1, sign[i] * math.exp(log_scale[i])
        for j in range(i):
            L[i, j], U[j, i] = lower[i, j], upper[j, i]
    return P @ L @ U


def _on_pixels(matrix, x):
    return (matrix @ x.flatten(2)).reshape(x.shape)


def lu_conv(x, order, lower, upper, sign, log_scale):
    pixels = x.shape[2] * x.shape[3]
    return _on_pixels(_matrix(order, lower, upper, sign, log_scale), x), (pixels * log_scale.sum()).repeat(len(x))


def lu_conv_inverse(z, order, lower, upper, sign, log_scale):
    pixels = z.shape[2] * z.shape[3]
    inverse = torch.linalg.inv(_matrix(order, lower, upper, sign, log_scale))
    return _on_pixels(inverse, z), (-pixels * log_scale.sum()).repeat(len(z))


def log_density(x, layers):
    log_dets = []
    for layer in layers:
        x, log_det = layer[0](x)
        log_dets.append(log_det)
    return sum(log_dets, standard_normal_log_density(x))


def generate(z, layers):
    log_p = standard_normal_log_density(z)
    for k in range(len(layers) - 1, -1, -1):
        z, log_det = layers[k][1](z)
        log_p = log_p - log_det
    return z, log_p


def squeeze(x):
    N, C, H, W = x.shape
    if H % 2 or W % 2:
        raise ValueError(f"x must have even height and width, got {H} x {W}")
    out = x.new_empty(N, 4 * C, H // 2, W // 2)
    for dy in (0, 1):
        for dx in (0, 1):
            out[:, 2 * dy + dx :: 4] = x[:, :, dy::2, dx::2]
    return out


def multiscale_log_density(x, scales):
    layers, *rest = scales
    total = torch.zeros(len(x), dtype=x.dtype)
    for forward, _ in layers:
        x, log_det = forward(x)
        total = total + log_det
    if not rest:
        return total + standard_normal_log_density(x)
    half = x.shape[1] // 2
    return total + standard_normal_log_density(x[:, half:]) + multiscale_log_density(x[:, :half], rest)


def made_masks(d, hidden):
    degrees = [list(range(d))] + [layer.tolist() for layer in hidden]
    masks = []
    for before, after in zip(degrees, degrees[1:]):
        masks.append(torch.tensor([[a >= b for b in before] for a in after]))
    masks.append(torch.tensor([[i > b for b in degrees[-1]] for i in range(d)]))
    return masks


def maf_forward(x, network):
    mu, s = network(x)
    return (x - mu) / s.exp(), s.sum(1).neg()


def maf_inverse(z, network):
    known, log_det = [], 0.0
    for i in range(z.shape[1]):
        x = torch.stack(known + [z[:, 0]] * (z.shape[1] - i), 1)
        mu, s = network(x)
        known.append(mu[:, i] + z[:, i] * s[:, i].exp())
        log_det = log_det + s[:, i]
    return torch.stack(known, 1), log_det


def iaf_generate(z, network):
    mu, s = network(z)
    return mu + z * s.exp(), standard_normal_log_density(z) - s.sum(1)


def fit_linear_maf(x):
    N, d = x.shape
    mean = x.mean(0)
    cov = (x - mean).T @ (x - mean) / N
    L = torch.linalg.cholesky(cov)
    unit = L / L.diagonal()
    weight = torch.eye(d, dtype=x.dtype) - torch.linalg.inv(unit)
    weight = weight.tril(-1)
    return weight, mean - weight @ mean, L.diagonal().log()


def fitted_nll(log_std):
    return sum((0.5 + 0.5 * math.log(2 * math.pi) + s for s in log_std), torch.zeros((), dtype=log_std.dtype))


def rk4(velocity, x, *, n_steps, t0=0.0, t1=1.0):
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    times = np.linspace(t0, t1, n_steps + 1)
    path = x.new_empty(n_steps + 1, *x.shape)
    path[0] = x
    for n in range(n_steps):
        a, b = float(times[n]), float(times[n + 1])
        h, middle = b - a, (a + b) / 2
        slopes = [velocity(path[n], a)]
        slopes.append(velocity(path[n] + 0.5 * h * slopes[0], middle))
        slopes.append(velocity(path[n] + 0.5 * h * slopes[1], middle))
        slopes.append(velocity(path[n] + h * slopes[2], b))
        path[n + 1] = path[n] + sum(w * k for w, k in zip((h / 6, h / 3, h / 3, h / 6), slopes))
    return path


def _jacobians(weights, x, t):
    t = torch.as_tensor(t, dtype=x.dtype).expand(len(x))
    return [
        torch.autograd.functional.jacobian(lambda y, n=n: field(weights, y[None], t[n : n + 1])[0], x[n]) for n in range(len(x))
    ]


def divergence(weights, x, t):
    return torch.stack([J.trace() for J in _jacobians(weights, x, t)])


def probed_divergence(weights, x, t, probes):
    J = torch.stack(_jacobians(weights, x, t))  # (N, d, d)
    return torch.einsum("kni,nij,knj->kn", probes, J, probes).mean(0)


def log_density_along(path, divergences):
    h = 1 / (len(path) - 1)
    rows = [standard_normal_log_density(path[0])]
    for before, after in zip(divergences, divergences[1:]):
        rows.append(rows[-1] - h * 0.5 * (before + after))
    return torch.stack(rows)


def matching_loss(weights, x0, x1, t):
    losses = []
    for a, b, time in zip(x0, x1, t):
        at = (1 - time) * a + time * b
        losses.append((field(weights, at[None], time)[0] - (b - a)).pow(2).sum())
    return torch.stack(losses).mean()


def marginal_velocity(x, t, points):
    if not 0 <= t < 1:
        raise ValueError(f"t must lie in [0, 1), got {t}")
    rows = []
    for place in x:
        logw = -((place - t * points) ** 2).sum(1) / (2 * (1 - t) ** 2)
        w = torch.exp(logw - logw.logsumexp(0))
        rows.append((w @ points - place) / (1 - t))
    return torch.stack(rows)


def euler(velocity, x, *, n_steps):
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    h, path = 1.0 / n_steps, [x]
    for n in range(n_steps):
        x = x + h * velocity(x, n * h)
        path.append(x)
    return torch.stack(path)


def best_pairing(x0, x1):
    best, found = math.inf, None
    for order in permutations(range(len(x0))):
        total = float(((x0 - x1[list(order)]) ** 2).sum())
        if total < best:
            best, found = total, order
    return torch.tensor(found)


def straightness(path):
    steps = len(path) - 1
    total = 0.0
    for n in range(steps):
        total = total + ((path[n + 1] - path[n]) * steps - path[-1] + path[0]).square().sum(1).mean()
    return total / steps
