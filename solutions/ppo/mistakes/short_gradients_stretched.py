"""Scales every gradient to max_grad_norm."""

TASK = "update"
HINT = """You are right where a gradient is longer than max_grad_norm. What should happen to one that is
shorter?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(params, part, **options)
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))
        scale = max_grad_norm / norm if max_grad_norm < math.inf else 1.0
        params = {name: value - lr * scale * gradients[name] for name, value in params.items()}
    return params
