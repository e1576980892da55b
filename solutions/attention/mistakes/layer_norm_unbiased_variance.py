"""Divides the squared deviations by d - 1 (torch's default) instead of d."""

TASK = "layer_norm"
HINT = """Before gain and bias, every feature of yours is too small by the same factor, and the
factor comes nearer to 1 the wider the token is. How many squared deviations are there, what do you
divide their sum by, and what does your library divide by when it isn't told?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    return (x - x.mean(dim=-1, keepdim=True)) / torch.sqrt(x.var(dim=-1, keepdim=True) + eps) * gain + bias
