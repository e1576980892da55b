"""Leaves out a label that scores exactly q."""

TASK = "label_sets"
HINT = """Your sets are right except where a label's score equals the threshold. The threshold is one of the
calibration scores: should the calibration row that it came from be covered by its own set?"""


def lac_sets(probs, q):
    probs = _as_probs(probs)
    q = float(_as_floats("q", q))
    return lac_scores(probs) < q
