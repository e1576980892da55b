"""k3 with pi over pi_ref."""

TASK = "kl"
HINT = """Your k3 is never negative, and its mean under pi is not the divergence. Which of rho and 1/rho has
the mean 1 when tokens are drawn from pi?"""


def kl_estimates(logp, ref_logp, *, kind):
    _same_shape(logp=logp, ref_logp=ref_logp)
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be 'k1', 'k2' or 'k3', got {kind!r}")
    log_rho = ref_logp - logp
    if kind == "k1":
        return -log_rho
    if kind == "k2":
        return log_rho.square() / 2
    return (-log_rho).expm1() + log_rho
