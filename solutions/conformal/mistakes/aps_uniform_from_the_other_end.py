"""Counts the share 1 - u of the label instead of u."""

TASK = "label_sets"
HINT = """Without u your scores are right. With u they would be right for 1 - u: the law of the scores is
the same, the numbers are not. What should a label score when u is 0, and what when u is 1?"""


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    share = 1.0 if u is None else 1 - u[:, None]
    rank = np.arange(1, probs.shape[1] + 1)
    ranked_scores = before + share * ranked + penalty * np.maximum(0, rank - k_reg)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores
