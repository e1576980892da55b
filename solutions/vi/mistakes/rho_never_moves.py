"""Moves mu only."""

TASK = "fit"
HINT = """mu ends where it should after one step, and rho where it began. What is learned about
how certain a weight is?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        mu = mu + lr * g_mu
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
