"""Multiplies the embeddings by sqrt(d_model), as the 2017 paper does."""

TASK = "language_model"
HINT = """Your embeddings are larger than the table's rows by a factor that depends on the width of
the model. One well-known paper does that. What does the docstring here say?"""


def language_model(tokens, embedding, positions, layers):
    x = embedding[tokens] * math.sqrt(embedding.shape[1]) + positions[: tokens.shape[-1]]
    for layer in layers:
        x = layer(x)
    return x @ embedding.T
