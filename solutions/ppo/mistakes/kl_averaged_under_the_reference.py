"""Weighs the log-ratio with the reference's probabilities."""

TASK = "kl"
HINT = """Your divergence comes out negative. The log-ratio is the right one; which policy's probabilities
make its mean never less than 0?"""


def kl_divergence(logits, ref_logits):
    _same_shape(logits=logits, ref_logits=ref_logits)
    logp, ref_logp = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (ref_logp.exp() * (logp - ref_logp)).sum(-1)
