"""Takes all gradients at the parameters of the start."""

TASK = "update"
HINT = """Your first step is right; later gradients are still taken where you began. Where are the
parameters by then?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    start = params
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(start, part, **options)
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))
        scale = max_grad_norm / norm if norm > max_grad_norm else 1.0
        params = {name: value - lr * scale * gradients[name] for name, value in params.items()}
    return params
