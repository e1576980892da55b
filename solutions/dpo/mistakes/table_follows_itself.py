"""Takes the current policy as the reference in every step."""

TASK = "table"
HINT = """Your first step is right. After that the policy never settles: its loss is log 2 in every step, and
the push does not get weaker. Against which policy is the log-ratio taken, today's or the first?"""


def fit_table(reference_logp, preferences, *, beta, lr, n_steps):
    logits = reference_logp.detach().clone()
    for _ in range(n_steps):
        moving = logits.log_softmax(-1)
        logits.requires_grad_()
        loss = population_dpo_loss(logits, moving, preferences, beta=beta)
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - lr * gradient).detach()
    return logits.log_softmax(-1)
