"""Query head i reads key head i % h_kv."""

TASK = "grouped"
HINT = """You are right with one key head, and with as many key heads as query heads. With 4 query
heads and 2 key heads, your query heads 0 and 2 share one. Who shares according to the docstring:
neighbours, or every second head?"""


def grouped_attention(q, k, v, visible):
    group = q.shape[-3] // k.shape[-3]
    k, v = torch.cat([k] * group, dim=-3), torch.cat([v] * group, dim=-3)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    weights = weights.masked_fill(~visible.any(-1, keepdim=True), 0.0)
    return weights @ v
