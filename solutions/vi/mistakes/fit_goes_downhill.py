"""Subtracts the gradients."""

TASK = "fit"
HINT = """Your steps have the right length and the opposite direction: the ELBO falls. A loss is
descended. What is done with a bound from below?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        mu, rho = mu - lr * g_mu, rho - lr * g_rho
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
