"""Returns the velocity it was given, so that every step starts again."""

TASK = "optimizers"
HINT = """Your first step with momentum is right and the later ones are those of plain gradient descent. What
do you hand back for the next step to start from: the velocity you received, or the one you have just
computed?"""


def momentum_step(params, grads, state=None, *, lr, beta=0.9, weight_decay=0.0):
    old = state if state is not None else _zeros(params)
    velocity = {name: beta * old[name] + grads[name] for name in params}
    return _move(params, velocity, lr, weight_decay), old
