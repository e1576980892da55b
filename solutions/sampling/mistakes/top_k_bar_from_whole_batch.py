"""Takes one threshold from the whole batch."""

TASK = "top_k"
HINT = """A single row is right. In a batch some rows keep more than k tokens and others fewer, even none.
From how many tokens was your threshold taken, and to which row does the k-th largest of them belong?"""


def keep_top_k(logits, k):
    flat = logits.flatten()
    rows = flat.numel() // logits.shape[-1]
    ranking = torch.argsort(flat, descending=True, stable=True)[: k * rows]
    kept = torch.zeros_like(flat, dtype=torch.bool).scatter(-1, ranking, True).reshape(logits.shape)
    return torch.log_softmax(logits.masked_fill(~kept, NEVER), dim=-1)
