"""Starts each step from the old parameters, so that the last one wins."""

TASK = "update"
HINT = """What comes out is one step long, whatever the number of minibatches. From where should the second
step set out?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    start = params
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(params, part, **options)
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))
        scale = max_grad_norm / norm if norm > max_grad_norm else 1.0
        params = {name: value - lr * scale * gradients[name] for name, value in start.items()}
    return params
