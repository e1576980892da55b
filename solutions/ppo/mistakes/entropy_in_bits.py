"""Uses the logarithm to base 2."""

TASK = "value_entropy"
HINT = """Your entropy is 1.44 times what is due. In which unit are all other logarithms of this file?"""


def mean_entropy(logits, mask):
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.log_softmax(-1)
    return -(logp.exp() * logp).sum(-1)[mask].mean() / math.log(2)
