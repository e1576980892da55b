"""Sends the error back through W where W^T is due."""

TASK = "backward"
HINT = """The last layer is right. Before it, your code only runs when neighbouring layers are equally wide,
and even then the error arrives at the wrong neurons. Forward, W takes n_{i-1} numbers to n_i. What has to
take n_i back to n_{i-1}?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta = {}, d_logits
    for i in range(n_layers(params), 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True)
        if i > 1:
            delta = (params[f"W{i}"] @ delta) * derivative(cache[f"Z{i - 1}"])
    return grads
