"""Rotates the queries by the length after the append."""

TASK = "layer"
HINT = """Your keys are right and your queries are turned too far, by as many positions as there are
new tokens. What does the length of the cache mean before the append, and what after it?"""


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    attend = causal_attention if attend is None else attend
    new = torch.arange(x.shape[-2], device=x.device)
    k = rotate(_split_heads(x @ weights["W_K"], config.d_k), len(cache) + new)
    v = _split_heads(x @ weights["W_V"], config.d_k)
    keys, values = cache.append(k, v)
    q = rotate(_split_heads(x @ weights["W_Q"], config.d_k), len(cache) + new)
    heads = attend(q, keys, values, padding=padding, window=window)
    return heads.transpose(-2, -3).flatten(-2) @ weights["W_O"]
