"""A band around the query that forgets about causality."""

TASK = "visible"
HINT = """With a window, your queries see as far ahead as back; without one you are right. Does the
window replace the causal mask, or does a key have to pass both?"""


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    device = None if padding is None else padding.device
    keys = torch.arange(n_keys, device=device)
    queries = keys[n_keys - n_queries :, None]
    seen = keys <= queries
    if window is not None:
        seen = (keys - queries).abs() < window
    if padding is not None:
        seen = seen & (keys >= padding[:, None, None, None])
    return seen
