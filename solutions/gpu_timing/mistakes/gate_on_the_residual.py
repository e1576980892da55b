"""Multiplies the gate with the residual."""

TASK = "fuse"
HINT = """Your result has the right shape, and x and residual have changed places in it. Which
argument of the call that you use is added, and which two are multiplied?"""


def gated_residual(x, gate, residual):
    return torch.addcmul(x, gate, residual)
