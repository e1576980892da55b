"""Counts the traffic of the scores whether it is fused or not."""

TASK = "counts"
HINT = """Unfused, your bytes are right; fused, they are the same. What is it that a fused kernel
never writes down?"""


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    scores = batch * n_heads * T_q * T_k
    numbers = 2 * batch * n_heads * T_q * d_k + 2 * batch * n_kv_heads * T_k * d_k
    numbers += 4 * scores
    return scores * (4 * d_k + 5), numbers * bytes_per_number
