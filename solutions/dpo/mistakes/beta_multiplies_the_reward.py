"""exp(beta r) for exp(r / beta)."""

# More than a third of its task: both functions of the optimum are wrong.
TASK = "optimum"
HINT = """At beta = 1 you are right. With a large beta the policy should hardly leave the reference, and
yours leaves it furthest. beta is the price of moving away. How should a reward count when the price
is high?"""


def log_partition(reference_logp, reward, *, beta):
    _check_beta(beta)
    return torch.logsumexp(reference_logp + reward * beta, dim=-1)


def optimal_policy(reference_logp, reward, *, beta):
    _check_beta(beta)
    return torch.log_softmax(reference_logp + reward * beta, dim=-1)
