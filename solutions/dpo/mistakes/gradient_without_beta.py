"""The gradient in the margin, not in the log-probabilities."""

TASK = "dpo"
HINT = """The weights of the pairs relative to each other are right; all are off by the same factor, which
is 1 for beta = 1. You have the slope of the loss in the margin. How fast does the margin move when
log pi does?"""


def dpo_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    push = torch.sigmoid(-margin) / len(margin)
    return -push, push
