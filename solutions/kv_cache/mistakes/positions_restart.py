"""Counts positions from 0 in every call."""

TASK = "layer"
HINT = """Fed all at once, your layer is right; fed in pieces, every piece is rotated as if it were
the beginning of the text. Ten tokens are in the cache: what is the position of the next one?"""


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    attend = causal_attention if attend is None else attend
    start = len(cache)
    positions = torch.arange(0, 0 + x.shape[-2], device=x.device)
    q = rotate(_split_heads(x @ weights["W_Q"], config.d_k), positions)
    k = rotate(_split_heads(x @ weights["W_K"], config.d_k), positions)
    v = _split_heads(x @ weights["W_V"], config.d_k)
    keys, values = cache.append(k, v)
    heads = attend(q, keys, values, padding=padding, window=window)
    return heads.transpose(-2, -3).flatten(-2) @ weights["W_O"]
