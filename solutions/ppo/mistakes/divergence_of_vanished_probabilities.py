"""Divides probabilities that have underflowed to 0."""

TASK = "kl"
HINT = """Right for moderate logits; where they are far apart NaN comes out. A probability has become 0 there, and 0 log 0 is
0 on paper only. Can the logarithms be had without the probabilities?"""


def kl_divergence(logits, ref_logits):
    _same_shape(logits=logits, ref_logits=ref_logits)
    p, q = logits.softmax(-1), ref_logits.softmax(-1)
    return (p * (p / q).log()).sum(-1)
