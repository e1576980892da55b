"""Stops before the token that crosses p."""

TASK = "top_p"
HINT = """Where the best token alone exceeds p you are right. Elsewhere your nucleus holds less than p and
one token fewer than due. The list should be the shortest that reaches p: does yours reach it?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    inside = mass <= p
    inside[..., 0] = True
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, inside)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
