"""Forgets the -1/2 of every coordinate."""

TASK = "gaussians"
HINT = """Your divergence is too large by the same amount for each coordinate, whatever the
Gaussians. What should it be for two that are equal?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio, distance = std_q / std_p, (mean_q - mean_p) / std_p
    return (-ratio.log() + 0.5 * (ratio**2 + distance**2)).sum(-1)
