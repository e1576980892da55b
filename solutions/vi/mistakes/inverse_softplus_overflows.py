"""Computes e^sigma for every sigma."""

TASK = "reparameterise"
HINT = """Small and moderate scales are right. For large ones the answer is infinite, although
rho is then nearly sigma. Which factor can be taken out of e^sigma - 1, so that its logarithm
needs no large number?"""


def inverse_softplus(sigma):
    _positive("sigma", sigma)
    return torch.log(torch.expm1(sigma))
