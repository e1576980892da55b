"""Writes down what comes after each update."""

TASK = "train"
HINT = """The adapters are right, and so are the numbers of the history, but each stands one step too early. Is
what is written down for a step the loss before it or after it?"""

_right_train = train_dpo


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    options = {"alpha": alpha, "beta": beta, "lr": lr}
    new, _ = _right_train(config, weights, adapters, chosen, rejected, **options, n_steps=n_steps)
    _, history = _right_train(config, weights, adapters, chosen, rejected, **options, n_steps=n_steps + 1)
    return new, history[1:]
