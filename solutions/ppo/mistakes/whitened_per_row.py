"""Each row gets a mean and variance of its own."""

TASK = "advantages"
HINT = """You whiten every row by itself. If one response is better throughout than another, what is left of
that?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    centred = x - torch.where(mask, x, 0.0).sum(-1, keepdim=True) / count
    variance = torch.where(mask, centred, 0.0).square().sum(-1, keepdim=True) / count
    return torch.where(mask, centred / (variance + eps).sqrt(), 0.0)
