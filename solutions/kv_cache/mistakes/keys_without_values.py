"""Counts the keys and forgets the values."""

TASK = "memory"
HINT = """Your result is half of what is due, for every size. What does the cache hold for each
token besides its key?"""


def cache_bytes(config, n_tokens, *, batch=1, bytes_per_number=2, window=None):
    kept = n_tokens if window is None else min(n_tokens, window)
    return config.n_layers * config.n_kv_heads * config.d_k * kept * batch * bytes_per_number
