"""Takes standard deviations for variances."""

TASK = "gaussians"
HINT = """Your divergence is right if all scales are 1, and it is that of Gaussians whose
variances are the given numbers. In which units are the scales: those of the mean, or their
square?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio = std_q / std_p
    return (-0.5 * ratio.log() + 0.5 * (ratio + (mean_q - mean_p) ** 2 / std_p - 1)).sum(-1)
