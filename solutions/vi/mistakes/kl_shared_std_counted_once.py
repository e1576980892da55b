"""Sums the logarithms before broadcasting: a shared scale enters once."""

TASK = "gaussians"
HINT = """Your divergence is right when p has a scale for each coordinate and wrong when one
number stands for all of them. How many coordinates does a prior of one number have?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    log_p = std_p.log().sum(-1) if std_p.ndim else std_p.log()
    quadratic = 0.5 * (((std_q / std_p) ** 2 + ((mean_q - mean_p) / std_p) ** 2) - 1).sum(-1)
    return log_p - std_q.log().sum(-1) + quadratic
