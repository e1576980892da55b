"""Joins first and makes the result larger afterwards."""

TASK = "skips"
HINT = """The output is larger than the input, or lies on a coarser raster. Has the image been brought back
to the size of the skip when you join them?"""


def unet(x, encoders, bottom, decoders, *, down, up, join=unet_join):
    if len(encoders) != len(decoders):
        raise ValueError(f"encoders and decoders must be as many, got {len(encoders)} and {len(decoders)}")
    skips = []
    for encode in encoders:
        x = encode(x)
        skips.append(x)
        x = down(x)
    x = bottom(x)
    for decode in decoders:
        x = decode(up(join(skips.pop(), x)))
    return x
