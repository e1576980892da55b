"""The whole assignment in another idiom: Newton's method, softplus and logaddexp, loops over rows, backward().

Tables are worked out response by response, gradients of the table by formula; the model's log-probabilities come
from cross-entropy.
"""

import math

import torch
from torch.nn import functional as F

from coursekit.toys import forward


def preference_probability(reward_a, reward_b):
    return 1 / (1 + torch.exp(reward_b - reward_a))


def bradley_terry_loss(reward_chosen, reward_rejected):
    return F.softplus(reward_rejected - reward_chosen).mean()


def fit_bradley_terry(wins):
    K = len(wins)
    games = wins + wins.T
    rewards = torch.zeros(K, dtype=wins.dtype, device=wins.device)

    def surprise(r):
        return (wins * F.softplus(r[None, :] - r[:, None])).sum()

    for _ in range(100):
        p = torch.sigmoid(rewards[:, None] - rewards[None, :])
        gradient = (wins - games * p).sum(1)
        curvature = games * p * (1 - p)
        hessian = torch.diag(curvature.sum(1)) - curvature + 1.0 / K  # the last term pins the mean
        step = torch.linalg.solve(hessian, gradient)
        while surprise(rewards + step) > surprise(rewards) + 1e-9:
            step = step / 2
        rewards = rewards + step
    return rewards - rewards.mean()


def log_partition(reference_logp, reward, *, beta):
    total = torch.full(reward.shape[:-1], -math.inf, dtype=reward.dtype, device=reward.device)
    for logp, r in zip(reference_logp.unbind(-1), reward.unbind(-1)):
        total = torch.logaddexp(total, logp + r / beta)
    return total


def optimal_policy(reference_logp, reward, *, beta):
    return reference_logp + reward / beta - log_partition(reference_logp, reward, beta=beta).unsqueeze(-1)


def kl_divergence(logp, logq):
    p = logp.exp()
    return torch.where(p > 0, p * (logp - logq), torch.zeros_like(p)).sum(dim=-1)


def kl_regularized_objective(logp, reference_logp, reward, *, beta):
    earned = torch.einsum("...k,...k->...", logp.exp(), reward)
    return earned - beta * kl_divergence(logp, reference_logp)


def collate(prompts, responses, *, pad):
    rows = [[*x, *y] for x, y in zip(prompts, responses)]
    longest = max(map(len, rows))
    marks = [[0] * len(x) + [1] * len(y) for x, y in zip(prompts, responses)]
    tokens = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([row + [0] * (longest - len(row)) for row in marks])
    return tokens, mask.bool()


def response_logps(logits, tokens, mask):
    logits, tokens, mask = logits[..., :-1, :], tokens[..., 1:], mask[..., 1:]
    targets = torch.where(mask, tokens, -100)
    losses = F.cross_entropy(
        logits.flatten(0, -2), targets.flatten(), ignore_index=-100, reduction="none"
    )
    return -losses.reshape(mask.shape).sum(-1)


def implicit_reward(policy_logps, reference_logps, *, beta):
    with torch.no_grad():
        offset = -beta * reference_logps
    return beta * policy_logps + offset


