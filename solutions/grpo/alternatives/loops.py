"""The whole assignment in another idiom: loops over answers and groups, Python numbers, autograd for formulas."""

import itertools
import math
import re
from decimal import Decimal
from fractions import Fraction

import torch

END_OF_THOUGHT = "</think>"
CRITIQUE = "Request: {prompt}\nAnswer: {answer}\nHow does this answer violate the following principle? {principle}"
REVISION = "Request: {prompt}\nAnswer: {answer}\nCritique: {critique}\nRewrite the answer so that it meets the critique."


def final_answer(text):
    starts = [at + len("\\boxed{") for at in range(len(text)) if text.startswith("\\boxed{", at)]
    for start in reversed(starts):
        open_braces, at = 1, start
        while at < len(text) and open_braces:
            open_braces += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if not open_braces:
            return text[start : at - 1].strip()
    return None


def equivalent(answer, truth):
    if answer is None:
        return False

    def parse(text):
        m = re.fullmatch(r"([+-]?)(?:(\d+(?:\.\d+)?)|(\d+)/(\d+)|\\frac\{(\d+)\}\{(\d+)\})", text, flags=re.ASCII)
        if not m:
            return None
        sign = -1 if m[1] == "-" else 1
        if m[2]:
            return sign * Fraction(Decimal(m[2]))
        top, bottom = int(m[3] or m[5]), int(m[4] or m[6])
        return sign * Fraction(top, bottom) if bottom else None

    a, b = parse(answer.strip()), parse(truth.strip())
    if a is None and b is None:
        return answer.strip() == truth.strip()
    return a is not None and b is not None and a == b


def reward(text, prompt_length, truth):
    response = text[prompt_length:]
    if response.count(END_OF_THOUGHT) == 1:
        answer = final_answer(response[response.index(END_OF_THOUGHT) + len(END_OF_THOUGHT) :])
        if equivalent(answer, truth):
            return 1.0
    return 0.0


def group_advantages(rewards, *, kind, eps=1e-6):
    flat = rewards.reshape(-1, rewards.shape[-1])
    rows = []
    for group in flat:
        values = group.tolist()
        G, mean = len(values), math.fsum(values) / len(values)
        if len(set(values)) == 1:
            rows.append([0.0] * G)
        elif kind == "centered":
            rows.append([r - mean for r in values])
        elif kind == "scaled":
            s = math.sqrt(math.fsum((r - mean) ** 2 for r in values) / G)
            rows.append([(r - mean) / (s + eps) for r in values])
        else:
            rows.append([G / (G - 1) * (r - mean) for r in values])
    return torch.tensor(rows, dtype=rewards.dtype, device=rewards.device).reshape(rewards.shape)


def policy_loss(logp, old_logp, advantages, mask, *, level, clip_low, clip_high):
    old_logp, A = old_logp.detach(), advantages.detach().unsqueeze(-1)
    change = (logp - old_logp).masked_fill(~mask, 0.0)
    if level == "sequence":
        # masked entries must not meet NaN on the way back either
        change = torch.where(mask, logp, torch.zeros_like(logp)) - old_logp.masked_fill(~mask, 0.0)
        change = (change.sum(-1) / mask.to(change).sum(-1)).unsqueeze(-1)
    rho = change.exp()
    low, high = 1 - clip_low, 1 + clip_high
    clipped = torch.where(A > 0, rho.clamp(max=high), rho.clamp(min=low))  # the side on which min can bite
    return (-A * clipped).expand_as(logp).masked_fill(~mask, 0.0)


def aggregate(losses, mask, *, how, max_len):
    weights = torch.zeros_like(losses)
    P, G, _ = mask.shape
    n_tokens = int(mask.sum())
    for x, i in itertools.product(range(P), range(G)):
        n = int(mask[x, i].sum())
        weights[x, i, mask[x, i]] = {"sequence": 1 / (P * G * n), "token": 1 / n_tokens, "constant": 1 / (P * G * max_len)}[how]
    return (weights[mask] * losses[mask]).sum()


def micro_batch_losses(parts, *, how, max_len):
    answers = sum(mask[..., 0].numel() for _, mask in parts)
    tokens = sum(mask.sum() for _, mask in parts)
    shares = []
    for losses, mask in parts:
        whole = tokens if how == "token" else answers
        share = float(mask.sum() if how == "token" else mask[..., 0].numel()) / float(whole)
        shares.append(share * aggregate(losses, mask, how=how, max_len=max_len))
    return shares


