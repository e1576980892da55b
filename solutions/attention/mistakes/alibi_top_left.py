"""Measures distances as if the first query sat at the first key."""

TASK = "relative"
HINT = """With as many queries as keys you are right; with more keys than queries every distance is
short by the same number of places. Suppose 5 keys are cached and one new query arrives: where does
it sit, and how far from it is key 0?"""


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    slopes = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1, dtype=dtype) / n_heads)
    distance = torch.arange(T_q)[:, None] - torch.arange(T_k)
    return -slopes[:, None, None] * distance.to(dtype)
