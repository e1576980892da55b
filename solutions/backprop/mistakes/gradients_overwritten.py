"""Sets a parent's gradient where it should be added to."""

TASK = "value"
HINT = """Gradients are right as long as every node is used once. In x + x, x ends up with 1 instead of 2.
When the same number feeds two places and moves a little, which of them moves the result: the last one
visited, or both?"""


class Value(Value):
    def backward(self):
        order, entered, stack = [], set(), [(self, False)]
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                order.append(node)
            elif node not in entered:
                entered.add(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent in node.parents)
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in zip(node.parents, node.local):
                parent.grad = local * node.grad
