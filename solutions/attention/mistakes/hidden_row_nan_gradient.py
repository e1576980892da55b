"""Adds -inf to hidden scores and replaces the NaN of an empty row afterwards; its gradient is still NaN."""

TASK = "sdpa"
HINT = """Every output is right, the zeros of a query that sees nothing included; but one such query
turns gradients into NaN. Backpropagation visits every step you took, also those whose result was
replaced afterwards, and NaN times zero is NaN. Can the empty row be caught before anything in it
becomes NaN?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        visible = causal_mask(q.shape[-2], k.shape[-2], device=q.device)
        mask = visible if mask is None else mask & visible
    if mask is not None:
        scores = scores + torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, -math.inf)
    weights = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    weights = torch.nan_to_num(weights / weights.sum(dim=-1, keepdim=True))
    return (weights @ v.to(dtype)).to(q.dtype)
