"""Scales the incoming gradient by 1 - beta, as Adam does."""

TASK = "optimizers"
HINT = """Your velocity has the right direction and is too short by a constant factor, from the first step on.
Two conventions are in use, one where the velocity is an average of gradients and one where it is a decaying
sum. Which one is in the handout's formula?"""


def momentum_step(params, grads, state=None, *, lr, beta=0.9, weight_decay=0.0):
    old = state if state is not None else _zeros(params)
    velocity = {name: beta * old[name] + (1 - beta) * grads[name] for name in params}
    return _move(params, velocity, lr, weight_decay), velocity
