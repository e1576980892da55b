"""Lays the stretches out by falling probability."""

TASK = "draw"
HINT = """Each token comes up as often as it should, and yet you draw other tokens than those due for the
same u. Frequencies do not fix the order of the stretches on [0, 1), the handout does: which order is
it?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    ordered, ranking = logp.double().sort(dim=-1, descending=True, stable=True)
    cdf = ordered.exp().cumsum(dim=-1)
    rank = (cdf / cdf[..., -1:] <= u.unsqueeze(-1)).sum(dim=-1, keepdim=True)
    return ranking.gather(-1, rank).squeeze(-1)
