"""Moves along the gradient, uphill."""

TASK = "backward"
HINT = """The loss you report is right and every parameter moves by the right amount, but the loss would rise.
In which direction does a gradient point, and where do you want to go?"""


def gradient_step(params, x, y, *, lr, loss, activation, derivative):
    logits, cache = mlp_forward(x, params, activation=activation)
    value, d_logits = loss(logits, y)
    grads = mlp_backward(params, cache, d_logits, derivative=derivative)
    return {name: p + lr * grads[name] for name, p in params.items()}, value
