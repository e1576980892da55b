"""A second right solution: one sample, one row, one weight at a time, by other formulas."""

import math

import torch


def _total(terms, like):
    """The sum of 0-d tensors, zero for none."""
    return sum(terms, torch.zeros((), dtype=like.dtype))


def gaussian_logpdf(x, mean, std):
    like = next(value for value in (x, mean, std) if isinstance(value, torch.Tensor))
    x, mean, std = torch.broadcast_tensors(*(torch.as_tensor(v, dtype=like.dtype) for v in (x, mean, std)))
    variance = std * std
    return -0.5 * ((x - mean) ** 2 / variance + torch.log(2 * math.pi * variance)).sum(dim=-1)


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    values = [torch.as_tensor(v, dtype=std_q.dtype) for v in (mean_q, std_q, mean_p, std_p)]
    mean_q, std_q, mean_p, std_p = torch.broadcast_tensors(*values)
    # -log of the density's normaliser cancels; what is left is cross-entropy minus entropy
    cross = torch.log(std_p) + (std_q**2 + mean_q**2 - 2 * mean_q * mean_p + mean_p**2) / (2 * std_p**2)
    return torch.sum(cross - torch.log(std_q) - 0.5, dim=-1)


class _Softplus(torch.autograd.Function):
    """Values by cases, and a derivative of its own."""

    @staticmethod
    def forward(ctx, rho):
        ctx.save_for_backward(rho)
        return torch.where(rho > 0, rho, 0.0) + torch.log1p(torch.exp(-torch.abs(rho)))

    @staticmethod
    def backward(ctx, gradient):
        (rho,) = ctx.saved_tensors
        return gradient * torch.sigmoid(rho)


def softplus(rho):
    return _Softplus.apply(rho)


def inverse_softplus(sigma):
    small = torch.log(torch.expm1(sigma.clamp(max=30.0)))
    return torch.where(sigma > 30.0, sigma + torch.log1p(-torch.exp(-sigma)), small)


def sample_weights(mu, rho, eps, *, scale=softplus):
    sigma = scale(rho)
    rows = [torch.addcmul(mu, sigma, noise) for noise in eps.reshape(-1, eps.shape[-1])]
    return torch.stack(rows).reshape(eps.shape)


def kl_from_prior(mu, rho, prior_std):
    return kl_gaussians(mu, softplus(rho), 0.0, prior_std)


def linear_posterior(X, y, *, noise_std, prior_std):
    precision = torch.eye(X.shape[1], dtype=X.dtype) / prior_std**2
    shift = torch.zeros(X.shape[1], dtype=X.dtype)
    for row, target in zip(X, y):
        precision = precision + torch.outer(row, row) / noise_std**2
        shift = shift + row * target / noise_std**2
    return torch.cholesky_solve(shift[:, None], torch.linalg.cholesky(precision))[:, 0], precision


def log_evidence(X, y, *, noise_std, prior_std):
    # row after row: each is predicted from those before it
    d = X.shape[1]
    mean, covariance = torch.zeros(d, dtype=X.dtype), prior_std**2 * torch.eye(d, dtype=X.dtype)
    terms = []
    for row, target in zip(X, y):
        gain = covariance @ row
        variance = noise_std**2 + row @ gain
        error = target - row @ mean
        terms.append(-0.5 * (torch.log(2 * math.pi * variance) + error**2 / variance))
        mean, covariance = mean + gain * error / variance, covariance - torch.outer(gain, gain) / variance
    return _total(terms, X)


def kl_to_posterior(mu, sigma, mean, precision):
    # E_q[log q] - E_q[log posterior], the second one with the root of the precision
    root = torch.linalg.cholesky(precision).T  # precision = root^T root
    entropy = (0.5 * math.log(2 * math.pi * math.e) + torch.log(sigma)).sum()
    quadratic = ((root @ (mu - mean)) ** 2).sum() + ((root * sigma) ** 2).sum()
    expected = torch.log(torch.diagonal(root)).sum() - 0.5 * (len(mu) * math.log(2 * math.pi) + quadratic)
    return -entropy - expected


