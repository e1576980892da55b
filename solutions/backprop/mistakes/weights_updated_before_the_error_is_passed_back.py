"""Updates a layer and then sends the error back through its NEW weights."""

TASK = "backward"
HINT = """The last layer moves rightly and the earlier ones slightly wrongly, more so for a larger learning
rate; with a single layer all is right. All gradients belong to one point. Which weights did the forward pass
use, and are they still there when you pass the error back through them?"""


def gradient_step(params, x, y, *, lr, loss, activation, derivative):
    logits, cache = mlp_forward(x, params, activation=activation)
    value, delta = loss(logits, y)
    new = dict(params)
    for i in range(n_layers(params), 0, -1):
        new[f"W{i}"] = new[f"W{i}"] - lr * delta @ cache[f"A{i - 1}"].T
        new[f"B{i}"] = new[f"B{i}"] - lr * delta.sum(axis=1, keepdims=True)
        if i > 1:
            delta = (new[f"W{i}"].T @ delta) * derivative(cache[f"Z{i - 1}"])
    return new, value
