"""Takes differences of logits for differences of log-probabilities."""

TASK = "kl"
HINT = """Your divergence changes when a constant is added to one of the two sets of logits, which changes
neither policy. What is missing between a logit and a log-probability?"""


def kl_divergence(logits, ref_logits):
    _same_shape(logits=logits, ref_logits=ref_logits)
    logp, ref_logp = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (logp.exp() * (logits - ref_logits)).sum(-1)
