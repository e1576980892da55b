"""Adds up from the least probable token."""

TASK = "top_p"
HINT = """With p = 1 your filter is right; for smaller p it is improbable tokens that stay and the best
one that goes. From which end of the distribution does your running sum start?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(mass[..., :1]), mass[..., :-1]], dim=-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, before < p)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
