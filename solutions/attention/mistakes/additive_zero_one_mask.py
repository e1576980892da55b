"""Adds the mask to the scores as 0 and 1 instead of 0 and -inf."""

TASK = "sdpa"
HINT = """Without masks you are right; with them, changing a hidden key still changes the output.
You do favour what may be seen, by a little. A score of s becomes a weight of exp(s): which score
has weight 0, and is the difference between your two kinds of key as large as that?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores + causal_mask(q.shape[-2], k.shape[-2], device=q.device).to(dtype)
    if mask is not None:
        scores = scores + mask.to(dtype)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
