"""Adds the bias before the division by sqrt(d_k)."""

TASK = "sdpa"
HINT = """Without a bias you are right; with one, it weighs less than it should. For a zero query
the weights are the softmax of the bias and nothing else. Is that so in yours, and which step acts
on the bias besides the softmax?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    scores = scores / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
