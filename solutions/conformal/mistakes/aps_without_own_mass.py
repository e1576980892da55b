"""Leaves a label's own probability out when there is no u."""

TASK = "label_sets"
HINT = """With u your scores are right; without, each is short by the label's own probability, so the first
label scores 0. What is the summed probability of a set that has just taken this label in?"""


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    share = 0.0 if u is None else u[:, None]
    rank = np.arange(1, probs.shape[1] + 1)
    ranked_scores = before + share * ranked + penalty * np.maximum(0, rank - k_reg)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores
