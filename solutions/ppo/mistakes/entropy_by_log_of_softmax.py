"""Takes log of a softmax that has become 0."""

TASK = "value_entropy"
HINT = """Your entropy is NaN when one token is all but certain. What is 0 times log 0 in floating point,
and on paper?"""


def mean_entropy(logits, mask):
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.softmax(-1).log()
    return -(logp.exp() * logp).sum(-1)[mask].mean()
