"""Overwrites Z with its activation, so the values before the activation are lost."""

TASK = "forward"
HINT = """Your logits are right, but what the cache holds as Z_1, Z_2, ... has already been through the
activation. In the backward pass, at which values will the activation's slope be needed, and can they still be
found?"""


def mlp_forward(x, params, *, activation):
    check_shapes(x, params)
    last = n_layers(params)
    cache = {"A0": x.T}
    for i in range(1, last + 1):
        cache[f"Z{i}"] = params[f"W{i}"] @ cache[f"A{i - 1}"] + params[f"B{i}"]
        if i < last:
            cache[f"Z{i}"] = cache[f"A{i}"] = activation(cache[f"Z{i}"])
    return cache[f"Z{last}"], cache
