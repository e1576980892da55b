"""0 / 0 for a group of rewards that is never drawn."""

TASK = "best_of_n"
HINT = """You are right wherever something can be drawn. For rewards that only impossible answers have, you
return NaN. How is nothing shared among them?"""


def best_of_n(reference_p, reward, n):
    theirs, mine = reward[..., None, :], reward[..., :, None]
    other = reference_p[..., None, :]
    at_most = torch.where(theirs <= mine, other, 0.0).sum(-1)
    below = torch.where(theirs < mine, other, 0.0).sum(-1)
    tied = torch.where(theirs == mine, other, 0.0).sum(-1)
    return reference_p / tied * (at_most**n - below**n)
