"""Counts two crossings of the scores: the softmax's own are missing."""

TASK = "counts"
HINT = """Fused, your bytes are right; unfused, they are too few. The scores go through three
kernels one after another. Which of them read, and which write?"""


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    scores = batch * n_heads * T_q * T_k
    numbers = 2 * batch * n_heads * T_q * d_k + 2 * batch * n_kv_heads * T_k * d_k
    if not fused:
        numbers += 2 * scores
    return scores * (4 * d_k + 5), numbers * bytes_per_number
