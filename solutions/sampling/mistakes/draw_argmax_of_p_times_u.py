"""Multiplies the probabilities by u and takes the largest."""

TASK = "draw"
HINT = """Whatever u is, you draw the most probable token. Multiplying all numbers of a row by the same u
does not change which is the largest: how can one number between 0 and 1 choose a token with probability
p_i?"""


def draw(logp, u):
    u = torch.as_tensor(u, dtype=torch.float64)
    return (logp.double().exp() * u.unsqueeze(-1)).argmax(dim=-1)
