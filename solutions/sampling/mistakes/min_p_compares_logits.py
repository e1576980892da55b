"""Compares each logit with min_p times the largest logit."""

TASK = "top_p"
HINT = """What you keep changes when a constant is added to all logits, and the distribution does not
change. min_p is a ratio of probabilities: what does a ratio of probabilities become on the scale of
logits?"""


def keep_min_p(logits, min_p):
    kept = logits >= min_p * logits.amax(dim=-1, keepdim=True)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