def linear_elbo(mu, sigma, X, y, *, noise_std, prior_std, kl=kl_gaussians):
    terms = []
    for row, target in zip(X, y):
        spread = _total([(x * s) ** 2 for x, s in zip(row, sigma)], X)
        squared = (target - row @ mu) ** 2 + spread
        terms.append(-squared / (2 * noise_std**2) - math.log(noise_std) - 0.5 * math.log(2 * math.pi))
    return _total(terms, X) - kl(mu, sigma, torch.zeros_like(mu), torch.full_like(sigma, prior_std))


def mean_field_optimum(mean, precision):
    return 1.0 * mean, torch.stack([1 / row[j].sqrt() for j, row in enumerate(precision)])


def linear_model(noise_std):
    def log_likelihood(theta, X, y):
        return gaussian_logpdf(y[:, None], (theta @ X.T)[..., None], noise_std)

    return log_likelihood


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    total = 0.0
    for noise in eps:
        theta = sample(mu, rho, noise)  # (P,)
        total = total + log_likelihood(theta, X, y).sum() / len(eps)
    return total * ((n_total or len(y)) / len(y)) - kl(mu, rho, prior_std)


def elbo_gradient(mu, rho, eps, X, y, *, objective=elbo, **settings):
    both = torch.cat([mu, rho]).detach().requires_grad_()
    value = objective(both[: len(mu)], both[len(mu) :], eps, X, y, **settings)
    value.backward()
    g_mu, g_rho = both.grad.split(len(mu))
    return value.detach(), g_mu, g_rho


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    both, values = torch.cat([mu, rho]), torch.empty(len(eps), dtype=mu.dtype)
    if batches is None:
        batches = [torch.arange(len(y))] * len(eps)
    for t, rows in enumerate(batches):
        mu, rho = both.chunk(2)
        values[t], *gradients = gradient(
            mu, rho, eps[t], X.index_select(0, rows), y.index_select(0, rows), n_total=len(X), **settings
        )
        both = both + lr * torch.cat(gradients)
    mu, rho = both.chunk(2)
    return mu, rho, values


def mlp(theta, X, sizes):
    flat = theta.reshape(-1, theta.shape[-1])
    outputs = []
    for weights in flat:
        a = X.T  # (n_0, B)
        for layer in range(1, len(sizes)):
            n_in, n_out = sizes[layer - 1], sizes[layer]
            W, b, weights = weights.split([n_in * n_out, n_out, len(weights) - n_in * n_out - n_out])
            a = torch.einsum("oi,ib->ob", W.view(n_out, n_in), a) + b[:, None]
            if layer < len(sizes) - 1:
                a = torch.tanh(a)
        outputs.append(a.T)
    return torch.stack(outputs).reshape(*theta.shape[:-1], len(X), sizes[-1])


def decompose_variance(means, stds):
    S = len(means)
    center = sum(means) / S
    return sum(std * std for std in stds) / S, sum((mean - center) ** 2 for mean in means) / S


def predictive_moments(means, stds, *, decompose=None):
    # from the second moment, which needs no parts
    second = torch.stack([mean**2 + std**2 for mean, std in zip(means, stds)]).mean(0)
    center = means.mean(0)
    return center, torch.sqrt(second - center**2)


def predictive_logpdf(y, means, stds):
    y = y.expand(means.shape[1:])
    axis = (..., None)
    logs = torch.stack([gaussian_logpdf(y[axis], m[axis], s[axis]) for m, s in zip(means, stds)])
    largest = logs.amax(0)
    return largest + torch.log(torch.exp(logs - largest).mean(0))


def credible_interval(samples, mass):
    ordered = samples.sort(dim=0).values

    def at(position):
        below = min(math.floor(position), len(ordered) - 1)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (position - below) * (ordered[above] - ordered[below])

    return at((1 - mass) / 2 * (len(ordered) - 1)), at((1 + mass) / 2 * (len(ordered) - 1))


def dropout(x, u, *, p):
    x, u = torch.broadcast_tensors(x, u)
    return torch.where(u < p, torch.zeros_like(x), x / (1 - p))


def mc_dropout(layers, X, u, *, p, drop=dropout):
    passes = []
    for s in range(len(u[0])):
        a = X
        for layer, (W, b) in enumerate(layers):
            a = torch.nn.functional.linear(a, W, b)
            if layer < len(u):
                a = drop(torch.tanh(a), u[layer][s], p=p)
        passes.append(a)
    return torch.stack(passes)


# The simple parts, as given


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
