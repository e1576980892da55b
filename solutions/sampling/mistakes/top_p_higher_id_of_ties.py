"""Of equally probable tokens at the crossing keeps the higher ids."""

TASK = "top_p"
HINT = """Your nucleus has the right size, and where tokens of the same probability stand at the crossing
you keep the wrong ones. In which order does your ranking put equals, and which order does the handout ask
for?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, stable=True).flip(-1)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(mass[..., :1]), mass[..., :-1]], dim=-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking, before < p)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
