"""Clips every entry of the gradient."""

TASK = "update"
HINT = """You bound each entry, which turns the step to another direction. Which number of a gradient does
max_grad_norm bound?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(params, part, **options)
        gradients = {
            name: gradient.clamp(-max_grad_norm, max_grad_norm) for name, gradient in gradients.items()
        }
        params = {name: value - lr * gradients[name] for name, value in params.items()}
    return params
