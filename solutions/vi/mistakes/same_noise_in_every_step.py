"""Uses the first step's noise throughout."""

TASK = "fit"
HINT = """The first step is right. In all later ones you look at the same few thetas again, and
what is climbed is the ELBO of these few. Why does each step come with noise of its own?"""


def fit_mean_field(mu, rho, eps, X, y, *, lr, batches=None, gradient=elbo_gradient, **settings):
    _check_parameters(mu, rho, eps)
    _positive("lr", lr)
    values = []
    for t, noise in enumerate(eps):
        rows = slice(None) if batches is None else batches[t]
        value, g_mu, g_rho = gradient(mu, rho, eps[0], X[rows], y[rows], n_total=len(y), **settings)
        mu, rho = mu + lr * g_mu, rho + lr * g_rho
        values.append(value)
    return mu, rho, torch.stack(values) if values else mu.new_empty(0)
