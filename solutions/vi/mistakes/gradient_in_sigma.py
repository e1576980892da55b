"""Returns the gradient in sigma in place of that in rho."""

TASK = "fit"
HINT = """The gradient in mu is right. The one in rho lacks a factor between 0 and 1, larger for
wide scales. How much does sigma move when rho moves by a little?"""


def elbo_gradient(mu, rho, eps, X, y, *, objective=elbo, **settings):
    mu, rho = mu.detach().clone().requires_grad_(), rho.detach().clone().requires_grad_()
    value = objective(mu, rho, eps, X, y, **settings)
    g_mu, g_rho = torch.autograd.grad(value, (mu, rho))
    return value.detach(), g_mu, g_rho / rho.detach().sigmoid()
