"""Fills the cache and attends to the new keys and values."""

TASK = "layer"
HINT = """The cache fills up as it should, and the first call is right; in later calls the new
tokens see each other and nothing before them. Which keys does the attention have to be given?"""


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    attend = causal_attention if attend is None else attend
    start = len(cache)
    positions = torch.arange(start, start + x.shape[-2], device=x.device)
    q = rotate(_split_heads(x @ weights["W_Q"], config.d_k), positions)
    k = rotate(_split_heads(x @ weights["W_K"], config.d_k), positions)
    v = _split_heads(x @ weights["W_V"], config.d_k)
    keys, values = cache.append(k, v)
    heads = attend(q, k, v, padding=padding, window=window)
    return heads.transpose(-2, -3).flatten(-2) @ weights["W_O"]
