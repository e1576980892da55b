"""Normalises within each block and averages the blocks' outputs."""

TASK = "blockwise"
HINT = """One block alone is right as an output; with several, each has the same say, however well
its keys match. A block of ten strong matches and a block of ten weak ones: how much of the
attention should each get? What does the state have to remember of a block so that this can still be
decided later?"""


def online_softmax_step(state, scores, values):
    largest, total, weighted = state
    weights = softmax(scores, dim=-1)
    return torch.maximum(largest, scores.amax(dim=-1)), total + 1, weighted + weights @ values
