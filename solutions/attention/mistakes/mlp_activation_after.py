"""Applies the ReLU to the output instead of between the layers."""

TASK = "block"
HINT = """No feature of your output is ever negative. The output is added to the residual stream:
could such an MLP ever lower a feature? Between which two steps does the formula bend?"""


def mlp(x, w_1, b_1, w_2, b_2):
    return torch.relu((x @ w_1 + b_1) @ w_2 + b_2)
