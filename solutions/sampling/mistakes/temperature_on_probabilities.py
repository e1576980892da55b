"""Divides the probabilities by T and takes the softmax of those."""

TASK = "temperature"
HINT = """Your distribution is nearly flat even where one logit is far ahead, and at T = 1 it is not the
softmax of the logits. What is it that T divides: numbers on the scale of the logits, or numbers between 0
and 1?"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        return torch.full_like(logits, NEVER).scatter(-1, greedy(logits).unsqueeze(-1), 0.0)
    possible = logits.masked_fill(logits > NEVER, 0.0)
    return torch.log_softmax(torch.softmax(logits, dim=-1) / temperature + possible, dim=-1)
