"""Remembers the source itself, and projects it again at every step."""

import torch

TASK = "memory"
RAISES = True
COSTLY = "Both functions of the task rest on it."
HINT = """What your steps return is right, as long as the weights that make keys and values are at hand: you remember the source
and project it at each step. For 100 tokens of output, how often is the source multiplied by these weights, and how often is enough?"""


def encode_memory(source, layers):
    return [(source, source) for _ in layers]


def decode_step(x, layers, memory, past, *, n_heads=1, source_real=None, norm=layer_norm):
    past = [None] * len(layers) if past is None else past
    mask = None if source_real is None else source_real[..., None, :]
    now = []
    for layer, (source, _), before in zip(layers, memory, past, strict=True):
        w_q, w_k, w_v, w_o = layer["self"]
        own = norm(x)
        k, v = own @ w_k, own @ w_v
        if before is not None:
            k, v = torch.cat([before[0], k], dim=-2), torch.cat([before[1], v], dim=-2)
        now.append((k, v))
        x = x + attention(own @ w_q, k, v, n_heads=n_heads) @ w_o
        w_q, w_k, w_v, w_o = layer["cross"]
        x = x + attention(norm(x) @ w_q, source @ w_k, source @ w_v, n_heads=n_heads, mask=mask) @ w_o
        x = x + mlp(norm(x), layer["mlp"])
    return x, now
