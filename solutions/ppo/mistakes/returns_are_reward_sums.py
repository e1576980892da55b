"""Returns the discounted rewards to come, at any lambda."""

TASK = "advantages"
HINT = """Your advantages are right, and your returns too at lambda = 1. With a smaller lambda the
advantages trust the critic for what is far ahead: what do returns that fit them do?"""


def gae(rewards, values, dones, last_value, *, gamma, lam):
    _check_mask(dones, name="dones", at_least_one=False, rewards=rewards, values=values)
    if last_value.shape != rewards.shape[:-1]:
        shapes = f"{tuple(rewards.shape[:-1])}, got {tuple(last_value.shape)}"
        raise ValueError(f"last_value must have shape {shapes}")
    for name, value in (("gamma", gamma), ("lam", lam)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], got {value}")
    advantages = torch.zeros_like(rewards)
    next_value, next_advantage = last_value, torch.zeros_like(last_value)
    for t in reversed(range(rewards.shape[-1])):
        # in the rewards' dtype: a number times a boolean tensor is float32
        going_on = (~dones[..., t]).to(rewards.dtype)
        delta = rewards[..., t] + gamma * going_on * next_value - values[..., t]
        next_advantage = delta + gamma * lam * going_on * next_advantage
        advantages[..., t] = next_advantage
        next_value = values[..., t]
    returns, later = torch.zeros_like(rewards), last_value
    for t in reversed(range(rewards.shape[-1])):
        later = rewards[..., t] + gamma * ~dones[..., t] * later
        returns[..., t] = later
    return advantages, returns
