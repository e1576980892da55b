"""Sorts the names of the parameters, so that W10 and W11 come before W2."""

TASK = "forward"
HINT = """Networks with up to nine layers are right, and one with eleven is not. In what order do you visit
the parameters, and where does "W10" stand when names are put in alphabetical order?"""


def mlp_forward(x, params, *, activation):
    check_shapes(x, params)
    cache, previous = {"A0": x.T}, x.T
    names = sorted(name[1:] for name in params if name.startswith("W"))
    for k, i in enumerate(names):
        cache[f"Z{i}"] = params[f"W{i}"] @ previous + params[f"B{i}"]
        if k < len(names) - 1:
            cache[f"A{i}"] = previous = activation(cache[f"Z{i}"])
    return cache[f"Z{names[-1]}"], cache
