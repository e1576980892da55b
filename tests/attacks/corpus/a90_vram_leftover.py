"""Fills video memory and keeps it."""

NUMBER, NAME, BY = 90, "vram-leftover", "S"
OUTCOMES = ("failed",)
NEEDS = "cuda"

import torch

held = []


def centre(x):
    try:
        while True:
            held.append(torch.empty(2**28, dtype=torch.uint8, device="cuda"))
    except torch.OutOfMemoryError:
        pass
    return x * 0
