"""Exponentiates the logits as they are; overflows once they are large."""

TASK = "softmax"
HINT = """Small logits are weighed right; for logits in the thousands your weights are NaN. What is
exp(1000) in floating point, and what is it divided by itself? Adding the same number to every logit
of a row changes none of its weights: which number would keep every exponential at 1 or below?"""


def softmax(x, *, dim=-1):
    weights = torch.exp(x)
    total = weights.sum(dim=dim, keepdim=True)
    return weights / total.masked_fill(total == 0, 1.0)
