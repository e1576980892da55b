"""k2 without the half."""

TASK = "kl"
HINT = """Your k1 and k3 are right and your k2 is twice what it should be. Near rho = 1, what does -log rho
look like to second order, and its mean?"""


def kl_estimates(logp, ref_logp, *, kind):
    _same_shape(logp=logp, ref_logp=ref_logp)
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be 'k1', 'k2' or 'k3', got {kind!r}")
    log_rho = ref_logp - logp
    if kind == "k1":
        return -log_rho
    if kind == "k2":
        return log_rho.square()
    return log_rho.expm1() - log_rho
