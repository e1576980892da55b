"""-beta log sigma(h)."""

TASK = "dpo"
HINT = """Where policy and reference agree, your loss is beta log 2 and should be log 2. beta turns log-ratios
into rewards, and rewards are what Bradley and Terry compare. Does it come before or after the
comparison?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    h = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, 1.0)
    return -beta * F.logsigmoid(h).mean()