def _differences(policy_chosen, policy_rejected, reference_chosen, reference_rejected):
    return policy_chosen - policy_rejected - (reference_chosen - reference_rejected).detach()


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    if beta <= 0:
        raise ValueError(f"beta must be positive, got {beta}")
    h = _differences(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    return (F.softplus(-beta * h).double().sum() / len(h)).to(h.dtype)  # in float16 a large batch has no sum


def dpo_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    h = _differences(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    push = beta / len(h) * (1 - torch.sigmoid(beta * h))
    return -1 * push, push


def preference_metrics(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    chosen = [beta * (a - b) for a, b in zip(policy_chosen.tolist(), reference_chosen.tolist())]
    rejected = [beta * (a - b) for a, b in zip(policy_rejected.tolist(), reference_rejected.tolist())]
    margins = [a - b for a, b in zip(chosen, rejected)]
    n = len(margins)
    return {
        "accuracy": sum(margin > 0 for margin in margins) / n,
        "margin": sum(margins) / n,
        "chosen": sum(chosen) / n,
        "rejected": sum(rejected) / n,
    }


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    margin = beta * _differences(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    return (F.softplus(-margin) + label_smoothing * margin).mean()  # softplus(m) = softplus(-m) + m


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    h = _differences(policy_chosen, policy_rejected, reference_chosen, reference_rejected)
    return F.mse_loss(h, torch.full_like(h, 0.5 / beta))


def population_dpo_loss(logits, reference_logp, preferences, *, beta):
    K = logits.shape[1]
    total = 0.0
    for i in range(K):
        for j in range(i):
            h = _differences(logits[:, i], logits[:, j], reference_logp[:, i], reference_logp[:, j])
            total = total + preferences[:, i, j] * F.softplus(-beta * h)
            total = total + preferences[:, j, i] * F.softplus(beta * h)
    return total.mean() / math.comb(K, 2)


def fit_table(reference_logp, preferences, *, beta, lr, n_steps):
    N, K = reference_logp.shape
    logits = reference_logp.clone()
    for _ in range(n_steps):
        reward = beta * (logits - reference_logp)
        surplus = torch.sigmoid(reward[:, :, None] - reward[:, None, :]) - preferences
        surplus = surplus * (1 - torch.eye(K, dtype=logits.dtype, device=logits.device))
        # each pair stands in surplus twice, with opposite signs
        logits = logits - lr * beta * surplus.sum(2) / (N * math.comb(K, 2))
    return logits - logits.logsumexp(-1, keepdim=True)


def best_of_n(reference_p, reward, n):
    p, r = reference_p.reshape(-1, reference_p.shape[-1]), reward.reshape(-1, reward.shape[-1])
    q = torch.zeros_like(p)
    for row in range(len(p)):
        below = 0.0
        for value in r[row].unique():  # ascending
            group = r[row] == value
            mass = float(p[row, group].sum())
            if mass > 0:
                q[row, group] = p[row, group] / mass * ((below + mass) ** n - below**n)
            below += mass
    return q.reshape(reference_p.shape)


def best_of_n_kl_bound(n):
    return 1 / n - 1 + math.log(n)


def best_of_n_estimate(rewards, n):
    N = rewards.shape[-1]
    ascending = torch.sort(rewards, dim=-1)[0]
    total, weight = torch.zeros_like(rewards[..., 0]), n / N  # of the largest: C(N - 1, n - 1) / C(N, n)
    for i in range(N - 1, n - 2, -1):
        total = total + weight * ascending[..., i]
        weight *= (i - n + 1) / i if i else 0.0  # C(i - 1, n - 1) / C(i, n - 1)
    return total


def new_adapter(weight, noise):
    rank = noise.shape[1]
    A = noise.to(weight.dtype) * len(weight) ** -0.5
    return A, torch.zeros(rank, weight.shape[1], dtype=weight.dtype, device=weight.device)


def lora_linear(x, weight, A, B, *, alpha):
    rank = len(B)
    with torch.no_grad():
        frozen = weight.clone()
    return torch.einsum("...i,io->...o", x, frozen) + alpha * torch.einsum("...i,ir,ro->...o", x, A, B) / rank


def adapted_weights(weights, adapters, *, alpha):
    def corrected(name, weight):
        if name not in adapters:
            return weight.detach().clone()
        A, B = adapters[name]
        return torch.addmm(weight.detach(), A, B, alpha=alpha / len(B))

    return {name: corrected(name, weight) for name, weight in weights.items()}


def model_logps(config, weights, batch):
    tokens, mask = batch
    return response_logps(forward(config, weights, tokens), tokens, mask)


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    names = list(adapters)
    parameters = [factor.detach().clone().requires_grad_() for name in names for factor in adapters[name]]

    def current():
        return {name: (parameters[2 * i], parameters[2 * i + 1]) for i, name in enumerate(names)}

    base = [model_logps(config, weights, batch).detach() for batch in (chosen, rejected)]
    history = []
    for _ in range(n_steps):
        policy = adapted_weights(weights, current(), alpha=alpha)
        h = _differences(*(model_logps(config, policy, batch) for batch in (chosen, rejected)), *base)
        loss = F.softplus(-beta * h).mean()
        loss.backward()
        history.append({"loss": float(loss), "margin": beta * float(h.mean())})
        with torch.no_grad():
            for parameter in parameters:
                parameter -= lr * parameter.grad
                parameter.grad = None
    return {name: tuple(x.detach() for x in pair) for name, pair in current().items()}, history
