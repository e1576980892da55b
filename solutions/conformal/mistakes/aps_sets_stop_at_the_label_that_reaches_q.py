"""Without u, leaves out labels of probability 0 whose score is q, like that of the label that reaches it."""

TASK = "label_sets"
HINT = """Your sets are right unless labels of probability 0 score exactly q; these you leave out. Suppose
the true label of a calibration row was such a one, and its score became q: does the set of that row hold it?"""


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    q = float(_as_floats("q", q))
    _check_penalty(penalty, k_reg)
    scores = aps_scores(probs, u=u, penalty=penalty, k_reg=k_reg)
    if u is not None:
        return scores <= q
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked_sets = np.ones(probs.shape, dtype=bool)
    ranked_sets[:, 1:] = np.take_along_axis(scores, order, axis=1)[:, :-1] < q
    sets = np.empty_like(ranked_sets)
    np.put_along_axis(sets, order, ranked_sets, axis=1)
    return sets
