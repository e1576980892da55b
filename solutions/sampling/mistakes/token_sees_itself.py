"""Asks the model with the scored token already in the prefix."""

TASK = "perplexity"
HINT = """The prefix that you give the model ends with the token that it should predict. What would a
model that only repeats its last token score then, and what does it know about the text?"""


def token_log_probs(next_logits, tokens, *, start=1):
    scores = torch.empty(len(tokens) - start, dtype=torch.float64)
    for t in range(start, len(tokens)):
        logits = next_logits([int(token) for token in tokens[: t + 1]])
        scores[t - start] = torch.log_softmax(logits.double(), dim=-1)[int(tokens[t])]
    return scores
