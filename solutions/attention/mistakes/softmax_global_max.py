"""Subtracts the largest entry of the whole tensor instead of each row's; far-off rows underflow."""

TASK = "softmax"
HINT = """Rows of similar size are weighed right; when one row lies far below another, the lower row
comes out as zeros. Every weight depends on the other entries of its own row alone. Which rows does
the number you subtract depend on, and what does exp make of the row that is thousands below it?"""


def softmax(x, *, dim=-1):
    weights = torch.exp(x - x.max())
    total = weights.sum(dim=dim, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)
