"""Averages minus the log-ratio (k1)."""

TASK = "policy_loss"
HINT = """Your estimate has the right mean and comes out negative on some batches. Which of the three
estimators never does, and has the right mean as well?"""


def approximate_kl(logp, old_logp, mask):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    log_ratio = (logp - old_logp)[mask]
    return (-log_ratio).mean()
