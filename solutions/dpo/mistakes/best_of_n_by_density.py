"""n p F^(n - 1), which holds where no answer has a probability of its own."""

TASK = "best_of_n"
HINT = """With n = 1 you are right. Otherwise your probabilities add up to more than 1: you count a draw several
times when the same answer is drawn more than once. What is the probability that the best reward is
at most r, and that it is below r?"""


def best_of_n(reference_p, reward, n):
    theirs, mine = reward[..., None, :], reward[..., :, None]
    at_most = torch.where(theirs <= mine, reference_p[..., None, :], 0.0).sum(-1)
    return n * reference_p * at_most ** (n - 1)
