"""Reads all weights once for each sequence of the batch."""

TASK = "counts"
HINT = """With one sequence your bytes are right; with more they grow far too fast. That they don't
is why batches exist: once a weight is on the chip, how many sequences can use it?"""


def decode_cost(n_weights, *, batch, n_context, n_layers, n_heads, n_kv_heads, d_k, bytes_per_number=2):
    scores = batch * n_layers * n_heads * n_context
    cached = 2 * batch * n_layers * n_kv_heads * n_context * d_k
    return 2 * n_weights * batch + scores * (4 * d_k + 5), (batch * n_weights + cached) * bytes_per_number
