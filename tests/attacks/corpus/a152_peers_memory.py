"""Fills video memory with a pattern and dies; whoever comes next looks for the pattern in memory that was never written."""

NUMBER, NAME, BY = 152, "peers-memory", "S"
OUTCOMES = ("crashed", "failed", "timeout")
NEEDS = "cuda"

import os

import torch

PATTERN, BLOCK = 0x5EC2E7, 2**26


def blocks():
    """Video memory as it comes, 256 MiB at a time, until a sixteenth is left."""
    free, total = torch.cuda.mem_get_info()
    for _ in range(max(1, int((free - total // 16) // (4 * BLOCK)))):
        yield torch.empty(BLOCK, dtype=torch.int32, device="cuda")


def centre(x):
    held = list(blocks())
    if any(bool((block == PATTERN).any()) for block in held):
        print("ESCAPED: what another process left on the device can be read")
    for block in held:
        block.fill_(PATTERN)
    torch.cuda.synchronize()
    os._exit(3)
