"""Bounds the norm of each tensor's gradient alone."""

TASK = "update"
HINT = """You are right where no gradient is bounded. Where one is, you change the direction of the step as
well: how many norms does the whole step have?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(params, part, **options)
        gradients = {
            name: gradient * min(1.0, max_grad_norm / float(gradient.norm().clamp(min=1e-300)))
            for name, gradient in gradients.items()
        }
        params = {name: value - lr * gradients[name] for name, value in params.items()}
    return params
