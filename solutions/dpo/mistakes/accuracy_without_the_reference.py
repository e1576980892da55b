"""Counts pairs in which the policy finds the chosen response likelier."""

TASK = "dpo"
HINT = """Rewards and margin are right. The accuracy counts pairs that the reference orders so already, and
misses those whose order the policy has corrected only in part. Which of your numbers should be
above 0?"""

_right_metrics = preference_metrics


def preference_metrics(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    metrics = _right_metrics(
        policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta
    )
    return {**metrics, "accuracy": (policy_chosen > policy_rejected).double().mean().item()}
