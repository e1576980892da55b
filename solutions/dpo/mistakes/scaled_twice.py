"""Scales A's output and then the sum again."""

# More than a third of its task: both layers are wrong.
TASK = "lora"
HINT = """You are right when alpha is the rank. Otherwise your correction is off by the same factor once more.
How often is alpha / rank to be found on the way from x to the output?"""


def lora_linear(x, weight, A, B, *, alpha):
    scale = alpha / A.shape[1]
    return x @ weight.detach() + scale * (scale * (x @ A)) @ B


def adapted_weights(weights, adapters, *, alpha):
    if unknown := sorted(set(adapters) - set(weights)):
        raise ValueError(f"adapters must name weights of the model, got {unknown}")
    merged = {name: weight.detach() for name, weight in weights.items()}
    for name, (A, B) in adapters.items():
        scale = alpha / A.shape[1]
        merged[name] = merged[name] + scale * (scale * A) @ B
    return merged
