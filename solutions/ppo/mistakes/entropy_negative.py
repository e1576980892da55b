"""Returns the sum of p log p."""

TASK = "value_entropy"
HINT = """Your number is right but for its sign. A fair coin is the most undecided of all: should its
entropy be the largest or the smallest?"""


def mean_entropy(logits, mask):
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.log_softmax(-1)
    return (logp.exp() * logp).sum(-1)[mask].mean()
