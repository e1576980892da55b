"""Without u, stops before the label at which the sum reaches q."""

TASK = "label_sets"
HINT = """Without u, your sets lack their last label, and some are empty. A row's sum jumps past q at some
label. If that label is left out, how much probability does the set hold: at least q, or less?"""


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    q = float(_as_floats("q", q))
    _check_penalty(penalty, k_reg)
    return aps_scores(probs, u=u, penalty=penalty, k_reg=k_reg) <= q
