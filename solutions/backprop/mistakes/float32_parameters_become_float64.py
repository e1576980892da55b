"""Does the arithmetic of a step in float64 and returns it so."""

TASK = "optimizers"
HINT = """The numbers are right, but parameters that came in as float32 go out as float64, twice as large,
after a single step. Where does a float64 enter your arithmetic, and what dtype does NumPy give to a sum of
both kinds?"""


def _move(params, direction, lr, weight_decay):
    lr = np.array([lr])
    decay = {name: weight_decay if name.startswith("W") else 0.0 for name in params}
    return {name: p - lr * (direction[name] + decay[name] * p) for name, p in params.items()}
