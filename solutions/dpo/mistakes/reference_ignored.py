"""Compares log pi alone."""

TASK = "dpo"
HINT = """The loss should be log 2 where the policy is the reference, and yours is some other number. A
response may be likely just because it is short. Likelier than what does the policy have to make it?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    return -F.logsigmoid(beta * (policy_chosen - policy_rejected)).mean()
