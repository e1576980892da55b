"""Keeps what goes into an encoder instead of what comes out."""

TASK = "skips"
HINT = """The sizes fit, but the skip holds what the encoder was given. Which features shall the decoder
see again: before or after the encoder has looked at them?"""


def unet(x, encoders, bottom, decoders, *, down, up, join=unet_join):
    if len(encoders) != len(decoders):
        raise ValueError(f"encoders and decoders must be as many, got {len(encoders)} and {len(decoders)}")
    skips = []
    for encode in encoders:
        skips.append(x)
        x = down(encode(x))
    x = bottom(x)
    for decode in decoders:
        x = decode(join(skips.pop(), up(x)))
    return x
