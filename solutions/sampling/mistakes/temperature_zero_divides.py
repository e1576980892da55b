"""Divides by T = 0."""

TASK = "temperature"
HINT = """Every temperature above 0 is right, and T = 0 gives NaN. Dividing by 0 is not the limit of
dividing by smaller and smaller T: to which distribution do the results for T = 0.1, 0.01, 0.001 come
closer?"""


def apply_temperature(logits, temperature):
    return torch.log_softmax(logits / temperature, dim=-1)
