"""A new adapter with A = 0 too."""

TASK = "lora"
HINT = """Your adapter changes nothing, as it should. But it never will: the gradient in A is proportional to B,
and the one in B to A. Which of the two may be zero at the start?"""


def new_adapter(weight, noise):
    return (0 * noise).to(weight), weight.new_zeros(noise.shape[1], weight.shape[1])
