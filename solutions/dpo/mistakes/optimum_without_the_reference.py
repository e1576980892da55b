"""exp(r / beta) alone, as if the reference were uniform."""

# More than a third of its task: both functions of the optimum are wrong.
TASK = "optimum"
HINT = """Your policy is right when the reference likes all responses equally. Otherwise it gives
probability to what the reference never says. What does the optimum become when beta is very large?"""


def log_partition(reference_logp, reward, *, beta):
    _check_beta(beta)
    return torch.logsumexp(reward / beta, dim=-1)


def optimal_policy(reference_logp, reward, *, beta):
    _check_beta(beta)
    return torch.log_softmax(reward / beta, dim=-1)
