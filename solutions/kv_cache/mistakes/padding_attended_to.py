"""Does not pass the padding on."""

TASK = "layer"
HINT = """Rows without padding are right. In the others the filler in front is attended to as if it
were text. How does the attention learn which slots are not real?"""


def cached_attention(config, weights, x, cache, *, padding=None, window=None, attend=None):
    attend = causal_attention if attend is None else attend
    start = len(cache)
    positions = torch.arange(start, start + x.shape[-2], device=x.device)
    q = rotate(_split_heads(x @ weights["W_Q"], config.d_k), positions)
    k = rotate(_split_heads(x @ weights["W_K"], config.d_k), positions)
    v = _split_heads(x @ weights["W_V"], config.d_k)
    keys, values = cache.append(k, v)
    heads = attend(q, keys, values, window=window)
    return heads.transpose(-2, -3).flatten(-2) @ weights["W_O"]
