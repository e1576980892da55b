"""Never clears the gradients: each step is along the sum of all so far."""

TASK = "train"
HINT = """The first step is right, and from the second on your steps get longer and longer. What does backward()
do with a gradient that is already there?"""


def train_dpo(config, weights, adapters, chosen, rejected, *, alpha, beta, lr, n_steps):
    _check_beta(beta)
    with torch.no_grad():
        references = [model_logps(config, weights, batch) for batch in (chosen, rejected)]
    leaves = {
        name: tuple(f.detach().clone().requires_grad_() for f in pair) for name, pair in adapters.items()
    }
    history = []
    for _ in range(n_steps):
        policy = adapted_weights(weights, leaves, alpha=alpha)
        logps = [model_logps(config, policy, batch) for batch in (chosen, rejected)]
        loss = dpo_loss(*logps, *references, beta=beta)
        loss.backward()
        metrics = preference_metrics(*(x.detach() for x in logps), *references, beta=beta)
        history.append({"loss": loss.item(), "margin": metrics["margin"]})
        with torch.no_grad():
            for pair in leaves.values():
                for factor in pair:
                    factor -= lr * factor.grad
    return {name: tuple(f.detach() for f in pair) for name, pair in leaves.items()}, history
