"""Draws one order before the first epoch and keeps it."""

TASK = "training"
HINT = """The first epoch is right. From the second on, the batches are the same as in the first. How often is
a new order drawn, and which examples never meet in a batch if it is drawn only once?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    order = shuffle(n)
    for _ in range(max_epochs):
        total = 0.0
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
