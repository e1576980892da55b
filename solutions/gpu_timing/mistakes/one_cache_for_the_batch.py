"""Reads one sequence's keys and values for the whole batch."""

TASK = "counts"
HINT = """Your operations are right; your bytes are too few as soon as there are several sequences.
Weights are shared by a batch. What of a sequence is its own?"""


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    scores = batch * n_layers * n_heads * n_context
    cached = 2 * n_layers * n_kv_heads * n_context * d_k
    return 2 * n_weights * batch + scores * (4 * d_k + 5), (n_weights + cached) * bytes_per_number
