"""Applies the mask of the sorted order to the unsorted logits."""

TASK = "top_p"
HINT = """You keep the right number of tokens in each row, and they are those with the lowest ids instead
of the best ones. Your mask says which ranks to keep: which step carries it from ranks to ids?"""


def keep_top_p(logits, p):
    if p == 1:
        return torch.log_softmax(logits, dim=-1)
    ranking = torch.argsort(logits, dim=-1, descending=True, stable=True)
    mass = torch.softmax(logits, dim=-1).gather(-1, ranking).cumsum(dim=-1)
    before = torch.cat([torch.zeros_like(mass[..., :1]), mass[..., :-1]], dim=-1)
    kept = before < p
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
