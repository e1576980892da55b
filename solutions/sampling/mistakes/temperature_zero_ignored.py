"""Takes temperature 0 for no temperature."""

TASK = "pipeline"
HINT = """Every positive temperature is right, and T = 0 behaves like T = 1. In Python 0 counts as false:
is it also the value that says that a setting was not given?"""


def next_log_probs(logits, tokens=(), *, temperature=1.0, top_k=None, top_p=None, min_p=None, penalty=1.0):
    logp = torch.log_softmax(repetition_penalty(logits, tokens, penalty), dim=-1)
    if temperature:
        logp = apply_temperature(logp, temperature)
    if top_k is not None:
        logp = keep_top_k(logp, top_k)
    if top_p is not None:
        logp = keep_top_p(logp, top_p)
    if min_p is not None:
        logp = keep_min_p(logp, min_p)
    return logp
