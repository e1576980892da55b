"""Lets gradients reach the reference's log-probabilities."""

TASK = "dpo"
HINT = """All values are right, but part of the gradient goes into the reference: the cheapest way to a
margin would be to make the reference worse. Which of the four log-probabilities are data here?"""


def implicit_reward(policy_logps, reference_logps, *, beta):
    _check_beta(beta)
    return beta * (policy_logps - reference_logps)


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    chosen = beta * (policy_chosen - reference_chosen)
    rejected = beta * (policy_rejected - reference_rejected)
    return -F.logsigmoid(chosen - rejected).mean()
