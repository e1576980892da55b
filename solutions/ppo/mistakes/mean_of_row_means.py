"""Averages within each row first, then over the rows."""

TASK = "logps"
HINT = """Your mean is right when all rows have as many entries unmasked. In a batch of one response of 2
tokens and one of 200, how much should each token weigh?"""


def masked_mean(x, mask):
    _check_mask(mask, x=x)
    count = mask.sum(-1)
    means = torch.where(mask, x, 0.0).sum(-1) / count.clamp(min=1)
    return means[count > 0].mean()
