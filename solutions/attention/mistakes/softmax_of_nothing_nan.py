"""Does not guard a row of only -inf, which becomes NaN."""

TASK = "softmax"
HINT = """Rows with at least one finite entry are right, those with some -inf in them included; a
row of nothing but -inf comes out NaN. Follow such a row through your steps: what is its largest
entry, what is -inf minus that, and what is its sum? The docstring says what should come out when
there is nothing to be weighed."""


def softmax(x, *, dim=-1):
    weights = torch.exp(x - x.amax(dim=dim, keepdim=True))
    return weights / weights.sum(dim=dim, keepdim=True)
