"""A margin of 0 counts as success."""

TASK = "dpo"
HINT = """A policy that has learned nothing is at a margin of 0 for every pair, and yours gets full marks
for it. What does the docstring say of ties?"""

_right_metrics = preference_metrics


def preference_metrics(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    metrics = _right_metrics(
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta
    )
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return {**metrics, "accuracy": (margin >= 0).double().mean().item()}
