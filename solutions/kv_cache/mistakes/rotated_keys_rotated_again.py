"""Rotates everything the cache returns, though it holds rotated keys."""

TASK = "layer"
HINT = """What you store is right, and what you attend to is not: a key's angle doubles on its way
out of the cache, and only the key at position 0 is spared. A key's position never changes: how
often does it have to be rotated?"""


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    attend = causal_attention if attend is None else attend
    positions = torch.arange(len(cache), len(cache) + x.shape[-2], device=x.device)
    q = rotate(_split_heads(x @ weights["W_Q"], config.d_k), positions)
    k = rotate(_split_heads(x @ weights["W_K"], config.d_k), positions)
    keys, values = cache.append(k, _split_heads(x @ weights["W_V"], config.d_k))
    keys = rotate(keys, torch.arange(keys.shape[-2], device=x.device))
    heads = attend(q, keys, values, padding=padding, window=window)
    return heads.transpose(-2, -3).flatten(-2) @ weights["W_O"]
