"""Leaves the advantages as they are."""

TASK = "update"
HINT = """Your advantages are not whitened. If all scores were ten times as large, how much longer would the
policy's steps be?"""


def collect(
    rollout,
    *,
    beta,
    gamma=1.0,
    lam=0.95,
    logps_of=token_logps,
    mask_of=response_mask,
    rewards_of=shaped_rewards,
    advantages_of=gae,
    whitened=whiten,
):
    tokens, lengths = rollout["tokens"], rollout["lengths"]
    mask = mask_of(rollout["prompt_lengths"], lengths, tokens.shape[1])
    logp = logps_of(rollout["logits"], tokens)
    ref_logp = logps_of(rollout["ref_logits"], tokens)
    values = rollout["values"][:, :-1]
    rewards = rewards_of(logp, ref_logp, mask, rollout["scores"], beta=beta)
    dones = torch.arange(mask.shape[1], device=mask.device) == (lengths - 2)[:, None]
    advantages, returns = advantages_of(
        rewards, values, dones, torch.zeros_like(values[:, 0]), gamma=gamma, lam=lam
    )
    return {
        "tokens": tokens,
        "scores": rollout["scores"],
        "mask": mask,
        "old_logp": logp,
        "ref_logp": ref_logp,
        "old_values": values,
        "advantages": advantages,
        "returns": returns,
    }
