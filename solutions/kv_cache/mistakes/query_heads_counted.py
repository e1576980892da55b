"""Counts a key and a value for each query head."""

TASK = "memory"
HINT = """Your result is right without grouping and too large with it. Which heads leave something
in the cache?"""


def cache_bytes(config, n_tokens, *, batch=1, bytes_per_number=2, window=None):
    kept = n_tokens if window is None else min(n_tokens, window)
    return 2 * config.n_layers * config.n_heads * config.d_k * kept * batch * bytes_per_number
