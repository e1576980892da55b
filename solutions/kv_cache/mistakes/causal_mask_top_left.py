"""Aligns the first query with the first key."""

TASK = "visible"
HINT = """You are right when there are as many queries as keys and wrong when there are more keys.
Suppose 5 tokens are cached and one new query arrives: at which slot does it sit, and which keys
should it see?"""


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    device = None if padding is None else padding.device
    keys = torch.arange(n_keys, device=device)
    queries = torch.arange(n_queries, device=device)[:, None]
    seen = keys <= queries
    if window is not None:
        seen = seen & (keys > queries - window)
    if padding is not None:
        seen = seen & (keys >= padding[:, None, None, None])
    return seen
