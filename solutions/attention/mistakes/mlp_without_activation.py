"""Leaves the ReLU out: two linear layers, which are one."""

TASK = "block"
HINT = """Where every hidden unit is positive you are right; where some are negative they pass
through unchanged. What is (x W_1) W_2 if nothing stands between, and could one matrix do the
same?"""


def mlp(x, w_1, b_1, w_2, b_2):
    return (x @ w_1 + b_1) @ w_2 + b_2
