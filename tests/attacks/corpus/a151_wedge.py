"""Starts a kernel that spins for hours, and waits for it."""

NUMBER, NAME, BY = 151, "wedge", "S"
OUTCOMES = ("timeout", "crashed", "failed")
NEEDS = "cuda"

import torch


def centre(x):
    torch.cuda._sleep(2**50)  # cycles
    torch.cuda.synchronize()
    return x * 0
