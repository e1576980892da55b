"""A = noise / sqrt(rank)."""

TASK = "lora"
HINT = """A has the right direction and the wrong size. x A adds up d_in terms for each of its numbers. By what
must they be divided for the sum to stay of order one?"""


def new_adapter(weight, noise):
    A = (noise / math.sqrt(noise.shape[1])).to(weight)
    return A, weight.new_zeros(noise.shape[1], weight.shape[1])
