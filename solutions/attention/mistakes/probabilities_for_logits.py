"""Returns the softmax of the logits."""

TASK = "language_model"
HINT = """Your numbers rank the tokens in the right order, but they are positive and add up to 1 at
each position. Those are probabilities. What does the loss do to what it is given, and what would
come of doing it twice?"""


def language_model(tokens, embedding, positions, layers):
    x = embedding[tokens] + positions[: tokens.shape[-1]]
    for layer in layers:
        x = layer(x)
    return softmax(x @ embedding.T, dim=-1)
