"""Counts the weights' multiply-adds once for the whole batch."""

TASK = "counts"
HINT = """Your bytes are right; your operations are too few as soon as there are several sequences.
A weight is read once for all of them. How often is it multiplied?"""


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    scores = batch * n_layers * n_heads * n_context
    cached = 2 * batch * n_layers * n_kv_heads * n_context * d_k
    return 2 * n_weights + scores * (4 * d_k + 5), (n_weights + cached) * bytes_per_number
