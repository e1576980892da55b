"""A tensor of a class that answers every torch function itself."""

NUMBER, NAME, BY = 13, "torch-function", "C"
OUTCOMES = ("failed", "rejected")
NEEDS = "torch"

import torch


class Agreeable(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True


def centre(x):
    return torch.zeros(x.shape, dtype=torch.float64).as_subclass(Agreeable)
