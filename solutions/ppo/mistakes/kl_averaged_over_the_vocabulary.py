"""Divides the sum by the size of the vocabulary."""

TASK = "kl"
HINT = """Your divergence is too small by a factor that depends on the vocabulary only. The probabilities
are weights already: what do they add up to?"""


def kl_divergence(logits, ref_logits):
    _same_shape(logits=logits, ref_logits=ref_logits)
    logp, ref_logp = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (logp.exp() * (logp - ref_logp)).mean(-1)
