"""Adds up the pairs' losses."""

TASK = "dpo"
HINT = """With one pair you are right; with several your loss is as many times too large. What does the
docstring do with the pairs' losses?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return -F.logsigmoid(margin).sum()
