"""log(softmax(x)), which is -inf for tokens that are very unlikely."""

TASK = "logps"
HINT = """With logits of ordinary size you are right; when they are far apart you return -inf, although the
log-probability is a finite number. At which step is it lost?"""


def response_logps(logits, tokens, mask):
    targets = tokens[..., 1:].masked_fill(~mask[..., 1:], 0)
    logp = logits[..., :-1, :].softmax(-1).log()
    picked = logp.gather(-1, targets[..., None])[..., 0]
    return picked.masked_fill(~mask[..., 1:], 0.0).sum(-1)
