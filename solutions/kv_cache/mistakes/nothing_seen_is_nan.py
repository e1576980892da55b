"""Takes the softmax of a row that is all hidden."""

TASK = "grouped"
HINT = """Your result is right wherever a query sees a key, and NaN where it sees none, as padding
does. What is a softmax over nothing, and what should the output there be?"""


def grouped_attention(q, k, v, visible):
    group = q.shape[-3] // k.shape[-3]
    k, v = k.repeat_interleave(group, dim=-3), v.repeat_interleave(group, dim=-3)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    return weights @ v
