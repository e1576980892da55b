"""Uses norm_1 in both halves."""

TASK = "block"
HINT = """The attention's half is right; in the MLP's half the norm has the gain and bias of the
other one. How many norms does the block have, and which goes with which layer?"""


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if pre_norm:
        x = x + attention_layer(norm_1(x))
        return x + mlp_layer(norm_1(x))
    x = norm_1(x + attention_layer(x))
    return norm_1(x + mlp_layer(x))
