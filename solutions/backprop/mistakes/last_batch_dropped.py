"""Leaves out the examples that don't fill a batch."""

TASK = "training"
HINT = """All is right when the batch size divides the number of examples. Otherwise some examples of each
epoch are never used. With 11 examples in batches of 4, how many batches are there, and what is in the
last?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order, total, seen = shuffle(n), 0.0, 0
        for start in range(0, n - batch_size + 1, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            total += loss * len(batch)
            seen += len(batch)
        val = validate(params)
        history["train"].append(total / max(seen, 1))
        history["val"].append(val)
        if val < best_val:
            best, best_val, waited = params, val, 0
        else:
            waited += 1
            if waited == patience:
                break
    return best, history
