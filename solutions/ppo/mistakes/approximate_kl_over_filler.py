"""Averages over masked actions too."""

TASK = "policy_loss"
HINT = """Your estimate counts prompt and filler. How far can a policy have moved on tokens that it never
chose?"""


def approximate_kl(logp, old_logp, mask):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    log_ratio = (logp - old_logp)
    return (log_ratio.expm1() - log_ratio).mean()
