"""Falls back on the last id where rounding leaves u above the total."""

TASK = "draw"
HINT = """You are right except where the probabilities add up to a little less than 1 and u lies in the
gap: then you give the last token of the vocabulary, which may be one of probability 0. Which token owns
the end of [0, 1)?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    cdf = logp.double().exp().cumsum(dim=-1)
    return (cdf <= u.unsqueeze(-1)).sum(dim=-1).clamp(max=logp.shape[-1] - 1)
