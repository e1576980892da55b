"""Uses margins, which hold beta already."""

TASK = "variants"
HINT = """The target is right, but what you compare with it is beta times too small, so that the policy would
have to go much too far. Is h a difference of rewards or of log-ratios?"""


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return (margin - 1 / (2 * beta)).square().mean()
