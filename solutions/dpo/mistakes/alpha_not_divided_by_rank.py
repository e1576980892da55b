"""Scales by alpha alone."""

TASK = "lora"
HINT = """At rank 1 you are right; at higher ranks your correction is as many times too large. Which number
scales an adapter, besides alpha?"""


def lora_linear(x, weight, A, B, *, alpha):
    return x @ weight.detach() + alpha * (x @ A) @ B


def adapted_weights(weights, adapters, *, alpha):
    if unknown := sorted(set(adapters) - set(weights)):
        raise ValueError(f"adapters must name weights of the model, got {unknown}")
    merged = {name: weight.detach() for name, weight in weights.items()}
    for name, (A, B) in adapters.items():
        merged[name] = merged[name] + alpha * A @ B
    return merged
