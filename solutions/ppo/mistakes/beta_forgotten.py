"""Charges one unit per nat, whatever beta."""

TASK = "rewards"
HINT = """Your rewards are right at beta = 1 and the same for every other beta. What should happen to the
rewards if leaving the reference costs nothing?"""


def shaped_rewards(logp, ref_logp, mask, scores, *, beta):
    _check_mask(mask, logp=logp, ref_logp=ref_logp)
    if not mask.any(-1).all():
        raise ValueError("mask must be True at least once in every row")
    if scores.shape != mask.shape[:1]:
        raise ValueError(f"scores must have shape {tuple(mask.shape[:1])}, got {tuple(scores.shape)}")
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    places = torch.arange(mask.shape[1], device=mask.device)
    last = places == torch.where(mask, places, -1).amax(-1, keepdim=True)  # (B, A)
    rewards = torch.where(mask, -(logp - ref_logp), 0.0)
    return rewards + torch.where(last, scores[:, None], 0.0)
