"""Adds up the gradients of all steps so far."""

TASK = "fit"
HINT = """The first step is right, and later ones get longer and longer: each repeats all the
ones before. In torch, `.grad` is added to. What has to happen between two steps?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    sum_mu, sum_rho = torch.zeros_like(mu), torch.zeros_like(rho)
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        sum_mu, sum_rho = sum_mu + g_mu, sum_rho + g_rho
        mu, rho = mu + lr * sum_mu, rho + lr * sum_rho
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
