"""Never adds the positions."""

TASK = "language_model"
HINT = """Where a token appears twice and no layer looks at its neighbours, your logits at both
places are the same. How is the model to know which of the two came first?"""


def language_model(tokens, embedding, positions, layers):
    x = embedding[tokens]
    for layer in layers:
        x = layer(x)
    return x @ embedding.T
