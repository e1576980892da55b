"""Computes scores, softmax and average in the half precision of the inputs."""

TASK = "sdpa"
HINT = """In float64 and float32 you are right; in half precision the result is off by several units
in the last place. A bfloat16 number carries about three decimal digits. How many of them are left
after the scores, the exponentials, their sum and the average have each been rounded, and what does
the docstring say they are computed in?"""


def scaled_dot_product_attention(q, k, v, *, mask=None, causal=False, bias=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    if causal:
        scores = scores.masked_fill(~causal_mask(q.shape[-2], k.shape[-2], device=q.device), -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return softmax(scores) @ v
