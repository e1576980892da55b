"""Aligns the causal mask to the first key; wrong once T_q < T_k (KV cache)."""

TASK = "sdpa"
HINT = """Your mask is right when T_q == T_k and wrong when there are more keys than queries.
Suppose 5 keys are cached and one new query arrives: at which position in the sequence does it sit,
and which keys should it see?"""


def causal_mask(T_q, T_k, *, device=None):
    return torch.ones(T_q, T_k, dtype=torch.bool, device=device).tril()
