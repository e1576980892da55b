"""Always normalises along the last dimension, whatever `dim` says."""

TASK = "softmax"
HINT = """Along the last dimension you are right; along any other the sums that should be 1 are not.
For a matrix and dim=0, which entries compete with each other: those of a row or those of a
column?"""


def softmax(x, *, dim=-1):
    largest = x.amax(dim=-1, keepdim=True)
    largest = largest.masked_fill(largest == -math.inf, 0.0)
    weights = torch.exp(x - largest)
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)
