"""Averages the batches' losses as if all batches were equally large."""

TASK = "training"
HINT = """The parameters are right, and so is the training loss when all batches are equally large. With a
short last batch it is not: how much does one of its examples weigh in your average, beside an example of a
full batch?"""


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order, losses = shuffle(n), []
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            losses.append(loss)
        val = validate(params)
        history["train"].append(float(np.mean(losses)))
        history["val"].append(val)
        if val < best_val:
            best, best_val, waited = params, val, 0
        else:
            waited += 1
            if waited == patience:
                break
    return best, history
