"""Takes the log of the variances without halving it."""

TASK = "gaussians"
HINT = """With equal scales your divergence is right; with different ones the logarithmic part
is twice as large as it should be. Is it a logarithm of scales or of variances that belongs to
the formula you use, and with which factor?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio, distance = std_q / std_p, (mean_q - mean_p) / std_p
    return (-2 * ratio.log() + 0.5 * (ratio**2 + distance**2 - 1)).sum(-1)
