"""Sorts ascending, so it keeps the k least probable tokens."""

TASK = "top_k"
HINT = """You keep k tokens, and at k = V all is right, but for smaller k it is the improbable ones that
stay. Which end of your ranking holds the largest logits?"""


def keep_top_k(logits, k):
    ranking = torch.argsort(logits, dim=-1, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking[..., :k], True)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
