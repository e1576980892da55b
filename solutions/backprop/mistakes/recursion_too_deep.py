"""Sorts the graph with a function that calls itself for every parent."""

TASK = "value"
RAISES = True
HINT = """Small graphs are right; one that is a thousand nodes deep ends in a RecursionError. Python keeps a
frame for every call that has not returned. What could hold the nodes you still have to come back to, if not
the call stack?"""


class Value(Value):
    def backward(self):
        order, entered = [], set()

        def visit(node):
            if node not in entered:
                entered.add(node)
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in zip(node.parents, node.local):
                parent.grad += local * node.grad
