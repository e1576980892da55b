"""Everything in Python numbers, one row at a time: sorted lists, dictionaries and loops, hardly any
tensor."""

import math
from collections import Counter, defaultdict
from itertools import accumulate

import torch


def _rows(function, logits):
    """Apply a function from list to list to each row; the shape and dtype stay."""
    flat = logits.reshape(-1, logits.shape[-1]).tolist()
    return torch.tensor([function(row) for row in flat], dtype=logits.dtype).reshape(logits.shape)


def _log(p):
    return math.log(p) if p > 0 else -math.inf


def _normalize(row):
    top = max(row)
    total = top + math.log(sum(math.exp(value - top) for value in row))
    return [value - total for value in row]


def _ranking(row):
    return sorted(range(len(row)), key=lambda token: (-row[token], token))


def _keep(row, tokens):
    tokens = set(tokens)
    return _normalize([value if token in tokens else -math.inf for token, value in enumerate(row)])


def greedy(logits):
    if logits.shape[-1] == 0 or not logits.is_floating_point():
        raise ValueError(f"logits must be floating point with a vocabulary, got {logits.shape}")
    flat = logits.reshape(-1, logits.shape[-1]).tolist()
    return torch.tensor([_ranking(row)[0] for row in flat], dtype=torch.int64).reshape(logits.shape[:-1])


def apply_temperature(logits, temperature):
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating point, got {logits.dtype}")
    if temperature < 0 or math.isinf(temperature):
        raise ValueError(f"temperature must be finite and at least 0, got {temperature}")

    def row_at_temperature(row):
        if temperature == 0:
            best = _ranking(row)[0]
            return [0.0 if token == best else -math.inf for token in range(len(row))]
        return _normalize([value / temperature for value in row])

    return _rows(row_at_temperature, logits)


def keep_top_k(logits, k):
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return _rows(lambda row: _keep(row, _ranking(row)[:k]), logits)


def keep_top_p(logits, p):
    if not 0 < p <= 1:
        raise ValueError(f"p must be in (0, 1], got {p}")

    def nucleus(row):
        logp = _normalize(row)
        tokens, mass = [], 0.0
        for token in _ranking(row):
            if mass >= p and p < 1:
                break
            tokens.append(token)
            mass += math.exp(logp[token])
        return _keep(row, tokens)

    return _rows(nucleus, logits)


def keep_min_p(logits, min_p):
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p must be in [0, 1], got {min_p}")

    def above_the_bar(row):
        weights = [math.exp(value - max(row)) for value in row]
        return _keep(row, [token for token, weight in enumerate(weights) if weight >= min_p])

    return _rows(above_the_bar, logits)


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    if bool((u < 0).any()) or bool((u >= 1).any()):
        raise ValueError(f"u must be in [0, 1), got {u}")

    def one(row, number):
        ends = list(accumulate(math.exp(value) for value in row))
        for token, end in enumerate(ends):
            if end > number:
                return token
        return max(token for token, value in enumerate(row) if value > -math.inf)

    flat = logp.double().reshape(-1, logp.shape[-1]).tolist()
    tokens = [one(row, number) for row, number in zip(flat, u.flatten().tolist(), strict=True)]
    return torch.tensor(tokens, dtype=torch.int64).reshape(u.shape)


def repetition_penalty(logits, tokens, penalty):
    tokens = torch.as_tensor(tokens, dtype=torch.int64)
    if bool((tokens < 0).any()) or bool((tokens >= logits.shape[-1]).any()):
        raise ValueError(f"tokens must be ids below {logits.shape[-1]}, got {tokens}")
    result = logits.clone().reshape(-1, logits.shape[-1])
    for row, history in zip(result, tokens.reshape(len(result), tokens.shape[-1]).tolist(), strict=True):
        for token in set(history):
            row[token] = row[token] / penalty if row[token] > 0 else row[token] * penalty
    return result.reshape(logits.shape)


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    steps = [lambda x: repetition_penalty(x, tokens, penalty), lambda x: apply_temperature(x, temperature)]
    steps += [] if top_k is None else [lambda x: keep_top_k(x, top_k)]
    steps += [] if top_p is None else [lambda x: keep_top_p(x, top_p)]
    steps += [] if min_p is None else [lambda x: keep_min_p(x, min_p)]
    for step in steps:
        logits = step(logits)
    return logits


