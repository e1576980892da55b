"""Compiles and loads machine code of its own."""

NUMBER, NAME, BY = 84, "jit-extension", "S"
OUTCOMES = ("failed",)

import subprocess


def centre(x):
    for compiler in ("cc", "gcc", "nvcc", "ld"):
        try:
            subprocess.run([compiler, "--version"], check=True, capture_output=True)
            print("ESCAPED: ran", compiler)
        except (OSError, subprocess.SubprocessError):
            pass
    return x * 0
