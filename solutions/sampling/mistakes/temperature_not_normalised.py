"""Returns logits / T without normalising."""

TASK = "temperature"
HINT = """The differences between your numbers are right, and the probabilities they stand for do not add
up to 1. The result is promised as log-probabilities: what turns logits into those?"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        return torch.full_like(logits, NEVER).scatter(-1, greedy(logits).unsqueeze(-1), 0.0)
    return logits / temperature
