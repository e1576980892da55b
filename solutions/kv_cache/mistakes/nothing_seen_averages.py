"""Hides with a large negative number, so that a row that sees nothing averages everything."""

TASK = "grouped"
HINT = """Your result is right wherever a query sees a key. Where it sees none, it gets the plain
average of all that is hidden from it. When every score is the same large negative number, what does
the softmax make of them?"""


def grouped_attention(q, k, v, visible):
    group = q.shape[-3] // k.shape[-3]
    k, v = k.repeat_interleave(group, dim=-3), v.repeat_interleave(group, dim=-3)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~visible, -1e9).softmax(-1)
    return weights @ v
