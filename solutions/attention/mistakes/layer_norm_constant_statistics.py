"""Detaches mean and variance, so the gradient treats them as constants."""

TASK = "layer_norm"
HINT = """Every value is right, and so are the gradients of gain and bias; the gradient of x is not.
If one feature grows, its token's mean and variance change too, and with them all its other
features. Does your gradient know that?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True).detach()
    variance = (x - mean).square().mean(dim=-1, keepdim=True).detach()
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias
