"""Lets every query see the token after it, which it is meant to forecast."""

TASK = "sdpa"
HINT = """The last query is right; every other one sees one key too many. Write down what the query
at position 0 may see when it has to forecast the token at position 1. Is the answer among it?"""


def causal_mask(T_q, T_k, *, device=None):
    queries = torch.arange(T_q, device=device) + (T_k - T_q)
    keys = torch.arange(T_k, device=device)
    return keys <= queries[:, None] + 1
