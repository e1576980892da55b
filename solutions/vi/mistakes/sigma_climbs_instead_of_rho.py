"""Adds rho's gradient to sigma, and goes back to rho."""

TASK = "fit"
HINT = """mu moves rightly. You go from rho to sigma, take the step there, and go back. In which
of the two was the gradient taken, and what can happen to a scale that is moved freely?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, noise, X[rows], y[rows], n_total=len(y), **settings)
        mu, rho = mu + lr * g_mu, inverse_softplus((softplus(rho) + lr * g_rho).clamp(min=1e-6))
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
