"""Takes keys and values from x even where a context is given."""

TASK = "multi_head"
HINT = """Self-attention is right; with a context, changing the context changes nothing in your
output. Of the three projections, which are about the token that asks, and which about the tokens
that are asked?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, None, :]
    q, k, v = (split_heads(x @ w, n_heads) for w in (w_q, w_k, w_v))
    return join_heads(attend(q, k, v, mask=mask, causal=causal)) @ w_o
