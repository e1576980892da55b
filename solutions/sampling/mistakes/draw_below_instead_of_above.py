"""Takes the first i with F_i >= u, so u = 0 gives token 0 even if it is impossible."""

TASK = "draw"
HINT = """You are right unless u falls exactly on the end of a stretch. At u = 0 the first token is drawn
even where its probability is 0. Where two stretches meet, which of the two tokens owns the point between
them, and what does an empty stretch own?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    cdf = logp.double().exp().cumsum(dim=-1)
    cdf = cdf / cdf[..., -1:]
    return (cdf < u.unsqueeze(-1)).sum(dim=-1)
