"""Takes the entropy one position late."""

TASK = "update"
HINT = """Policy and critic are right in your loss; the entropy is that of distributions from which nothing
was drawn. At which positions were the response's tokens chosen?"""


def ppo_loss(
    logits,
    values,
    batch,
    *,
    clip=0.2,
    value_clip=0.2,
    value_coef=0.5,
    entropy_coef=0.0,
    logps_of=token_logps,
    policy_loss_of=clipped_policy_loss,
    value_loss_of=clipped_value_loss,
    entropy_of=mean_entropy,
):
    logp, mask = logps_of(logits, batch["tokens"]), batch["mask"]
    policy = policy_loss_of(logp, batch["old_logp"], batch["advantages"], mask, clip=clip)
    value = value_loss_of(values[:, :-1], batch["old_values"], batch["returns"], mask, clip=value_clip)
    entropy = entropy_of(logits[:, 1:], mask)
    return policy + value_coef * value - entropy_coef * entropy
