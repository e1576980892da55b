"""Starts the descent at equal probabilities."""

TASK = "table"
HINT = """After very many steps you are right, after few you are not, and after none you return something other
than the reference. Where is a policy that has not been trained yet?"""


def fit_table(reference_logp, preferences, *, beta, lr, n_steps):
    logits = torch.zeros_like(reference_logp)
    for _ in range(n_steps):
        logits.requires_grad_()
        loss = population_dpo_loss(logits, reference_logp, preferences, beta=beta)
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - lr * gradient).detach()
    return logits.log_softmax(-1)
