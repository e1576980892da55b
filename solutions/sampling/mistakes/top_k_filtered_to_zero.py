"""Sets the logits of the removed tokens to 0 instead of -inf."""

TASK = "top_k"
HINT = """The tokens that should be ruled out still have probability, sometimes more than those you keep.
A logit of 0 is a logit like any other: which number does exp turn into 0?"""


def keep_top_k(logits, k):
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking[..., :k], True)
    return torch.log_softmax(logits.masked_fill(~kept, 0.0), dim=-1)
