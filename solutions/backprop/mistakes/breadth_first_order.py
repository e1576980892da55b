"""Hands gradients on level by level, by the shortest route from the result."""

TASK = "value"
HINT = """Graphs in which all routes to a node are equally long are right. A node that the result uses both
directly and through others hands its gradient on too early. What does its distance from the result say about
who still has to report?"""


class Value(Value):
    def backward(self):
        order, entered = [self], {self}
        for node in order:
            for parent in node.parents:
                if parent not in entered:
                    entered.add(parent)
                    order.append(parent)
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in order:
            for parent, local in zip(node.parents, node.local):
                parent.grad += local * node.grad
