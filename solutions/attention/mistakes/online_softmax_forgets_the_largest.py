"""Takes the largest score of the new block as the largest so far."""

TASK = "blockwise"
HINT = """You are right as long as each block's largest score exceeds all before; when an earlier
block had a larger one, your state forgets it. The sums stay in proportion, but what becomes of
exp(old - new) when the old score was larger by a thousand?"""


def online_softmax_step(state, scores, values):
    largest, total, weighted = state
    new_largest = scores.amax(dim=-1)
    shift = new_largest.masked_fill(new_largest == -math.inf, 0.0)
    rescale = torch.exp(largest - shift)
    weights = torch.exp(scores - shift[..., None])
    total = total * rescale + weights.sum(dim=-1)
    return new_largest, total, weighted * rescale[..., None] + weights @ values
