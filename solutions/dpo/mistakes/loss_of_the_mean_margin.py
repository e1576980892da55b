"""Takes the mean before the sigmoid."""

TASK = "dpo"
HINT = """With one pair you are right. With several, pairs that are already in order make up for those that are
not, and all of them get the same gradient. Is the loss of the mean margin the mean loss?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return -F.logsigmoid(margin.mean())
