"""Leaves the division by sqrt(d_k) out."""

TASK = "sdpa"
HINT = """A zero query averages the values as it should; other queries concentrate too much on their
best keys. For independent entries of variance 1, what is the variance of a sum of d_k products? How
does the formula keep the scores at one size when d_k grows?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
