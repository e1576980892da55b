"""Takes mean and variance over the first dimension, as batch norm does."""

TASK = "layer_norm"
HINT = """In your output each feature has mean 0 over the batch, and the result for one sequence
depends on the others it was batched with. What would happen to a single sequence, with nothing to
be compared to? Which dimension belongs to one token alone?"""


def layer_norm(x, gain, bias, *, eps=1e-5):
    mean = x.mean(dim=0, keepdim=True)
    variance = (x - mean).square().mean(dim=0, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * gain + bias
