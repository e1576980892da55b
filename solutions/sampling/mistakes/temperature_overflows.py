"""Exponentiates logits / T without taking the maximum off."""

TASK = "temperature"
HINT = """Your answer is right for moderate logits and NaN or infinite where logits / T runs to some
thousands, or where all of them are far below zero. Which numbers does exp see there, and which of them
can float64 hold?"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        return torch.full_like(logits, NEVER).scatter(-1, greedy(logits).unsqueeze(-1), 0.0)
    weights = torch.exp(logits / temperature)
    return torch.log(weights / weights.sum(dim=-1, keepdim=True))
