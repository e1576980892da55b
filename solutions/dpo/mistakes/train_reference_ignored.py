"""Trains on the policy's log-probabilities alone."""

TASK = "train"
HINT = """A new adapter changes nothing, so the loss before the first step should be log 2, and yours is not.
What is the log-probability of a response compared with before it is compared with the other response's?"""


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    return _right_train(
        config, weights, adapters, chosen, rejected, alpha=alpha, beta=beta, lr=lr, n_steps=n_steps,
        references=lambda logps: [torch.zeros_like(x) for x in logps],
    )  # fmt: skip


def _right_train(
    config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps, references
):
    history = []
    for _ in range(n_steps):
        leaves = {
            name: tuple(f.detach().clone().requires_grad_() for f in pair) for name, pair in adapters.items()
        }
        policy = adapted_weights(weights, leaves, alpha=alpha)
        logps = [model_logps(config, policy, batch) for batch in (chosen, rejected)]
        loss = dpo_loss(*logps, *references(logps), beta=beta)
        margin = beta * (logps[0] - logps[1]).mean().item()
        gradients = iter(torch.autograd.grad(loss, [f for pair in leaves.values() for f in pair]))
        history.append({"loss": loss.item(), "margin": margin})
        adapters = {
            name: tuple((f - lr * next(gradients)).detach() for f in pair) for name, pair in leaves.items()
        }
    return adapters, history
