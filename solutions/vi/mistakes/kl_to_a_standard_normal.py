"""Ignores mean and scale of p."""

TASK = "gaussians"
HINT = """Your divergence is right when p is a standard normal distribution, and does not notice
when it is another. What should a wider prior do to the cost of a weight that is far from zero?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    return (-std_q.log() + 0.5 * (std_q**2 + mean_q**2 - 1)).sum(-1) + 0 * (mean_p + std_p).sum(-1)
