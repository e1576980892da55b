"""Applies min-p before top-p."""

TASK = "pipeline"
HINT = """Each filter alone is right, and top-p with min-p keeps too few tokens at times. Once min-p has
taken the tail away fewer tokens reach p: which of the two does the handout put first?"""


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logp = apply_temperature(repetition_penalty(logits, tokens, penalty), temperature)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    return logp
