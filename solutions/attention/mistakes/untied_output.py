"""Reads the logits out with a copy of the table that no gradient reaches."""

TASK = "language_model"
HINT = """Every logit is right, but the table's gradient lacks a part: rows of tokens that don't
occur in the input get none at all. Those tokens have logits too, and the loss pushes them down. If
one table serves both ends, from where does its gradient come?"""


def language_model(tokens, embedding, positions, layers):
    x = embedding[tokens] + positions[: tokens.shape[-1]]
    for layer in layers:
        x = layer(x)
    return x @ embedding.detach().T
