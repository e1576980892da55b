"""log(sigmoid(x)), which is -inf once the sigmoid underflows."""

TASK = "bradley_terry"
HINT = """The loss is right while the rewards are close, and infinite, or with a gradient that is not a
number, where the wrong response is far ahead. What is sigma(-800) in floating point, and what is
its logarithm? And what should the loss of that pair be?"""


def bradley_terry_loss(reward_chosen, reward_rejected):
    return -torch.sigmoid(reward_chosen - reward_rejected).log().mean()
