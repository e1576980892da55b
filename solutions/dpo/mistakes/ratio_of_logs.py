"""Divides log pi by log pi_ref."""

# More than a third of its task: the reward and the loss are both wrong.
TASK = "dpo"
HINT = """Where policy and reference agree, the reward should be 0 and is not. What is due is the logarithm
of a ratio of probabilities. What becomes of a ratio when one takes its logarithm?"""


def implicit_reward(policy_logps, reference_logps, *, beta):
    _check_beta(beta)
    return beta * policy_logps / reference_logps.detach()


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    chosen = beta * policy_chosen / reference_chosen.detach()
    rejected = beta * policy_rejected / reference_rejected.detach()
    return -F.logsigmoid(chosen - rejected).mean()
