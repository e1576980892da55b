"""Multiplies the logits by T instead of dividing."""

TASK = "temperature"
HINT = """Your distribution is right at T = 1, sharper for T above 1 and flatter below. A small
temperature is meant to freeze the choice: what must happen to the gap between two logits as T goes to
0?"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        return torch.full_like(logits, NEVER).scatter(-1, greedy(logits).unsqueeze(-1), 0.0)
    return torch.log_softmax(logits * temperature, dim=-1)
