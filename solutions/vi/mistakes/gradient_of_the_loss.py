"""Differentiates the negative ELBO."""

TASK = "fit"
HINT = """The value is right and both gradients point downhill. They are those of a loss. Which
function does `elbo_gradient` promise the gradients of?"""


def elbo_gradient(mu, rho, eps, X, y, *, objective=elbo, **settings):
    mu, rho = mu.detach().clone().requires_grad_(), rho.detach().clone().requires_grad_()
    value = objective(mu, rho, eps, X, y, **settings)
    return (value.detach(), *torch.autograd.grad(-value, (mu, rho)))
