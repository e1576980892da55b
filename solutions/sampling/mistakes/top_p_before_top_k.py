"""Applies top-p before top-k."""

TASK = "pipeline"
HINT = """Each filter alone is right, and top-k with top-p is sometimes too generous. After top-k the kept
tokens share all the mass, so fewer of them reach p: is that the distribution that your nucleus is
measured in?"""


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logp = apply_temperature(repetition_penalty(logits, tokens, penalty), temperature)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    return logp
