"""Replaces the NaN of an empty row by 0 in the result; the gradient is still NaN."""

TASK = "softmax"
HINT = """Every value you return is right, the zeros of an all -inf row included; the gradient of
such a row is NaN. Backpropagation visits each step that you took, also those whose result was
thrown away afterwards, and NaN times zero is NaN. Can you see to it that the NaN never arises,
instead of replacing it at the end?"""


def softmax(x, *, dim=-1):
    weights = torch.exp(x - x.amax(dim=dim, keepdim=True))
    return torch.nan_to_num(weights / weights.sum(dim=dim, keepdim=True))
