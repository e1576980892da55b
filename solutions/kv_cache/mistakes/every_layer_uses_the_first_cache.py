"""Hands the same cache to each block."""

TASK = "model"
HINT = """The first block is right, and from the second on the keys of several layers stand mixed in
one cache, which also grows too fast. What belongs to a layer alone?"""


def cached_forward(config, weights, tokens, caches, *, padding=None, window=None, layer=None):
    layer = cached_attention if layer is None else layer
    x = weights["embedding"][tokens]
    for index, cache in enumerate(caches):
        block = block_weights(weights, index)
        normed = layer_norm(x, block["norm_1.gain"], block["norm_1.bias"])
        x = x + layer(config, block, normed, caches[0], padding=padding, window=window)
        x = x + feed_forward(block, layer_norm(x, block["norm_2.gain"], block["norm_2.bias"]))
    x = layer_norm(x, weights["norm.gain"], weights["norm.bias"])
    return x @ weights["embedding"].T
