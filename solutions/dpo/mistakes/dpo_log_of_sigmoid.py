"""log(sigmoid(m)), which underflows."""

TASK = "dpo"
HINT = """For small margins you are right; where the policy is badly wrong your loss or its gradient is not a
finite number. Those are the pairs to learn most from. What is sigma(-800) in floating point?"""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return -torch.sigmoid(margin).log().mean()
