"""Returns the joined heads without W_O."""

TASK = "multi_head"
HINT = """The shapes are right and so is the attention of every head, but each of your output
features depends on a single head. What mixes what the heads have found, and where does w_o come
in?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, None, :]
    q, k, v = (split_heads(y, n_heads) for y in (x @ w_q, context @ w_k, context @ w_v))
    return join_heads(attend(q, k, v, mask=mask, causal=causal))
