"""sigma(m) for sigma(-m)."""

TASK = "dpo"
HINT = """At a margin of 0 you are right. Elsewhere the pairs that are in order get the most weight. Which
pairs still have something to teach?"""


def dpo_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    push = beta * torch.sigmoid(margin) / len(margin)
    return -push, push
