"""Reads keys and values once for each query head."""

TASK = "counts"
HINT = """With as many key heads as query heads your bytes are right; with fewer, they are too
many. How many different keys are there?"""


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    scores = batch * n_heads * T_q * T_k
    numbers = 2 * batch * n_heads * T_q * d_k + 2 * batch * n_heads * T_k * d_k
    if not fused:
        numbers += 4 * scores
    return scores * (4 * d_k + 5), numbers * bytes_per_number
