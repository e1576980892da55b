"""Penalises by the label's number instead of its rank."""

TASK = "label_sets"
HINT = """Without a penalty all is right; with one, your scores are right only in rows whose labels happen
to stand in order of probability. What does RAPS want to make dear: a label with a high number, or a label
that stands far down its row's ranking?"""


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    share = 1.0 if u is None else u[:, None]
    rank = np.arange(1, probs.shape[1] + 1)
    ranked_scores = before + share * ranked + penalty * np.maximum(0, order + 1 - k_reg)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores
