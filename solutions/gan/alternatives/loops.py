"""The whole assignment in another idiom: loops over samples and outcomes, autograd for formulas, singular values for roots."""

import itertools
import math

import torch

from coursekit.toys import mlp


def critic_scores(weights, x):
    return mlp(weights, x.flatten(1)).squeeze(-1)


def log_sigmoid(x):
    return torch.minimum(x, 0 * x) - torch.log1p(torch.exp(-torch.abs(x)))


def critic_loss(real, fake, *, kind):
    if kind not in ("logistic", "hinge", "least_squares", "wasserstein"):
        raise ValueError(f"unknown kind {kind}")
    on_real, on_fake = {
        "logistic": (lambda a: -log_sigmoid(a), lambda a: -log_sigmoid(-a)),
        "hinge": (lambda a: torch.relu(1 - a), lambda a: torch.relu(1 + a)),
        "least_squares": (lambda a: (a - 1) ** 2, lambda a: a**2),
        "wasserstein": (lambda a: -a, lambda a: a),
    }[kind]
    return on_real(real).sum() / len(real) + on_fake(fake).sum() / len(fake)


def generator_loss(fake, *, kind):
    losses = {
        "minimax": lambda a: log_sigmoid(-a),
        "non_saturating": lambda a: -log_sigmoid(a),
        "least_squares": lambda a: (1 - a) ** 2,
        "hinge": lambda a: -a,
        "wasserstein": lambda a: -a,
    }
    if kind not in losses:
        raise ValueError(f"unknown kind {kind}")
    return losses[kind](fake).sum() / len(fake)


def generator_slope(fake, *, kind):
    if kind not in ("minimax", "non_saturating"):
        raise ValueError(f"unknown kind {kind}")
    D = torch.exp(log_sigmoid(fake))
    return -D if kind == "minimax" else -torch.exp(log_sigmoid(-fake))


def best_logit(p, q):
    entries = []
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        if a and b:
            entries.append(math.log(a / b))
        else:
            entries.append(math.inf if a else -math.inf if b else 0.0)
    return torch.tensor(entries, dtype=p.dtype)


def kl(p, q):
    inside = p > 0
    return (p[inside] * (p[inside] / q[inside]).log()).sum()


def js_divergence(p, q):
    middle = 0.5 * p + 0.5 * q
    return 0.5 * kl(p, middle) + 0.5 * kl(q, middle)


def best_value(p, q):
    return 2 * js_divergence(p, q) - 2 * math.log(2)


def generator_gradient(logits, p, *, kind):
    if kind not in ("minimax", "non_saturating"):
        raise ValueError(f"unknown kind {kind}")
    if (p <= 0).any():
        raise ValueError("p must be positive")
    q = logits.softmax(0)
    jacobian = torch.diag(q) - torch.outer(q, q)
    D = p / (p + q)
    cost = torch.where(q > 0, torch.log(1 - D).clamp(min=-1e3), 0.0) if kind == "minimax" else -torch.log(D)
    return jacobian @ cost


def game_step(theta, psi, slopes, *, eta, kind):
    if kind not in ("simultaneous", "alternating", "extragradient"):
        raise ValueError(f"unknown kind {kind}")
    g, c = slopes(theta, psi)
    ahead = theta - eta * g, psi - eta * c
    if kind == "simultaneous":
        return ahead
    if kind == "alternating":
        g, _ = slopes(theta, ahead[1])
        return theta - eta * g, ahead[1]
    g, c = slopes(*ahead)
    return theta - eta * g, psi - eta * c


def step_matrix(*, eta, gamma, kind):
    if gamma < 0:
        raise ValueError("gamma is negative")

    def slopes(theta, psi):
        return -psi, theta + gamma * psi

    columns = []
    for theta, psi in ((1.0, 0.0), (0.0, 1.0)):
        start = torch.tensor(theta, dtype=torch.float64), torch.tensor(psi, dtype=torch.float64)
        columns.append(torch.stack(game_step(*start, slopes, eta=eta, kind=kind)))
    return torch.stack(columns, 1)


def gan_step(generator, critic, reals, critic_noise, generator_noise, *, lr):
    if len(reals) != len(critic_noise):
        raise ValueError("reals and critic_noise differ")
    generator = [w.detach().clone().requires_grad_() for w in generator]
    critic = [w.detach().clone().requires_grad_() for w in critic]

    def step(weights):
        with torch.no_grad():
            for w in weights:
                w -= lr * w.grad
        for w in (*generator, *critic):
            w.grad = None

    for real, noise in zip(reals, critic_noise, strict=True):
        fake = mlp(generator, noise).detach()
        (torch.relu(1 - critic_scores(critic, real)).mean() + torch.relu(1 + critic_scores(critic, fake)).mean()).backward()
        step(critic)
    (-critic_scores(critic, mlp(generator, generator_noise)).mean()).backward()
    step(generator)
    return [w.detach() for w in generator], [w.detach() for w in critic]


