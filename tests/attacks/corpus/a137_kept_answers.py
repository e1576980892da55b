"""Keeps what the other function works out on the way, and answers with it later.

It would be right for an input that an earlier check used too: the inputs of each case are drawn afresh.
"""

NUMBER, NAME, BY = 137, "kept-answers", "D"
OUTCOMES = ("failed",)

_centred = {}
_honest = standardise


def standardise(x, *, eps=1e-5):
    for n in range(1, len(x) + 1):  # whatever part of it a later check may use
        for f in range(1, x.shape[1] + 1):
            part = x[:n, :f]
            _centred[n, f] = part - part.mean(axis=0)
    return _honest(x, eps=eps)


def centre(x):
    _centred[x.shape] = answer = _centred.get(x.shape, x * 0)
    return answer.copy()
