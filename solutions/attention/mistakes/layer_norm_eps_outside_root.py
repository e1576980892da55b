"""Adds eps to the standard deviation instead of the variance."""

TASK = "layer_norm"
HINT = """For ordinary tokens you are right to several digits; for tokens whose features hardly vary
you are far off. For a variance of 0, what do you divide by: eps, or its root? Which of the two does
the formula have?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    variance = (x - mean).square().mean(dim=-1, keepdim=True)
    return (x - mean) / (torch.sqrt(variance) + eps) * gain + bias
