"""Divides by the batch size in the backward pass, though the loss's gradient already did."""

TASK = "backward"
HINT = """Your gradients are right for a batch of one and too small by the batch size for others. The loss is
a mean, so a 1/b has to appear somewhere: what does the gradient you are handed, dC/dZ_L, already contain?"""


def mlp_backward(params, cache, d_logits, *, derivative):
    grads, delta, b = {}, d_logits, d_logits.shape[1]
    for i in range(n_layers(params), 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T / b
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True) / b
        if i > 1:
            delta = (params[f"W{i}"].T @ delta) * derivative(cache[f"Z{i - 1}"])
    return grads
