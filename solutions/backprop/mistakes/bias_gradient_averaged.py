"""Averages delta over the batch for the bias, where the weights get the sum."""

TASK = "backward"
HINT = """The weights' gradients are right; the biases' are too small by the batch size. Multiplying by A^T
adds up over the examples: does a bias, which is a weight on a constant input of 1, deserve another
treatment?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta = {}, d_logits
    for i in range(n_layers(params), 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T
        grads[f"B{i}"] = delta.mean(axis=1, keepdims=True)
        if i > 1:
            delta = (params[f"W{i}"].T @ delta) * derivative(cache[f"Z{i - 1}"])
    return grads
