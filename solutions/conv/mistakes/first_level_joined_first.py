"""Joins the first encoder's features to the first decoder used."""

TASK = "skips"
HINT = """One level is right. With more, the first decoder gets the features of the largest image, and the
last does not fit. Which encoder's image is as large as the one that comes out of the bottom and `up`?"""


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
        x = decode(join(skips.pop(0), up(x)))
    return x
