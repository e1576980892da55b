"""Adds up probabilities instead of their logarithms."""

TASK = "beam"
HINT = """Your scores are positive and grow with every token, so that longer texts look better.
Probabilities of successive tokens are multiplied: which operation does that become after taking logs?"""


def _extend(next_logits, live):
    rows = [total + torch.softmax(next_logits(list(tokens)).double(), dim=-1) for tokens, total in live]
    totals = torch.stack(rows)
    ranking = torch.argsort(totals.flatten(), descending=True, stable=True).tolist()
    vocab_size = totals.shape[1]
    extensions = []
    for flat in ranking:
        parent, token = divmod(flat, vocab_size)
        if totals[parent, token] > 0:
            extensions.append((live[parent][0] + [token], float(totals[parent, token])))
    return extensions
