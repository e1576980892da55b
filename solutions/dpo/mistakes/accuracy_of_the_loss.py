"""Counts pairs whose loss is above 0, which every loss is."""

TASK = "dpo"
HINT = """Your accuracy is 1 whatever the policy does. It compares something with 0 that is never below it.
For which of margin and loss does 0 mean "undecided"?"""

_right_metrics = preference_metrics


def preference_metrics(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    metrics = _right_metrics(
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta
    )
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return {**metrics, "accuracy": (-F.logsigmoid(margin) > 0).double().mean().item()}
