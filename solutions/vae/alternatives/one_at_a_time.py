"""The VAE assignment with loops over examples and samples, solved systems where the reference inverts, and other closed forms."""

import math

import torch
import torch.nn.functional as F

from coursekit.toys import mlp


def log_normal(x, mean, var):
    return -(math.log(2 * math.pi) + var.log() + (x - mean).square() / var) / 2


def bernoulli_logp(x, logits):
    return (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(dim=-1)


def gaussian_logp(x, mean, sigma):
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    difference = x - mean
    D = difference.shape[-1]
    return -(difference * difference).sum(-1) / (2 * sigma**2) - D / 2 * math.log(2 * math.pi * sigma**2)


def best_sigma2(x, mean):
    return torch.mean(torch.square(mean - x))


def implied_sigma(n_pixels, kl_weight):
    if kl_weight <= 0 or n_pixels < 1:
        raise ValueError(f"kl_weight must be positive and n_pixels at least 1, got {kl_weight} and {n_pixels}")
    return (kl_weight / (2 / n_pixels)) ** 0.5


def kl_to_prior(mu, log_var):
    sigma = torch.exp(log_var / 2)
    return (sigma * sigma + mu * mu - 1) / 2 - log_var / 2


def reparameterize(mu, log_var, eps):
    sigma = log_var.exp().sqrt()
    return torch.stack([mu + sigma * e for e in eps])


def elbo(x, encoder, decoder, eps, *, sigma, beta=1.0):
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    k = eps.shape[-1]
    head = mlp(encoder, x)
    mu, log_var = head[:, :k], head[:, k:]
    bound = -beta * kl_to_prior(mu, log_var).sum(-1)
    for z in reparameterize(mu, log_var, eps):
        bound = bound + gaussian_logp(x, mlp(decoder, z), sigma) / len(eps)
    return bound


def pathwise(mu, sigma, eps, slope):
    rows = [slope((mu + sigma * e)[None])[0] for e in eps]
    return torch.stack(rows), torch.stack([row * e for row, e in zip(rows, eps)])


def score_function(mu, sigma, eps, f, *, baseline=False):
    if baseline and len(eps) < 2:
        raise ValueError(f"eps must have at least 2 samples for a baseline, got {len(eps)}")
    z = mu + sigma * eps
    values = f(z)
    if baseline:
        values = torch.stack([v - torch.cat([values[:i], values[i + 1 :]]).mean() for i, v in enumerate(values)])
    in_mu = (z - mu) / sigma**2
    in_sigma = (z - mu) ** 2 / sigma**3 - 1 / sigma
    return values[:, None] * in_mu, values[:, None] * in_sigma


def elbo_gradient(mu, sigma, eps, slope, *, path_only):
    z = mu + sigma * eps
    dz = slope(z) + (z - mu) / sigma**2  # log q(z) has the slope -(z - mu) / sigma^2
    in_mu, in_sigma = dz, dz * eps
    if not path_only:
        in_mu = in_mu - (z - mu) / sigma**2
        in_sigma = in_sigma - ((z - mu) ** 2 / sigma**3 - 1 / sigma)
    return in_mu, in_sigma


def log_weights(log_lik, z, mu, log_var):
    zero = torch.zeros_like(z)
    return log_lik + (log_normal(z, zero, zero + 1) - log_normal(z, mu, log_var.exp())).sum(-1)


def iwae_bound(log_w):
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


def effective_sample_size(log_w):
    w = (log_w - log_w.max(0).values).exp()
    return w.sum(0).square() / w.square().sum(0)


def ppca_fit(x, n_latents):
    if not 1 <= n_latents < x.shape[1]:
        raise ValueError(f"n_latents must be in 1 .. {x.shape[1] - 1}, got {n_latents}")
    mean = x.mean(0)
    _, singular, Vt = torch.linalg.svd(x - mean, full_matrices=True)
    values = torch.zeros(x.shape[1], dtype=x.dtype)
    values[: len(singular)] = singular**2 / len(x)
    sigma2 = values[n_latents:].sum() / (x.shape[1] - n_latents)
    W = torch.zeros(x.shape[1], n_latents, dtype=x.dtype)
    for j in range(n_latents):
        column = Vt[j] * (values[j] - sigma2) ** 0.5
        W[:, j] = column * torch.sign(column[column.abs().argmax()])
    return mean, W, sigma2


def ppca_logp(x, mean, W, sigma2):
    D = x.shape[1]
    C = sigma2 * torch.eye(D, dtype=x.dtype) + W @ W.mT
    difference = x - mean
    distance = (difference * torch.linalg.solve(C, difference.T).T).sum(1)
    return -(D * math.log(2 * math.pi) + torch.logdet(C) + distance) / 2


def ppca_posterior(x, mean, W, sigma2):
    M = W.T @ W + sigma2 * torch.eye(W.shape[1], dtype=x.dtype)
    means = torch.linalg.solve(M, W.T @ (x - mean).T).T
    return means, sigma2 * torch.linalg.inv(M)


def linear_elbo(x, mean, W, sigma2, V, v, *, beta=1.0):
    D, rows = x.shape[1], []
    for row in x - mean:
        mu = V @ row
        error = (row - W @ mu).square().sum() + torch.trace(W @ torch.diag(v) @ W.T)
        kl = kl_to_prior(mu, v.log()).sum()
        rows.append(-error / (2 * sigma2) - D / 2 * (math.log(2 * math.pi) + sigma2.log()) - beta * kl)
    return torch.stack(rows)


def best_encoder(W, sigma2, *, beta=1.0):
    scaled = W / (beta * sigma2)
    precision = torch.eye(W.shape[1], dtype=W.dtype) + W.T @ scaled
    return torch.linalg.inv(precision) @ scaled.T, 1 / precision.diagonal()


def unit_lengths(eigenvalues, *, sigma2, beta):
    return torch.relu(eigenvalues - sigma2 * beta)


def active_units(mu, *, threshold=0.01):
    centered = mu - mu.mean(0)
    return centered.square().mean(0) > threshold


def free_bits(kl, *, free):
    means = kl.mean(0)
    return torch.where(means > free, means, torch.full_like(means, free)).sum()


def kl_split(mu, log_var, eps):
    N, var = len(mu), log_var.exp()
    information = distance = 0.0
    for noise in eps:
        for n in range(N):
            z = mu[n] + var[n].sqrt() * noise[n]
            each = log_normal(z, mu, var).sum(-1)
            aggregate = each.logsumexp(0) - math.log(N)
            information = information + (each[n] - aggregate) / (N * len(eps))
            distance = distance + (aggregate - log_normal(z, 0 * z, 1 + 0 * z).sum()) / (N * len(eps))
    return information, distance


def slerp(a, b, t):
    unit_a, unit_b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    # half the angle from the sides of a triangle: exact near 0 as well
    angle = 2 * torch.atan2((unit_a - unit_b).norm(dim=-1), (unit_a + unit_b).norm(dim=-1))[..., None]
    sine = angle.sin()
    on_arc = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / sine
    return torch.where(sine < 1e-6, (1 - t) * a + t * b, on_arc)


def nearest_codes(z, codebook):
    return torch.stack([(codebook - row).square().sum(1).argmin() for row in z])


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z, chosen):
        return chosen.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def quantize(z, codebook, codes):
    chosen = codebook.index_select(0, codes)
    N = len(z)
    to_code = (chosen - z.detach()).square().sum() / N
    commitment = (z - chosen.detach()).square().sum() / N
    return _Through.apply(z, chosen.detach()), to_code, commitment


def ema_update(codebook, counts, sums, z, codes, *, decay):
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")
    codebook, counts, sums = codebook.clone(), counts.clone(), sums.clone()
    for code in set(codes.tolist()):
        rows = z[codes == code]
        counts[code] = decay * counts[code] + (1 - decay) * len(rows)
        sums[code] = decay * sums[code] + (1 - decay) * rows.sum(0)
        codebook[code] = sums[code] / counts[code]
    return codebook, counts, sums


def perplexity(codes, n_codes):
    total = torch.tensor(0.0, dtype=torch.float64)
    for code in range(n_codes):
        share = (codes == code).double().mean()
        if share > 0:
            total = total - share * share.log()
    return total.exp()
