"""Sets B to zero at the start."""

TASK = "train"
HINT = """New adapters are trained rightly. Adapters that come with a B of their own should go on from there.
What do yours start with?"""

_right_train = train_dpo


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    fresh = {name: (A, torch.zeros_like(B)) for name, (A, B) in adapters.items()}
    return _right_train(
        config, weights, fresh, chosen, rejected, alpha=alpha, beta=beta, lr=lr, n_steps=n_steps
    )
