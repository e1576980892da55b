"""Of equally probable extensions takes the later ones."""

TASK = "beam"
HINT = """Where all scores differ you are right; among equals you take the last instead of the first. In
which order does your ranking leave two extensions with the same score?"""


def _extend(next_logits, live):
    rows = [total + torch.log_softmax(next_logits(list(tokens)).double(), dim=-1) for tokens, total in live]
    totals = torch.stack(rows)
    ranking = torch.argsort(totals.flatten(), stable=True).flip(0).tolist()
    vocab_size = totals.shape[1]
    extensions = []
    for flat in ranking:
        parent, token = divmod(flat, vocab_size)
        if totals[parent, token] > NEVER:
            extensions.append((live[parent][0] + [token], float(totals[parent, token])))
    return extensions
