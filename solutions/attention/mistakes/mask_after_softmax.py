"""Zeroes hidden weights after the softmax; the rest no longer adds up to 1."""

TASK = "sdpa"
HINT = """Without masks you are right; with them the outputs point the right way but are too short.
Hidden keys get weight 0, as they should, yet they have already taken their share. What do the
weights that are left add up to, and at which step would a hidden key have to leave so that the
others share out all of it?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    weights = softmax(scores)
    if causal:
        weights = weights * causal_mask(q.shape[-2], k.shape[-2], device=q.device)
    if mask is not None:
        weights = weights * mask
    return (weights @ v.to(dtype)).to(q.dtype)
