"""Leaves the log-probabilities of the nucleus as they were."""

TASK = "top_p"
HINT = """You keep the right tokens, and together they have the mass they had before, about p, instead of
1. What has to happen to the rest of the mass?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(mass[..., :1]), mass[..., :-1]], dim=-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, before < p)
    return torch.log_softmax(logits, dim=-1).masked_fill(~kept, NEVER)
