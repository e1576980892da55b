"""Without u, takes one label more when the sum reaches q exactly."""

TASK = "label_sets"
HINT = """Without u, your sets are right unless the sum is exactly q at some label; then you take one more.
The set grows until it holds at least q: when the sum equals q, has it got there?"""


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    q = float(_as_floats("q", q))
    _check_penalty(penalty, k_reg)
    scores = aps_scores(probs, u=u, penalty=penalty, k_reg=k_reg)
    if u is not None:
        return scores <= q
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked_sets = np.ones(probs.shape, dtype=bool)
    ranked_sets[:, 1:] = np.take_along_axis(scores, order, axis=1)[:, :-1] <= q
    sets = np.empty_like(ranked_sets)
    np.put_along_axis(sets, order, ranked_sets, axis=1)
    return sets
