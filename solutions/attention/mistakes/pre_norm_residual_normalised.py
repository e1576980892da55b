"""In the pre-norm block, adds the layer's output to the normalised input instead of the input."""

TASK = "block"
HINT = """Post-norm is right; in pre-norm the layers get the right input, but what you add their
output to isn't x any more. In x + layer(norm(x)), how often does the norm act on the first term?
What should be left of x if both layers returned zero?"""


def transformer_block(x, attention_layer, mlp_layer, norm_1, norm_2, *, pre_norm=False):
    if pre_norm:
        x = norm_1(x)
        x = x + attention_layer(x)
        x = norm_2(x)
        return x + mlp_layer(x)
    x = norm_1(x + attention_layer(x))
    return norm_2(x + mlp_layer(x))
