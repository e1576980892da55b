"""Gives the label as given the weight eps."""

TASK = "variants"
HINT = """Your loss is least where the margin is negative: it believes that most labels are wrong. eps is
below one half. Which of the two orders should get the larger share?"""

_right_smoothed = smoothed_dpo_loss


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    return _right_smoothed(
        policy_rejected, policy_chosen, reference_rejected, reference_chosen,
        beta=beta, label_smoothing=label_smoothing,
    )  # fmt: skip
