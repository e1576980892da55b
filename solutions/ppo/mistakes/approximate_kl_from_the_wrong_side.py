"""k3 as if the actions had been drawn from the new policy."""

TASK = "policy_loss"
HINT = """Your estimate is never negative, and belongs to actions drawn from the new policy. Which policy
drew these, and which ratio has the mean 1 under it?"""


def approximate_kl(logp, old_logp, mask):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    log_ratio = (old_logp - logp)[mask]
    return (log_ratio.expm1() - log_ratio).mean()
