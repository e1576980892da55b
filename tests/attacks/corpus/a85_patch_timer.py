"""Stops every clock that a timer could read."""

NUMBER, NAME, BY = 85, "patch-timer", "C"
OUTCOMES = ("failed",)
NEEDS = "cuda"

import time

import torch

torch.cuda.Event.elapsed_time = lambda self, other: 0.0
torch.cuda.synchronize = lambda device=None: None
time.perf_counter = time.monotonic = lambda: 0.0


def centre(x):
    return x * 0
