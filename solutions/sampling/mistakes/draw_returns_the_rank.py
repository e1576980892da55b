"""Draws from the sorted probabilities and returns the rank instead of the id."""

TASK = "draw"
HINT = """Low ids come up far too often, as if the vocabulary were sorted by probability. After sorting,
place 0 is the most probable token: is the number that you return a place in that order, or an id?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    cdf = logp.double().sort(dim=-1, descending=True).values.exp().cumsum(dim=-1)
    return (cdf / cdf[..., -1:] <= u.unsqueeze(-1)).sum(dim=-1)
