"""Averages over all positions."""

TASK = "value_entropy"
HINT = """Your entropy is right only where everything is unmasked. Should the policy be asked to be
undecided about filler?"""


def mean_entropy(logits, mask):
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.log_softmax(-1)
    return -(logp.exp() * logp).sum(-1).mean()
