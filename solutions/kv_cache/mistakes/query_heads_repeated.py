"""Repeats the query heads too, so that more heads come out than went in."""

TASK = "grouped"
HINT = """Without grouping you are right; with it, more heads come out than there are query heads,
each several times. Which of the two sides has too few heads to give every head a partner?"""


def grouped_attention(q, k, v, visible):
    group = q.shape[-3] // k.shape[-3]
    q = q.repeat_interleave(group, dim=-3)
    k, v = k.repeat_interleave(group * group, dim=-3), v.repeat_interleave(group * group, dim=-3)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    weights = weights.masked_fill(~visible.any(-1, keepdim=True), 0.0)
    return weights @ v
