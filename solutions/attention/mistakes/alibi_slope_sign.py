"""Rewards distance instead of penalising it."""

TASK = "relative"
HINT = """A query's own position gets 0, as it should, and the sizes are right; but in your bias,
keys further back score higher. After the softmax, which keys would a head with a steep slope look
at: near ones or far ones? Which is meant to be harder?"""


def alibi_bias(n_heads, T_q, T_k, *, dtype=torch.float32):
    slopes = 2.0 ** (-8.0 * torch.arange(1, n_heads + 1, dtype=dtype) / n_heads)
    queries = torch.arange(T_q) + (T_k - T_q)
    distance = queries[:, None] - torch.arange(T_k)
    return slopes[:, None, None] * distance.to(dtype)
