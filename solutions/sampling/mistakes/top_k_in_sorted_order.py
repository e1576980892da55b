"""Returns the kept log-probabilities in sorted order."""

TASK = "top_k"
HINT = """The values you return are the right ones, in falling order instead of at their tokens. After
sorting, position 0 is the best token, whatever its id: what does the sort give you that leads back to the
ids?"""


def keep_top_k(logits, k):
    ordered = logits.sort(dim=-1, descending=True, stable=True).values.clone()
    ordered[..., k:] = NEVER
    return torch.log_softmax(ordered, dim=-1)
