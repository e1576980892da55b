"""No 1 / M."""

TASK = "dpo"
HINT = """With one pair you are right, with M pairs M times too large. The loss is a mean. How much does one
pair's margin move a mean?"""


def dpo_gradient(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    push = beta * torch.sigmoid(-margin)
    return -push, push
