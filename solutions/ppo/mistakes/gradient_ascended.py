"""Steps along the gradient."""

TASK = "update"
HINT = """Your steps have the right length and the wrong direction. What you are handed is the gradient of a
loss: which way does the loss fall?"""


def ppo_update(
    params, batch, minibatches, *, lr, max_grad_norm=math.inf, gradients_of=loss_gradients, **options
):
    for rows in minibatches:
        part = {name: value[rows] for name, value in batch.items()}
        gradients = gradients_of(params, part, **options)
        norm = torch.sqrt(sum(gradient.square().sum() for gradient in gradients.values()))
        scale = max_grad_norm / norm if norm > max_grad_norm else 1.0
        params = {name: value + lr * scale * gradients[name] for name, value in params.items()}
    return params
