"""Divides the scores of every head by sqrt(d_model), as the notes have it, instead of sqrt(d_k)."""

TASK = "multi_head"
HINT = """With one head you are right; the more heads there are, the more evenly they spread their
attention. (The notes scale by the width of the model, which agrees only for one head.) A head's
score is a sum of how many products?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, None, :]
    q, k, v = (split_heads(y, n_heads) for y in (x @ w_q, context @ w_k, context @ w_v))
    q = q / math.sqrt(n_heads)  # sqrt(d_k) * sqrt(n_heads) = sqrt(d_model)
    return join_heads(attend(q, k, v, mask=mask, causal=causal)) @ w_o