def exact_gradient(logits, rewards):
    x = logits.detach().clone().requires_grad_()
    torch.dot(torch.softmax(x, 0), rewards).backward()
    return x.grad


def expected_update(logits, rewards, *, group_size, advantages_of):
    p = torch.softmax(logits, 0)
    total = torch.zeros_like(p)
    for group in itertools.product(range(len(p)), repeat=group_size):
        A = advantages_of(rewards[list(group)])
        chance = math.prod(float(p[y]) for y in group)
        update = -A.sum() * p
        for y, a in zip(group, A, strict=True):
            update[y] += a
        total += chance * update / group_size
    return total


def kl_term(logp, ref_logp, mask, *, kind):
    result = torch.zeros_like(logp)
    x = logp[mask] - ref_logp[mask].detach()
    term = {"k1": lambda: x, "k2": lambda: 0.5 * x**2, "k3": lambda: torch.exp(-x) - (1 - x)}[kind]()
    return result.masked_scatter(mask, term)


def penalized_rewards(rewards, logp, ref_logp, mask, *, beta):
    out = rewards.detach().clone()
    for index in itertools.product(*map(range, rewards.shape)):
        keep = mask[index]
        out[index] -= beta * (logp[index][keep] - ref_logp[index][keep]).detach().sum()
    return out


def informative(rewards):
    return rewards.amax(-1) != rewards.amin(-1)


def overlong_penalty(lengths, *, max_len, margin):
    start = max_len - margin
    values = [0.0 if n <= start else -1.0 if n > max_len else (start - n) / margin for n in lengths.flatten().tolist()]
    return torch.tensor(values, dtype=torch.float64, device=lengths.device).reshape(lengths.shape)


def pass_at_k_weights(success, k):
    weight = torch.full_like(success, float(k))
    for _ in range(k - 1):
        weight = weight * (1 - success)
    return weight


def filtered_step(logp, rewards):
    out = logp.clone()
    for row, right in zip(out, rewards > 0, strict=True):
        if (row[right] > -math.inf).any():
            best = row[right].max()
            row -= best + (row[right] - best).exp().sum().log()
            row[~right] = -math.inf
    return out


def critique_and_revise(prompt, principles, *, generate):
    answers = [generate(prompt)]
    for principle in principles:
        shown = CRITIQUE.format(prompt=prompt, answer=answers[-1], principle=principle)
        answers.append(generate(REVISION.format(prompt=prompt, answer=answers[-1], critique=generate(shown))))
    return prompt, answers[-1]


def ai_preference(logp_a_first, logp_b_first):
    return 0.5 * torch.sigmoid(logp_a_first[..., 0] - logp_a_first[..., 1]) + 0.5 * torch.sigmoid(
        logp_b_first[..., 1] - logp_b_first[..., 0]
    )


def draw_answers(p, uniforms):
    return torch.searchsorted(p.cumsum(-1), uniforms * p.sum(-1, keepdim=True), right=True).clamp(max=p.shape[-1] - 1)


def train(logits, rewards, uniforms, *, advantages_of, lr):
    logits, history = logits.clone(), []
    for u in uniforms:
        p = torch.softmax(logits, -1)
        history.append(float((p * rewards).sum() / len(p)))
        drawn = draw_answers(p, u)
        earned = torch.gather(rewards, 1, drawn)
        A = advantages_of(earned)
        taught = [x for x in range(len(p)) if len(set(earned[x].tolist())) > 1]
        for x in taught:
            row = logits[x].clone().requires_grad_()
            objective = (A[x] * row.log_softmax(-1)[drawn[x]]).mean()
            logits[x] = logits[x] + lr / len(taught) * torch.autograd.grad(objective, row)[0]
    return logits, history


def overoptimize(proxy, true, pressures):
    rows = {name: [] for name in ("proxy", "true", "kl", "proxy_slope", "true_slope")}
    for s in pressures:
        p = torch.softmax(s * (proxy - proxy.max()), 0)
        a, b = float(p @ proxy), float(p @ true)
        rows["proxy"].append(a)
        rows["true"].append(b)
        rows["kl"].append(float(torch.special.xlogy(p, p * len(p)).sum()))
        rows["proxy_slope"].append(float((p * (proxy - a) ** 2).sum()))
        rows["true_slope"].append(float((p * (proxy - a) * (true - b)).sum()))
    return {name: torch.tensor(values, dtype=proxy.dtype, device=proxy.device) for name, values in rows.items()}
