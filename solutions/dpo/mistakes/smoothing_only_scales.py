"""(1 - eps) times the loss, without the flipped part."""

TASK = "variants"
HINT = """Without smoothing you are right. With it, your loss is DPO's, made smaller: its gradient still asks
for ever larger margins. If a share of the labels is flipped, what do the flipped ones say?"""


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    return -(1 - label_smoothing) * F.logsigmoid(margin).mean()
