"""Takes rho's gradient after mu has moved."""

TASK = "fit"
HINT = """You ask for two gradients in each step, and the second one is taken where mu has
already moved. At which point are both gradients of one step taken?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        mu = mu + lr * g_mu
        _, _, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        rho = rho + lr * g_rho
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
