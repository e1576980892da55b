"""Reorders the examples but takes the labels in their old order."""

TASK = "training"
HINT = """The batches hold the right examples, with other examples' labels beside them. After shuffling, row 0
of a batch is some row j of x. Which row of y belongs to it?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order, total = shuffle(n), 0.0
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[start : start + batch_size])
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