def generate(
    next_logits, prompt, uniforms, *, max_new_tokens, eos=None, distribution=next_log_probs, pick=draw,
    **settings,
):
    if max_new_tokens < 0 or len(uniforms) < max_new_tokens:
        raise ValueError(f"max_new_tokens must be in 0 .. len(uniforms), got {max_new_tokens}")
    text, numbers = tuple(prompt), iter(uniforms)
    while len(text) - len(prompt) < max_new_tokens:
        logp = distribution(next_logits(text), text, **settings)
        text += (int(pick(logp, float(next(numbers)))),)
        if text[-1] == eos:
            break
    return list(text)


def beam_search(next_logits, prompt, *, beam_width, max_new_tokens, eos=None, length_penalty=0.0):
    if min(beam_width, max_new_tokens) < 1:
        raise ValueError(f"both must be at least 1, got beam_width {beam_width} and {max_new_tokens} tokens")
    done, live = [], [(0.0, ())]  # (log-probability, new tokens)
    for _ in range(max_new_tokens):
        extended = []
        for total, new in live:
            logp = _normalize(next_logits([*prompt, *new]).tolist())
            possible = [token for token, value in enumerate(logp) if value > -math.inf]
            extended += [(total + logp[token], (*new, token)) for token in possible]
        extended = sorted(extended, key=lambda pair: pair[0], reverse=True)[:beam_width]  # stable
        done += [pair for pair in extended if pair[1][-1] == eos]
        live = [pair for pair in extended if pair[1][-1] != eos]
    scored = [(total / len(new) ** length_penalty, new) for total, new in done + live]
    scored.sort(key=lambda pair: pair[0], reverse=True)
    return [([*prompt, *new], score) for score, new in scored[:beam_width]]


def entropy(logp):
    flat = logp.reshape(-1, logp.shape[-1]).tolist()
    values = [sum(-math.exp(value) * value for value in row if value > -math.inf) for row in flat]
    return torch.tensor(values, dtype=logp.dtype).reshape(logp.shape[:-1])


def token_log_probs(next_logits, tokens, *, start=1):
    scores = [_normalize(next_logits(tokens[:t]).tolist())[tokens[t]] for t in range(start, len(tokens))]
    return torch.tensor(scores, dtype=torch.float64)


def perplexity(logp):
    if logp.numel() == 0:
        raise ValueError(f"logp must hold at least one number, got shape {logp.shape}")
    product = math.fsum(logp.flatten().tolist())
    return math.exp(-product / logp.numel()) if product > -math.inf else math.inf


def ngram_counts(sequences, n):
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    counts = defaultdict(Counter)
    for sequence in sequences:
        for *context, token in zip(*(sequence[i:] for i in range(n)), strict=False):
            counts[tuple(context)][token] += 1
    return counts


def _look_up(counts, tokens, n):
    return counts.get(tuple(tokens[len(tokens) - n + 1:])) if len(tokens) >= n - 1 else None


def ngram_log_probs(counts, tokens, *, n, vocab_size, alpha=0.0):
    followers = _look_up(counts, tokens, n)
    if not followers:
        return torch.full((vocab_size,), -math.log(vocab_size), dtype=torch.float64)
    total = sum(followers.values()) + alpha * vocab_size
    p = [(followers.get(token, 0) + alpha) / total for token in range(vocab_size)]
    return torch.tensor([_log(value) for value in p], dtype=torch.float64)


def interpolated_log_probs(counts_by_order, tokens, *, vocab_size, weight):
    def mixed(n, token):
        if n == 0:
            return 1 / vocab_size
        followers = _look_up(counts_by_order[n - 1], tokens, n)
        if not followers:
            return mixed(n - 1, token)
        return weight * followers.get(token, 0) / sum(followers.values()) + (1 - weight) * mixed(n - 1, token)

    top = len(counts_by_order)
    return torch.tensor([_log(mixed(top, token)) for token in range(vocab_size)], dtype=torch.float64)


def conditional_entropy(counts):
    pairs = Counter({(x, y): count for x, row in counts.items() for y, count in row.items()})
    contexts = Counter()
    for (x, _), count in pairs.items():
        contexts[x] += count

    def joint(counter):
        total = sum(counter.values())
        return -sum(count / total * math.log(count / total) for count in counter.values())

    return joint(pairs) - joint(contexts)  # the chain rule: H(Y | X) = H(X, Y) - H(X)
