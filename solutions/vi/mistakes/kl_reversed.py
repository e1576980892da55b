"""Computes KL(p || q)."""

TASK = "gaussians"
HINT = """Your divergence is zero between equals and positive otherwise, and it is that of the
two Gaussians exchanged. Under which of the two is the mean of the log ratio taken, and which
one stands in the numerator?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio, distance = std_p / std_q, (mean_q - mean_p) / std_q
    return (-ratio.log() + 0.5 * (ratio**2 + distance**2 - 1)).sum(-1)
