"""Takes exp before the sum."""

TASK = "optimum"
HINT = """You are right for small rewards and infinite for large ones, though log Z itself is a moderate
number. Which part of the exponent can be taken out of the sum before anything overflows?"""


def log_partition(reference_logp, reward, *, beta):
    return (reference_logp.exp() * (reward / beta).exp()).sum(-1).log()
