"""Returns the logits at the last position alone."""

TASK = "model"
HINT = """What you return is right, but there is only one position of it, however many tokens came
in. Who else may want the logits at the others: what does checking a draft of several tokens in one
call need?"""


def cached_forward(config, weights, tokens, caches, *, padding=None, window=None, layer=None):
    layer = cached_attention if layer is None else layer
    x = weights["embedding"][tokens]
    for index, cache in enumerate(caches):
        block = block_weights(weights, index)
        normed = layer_norm(x, block["norm_1.gain"], block["norm_1.bias"])
        x = x + layer(config, block, normed, cache, padding=padding, window=window)
        x = x + feed_forward(block, layer_norm(x, block["norm_2.gain"], block["norm_2.bias"]))
    x = layer_norm(x, weights["norm.gain"], weights["norm.bias"])
    return (x @ weights["embedding"].T)[..., -1:, :]
