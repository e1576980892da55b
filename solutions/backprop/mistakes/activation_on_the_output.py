"""Applies the hidden activation to the last layer as well."""

TASK = "forward"
HINT = """The hidden layers are right; the logits are what you would get by bending the last layer too. What
range can logits take, and which function turns them into probabilities in task 3: does it expect Z_L or
something already bent?"""


def mlp_forward(x, params, *, activation):
    check_shapes(x, params)
    last = n_layers(params)
    cache = {"A0": x.T}
    for i in range(1, last + 1):
        cache[f"Z{i}"] = params[f"W{i}"] @ cache[f"A{i - 1}"] + params[f"B{i}"]
        cache[f"A{i}"] = activation(cache[f"Z{i}"])
    return cache.pop(f"A{last}"), cache
