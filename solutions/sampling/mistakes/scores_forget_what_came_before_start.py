"""Cuts the text at start, so scored tokens do not see what was only read."""

TASK = "perplexity"
HINT = """With start = 0 you are right. With a later start the model is asked with prefixes that begin at
it: the tokens before start are not scored, but are they not read either?"""


def token_log_probs(next_logits, tokens, *, start=1):
    scores = torch.empty(len(tokens) - start, dtype=torch.float64)
    for t in range(start, len(tokens)):
        logits = next_logits([int(token) for token in tokens[start:t]])
        scores[t - start] = torch.log_softmax(logits.double(), dim=-1)[int(tokens[t])]
    return scores
