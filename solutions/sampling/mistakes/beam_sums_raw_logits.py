"""Adds up logits that were not normalised."""

TASK = "beam"
HINT = """Your scores change when the model adds a constant to its logits after some prefix, though the
distribution there is the same. What has to be done to logits before those of different prefixes can be
compared?"""


def _extend(next_logits, live):
    rows = [total + next_logits(list(tokens)).double() for tokens, total in live]
    totals = torch.stack(rows)
    ranking = torch.argsort(totals.flatten(), descending=True, stable=True).tolist()
    vocab_size = totals.shape[1]
    extensions = []
    for flat in ranking:
        parent, token = divmod(flat, vocab_size)
        if totals[parent, token] > NEVER:
            extensions.append((live[parent][0] + [token], float(totals[parent, token])))
    return extensions
