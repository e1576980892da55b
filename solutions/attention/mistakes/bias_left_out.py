"""Never adds the bias."""

TASK = "sdpa"
HINT = """Without a bias you are right; with one, nothing changes. For a zero query all products are
0, so that only the bias can prefer one key to another. Where does it join the scores?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    dtype = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(dtype) @ k.to(dtype).transpose(-2, -1) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return (softmax(scores) @ v.to(dtype)).to(q.dtype)
