"""Filters at T = 1 and applies the temperature to what is left."""

TASK = "pipeline"
HINT = """Temperature alone and filters alone are right; together with top-p or min-p they are not. How
much mass a token has depends on the temperature: at which temperature should the nucleus be measured?"""


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logp = torch.log_softmax(repetition_penalty(logits, tokens, penalty), dim=-1)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    return apply_temperature(logp, temperature)
