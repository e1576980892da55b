"""k3 as rho - 1 only."""

TASK = "kl"
HINT = """Your k3 has the mean 0 under pi, whatever the two policies are. rho - 1 is there to calm an
estimate without moving its mean: which estimate?"""


def kl_estimates(logp, ref_logp, *, kind):
    _same_shape(logp=logp, ref_logp=ref_logp)
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be 'k1', 'k2' or 'k3', got {kind!r}")
    log_rho = ref_logp - logp
    if kind == "k1":
        return -log_rho
    if kind == "k2":
        return log_rho.square() / 2
    return log_rho.expm1()
