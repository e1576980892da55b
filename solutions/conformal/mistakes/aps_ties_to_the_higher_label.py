"""Ranks the higher of two equally probable labels first."""

TASK = "label_sets"
HINT = """Your scores are right while a row's probabilities all differ; among equal ones you rank the higher
label first. If an ascending order is turned round as a whole, what happens to the order of equal entries?"""


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    order = np.argsort(probs, axis=1, kind="stable")[:, ::-1]
    ranked = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    share = 1.0 if u is None else u[:, None]
    rank = np.arange(1, probs.shape[1] + 1)
    ranked_scores = before + share * ranked + penalty * np.maximum(0, rank - k_reg)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores
