"""Adds the entropy to the loss."""

TASK = "update"
HINT = """You are right when entropy_coef is 0. The entropy is to keep the policy curious: should the loss
fall or rise with it?"""


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
    entropy = entropy_of(logits[:, :-1], mask)
    return policy + value_coef * value + entropy_coef * entropy
