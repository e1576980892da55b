"""Leaves gain and bias out, as the notes do."""

TASK = "layer_norm"
HINT = """Every token of yours has mean 0 and variance 1, whatever gain and bias are. (The notes
stop there.) How could the model undo the normalisation of a feature that it needs at another
size?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    mean = x.mean(dim=-1, keepdim=True)
    variance = (x - mean).square().mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps)
