"""With both masks, lets a key be seen when either of them allows it."""

TASK = "sdpa"
HINT = """The causal mask alone is right, and so is a padding mask alone; together they hide too
little. A padded key lies in the past of a query: the causal mask allows it, the padding mask
doesn't. May it be seen?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    visible = mask
    if causal:
        visible = causal_mask(q.shape[-2], k.shape[-2], device=q.device)
        visible = visible if mask is None else visible | mask
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
