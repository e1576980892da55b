"""Multiplies the score by beta too."""

TASK = "rewards"
HINT = """Your prices are right, and your scores shrink as beta does. At beta = 0, what should the policy
care about?"""


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
    rewards = torch.where(mask, -beta * (logp - ref_logp), 0.0)
    return rewards + torch.where(last, beta * scores[:, None], 0.0)
