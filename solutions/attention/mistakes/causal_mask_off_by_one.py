"""Hides each token from itself."""

TASK = "sdpa"
HINT = """Every query sees one key too few, and the first of a sequence sees none. The output at a
position is used to forecast the token after it. May a token look at itself while doing that?"""


def causal_mask(T_q, T_k, *, device=None):
    queries = torch.arange(T_q, device=device) + (T_k - T_q)
    keys = torch.arange(T_k, device=device)
    return keys < queries[:, None]
