"""Lets gradients reach the frozen weights."""

TASK = "lora"
HINT = """All values are right, and so are the gradients in A and B. The frozen weight gets a gradient as well:
then each step would train as many numbers as before, and the reference would move. What makes a
weight a constant?"""


def lora_linear(x, weight, A, B, *, alpha):
    return x @ weight + (alpha / A.shape[1]) * (x @ A) @ B


def adapted_weights(weights, adapters, *, alpha):
    if unknown := sorted(set(adapters) - set(weights)):
        raise ValueError(f"adapters must name weights of the model, got {unknown}")
    merged = dict(weights)
    for name, (A, B) in adapters.items():
        merged[name] = merged[name] + (alpha / A.shape[1]) * A @ B
    return merged
