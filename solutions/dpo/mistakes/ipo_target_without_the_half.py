"""A target of 1 / beta."""

TASK = "variants"
HINT = """Your loss is a squared distance, but from a place twice too far away. A pair whose h is the handout's
target should cost nothing, and costs you something. Where exactly is that target?"""


def ipo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta):
    h = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, 1.0)
    return (h - 1 / beta).square().mean()
