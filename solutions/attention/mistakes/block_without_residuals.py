"""Leaves the residual connections out."""

TASK = "block"
HINT = """The layers and norms come in the right order, but if both layers returned zero, nothing of
x would be left. How does the formula carry x past each layer?"""


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if pre_norm:
        return mlp_layer(norm_2(attention_layer(norm_1(x))))
    return norm_2(mlp_layer(norm_1(attention_layer(x))))
