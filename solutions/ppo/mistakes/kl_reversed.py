"""Computes KL(pi_ref || pi)."""

TASK = "kl"
HINT = """You have a divergence, in the other direction. Under which of the two policies are the responses
drawn that RLHF averages over, and whose mean is it then?"""


def kl_divergence(logits, ref_logits):
    _same_shape(logits=logits, ref_logits=ref_logits)
    logp, ref_logp = logits.log_softmax(-1), ref_logits.log_softmax(-1)
    return (ref_logp.exp() * (ref_logp - logp)).sum(-1)
