"""Feeds the MLP the block's input instead of what comes out of the attention's half."""

TASK = "block"
HINT = """Each half on its own is right, but your MLP never sees what the attention has found: both
read the same x. When a token has collected something from its neighbours, which layer is to think
about it?"""


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if pre_norm:
        return x + attention_layer(norm_1(x)) + mlp_layer(norm_2(x))
    return norm_2(norm_1(x + attention_layer(x)) + mlp_layer(x))
