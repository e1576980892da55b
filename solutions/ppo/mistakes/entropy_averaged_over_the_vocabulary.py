"""Averages over tokens instead of summing."""

TASK = "value_entropy"
HINT = """Your entropy is too small by a factor that depends on the vocabulary only. The probabilities are
weights already: what do they add up to?"""


def mean_entropy(logits, mask):
    _check_mask(mask, logits=logits[..., 0])
    logp = logits.log_softmax(-1)
    return -(logp.exp() * logp).mean(-1)[mask].mean()
