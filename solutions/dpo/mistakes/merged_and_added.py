"""Adds the correction to a weight that has it already."""

TASK = "lora"
HINT = """Without adapters you are right. With them, your merged weight moves twice as far as the layer with the
adapter beside it. How often is the correction in your sum?"""

_right_adapted = adapted_weights


def adapted_weights(weights, adapters, *, alpha):
    return _right_adapted(_right_adapted(weights, adapters, alpha=alpha), adapters, alpha=alpha)
