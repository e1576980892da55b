"""Hides keys with a large finite number; a query that sees nothing averages all values."""

TASK = "sdpa"
HINT = """Where a query sees at least one key you are right; a query that sees none gets the mean of
all the values, hidden ones included. When every score of a row is the same very negative number,
what does a softmax make of it? What is asked for when there is nothing to see?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -1e9)
    if mask is not None:
        scores = scores.masked_fill(~mask, -1e9)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
