"""Vectorized another way: ranks instead of scattered marks, binary search instead of counting, arrays in
beams."""

import math

import numpy as np
import torch


def _rank(logits):
    """Each token's place in its row's order of falling logits, the lower id first among equals."""
    return torch.argsort(torch.argsort(-logits, dim=-1, stable=True), dim=-1, stable=True)


def _only(logits, kept):
    return torch.where(kept, logits, -torch.inf).log_softmax(dim=-1)


def greedy(logits):
    return (_rank(logits) == 0).int().argmax(dim=-1)


def apply_temperature(logits, temperature):
    if not torch.is_floating_point(logits):
        raise ValueError(f"logits must be floating point, got {logits.dtype}")
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature must be finite and at least 0, got {temperature}")
    if temperature == 0:
        return keep_top_k(logits, 1)
    scaled = (logits - logits.max(dim=-1, keepdim=True).values) / temperature
    return scaled - scaled.logsumexp(dim=-1, keepdim=True)


def keep_top_k(logits, k):
    if k <= 0:
        raise ValueError(f"k must be at least 1, got {k}")
    return _only(logits, _rank(logits) < k)


def keep_top_p(logits, p):
    if p <= 0 or p > 1:
        raise ValueError(f"p must be in (0, 1], got {p}")
    if p == 1:
        return logits.log_softmax(dim=-1)
    mass = logits.double().softmax(dim=-1).sort(dim=-1, descending=True).values.cumsum(dim=-1)
    size = torch.searchsorted(mass, torch.full_like(mass[..., :1], p)) + 1
    return _only(logits, _rank(logits) < size)


def keep_min_p(logits, min_p):
    if min_p < 0 or min_p > 1:
        raise ValueError(f"min_p must be in [0, 1], got {min_p}")
    p = logits.softmax(dim=-1)
    return _only(logits, p >= min_p * p.max(dim=-1, keepdim=True).values)


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    if not ((u >= 0) & (u < 1)).all():
        raise ValueError(f"u must be in [0, 1), got {u}")
    cdf = logp.double().exp().cumsum(dim=-1).contiguous()
    token = torch.searchsorted(cdf, u[..., None], right=True).squeeze(-1)
    possible = torch.arange(logp.shape[-1]) * (logp > -torch.inf)
    return torch.minimum(token, possible.max(dim=-1).values)


def repetition_penalty(logits, tokens, penalty):
    tokens = torch.as_tensor(tokens, dtype=torch.int64)
    if tokens.numel() and not 0 <= tokens.min() <= tokens.max() < logits.shape[-1]:
        raise ValueError(f"tokens must be ids below {logits.shape[-1]}, got {tokens}")
    if not tokens.numel():
        return logits
    said = logits.gather(-1, tokens)
    lowered = torch.maximum(said, torch.zeros_like(said)) / penalty + said.clamp(max=0) * penalty
    return logits.scatter(-1, tokens, lowered)  # repeats write the same number again


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logits = apply_temperature(repetition_penalty(logits, tokens, penalty), temperature)
    logits = keep_top_k(logits, logits.shape[-1] if top_k is None else top_k)
    logits = keep_top_p(logits, 1.0 if top_p is None else top_p)
    return keep_min_p(logits, 0.0 if min_p is None else min_p)


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    if len(uniforms) < max_new_tokens:
        raise ValueError(f"uniforms must hold {max_new_tokens} numbers, got {len(uniforms)}")
    text = np.empty(len(prompt) + max_new_tokens, dtype=np.int64)
    text[: len(prompt)] = prompt
    length = len(prompt)
    for u in np.asarray(uniforms, dtype=np.float64)[:max_new_tokens]:
        so_far = torch.from_numpy(text[:length].copy())
        text[length] = pick(distribution(next_logits(so_far), so_far, **settings), float(u))
        length += 1
        if text[length - 1] == eos:
            break
    return text[:length].tolist()


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    if beam_width < 1:
        raise ValueError(f"beam_width must be at least 1, got {beam_width}")
    beams = np.asarray([prompt], dtype=np.int64).reshape(1, -1)  # (live, T)
    totals = np.zeros(1)
    results = []  # ((-score, order), tokens)
    for length in range(1, max_new_tokens + 1):
        logits = np.stack([next_logits(beam.tolist()).double().numpy() for beam in beams])
        top = logits.max(axis=1, keepdims=True)
        sums = totals[:, None] + logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        order = np.argsort(-sums, axis=None, kind="stable")[:beam_width]
        order = order[np.isfinite(sums.ravel()[order])]
        parents, tokens = np.unravel_index(order, sums.shape)
        beams = np.concatenate([beams[parents], tokens[:, None]], axis=1)
        totals = sums[parents, tokens]
        ended = (tokens == eos) if eos is not None else np.zeros(len(tokens), dtype=bool)
        leaving = np.ones_like(ended) if length == max_new_tokens else ended
        # at the last step: first those that ended, then those that ran out of room
        for i in sorted(np.flatnonzero(leaving), key=lambda i: not ended[i]):
            score = float(totals[i]) / length**length_penalty
            results.append(((-score, len(results)), beams[i].tolist()))
        beams, totals = beams[~leaving], totals[~leaving]
        if not len(beams):
            break
    return [(tokens, -key[0]) for key, tokens in sorted(results)[:beam_width]]


