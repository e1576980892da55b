"""Lays the padding mask along the queries: padded tokens see nothing, but everyone sees them."""

TASK = "multi_head"
HINT = """Without padding you are right; with it, padded tokens get zeros while the others still
look at them. A mask has one entry for each pair of query and key. Along which of the two does
`key_mask` vary, and is that the dimension it stands in when it reaches the heads?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, :, None]
    q, k, v = (split_heads(y, n_heads) for y in (x @ w_q, context @ w_k, context @ w_v))
    return join_heads(attend(q, k, v, mask=mask, causal=causal)) @ w_o
