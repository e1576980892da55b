"""Evaluates the activation's slope at A in place of Z."""

TASK = "backward"
HINT = """The last layer is right, and the layers before it would be right for ReLU only. The slope is asked
for at values that have already been through the activation. On which axis of the activation's graph do you
read off a slope?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta = {}, d_logits
    for i in range(n_layers(params), 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True)
        if i > 1:
            delta = (params[f"W{i}"].T @ delta) * derivative(cache[f"A{i - 1}"])
    return grads
