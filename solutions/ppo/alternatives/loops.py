"""Row by row and token by token, with where() for indexing, and autograd only where a gradient is due."""

import math

import torch

EOS = 0


def final_scores(token_scores, lengths):
    return torch.stack([row[int(n) - 1] for row, n in zip(token_scores, lengths)])


def bradley_terry_loss(chosen, rejected):
    return torch.nn.functional.softplus(rejected - chosen).sum() / len(chosen)


def token_logps(logits, tokens):
    at = torch.nn.functional.one_hot(tokens, logits.shape[-1]).bool()
    shifted = logits - logits.logsumexp(-1, keepdim=True)
    chosen = torch.where(at[..., 1:, :], shifted[..., :-1, :], torch.zeros_like(shifted[..., :-1, :]))
    return chosen.sum(-1)


def response_mask(prompt_lengths, lengths, n_tokens):
    mask = torch.zeros(len(lengths), n_tokens - 1, dtype=torch.bool, device=lengths.device)
    for b, (start, end) in enumerate(zip(prompt_lengths.tolist(), lengths.tolist())):
        mask[b, start - 1 : end - 1] = True
    return mask


def masked_mean(x, mask):
    if mask.dtype != torch.bool or not mask.any():
        raise ValueError("mask must be boolean, and True somewhere")
    total = torch.where(mask, x, torch.zeros_like(x)).double().sum()  # in float16 a large batch has none
    return (total / mask.sum()).to(x.dtype)


def kl_divergence(logits, ref_logits):
    # cross-entropy minus entropy
    p = logits.softmax(-1)
    log_q = ref_logits - ref_logits.logsumexp(-1, keepdim=True)
    return -(p * log_q).sum(-1) - torch.distributions.Categorical(logits=logits).entropy()


def kl_estimates(logp, ref_logp, *, kind):
    d = logp - ref_logp
    return {"k1": d, "k2": 0.5 * d * d, "k3": torch.exp(-d) - 1 + d}[kind]


def shaped_rewards(logp, ref_logp, mask, scores, *, beta):
    rewards = beta * (ref_logp - logp) * mask
    for b in range(len(mask)):
        rewards[b, int(mask[b].nonzero()[-1])] += scores[b]
    return rewards


def gae(rewards, values, dones, last_value, *, gamma, lam):
    if not (0 <= gamma <= 1 and 0 <= lam <= 1):
        raise ValueError(f"gamma and lam must lie in [0, 1], got {gamma} and {lam}")
    following = torch.cat([values[..., 1:], last_value[..., None]], -1)
    deltas = rewards + gamma * torch.where(dones, torch.zeros_like(following), following) - values
    steps = rewards.shape[-1]
    advantages = []
    for t in range(steps):
        total, weight = torch.zeros_like(last_value), torch.ones_like(last_value)
        for k in range(t, steps):
            total = total + weight * deltas[..., k]
            weight = weight * gamma * lam * (~dones[..., k]).to(weight.dtype)
        advantages.append(total)
    advantages = torch.stack(advantages, -1)
    return advantages, advantages + values


def whiten(x, mask, *, eps=1e-8):
    kept = x[mask]
    white = torch.zeros_like(x)
    white[mask] = (kept - kept.mean()) * torch.rsqrt(kept.var(unbiased=False) + eps)
    return white


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    a = advantages.detach()
    ratio = torch.exp(logp - old_logp.detach())
    losses = torch.maximum(-a * ratio, -a * torch.clip(ratio, 1 - clip, 1 + clip))
    return masked_mean(losses, mask)


def clip_fraction(logp, old_logp, mask, *, clip=0.2):
    if not clip > 0:
        raise ValueError(f"clip must be positive, got {clip}")
    ratio = torch.exp(logp - old_logp)
    outside = (ratio > 1 + clip) | (ratio < 1 - clip)
    return (outside & mask).sum().to(logp.dtype) / mask.sum()


def approximate_kl(logp, old_logp, mask):
    difference = logp - old_logp
    return masked_mean(difference.exp() - 1 - difference, mask)


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    old, target = old_values.detach(), returns.detach()
    near = torch.minimum(torch.maximum(values, old - clip), old + clip)
    errors = torch.stack([(values - target) ** 2, (near - target) ** 2]).amax(0)
    return 0.5 * masked_mean(errors, mask)


def mean_entropy(logits, mask):
    return masked_mean(torch.distributions.Categorical(logits=logits).entropy(), mask)


def collect(
    rollout,
    *,
    beta,
    gamma=1.0,
    lam=0.95,
    logps_of=token_logps,
    mask_of=response_mask,
    rewards_of=shaped_rewards,
    advantages_of=gae,
    whitened=whiten,
):
    tokens = rollout["tokens"]
    batch = {"tokens": tokens, "scores": rollout["scores"]}
    batch["mask"] = mask_of(rollout["prompt_lengths"], rollout["lengths"], tokens.shape[1])
    batch["old_logp"] = logps_of(rollout["logits"], tokens)
    batch["ref_logp"] = logps_of(rollout["ref_logits"], tokens)
    batch["old_values"] = rollout["values"][:, : tokens.shape[1] - 1]
    rewards = rewards_of(batch["old_logp"], batch["ref_logp"], batch["mask"], rollout["scores"], beta=beta)
    dones = torch.zeros_like(batch["mask"])
    dones.scatter_(1, (rollout["lengths"] - 2)[:, None], True)
    nothing = torch.zeros(len(tokens), dtype=rewards.dtype, device=rewards.device)
    advantages, batch["returns"] = advantages_of(
        rewards, batch["old_values"], dones, nothing, gamma=gamma, lam=lam
    )
    batch["advantages"] = whitened(advantages, batch["mask"])
    return batch


