"""Leaves the log-probabilities of the kept tokens as they were."""

TASK = "top_k"
HINT = """You keep the right tokens, and their probabilities add up to less than 1. The mass of the tokens
you removed has to go somewhere: how is it shared out so that the odds among the kept ones do not
change?"""


def keep_top_k(logits, k):
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking[..., :k], True)
    return torch.log_softmax(logits, dim=-1).masked_fill(~kept, NEVER)
