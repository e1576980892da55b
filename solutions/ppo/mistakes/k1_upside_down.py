"""k1 as the log of reference over policy."""

TASK = "kl"
HINT = """Your k1 has the wrong sign: its mean under pi is minus the divergence. Tokens drawn from pi are,
on the whole, more likely under which of the two?"""


def kl_estimates(logp, ref_logp, *, kind):
    _same_shape(logp=logp, ref_logp=ref_logp)
    if kind not in ("k1", "k2", "k3"):
        raise ValueError(f"kind must be 'k1', 'k2' or 'k3', got {kind!r}")
    log_rho = ref_logp - logp
    if kind == "k1":
        return log_rho
    if kind == "k2":
        return log_rho.square() / 2
    return log_rho.expm1() - log_rho
