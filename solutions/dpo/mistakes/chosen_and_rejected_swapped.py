"""Prefers the rejected response."""

TASK = "dpo"
HINT = """At the reference the loss is log 2, as it should be. From there, it falls when the policy makes the
rejected response more likely. Which of the two rewards should win the comparison?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return -F.logsigmoid(-margin).mean()