def entropy(logp):
    return torch.special.entr(logp.exp()).sum(dim=-1)


def token_log_probs(next_logits, tokens, *, start=1):
    wanted = torch.tensor(tokens[start:], dtype=torch.int64)
    if not len(wanted):
        return torch.empty(0, dtype=torch.float64)
    rows = torch.stack([next_logits(list(tokens[:t])) for t in range(start, len(tokens))])
    return -torch.nn.functional.cross_entropy(rows.double(), wanted, reduction="none")


def perplexity(logp):
    if not logp.numel():
        raise ValueError(f"logp must hold at least one number, got shape {tuple(logp.shape)}")
    return (-logp).mean().exp()


def ngram_counts(sequences, n):
    if n <= 0:
        raise ValueError(f"n must be at least 1, got {n}")
    counts = {}
    for sequence in sequences:
        if len(sequence) < n:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(np.asarray(sequence), n)
        for ngram, count in zip(*np.unique(windows, axis=0, return_counts=True), strict=True):
            *context, token = ngram.tolist()
            followers = counts.setdefault(tuple(context), {})
            followers[token] = followers.get(token, 0) + int(count)
    return counts


def _frequencies(counts, tokens, n, vocab_size):
    if len(tokens) < n - 1:
        return None
    context = tuple(tokens[-n + 1:]) if n > 1 else ()
    if context not in counts:
        return None
    row = np.zeros(vocab_size)
    row[list(counts[context])] = list(counts[context].values())
    return row


def _log(p):
    return torch.from_numpy(p).log()


def ngram_log_probs(counts, tokens, *, n, vocab_size, alpha=0.0):
    row = _frequencies(counts, tokens, n, vocab_size)
    if row is None:
        row = np.ones(vocab_size)
    else:
        row = row + alpha
    return _log(row / row.sum())


def interpolated_log_probs(counts_by_order, tokens, *, vocab_size, weight):
    # The share that is left for the orders below, from the longest context down.
    left, p = 1.0, np.zeros(vocab_size)
    for n in range(len(counts_by_order), 0, -1):
        row = _frequencies(counts_by_order[n - 1], tokens, n, vocab_size)
        if row is not None:
            p += left * weight * row / row.sum()
            left *= 1 - weight
    return _log(p + left / vocab_size)


def conditional_entropy(counts):
    joint = np.array([count for row in counts.values() for count in row.values()], dtype=float)
    given = np.array([sum(row.values()) for row in counts.values() for _ in row], dtype=float)
    return float(np.log(given / joint) @ joint / joint.sum())
