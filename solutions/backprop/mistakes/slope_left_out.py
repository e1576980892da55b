"""Passes the error back through the weights only."""

TASK = "backward"
HINT = """The last layer is right; the layers before it are what a network without activations would get.
Going back from Z_i to Z_{i-1} there are two steps: through the weights to A_{i-1}, and then? What if that
neuron was saturated?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta = {}, d_logits
    for i in range(n_layers(params), 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True)
        delta = params[f"W{i}"].T @ delta
    return grads
