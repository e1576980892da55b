"""Averages over coordinates."""

TASK = "gaussians"
HINT = """Your divergence is too small by a factor that is the number of coordinates. If q and p
differ alike in ten independent coordinates, how much more do they differ than in one?"""


def kl_gaussians(mean_q, std_q, mean_p, std_p):
    mean_q, std_q, mean_p, std_p = _tensors(mean_q=mean_q, std_q=std_q, mean_p=mean_p, std_p=std_p)
    ratio, distance = std_q / std_p, (mean_q - mean_p) / std_p
    return (-ratio.log() + 0.5 * (ratio**2 + distance**2 - 1)).mean(-1)