def w1_distance(x, y):
    if x.shape != y.shape:
        raise ValueError("shapes differ")
    pairs = zip(sorted(x.tolist()), sorted(y.tolist()), strict=True)
    return torch.tensor(sum(abs(a - b) for a, b in pairs) / len(x), dtype=x.dtype)


def clipped_slope(sizes, *, clip):
    if len(sizes) < 2 or clip <= 0:
        raise ValueError("bad sizes or clip")
    # with all weights at clip, each input has as many paths as the hidden widths multiply to
    paths = math.prod(sizes[1:])
    return clip ** (len(sizes) - 1) * paths * math.sqrt(sizes[0])


def spectral_norm(weight, u, *, n_steps):
    if n_steps < 1:
        raise ValueError("n_steps")
    W = weight.reshape(weight.shape[0], -1)
    for _ in range(n_steps):
        v = torch.nn.functional.normalize(u @ W, dim=0)
        u = torch.nn.functional.normalize(W @ v, dim=0)
    return torch.dot(u, W @ v), u


def slope_norms(weights, x):
    x = x.detach().clone().requires_grad_()
    gradients = torch.autograd.grad([*critic_scores(weights, x)], x, create_graph=True)[0]
    norms = []
    for gradient in gradients:
        square = (gradient * gradient).sum()
        norms.append(square.sqrt() if square > 0 else 0 * square)
    return torch.stack(norms)


def gradient_penalty(weights, real, fake, eps, *, strength):
    if real.shape != fake.shape or eps.shape != real.shape[:1]:
        raise ValueError("shapes differ")
    mixed = torch.stack([e * r + (1 - e) * f for e, r, f in zip(eps, real, fake, strict=True)])
    return strength * ((slope_norms(weights, mixed) - 1) ** 2).mean()


def r1_penalty(weights, real, *, strength):
    return 0.5 * strength * (slope_norms(weights, real) ** 2).mean()


def frechet_distance(mean_1, cov_1, mean_2, cov_2):
    def factor(cov):
        values, vectors = torch.linalg.eigh(cov)
        return vectors * values.clamp(min=0).sqrt()

    roots = torch.linalg.svdvals(factor(cov_1).T @ factor(cov_2))
    return ((mean_1 - mean_2) ** 2).sum() + torch.trace(cov_1 + cov_2) - 2 * roots.sum()


def fid(x, y):
    if min(len(x), len(y)) < 2 or x.shape[1] != y.shape[1]:
        raise ValueError("bad samples")
    a, b = ((z - z.mean(0)) / math.sqrt(len(z) - 1) for z in (x, y))
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()


def fid_of_equals(d, n):
    means = d * (1 / n + 1 / n)
    variances = d * (2 / n + 2 / n)
    covariances = d * (d - 1) * (1 / n + 1 / n)
    return means + (variances + covariances) / 4


def kid(x, y):
    if min(len(x), len(y)) < 2 or x.shape[1] != y.shape[1]:
        raise ValueError("bad samples")

    def kernel(a, b):
        return (a.dot(b) / len(a) + 1) ** 3

    def within(z):
        return torch.stack([kernel(a, b) for a, b in itertools.permutations(z, 2)]).mean()

    between = torch.stack([kernel(a, b) for a, b in itertools.product(x, y)]).mean()
    return within(x) + within(y) - 2 * between


def inception_score(probs):
    # entropy of the mean less the mean entropy
    def entropy(p):
        return torch.special.entr(p).sum(-1)

    return torch.exp(entropy(probs.mean(0)) - entropy(probs).mean())


def inside(centers, points, k):
    answer = torch.zeros(len(centers), len(points), dtype=torch.bool)
    for i, center in enumerate(centers):
        own = sorted((center - other).square().sum().item() for j, other in enumerate(centers) if j != i)
        for j, point in enumerate(points):
            answer[i, j] = (center - point).square().sum().item() < own[k - 1]
    return answer


def precision_recall(real, fake, *, k):
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError("k")
    return inside(real, fake, k).any(0).to(real.dtype).mean(), inside(fake, real, k).any(0).to(real.dtype).mean()


def density_coverage(real, fake, *, k):
    if not 1 <= k < len(real):
        raise ValueError("k")
    balls = inside(real, fake, k)
    return balls.sum().to(real.dtype) / (k * len(fake)), balls.any(1).to(real.dtype).mean()
