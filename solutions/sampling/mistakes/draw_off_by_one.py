"""Returns the token before the one that holds u."""

TASK = "draw"
HINT = """Your tokens are one id too low, where there is a lower one. Count the F_i that do not exceed u
in a row of your own: for u inside the stretch of token 0, what should the count be?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    cdf = logp.double().exp().cumsum(dim=-1)
    return ((cdf / cdf[..., -1:] <= u.unsqueeze(-1)).sum(dim=-1) - 1).clamp(min=0)
