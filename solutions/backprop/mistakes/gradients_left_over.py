"""Adds to whatever gradients an earlier call has left."""

TASK = "value"
HINT = """The first call of backward is right, and a second one gives larger gradients. Nothing about the
expression has changed between the two. Where does the second call's sum start from?"""


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
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in zip(node.parents, node.local):
                parent.grad += local * node.grad
