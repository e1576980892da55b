"""Starts the slopes at 2^0 instead of 2^(-8 / n_heads)."""

TASK = "relative"
HINT = """Your bias is linear, and the slopes fall by the right ratio from head to head, but every
head has the slope due to the one before it. What is the exponent for h = 0, and what for the last
head?"""


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    slopes = 2.0 ** (-8.0 * torch.arange(n_heads, dtype=dtype) / n_heads)
    queries = torch.arange(T_q) + (T_k - T_q)
    distance = queries[:, None] - torch.arange(T_k)
    return -slopes[:, None, None] * distance.to(dtype)
