"""Reads the cached keys and not the values."""

TASK = "counts"
HINT = """Your operations are right, and your bytes lack half of the cache. Besides keys, what does
a query read?"""


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    scores = batch * n_layers * n_heads * n_context
    cached = batch * n_layers * n_kv_heads * n_context * d_k
    return 2 * n_weights * batch + scores * (4 * d_k + 5), (n_weights + cached) * bytes_per_number
