"""Counts d_model numbers for each key head."""

TASK = "memory"
HINT = """Your result is several times too large, by more the more heads there are. How wide is the
key of one head: as wide as the whole model?"""


def cache_bytes(config, n_tokens, *, batch=1, bytes_per_number=2, window=None):
    kept = n_tokens if window is None else min(n_tokens, window)
    return 2 * config.n_layers * config.n_kv_heads * config.d_model * kept * batch * bytes_per_number
