"""Splits a group of equal rewards into equal parts."""

TASK = "best_of_n"
HINT = """With distinct rewards you are right, and every group of equal ones gets the right total. Within a group
the answer drawn first is kept. Which one is that more often: the likely one or the rare one?"""


def best_of_n(reference_p, reward, n):
    theirs, mine = reward[..., None, :], reward[..., :, None]
    other = reference_p[..., None, :]
    at_most = torch.where(theirs <= mine, other, 0.0).sum(-1)
    below = torch.where(theirs < mine, other, 0.0).sum(-1)
    tied = ((theirs == mine) & (other > 0)).sum(-1).clamp(min=1)
    return torch.where(reference_p > 0, (at_most**n - below**n) / tied, 0.0)
