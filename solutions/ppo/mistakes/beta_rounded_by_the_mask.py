"""Multiplies beta by the boolean mask first, which makes it a float32."""

TASK = "rewards"
HINT = """Right to seven digits, and not to nine: somewhere a number of yours has become a float32. What dtype has
a Python number times a boolean mask? See Conventions."""


def shaped_rewards(logp, ref_logp, mask, scores, *, beta):
    _check_mask(mask, logp=logp, ref_logp=ref_logp)
    if not mask.any(-1).all():
        raise ValueError("mask must be True at least once in every row")
    if scores.shape != mask.shape[:1]:
        raise ValueError(f"scores must have shape {tuple(mask.shape[:1])}, got {tuple(scores.shape)}")
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    places = torch.arange(mask.shape[1], device=mask.device)
    last = places == torch.where(mask, places, -1).amax(-1, keepdim=True)
    price = -beta * mask * (logp - ref_logp)
    return price + torch.where(last, scores[:, None], 0.0)
