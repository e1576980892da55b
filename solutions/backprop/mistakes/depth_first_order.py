"""Hands gradients on in the order in which a depth-first walk meets the nodes."""

TASK = "value"
HINT = """Trees are right. Where two routes of different length meet in one node, that node hands its gradient
on before the longer route has arrived. Which nodes have to be finished before a node may pass its gradient to
its parents?"""


class Value(Value):
    def backward(self):
        order, entered, stack = [], set(), [self]
        while stack:
            node = stack.pop()
            if node not in entered:
                entered.add(node)
                order.append(node)
                stack.extend(reversed(node.parents))
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in order:
            for parent, local in zip(node.parents, node.local):
                parent.grad += local * node.grad
