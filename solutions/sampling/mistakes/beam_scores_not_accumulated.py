"""Ranks extensions by the last token's log-probability alone."""

TASK = "beam"
HINT = """With one new token you are right; from the second step on, hypotheses are ranked by their latest
token as if nothing had come before. What is the log-probability of a text, given those of its tokens?"""


def _extend(next_logits, live):
    rows = [torch.log_softmax(next_logits(list(tokens)).double(), dim=-1) for tokens, total in live]
    totals = torch.stack(rows)
    ranking = torch.argsort(totals.flatten(), descending=True, stable=True).tolist()
    vocab_size = totals.shape[1]
    extensions = []
    for flat in ranking:
        parent, token = divmod(flat, vocab_size)
        if totals[parent, token] > NEVER:
            extensions.append((live[parent][0] + [token], float(totals[parent, token])))
    return extensions
