"""Forgets to hand `causal` to the attention of the heads."""

TASK = "multi_head"
HINT = """Without `causal` you are right; with it nothing changes, and early tokens depend on late
ones. Who does the masking here, and has it been told?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, None, :]
    q, k, v = (split_heads(y, n_heads) for y in (x @ w_q, context @ w_k, context @ w_v))
    return join_heads(attend(q, k, v, mask=mask)) @ w_o
