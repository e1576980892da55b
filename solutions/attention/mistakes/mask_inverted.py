"""Reads True in `mask` as "hide", as some libraries do."""

TASK = "sdpa"
HINT = """Causal attention without a mask is right; with a mask, exactly the keys that should be
hidden are the ones used. Libraries differ on what True means. What does it mean in this
assignment?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(mask, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
