"""In the post-norm block, normalises the layer's output and then adds the input."""

TASK = "block"
HINT = """Pre-norm is right; in post-norm you normalise what the layer returns and add the input
afterwards, so the result of the block isn't normalised. In x = norm(x + layer(x)), which comes
first, the addition or the norm?"""


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if pre_norm:
        x = x + attention_layer(norm_1(x))
        return x + mlp_layer(norm_2(x))
    x = x + norm_1(attention_layer(x))
    return x + norm_2(mlp_layer(x))
