"""F^n - (F - p)^n for every member of a group of equal rewards."""

TASK = "best_of_n"
HINT = """With distinct rewards you are right; with equal ones your probabilities add up to too much. When two
answers of the same reward are both drawn, to how many of them do you give the case?"""


def best_of_n(reference_p, reward, n):
    theirs, mine = reward[..., None, :], reward[..., :, None]
    at_most = torch.where(theirs <= mine, reference_p[..., None, :], 0.0).sum(-1)
    return at_most**n - (at_most - reference_p) ** n