def ppo_loss(
    logits,
    values,
    batch,
    *,
    clip=0.2,
    value_clip=0.2,
    value_coef=0.5,
    entropy_coef=0.0,
):
    mask = batch["mask"]
    n = mask.shape[1]
    total = value_coef * clipped_value_loss(
        values[:, :n], batch["old_values"], batch["returns"], mask, clip=value_clip
    )
    total = total - entropy_coef * mean_entropy(logits[:, :n], mask)
    logp = token_logps(logits, batch["tokens"])
    return total + clipped_policy_loss(logp, batch["old_logp"], batch["advantages"], mask, clip=clip)


def loss_gradients(params, batch, **options):
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        loss = ppo_loss(*forward(leaves, batch["tokens"]), batch, **options)
        gradients = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, gradients, strict=True))


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    params = dict(params)
    for rows in minibatches:
        part = {name: torch.stack([value[int(row)] for row in rows]) for name, value in batch.items()}
        gradients = gradients_of(dict(params), part, **options)
        flat = torch.cat([gradient.flatten() for gradient in gradients.values()])
        shrink = min(1.0, max_grad_norm / (float(flat.norm()) + 1e-6))  # as torch.nn.utils.clip_grad_norm_ does
        for name in params:
            params[name] = params[name] - lr * (shrink * gradients[name])
    return params


def optimal_policy(ref_logps, rewards, *, beta):
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    logps = torch.log_softmax(ref_logps + rewards / beta, -1)
    # log pi* = log pi_ref + r / beta - log Z at every response: read log Z off at the likeliest
    place = logps.argmax(-1, keepdim=True)
    log_z = (ref_logps + rewards / beta - logps).gather(-1, place).squeeze(-1)
    return logps, log_z


def kl_objective(logps, ref_logps, rewards, *, beta):
    pi = logps.exp()
    return torch.einsum("...n,...n->...", pi, rewards) - beta * torch.einsum(
        "...n,...n->...", pi, logps - ref_logps
    )


def rlhf(
    params,
    ref_params,
    prompts,
    prompt_lengths,
    score,
    uniforms,
    minibatches,
    *,
    beta,
    lr,
    gamma=1.0,
    lam=0.95,
    max_grad_norm=math.inf,
    sample=None,
    collect=collect,
    update=ppo_update,
    watch=None,
    **options,
):
    sample = sample or sample_responses
    for i, column in enumerate(uniforms.unbind(0)):
        rollout = {"prompt_lengths": prompt_lengths}
        rollout["tokens"], rollout["lengths"] = sample(params, prompts, prompt_lengths, column)
        rollout["logits"], rollout["values"] = forward(params, rollout["tokens"])
        rollout["ref_logits"] = forward(ref_params, rollout["tokens"])[0]
        rollout["scores"] = score(rollout["tokens"], prompt_lengths, rollout["lengths"])
        batch = collect(rollout, beta=beta, gamma=gamma, lam=lam)
        rate = lr * (len(uniforms) - i) / len(uniforms)
        params = update(params, batch, minibatches, lr=rate, max_grad_norm=max_grad_norm, **options)
        if watch:
            watch(i, params, batch)
    return params


# Given: the language model that is a table, as in the stub


def init_params(vocab_size, n_tokens, *, device=None):
    n_states = sum(vocab_size**length for length in range(1, n_tokens + 1))
    return {
        "logits": torch.zeros(n_states, vocab_size, dtype=torch.float64, device=device),
        "values": torch.zeros(n_states, dtype=torch.float64, device=device),
    }


def prefix_states(tokens, vocab_size):
    states = [tokens[:, 0]]
    for column in tokens[:, 1:].unbind(1):
        states.append(vocab_size * (states[-1] + 1) + column)
    return torch.stack(states, 1)


def forward(params, tokens):
    states = prefix_states(tokens, params["logits"].shape[1])
    return params["logits"][states], params["values"][states]


def sample_responses(params, prompts, prompt_lengths, uniforms):
    n_rows, vocab_size = len(prompts), params["logits"].shape[1]
    rows = torch.arange(n_rows, device=prompts.device)
    tokens = torch.cat([prompts, prompts.new_zeros(uniforms.shape)], 1)  # (B, P + L)
    lengths = prompt_lengths.clone()
    open_rows = rows
    for column in uniforms.unbind(1):
        logits, _ = forward(params, tokens[open_rows])
        at_end = logits[torch.arange(len(open_rows), device=rows.device), lengths[open_rows] - 1]
        below = at_end.softmax(-1).cumsum(-1) <= column[open_rows, None]
        drawn = below.sum(-1).clamp(max=vocab_size - 1)
        tokens[open_rows, lengths[open_rows]] = drawn
        lengths[open_rows] += 1
        open_rows = open_rows[drawn != EOS]
    return tokens, lengths


def all_responses(prompt, vocab_size, max_new):
    finished, growing = [], [[]]
    for _ in range(max_new):
        grown = [response + [token] for response in growing for token in range(vocab_size)]
        finished += [response for response in grown if response[-1] == EOS]
        growing = [response for response in grown if response[-1] != EOS]
    responses = finished + growing
    tokens = torch.zeros(len(responses), len(prompt) + max_new, dtype=torch.int64)
    for row, response in zip(tokens, responses, strict=True):
        row[: len(prompt) + len(response)] = torch.tensor(prompt + response)
    lengths = torch.tensor([len(prompt) + len(response) for response in responses])
    return tokens, torch.full_like(lengths, len(prompt)), lengths
