"""Trains B only."""

TASK = "train"
HINT = """The first step from new adapters is right: there the gradient in A is zero anyway. From the second step
on, something stands still that should move. Which factors are trained?"""

_right_train = train_dpo


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    history, fixed = [], {name: A for name, (A, _) in adapters.items()}
    for _ in range(n_steps):
        adapters, step = _right_train(
            config, weights, adapters, chosen, rejected, alpha=alpha, beta=beta, lr=lr, n_steps=1
        )
        adapters = {name: (fixed[name], B) for name, (_, B) in adapters.items()}
        history += step
    return adapters, history
