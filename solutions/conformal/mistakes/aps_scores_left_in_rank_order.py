"""Returns the scores in the order of the ranks, not of the labels."""

TASK = "label_sets"
HINT = """Each row holds the right numbers, always in rising order. They are right where the labels happen
to be sorted by probability already. In which column will a caller look for the score of label 3?"""


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs, u = _as_probs(probs), _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    order = np.argsort(-probs, axis=1, kind="stable")
    ranked = np.take_along_axis(probs, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    share = 1.0 if u is None else u[:, None]
    rank = np.arange(1, probs.shape[1] + 1)
    ranked_scores = before + share * ranked + penalty * np.maximum(0, rank - k_reg)
    return ranked_scores
