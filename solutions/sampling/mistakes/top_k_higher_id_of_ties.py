"""Of tied tokens keeps those with the higher ids."""

TASK = "top_k"
HINT = """You keep the right number of tokens, and the wrong ones among equals. Follow two equal logits
through your ranking: which of the two stands first, and does turning an ascending order around keep their
order?"""


def keep_top_k(logits, k):
    ranking = torch.argsort(logits, dim=-1, stable=True).flip(-1)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ranking[..., :k], True)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
