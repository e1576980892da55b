"""Takes the queries from the context and the keys and values from x."""

TASK = "multi_head"
HINT = """Self-attention is right; cross-attention answers from the wrong side. A decoder's tokens
want to know something of the encoder's: who asks, and who is asked? For how many tokens should
there be an answer, those of x or those of the context?"""


def multi_head_attention(
    x, w_q, w_k, w_v, w_o, *, n_heads, context=None, key_mask=None, causal=False, attend=None
):
    context = x if context is None else context
    attend = scaled_dot_product_attention if attend is None else attend
    mask = None if key_mask is None else key_mask[..., None, None, :]
    q, k, v = (split_heads(y, n_heads) for y in (context @ w_q, x @ w_k, x @ w_v))
    return join_heads(attend(q, k, v, mask=mask, causal=causal)) @ w_o
