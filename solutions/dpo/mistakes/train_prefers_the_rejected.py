"""Exchanges the two batches."""

TASK = "train"
HINT = """The loss falls, and yet the policy gets worse: it learns to say what was rejected. Which of the batches
comes first in the loss?"""

_right_train = train_dpo


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    return _right_train(
        config, weights, adapters, rejected, chosen, alpha=alpha, beta=beta, lr=lr, n_steps=n_steps
    )
