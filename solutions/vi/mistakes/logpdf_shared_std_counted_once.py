"""Sums the parts before broadcasting: a shared scale enters once."""

TASK = "gaussians"
HINT = """Your log density is right when each coordinate comes with a scale of its own, and
wrong when one number stands for all. How often does the normaliser of one coordinate occur in a
product over P coordinates?"""


def gaussian_logpdf(x, mean, std):
    x, mean, std = _tensors(x=x, mean=mean, std=std)
    z = (x - mean) / std
    log_std = std.log().sum(-1) if std.ndim else std.log()
    return -0.5 * math.log(2 * math.pi) * z.shape[-1] - log_std - 0.5 * (z**2).sum(-1)
