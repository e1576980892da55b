"""Forgets the half before the quadratic terms."""

TASK = "gaussians"
HINT = """Your divergence is zero between equals, and yet it can be negative. Compare two
Gaussians whose scales are equal and whose means are one scale apart: what does the mean of the
log ratio come to?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio, distance = std_q / std_p, (mean_q - mean_p) / std_p
    return (-ratio.log() + ratio**2 + distance**2 - 1).sum(-1)
