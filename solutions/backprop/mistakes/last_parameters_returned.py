"""Returns the parameters of the last epoch."""

TASK = "training"
HINT = """Training stops at the right moment. You return the parameters from when it stopped, which is right
as long as the validation loss fell to the end. When patience has run out, how many epochs ago was the lowest
loss?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best_val, waited = math.inf, 0
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
            best_val, waited = val, 0
        else:
            waited += 1
            if waited == patience:
                break
    return params, history
