"""beta log Z where log Z is asked for."""

TASK = "optimum"
HINT = """At beta = 1 you are right; otherwise your number is beta times too large. beta log Z is a value,
in units of reward; log Z is what makes probabilities add up to 1. Which is asked for here?"""


def log_partition(reference_logp, reward, *, beta):
    return beta * torch.logsumexp(reference_logp + reward / beta, dim=-1)
