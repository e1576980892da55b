"""Hides the last slots of a row: as if it were padded on the right."""

TASK = "visible"
HINT = """Rows without padding are right. In the others you hide as many slots as are padding, but
at the wrong end. On which side does padding stand when all prompts have to end together?"""


def visible_keys(n_queries, n_keys, *, window=None, padding=None):
    device = None if padding is None else padding.device
    keys = torch.arange(n_keys, device=device)
    queries = keys[n_keys - n_queries :, None]
    seen = keys <= queries
    if window is not None:
        seen = seen & (keys > queries - window)
    if padding is not None:
        seen = seen & (keys < n_keys - padding[:, None, None, None])
    return seen
