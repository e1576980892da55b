"""The whole assignment in another idiom: one block of memory for keys and values, einsum, vectorized batches.

Query heads are folded into their group instead of copying key heads; the mask comes from comparing slots by
broadcasting; a batch's rows are cut at their end of sequence afterwards.
"""

import torch

from coursekit.toys import layer_norm, rotate


def generate_naive(model, prompt, *, max_len, eos=None):
    if not prompt:
        raise ValueError(f"prompt must hold at least one token, got {prompt}")
    if max_len < 0:
        raise ValueError(f"max_len must not be negative, got {max_len}")
    answer = []
    while len(answer) < max_len and (not answer or answer[-1] != eos):
        row = model(torch.tensor([*prompt, *answer], dtype=torch.int64))[-1]
        answer.append(row.max(dim=-1).indices.item())
    return [*prompt, *answer]


class GrowingCache:
    def __init__(self):
        self.reset()

    def __len__(self):
        return 0 if self.keys is None else self.keys.shape[-2]

    def append(self, k, v):
        old = [] if self.keys is None else [(self.keys, self.values)]
        pairs = [*old, (k, v)]
        self.keys, self.values = (torch.cat(parts, -2) for parts in zip(*pairs))
        return self.keys, self.values

    def truncate(self, length):
        self.keys, self.values = self.keys[..., :length, :], self.values[..., :length, :]

    def reset(self):
        self.keys = self.values = None


class LayerCache:
    def __init__(self, capacity, *, allocate=torch.empty):
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity, self._allocate = capacity, allocate
        self._memory = None  # (2, ..., h_kv, capacity, d_k)
        self._n = 0

    def __len__(self):
        return self._n

    def append(self, k, v):
        if k.shape != v.shape:
            raise ValueError(f"k and v must have the same shape, got {tuple(k.shape)} and {tuple(v.shape)}")
        new = k.shape[-2]
        if self._n + new > self._capacity:
            raise ValueError(f"k and v must fit into capacity {self._capacity}, got {new} after {self._n}")
        if self._memory is None:
            self._memory = self._allocate(
                (2, *k.shape[:-2], self._capacity, k.shape[-1]), dtype=k.dtype, device=k.device
            )
        self._memory.narrow(-2, self._n, new).copy_(torch.stack([k, v]))
        self._n += new
        keys, values = self._memory.narrow(-2, 0, self._n)
        return keys, values

    def reset(self):
        self.truncate(0)

    def truncate(self, length):
        if length < 0 or length > self._n:
            raise ValueError(f"length must lie in 0..{self._n}, the tokens held, got {length}")
        self._n = length

    def copy(self):
        twin = LayerCache(self._capacity, allocate=self._allocate)
        if self._memory is not None:
            memory = self._memory
            twin._memory = self._allocate(tuple(memory.shape), dtype=memory.dtype, device=memory.device)
            twin._memory.copy_(memory)
            twin._n = self._n
        return twin


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    if n_queries > n_keys:
        raise ValueError(f"n_queries must not exceed n_keys, got {n_queries} and {n_keys}")
    if window is not None and window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    device = padding.device if padding is not None else "cpu"
    # How far before the last slot a query sits, and how far before its query a key.
    back = torch.arange(n_queries - 1, -1, -1, device=device)[:, None]
    ago = torch.arange(n_keys - 1, -1, -1, device=device) - back
    seen = (ago >= 0) & (ago < (n_keys if window is None else window))
    if padding is None:
        return seen
    real = torch.arange(n_keys, device=device).expand(len(padding), n_keys) >= padding.unsqueeze(1)
    return torch.logical_and(seen, real.view(len(padding), 1, 1, n_keys))


