"""Leaves the critic's expectation in the error."""

TASK = "advantages"
HINT = """Your errors are rewards and next values, with nothing to compare them to. If everything comes
exactly as the critic expected, what should an advantage be?"""


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
        delta = rewards[..., t] + gamma * going_on * next_value
        next_advantage = delta + gamma * lam * going_on * next_advantage
        advantages[..., t] = next_advantage
        next_value = values[..., t]
    return advantages, advantages + values
