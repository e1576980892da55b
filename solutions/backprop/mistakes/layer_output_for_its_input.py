"""Multiplies a hidden layer's delta by that layer's own output A_i in place of its input A_{i-1}."""

TASK = "backward"
HINT = """The last layer's weights and all biases are right; a hidden layer's weight gradient is not, and has
the wrong shape unless the layer has as many neurons as the one before. In Z_i = W_i A_{i-1} + B_i, what is
W_i multiplied by?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta, last = {}, d_logits, n_layers(params)
    for i in range(last, 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i}" if i < last else f"A{i - 1}"].T
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True)
        if i > 1:
            delta = (params[f"W{i}"].T @ delta) * derivative(cache[f"Z{i - 1}"])
    return grads
