"""Dicts and sets of keys that are not equal to themselves."""

NUMBER, NAME, BY = 121, "nan-keys", "J"
OUTCOMES = ("rejected",)


def centre(x):
    return {float("nan"): 1, float("nan"): {float("nan"), float("nan")}, (float("nan"),): None}
