"""Adds each block's sums to the old ones, although they are relative to different largest scores."""

TASK = "blockwise"
HINT = """The first block is right, and so are later blocks as long as the largest score stays the
same; once a larger one arrives, the earlier blocks count for too much. The old sums hold exp(s - m)
with the old m. What must they be multiplied by to be what they would have been with the new one?"""


def online_softmax_step(state, scores, values):
    largest, total, weighted = state
    new_largest = torch.maximum(largest, scores.amax(dim=-1))
    shift = new_largest.masked_fill(new_largest == -math.inf, 0.0)
    weights = torch.exp(scores - shift[..., None])
    return new_largest, total + weights.sum(dim=-1), weighted + weights @ values
