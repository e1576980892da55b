"""The mean of log p/q over the responses, each counted alike."""

TASK = "optimum"
HINT = """Every log-ratio is right. The notes write KL = log(pi / pi_ref) for one response; the divergence
is the mean of that. How often does each response occur in this mean?"""


def kl_divergence(logp, logq):
    ratios = (logp - logq).masked_fill(logp == -math.inf, 0.0)
    return ratios.mean(-1)
