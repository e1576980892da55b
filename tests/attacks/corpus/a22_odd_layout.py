"""Tensors that are sparse, quantised, complex or without any data."""

NUMBER, NAME, BY = 22, "odd-layout", "C"
OUTCOMES = ("failed", "rejected")
NEEDS = "torch"

import torch

calls = 0


def centre(x):
    global calls
    calls += 1
    zeros = torch.zeros(x.shape, dtype=torch.float64)
    return [
        zeros.to_sparse(),
        zeros.to("meta"),
        zeros.to(torch.complex128),
        torch.quantize_per_tensor(zeros.float(), 0.1, 0, torch.qint8),
    ][calls % 4]
