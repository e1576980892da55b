"""Applies the penalty to log-probabilities, which are never positive."""

TASK = "pipeline"
HINT = """Without a penalty all is right. With one, your result is that of multiplying every seen token's
number by it, none is ever divided. Which sign do log-probabilities have, and on which scale does the
penalty act?"""


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logp = repetition_penalty(apply_temperature(logits, temperature), tokens, penalty)
    logp = torch.log_softmax(logp, dim=-1)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    return logp
