"""With u, still takes the label that crosses q."""

TASK = "label_sets"
HINT = """Your sets are right without u; with u each holds a label too many. The uniform number has already
decided how much of the crossing label counts: what is the chance of coverage if that label is then taken in
any case?"""


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    q = float(_as_floats("q", q))
    _check_penalty(penalty, k_reg)
    scores = aps_scores(probs, u=u, penalty=penalty, k_reg=k_reg)
    sets = scores <= q
    order = np.argsort(-probs, axis=1, kind="stable")
    first = (np.take_along_axis(scores, order, axis=1) >= q).argmax(axis=1)[:, None]
    np.put_along_axis(sets, np.take_along_axis(order, first, axis=1), True, axis=1)
    return sets
