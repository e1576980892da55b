"""Keeps the features after they were made smaller."""

TASK = "skips"
HINT = """The skip is smaller than what it is joined to. Skips are there to bring back what `down` loses:
on which side of `down` do you keep them?"""


def unet(x, encoders, bottom, decoders, *, down, up, join=unet_join):
    if len(encoders) != len(decoders):
        raise ValueError(f"encoders and decoders must be as many, got {len(encoders)} and {len(decoders)}")
    skips = []
    for encode in encoders:
        x = down(encode(x))
        skips.append(x)
    x = bottom(x)
    for decode in decoders:
        x = decode(join(skips.pop(), up(x)))
    return x
