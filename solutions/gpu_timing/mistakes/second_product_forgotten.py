"""Counts Q K^T and the softmax, not the product with V."""

TASK = "counts"
HINT = """Your bytes are right, and your operations lack about half. What happens to the values
once the weights are known?"""


def attention_cost(batch, n_heads, n_kv_heads, T_q, T_k, d_k, *, fused=True, bytes_per_number=2):
    scores = batch * n_heads * T_q * T_k
    numbers = 2 * batch * n_heads * T_q * d_k + 2 * batch * n_kv_heads * T_k * d_k
    if not fused:
        numbers += 4 * scores
    return scores * (2 * d_k + 5), numbers * bytes_per_number
