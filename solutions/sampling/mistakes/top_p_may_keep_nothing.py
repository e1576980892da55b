"""Stops before the token that crosses p, even if it is the first."""

TASK = "top_p"
HINT = """Where the best token alone has more than p your result is NaN, and elsewhere the nucleus holds
less than p. A shortest list that reaches p has at least one token: which test on the running sum would
keep it?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, mass <= p)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
