"""Never sets the count of waiting epochs back after an improvement."""

TASK = "training"
HINT = """You stop at the right epoch when the loss falls and then rises for good. When bad epochs come
between good ones you stop too early. Patience 3 means three epochs in a row: what happens to your count when
a new lowest loss appears?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order, total = shuffle(n), 0.0
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            total += loss * len(batch)
        val = validate(params)
        history["train"].append(total / n)
        history["val"].append(val)
        if val < best_val:
            best, best_val = params, val
        else:
            waited += 1
            if waited == patience:
                break
    return best, history
