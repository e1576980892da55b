"""Normalises the scores over the queries, so the weights of one query do not add up to 1."""

TASK = "sdpa"
HINT = """Your output has the right shape, but with a single key, where every query can only return
that key's value, yours return parts of it. Scores have shape (T_q, T_k): who shares out the
attention, and among whom? Along which of the two should the weights add up to 1?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return (softmax(scores, dim=-2) @ v.to(dtype)).to(q.dtype)
