"""Sees `window` tokens before its own, so window + 1 in all."""

TASK = "visible"
HINT = """Without a window you are right; with one, each query sees a key too many. How many keys
does a query see with a window of 1, and which?"""


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    device = None if padding is None else padding.device
    keys = torch.arange(n_keys, device=device)
    queries = keys[n_keys - n_queries :, None]
    seen = keys <= queries
    if window is not None:
        seen = seen & (keys >= queries - window)
    if padding is not None:
        seen = seen & (keys >= padding[:, None, None, None])
    return seen
