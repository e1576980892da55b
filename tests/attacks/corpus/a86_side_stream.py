"""Leaves its work on a stream that nobody waits for."""

NUMBER, NAME, BY = 86, "side-stream", "C"
OUTCOMES = ("failed",)
NEEDS = "cuda"

import torch


def centre(x):
    with torch.cuda.stream(torch.cuda.Stream()):
        big = torch.randn(8192, 8192, device="cuda")
        for _ in range(50):
            big = big @ big
    return x * 0
