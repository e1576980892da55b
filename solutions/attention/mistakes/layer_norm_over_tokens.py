"""Takes mean and variance over the tokens (or the batch) instead of the features."""

TASK = "layer_norm"
HINT = """Shapes are right, but in your output it is each feature that has mean 0 over the tokens,
so a token's result depends on its neighbours. The notes say "within each sample": here the sample
is one token. Which dimension holds what belongs to one token?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    dim = -2 if x.dim() > 1 else -1
    mean = x.mean(dim=dim, keepdim=True)
    variance = (x - mean).square().mean(dim=dim, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias
