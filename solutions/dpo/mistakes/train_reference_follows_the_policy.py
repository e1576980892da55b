"""Computes the reference's log-probabilities under the adapted weights."""

TASK = "train"
HINT = """Your loss is log 2 in every step, and the margin stays 0, though the adapters move. The policy is
compared with itself. Which weights does the reference have, after the first step as before it?"""


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    return _descend(config, weights, adapters, chosen, rejected, alpha, beta, lr, n_steps, moving=True)


def _descend(config, weights, adapters, chosen, rejected, alpha, beta, lr, n_steps, moving):
    history = []
    for _ in range(n_steps):
        leaves = {
            name: tuple(f.detach().clone().requires_grad_() for f in pair) for name, pair in adapters.items()
        }
        policy = adapted_weights(weights, leaves, alpha=alpha)
        logps = [model_logps(config, policy, batch) for batch in (chosen, rejected)]
        references = [x.detach() for x in logps]
        loss = dpo_loss(*logps, *references, beta=beta)
        gradients = iter(torch.autograd.grad(loss, [f for pair in leaves.values() for f in pair]))
        history.append({"loss": loss.item(), "margin": 0.0})
        adapters = {
            name: tuple((f - lr * next(gradients)).detach() for f in pair) for name, pair in leaves.items()
        }
    return adapters, history
