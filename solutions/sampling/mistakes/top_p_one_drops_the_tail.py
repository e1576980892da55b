"""At p = 1 drops tokens that come after the running sum has rounded to 1."""

TASK = "top_p"
HINT = """Your nucleus is right for p below 1. At p = 1 very improbable tokens are lost, though p = 1
should change nothing. What is 1 - 1e-30 in floating point, and what does your comparison make of it?"""


def keep_top_p(logits, p):
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(mass[..., :1]), mass[..., :-1]], dim=-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, before < p)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
