"""-log((1 - eps) sigma(m) + eps sigma(-m)): the mixture inside the log."""

TASK = "variants"
HINT = """Without smoothing you are right. With it, your loss levels off for margins that are very wrong: you
take the logarithm of a mean. The docstring takes a mean of two losses. Which comes first, the mean or
the logarithm?"""


def smoothed_dpo_loss(
    policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta, label_smoothing
):
    margin = _margins(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    if not label_smoothing:
        return -F.logsigmoid(margin).mean()
    p = (1 - label_smoothing) * torch.sigmoid(margin) + label_smoothing * torch.sigmoid(-margin)
    return -p.log().mean()
