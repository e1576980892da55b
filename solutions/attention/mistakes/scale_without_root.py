"""Divides the scores by d_k instead of its root."""

TASK = "sdpa"
HINT = """A zero query averages the values as it should; other queries spread their attention too
evenly. The scale brings scores back to standard deviation 1. If the variance of a score is d_k,
what is its standard deviation?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / q.shape[-1]
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
