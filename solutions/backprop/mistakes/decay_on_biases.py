"""Shrinks the biases as well."""

TASK = "optimizers"
HINT = """Without weight decay all is right; with it the weights are right and the biases are pulled to 0 too.
A large weight makes a network steep. What does a large bias do, and does the handout shrink it?"""


def _move(params, direction, lr, weight_decay):
    return {name: p - lr * (direction[name] + weight_decay * p) for name, p in params.items()}
