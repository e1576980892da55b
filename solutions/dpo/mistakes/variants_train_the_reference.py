"""Gradients reach the reference in the smoothed loss and in IPO."""

TASK = "variants"
HINT = """Your values are right, and so are the gradients in the policy's log-probabilities. But the reference
gets a gradient too. Is it a part of what is being trained?"""


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must be in [0, 0.5), got {label_smoothing}")
    margin = beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return losses.mean()


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    _check_pairs(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    h = (policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)
    return (h - 1 / (2 * beta)).square().mean()
