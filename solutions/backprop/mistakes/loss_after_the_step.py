"""Reports the loss of the new parameters, at the price of a second forward pass."""

TASK = "backward"
HINT = """The parameters are right; the loss beside them belongs to another point than the docstring says.
Which loss did the gradients come from, and how many forward passes does your step make?"""


def gradient_step(params, x, y, *, lr, loss, activation, derivative):
    logits, cache = mlp_forward(x, params, activation=activation)
    _, d_logits = loss(logits, y)
    grads = mlp_backward(params, cache, d_logits, derivative=derivative)
    new = {name: p - lr * grads[name] for name, p in params.items()}
    return new, loss(mlp_forward(x, new, activation=activation)[0], y)[0]
