"""Hands on the local derivative alone, without the gradient that came from above."""

TASK = "value"
HINT = """A single operation is right; as soon as two are stacked, the lower node learns nothing about the
upper one. If y moves twice as fast as x, and z three times as fast as y, how fast does z move with x, and
where is the 3 in your sum?"""


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
                parent.grad += local
