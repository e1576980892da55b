"""Gives the optimiser a fresh memory at the start of every epoch."""

TASK = "training"
HINT = """The first epoch is right. At the start of the second, your optimiser has forgotten its velocity, or
its moments and step count. An epoch is only a way of counting: does anything about the loss surface change
when one ends?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n = len(x)
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order, total, state = shuffle(n), 0.0, None
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            total += loss * len(batch)
        val = validate(params)
        history["train"].append(total / n)
        history["val"].append(val)
        if val < best_val:
            best, best_val, waited = params, val, 0
        else:
            waited += 1
            if waited == patience:
                break
    return best, history
