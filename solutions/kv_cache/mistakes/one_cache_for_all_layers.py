"""A list that holds the same cache n_layers times."""

TASK = "model"
HINT = """There are as many entries as layers, but a token appended to the first turns up in all of
them. Does multiplying a list copy what is in it?"""


def new_caches(config, *, capacity=None, make=LayerCache):
    capacity = config.max_len if capacity is None else capacity
    return [make(capacity)] * config.n_layers