def grouped_attention(q, k, v, visible):
    h, h_kv = q.shape[-3], k.shape[-3]
    if h % h_kv:
        raise ValueError(f"the heads of k must divide those of q, got {h_kv} and {h}")
    grouped = q.unflatten(-3, (h_kv, h // h_kv)) * q.shape[-1] ** -0.5  # (..., h_kv, g, T_q, d_k)
    scores = torch.einsum("...kgqd,...ktd->...kgqt", grouped, k)
    hidden = ~visible.expand(*q.shape[:-1], k.shape[-2]).unflatten(-3, (h_kv, h // h_kv))
    largest = scores.masked_fill(hidden, -torch.inf).amax(-1, keepdim=True)
    shifted = scores - largest.masked_fill(largest == -torch.inf, 0.0)
    weights = torch.exp(shifted.masked_fill(hidden, -torch.inf))
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(q.dtype).tiny)
    return torch.einsum("...kgqt,...ktd->...kgqd", weights, v).flatten(-4, -3)


def causal_attention(q, k, v, *, padding=None, window=None):
    visible = visible_keys(q.shape[-2], k.shape[-2], window=window, padding=padding)
    return grouped_attention(q, k, v, visible.to(q.device))


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    def project(name, n_heads):
        matrix = weights[name].view(-1, n_heads, config.d_k)
        return torch.einsum("...td,dhk->...htk", x, matrix)

    slots = len(cache) + torch.arange(x.shape[-2], device=x.device)
    q, k = rotate(project("W_Q", config.n_heads), slots), rotate(project("W_K", config.n_kv_heads), slots)
    keys, values = cache.append(k, project("W_V", config.n_kv_heads))
    out = (attend or causal_attention)(q, keys, values, padding=padding, window=window)
    return torch.einsum("...htk,hkd->...td", out, weights["W_O"].view(config.n_heads, config.d_k, -1))


def new_caches(config, *, capacity=None, make=LayerCache):
    caches = []
    while len(caches) < config.n_layers:
        caches.append(make(capacity or config.max_len))
    return caches


def cached_forward(config, weights, tokens, caches, *, padding=None, window=None, layer=None):
    if len(caches) != config.n_layers:
        raise ValueError(f"caches must hold one for each of {config.n_layers} layers, got {len(caches)}")

    def norm(x, of, name):
        return layer_norm(x, of[f"{name}.gain"], of[f"{name}.bias"])

    x = torch.nn.functional.embedding(tokens, weights["embedding"])
    for i in range(config.n_layers):
        w = block_weights(weights, i)
        attention = layer or cached_attention
        x = x + attention(config, w, norm(x, w, "norm_1"), caches[i], padding=padding, window=window)
        x = x + feed_forward(w, norm(x, w, "norm_2"))
    return torch.nn.functional.linear(norm(x, weights, "norm"), weights["embedding"])


def block_weights(weights, index):
    start = f"blocks.{index}."
    return {name[len(start) :]: weights[name] for name in weights if name.startswith(start)}


def feed_forward(weights, x):
    return torch.nn.functional.gelu(x @ weights["W_1"] + weights["b_1"]) @ weights["W_2"] + weights["b_2"]


def prefill(step, prompt, *, chunk_size):
    length = prompt.shape[-1]
    if length == 0:
        raise ValueError(f"prompt must hold at least one token, got shape {tuple(prompt.shape)}")
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    start = 0
    while start < length:
        logits = step(prompt[..., start : start + chunk_size])
        start += chunk_size
    return logits.select(-2, -1)


def accept_draft(step, caches, newest, draft):
    if len(draft) == 0:
        raise ValueError("draft must hold at least one token")
    said = step(torch.tensor([newest] + draft)).max(dim=-1).indices
    wrong = (said[:-1] != torch.tensor(draft, device=said.device)).nonzero().flatten().tolist()
    answer = said[: (wrong[0] if wrong else len(draft)) + 1].tolist()
    for cache in caches:
        cache.truncate(len(cache) - (len(draft) + 1) + len(answer))
    return answer


def generate_cached(step, prompt, *, max_len, eos=None):
    def model(tokens):
        fresh = tokens if len(tokens) == len(prompt) else tokens[-1:]
        return step(fresh)

    return generate_naive(model, prompt, max_len=max_len, eos=eos)


def left_pad(prompts, *, pad):
    if not prompts or not all(prompts):
        raise ValueError(f"every prompt must hold at least one token, got {prompts}")
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    tokens = torch.full((len(prompts), int(lengths.max())), pad)
    for row, prompt in zip(tokens, prompts):
        row[len(row) - len(prompt) :] = torch.tensor(prompt)
    return tokens, lengths.max() - lengths


def generate_batch(step, prompts, *, max_len, eos=None, pad=0):
    if max_len < 0:
        raise ValueError(f"max_len must not be negative, got {max_len}")
    fed, padding = left_pad(prompts, pad=pad)
    going = torch.ones(len(prompts), dtype=torch.bool)
    counts = torch.zeros(len(prompts), dtype=torch.int64)
    said = torch.empty(len(prompts), 0, dtype=torch.int64)
    while said.shape[1] < max_len and bool(going.any()):
        best = step(fed, padding)[:, -1, :].argmax(-1).cpu()
        said = torch.cat([said, best[:, None]], -1)
        counts += going
        if eos is not None:
            going &= best != eos
        fed = torch.where(going, best, pad)[:, None]
    return [[*prompt, *row[:count].tolist()] for prompt, row, count in zip(prompts, said, counts)]


class WindowCache:
    """Keeps the newest tokens in order by moving them forward, where the reference writes in a ring."""

    def __init__(self, window, *, allocate=torch.empty):
        if window < 1:
            raise ValueError(f"window must be at least 1, got {window}")
        self._window, self._allocate = window, allocate
        self._memory = None
        self._held = self._appended = 0

    def __len__(self):
        return self._appended

    def append(self, k, v):
        if k.shape != v.shape:
            raise ValueError(f"k and v must have the same shape, got {tuple(k.shape)} and {tuple(v.shape)}")
        new = torch.stack([k, v])
        if self._memory is None:
            shape = (*new.shape[:-2], self._window, k.shape[-1])
            self._memory = self._allocate(shape, dtype=k.dtype, device=k.device)
        both = torch.cat([self._memory[..., : self._held, :], new], dim=-2)
        self._appended += k.shape[-2]
        self._held = min(both.shape[-2], self._window)
        self._memory[..., : self._held, :] = both[..., both.shape[-2] - self._held :, :]
        return both[0], both[1]

    def reset(self):
        self._held = self._appended = 0


def cache_bytes(config, n_tokens, *, batch=1, bytes_per_number=2, window=None):
    per_token = 2 * config.n_kv_heads * config.d_k
    tokens = n_tokens if window is None or n_tokens < window else window
    return sum(per_token * tokens * bytes_per_number for _ in range(config.n_layers)) * batch


def tokens_fed(n_prompt, n_new, *, cached):
    return n_prompt + n_new - 1 if cached else n_new * n_prompt + n_new * (n_new - 1) // 2


def attention_scores(n_prompt, n_new, *, cached):
    def pairs(first, stop):
        return sum(position + 1 for position in range(first, stop))

    if cached:
        return pairs(0, n_prompt) + sum(pairs(t, t + 1) for t in range(n_prompt, n_prompt + n_new - 1))
    return sum(pairs(0, length) for length in range(n_prompt, n_prompt + n_new))
